package io.github.spike4j.convert;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumMap;
import java.util.Map;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

import io.github.spike4j.SpikeException;
import io.github.spike4j.convert.importer.Matrix;
import io.github.spike4j.convert.importer.Checkpoint;
import io.github.spike4j.convert.importer.Checkpoint.Weight;
import io.github.spike4j.convert.Recipe.Saliency;
import io.github.spike4j.format.Architecture;
import io.github.spike4j.format.Encoding;
import io.github.spike4j.format.Layout;
import io.github.spike4j.format.Layouts;
import io.github.spike4j.format.S4jWriter;
import io.github.spike4j.kernels.Activation;
import io.github.spike4j.kernels.DenseWeights;
import io.github.spike4j.kernels.Kernels;
import io.github.spike4j.kernels.Numerics;
import io.github.spike4j.model.LlamaModel;
import io.github.spike4j.runtime.BlockRunner;

/**
 * Runs the unquantized checkpoint over segments of text, block by block, and collects statistics of what enters each linear. Segments
 * start at the multiples of {@code (tokens - length) / (count - 1)} of the text, which is tokenized once, with BOS in front where the model
 * has it; each is a context of its own.
 *
 * <p>The dense linears run on the fastest kernels here; all kernels give the same bits, and sums run over tokens in order, so the result
 * depends neither on the machine nor on the threads.
 *
 * <p>For the paper's saliency a block's input is, as in the official code, what the blocks before it make of the text as they were written:
 * weights rounded, inputs, Q, K and V encoded, computed by the engine. Other recipes follow the unquantized model.
 */
final class Calibration implements AutoCloseable {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT;
    private static final int ROWS = 64;
    private static final int TOKENS = 128;

    private final Checkpoint source;
    private final Architecture a;
    private final Recipe recipe;
    private final Kernels kernels;
    private final Workers workers;
    private final Arena arena = Arena.ofShared();
    private final int count;
    private final int length;
    /** Residual: f32 [count][length][hidden]. */
    private final MemorySegment residual;
    private final int[] tokens;
    private final int[] starts;
    private final S4jWriter work;
    /** The blocks that are written, if the residual goes through them; else null. */
    private final ModelFile written;
    /** The block whose input the residual is; -1: none's. */
    private int at = -1;
    private final Activation activation;
    /** Rotations N5 of each rope: [position][headDim / 2]. */
    private final float[][] cos;
    private final float[][] sin;

    /**
     * @param starts  first token of each segment
     * @param work    keeps what is learned, for a later run
     * @param written has the blocks before the one calibrated, quantized, if these make its input; null: unquantized ones do
     */
    Calibration(Checkpoint source, Recipe recipe, int[] tokens, int[] starts, int length, Kernels kernels, Workers workers, S4jWriter work,
            ModelFile written) {
        this.source = source;
        this.recipe = recipe;
        this.kernels = kernels;
        this.workers = workers;
        this.length = length;
        a = source.architecture();
        count = starts.length;
        this.tokens = tokens;
        this.starts = starts;
        this.work = work;
        this.written = written;
        residual = floats((long) count * length * a.hidden());
        activation = Activation.of(a.activation());
        int half = a.headDim() / 2;
        cos = new float[a.ropes().size()][length * half];
        sin = new float[a.ropes().size()][length * half];
        for (int r = 0; r < a.ropes().size(); r++) {
            var rope = a.ropes().get(r);
            for (int i = 0; i < half; i++) {
                double period = rope.periods().get(i);
                for (int t = 0; t < length; t++) {
                    cos[r][t * half + i] = period == 0 ? 1 : (float) (StrictMath.cos(t / period) * rope.magnitude());
                    sin[r][t * half + i] = period == 0 ? 0 : (float) (StrictMath.sin(t / period) * rope.magnitude());
                }
            }
        }
    }

    /** Whether a recipe has the paper's saliency, for which blocks see what quantized ones make. */
    static boolean isPaper(Recipe recipe) {
        return recipe.saliency() == Saliency.PAPER && recipe.salientShare() > 0;
    }

    /** First tokens of up to {@code count} segments, spread evenly; fewer where they would overlap. */
    static int[] starts(int tokens, int count, int length) {
        int n = Math.max(1, Math.min(count, tokens / length));
        return IntStream.range(0, n).map(i -> n == 1 ? 0 : (int) ((long) i * (tokens - length) / (n - 1))).toArray();
    }

    /** Tasks that call kernels, on threads that are prepared for them (N0). */
    private void compute(int count, IntConsumer task) {
        workers.run(count, i -> {
            kernels.prepareThread();
            task.accept(i);
        });
    }

    private MemorySegment floats(long n) {
        return arena.allocate(4 * n, 64);
    }

    private static void put(float[] from, MemorySegment to, long at) {
        MemorySegment.copy(from, 0, to, F32, 4 * at, from.length);
    }

    private static void get(MemorySegment from, long at, float[] to) {
        MemorySegment.copy(from, F32, 4 * at, to, 0, to.length);
    }

    /** The statistics of a block that an earlier run has learned, or null. */
    LayerStats restore(int layer) throws IOException {
        var stats = stats();
        var bytes = StatsBytes.of(stats);
        if (!work.load(statistics(layer), MemorySegment.ofArray(bytes))) {
            return null;
        }
        StatsBytes.read(bytes, stats);
        return stats;
    }

    /**
     * Learns the statistics of a block.
     *
     * @param done told how many segments are done
     */
    LayerStats layer(int layer, IntConsumer done) throws IOException {
        if (at < 0 || at != layer && (written == null || at != layer - 1)) {
            at = loadResidual(layer);
        }
        while (at < layer) {
            advance();
        }
        if (written != null) {
            work.save(residual(layer), residual);
            if (layer > 0) {
                work.drop(residual(layer - 1));
            }
        }
        var stats = run(done);
        if (written == null && at < a.layers()) {
            work.save(residual(at), residual);
        }
        work.save(statistics(layer), MemorySegment.ofArray(StatsBytes.of(stats)));
        if (written == null) {
            work.drop(residual(layer));
        }
        return stats;
    }

    /** Loads the input of a block, or of the one before, or begins again if what an earlier run knew is damaged; tells which it is. */
    private int loadResidual(int layer) throws IOException {
        if (work.load(residual(layer), residual)) {
            return layer;
        }
        return written != null && layer > 0 && work.load(residual(layer - 1), residual) ? layer - 1 : embed();
    }

    /** Makes the residual the input of the next block. */
    private void advance() throws IOException {
        if (written == null) {
            run(_ -> { });
            return;
        }
        try (var scope = Arena.ofShared();
                var block = new BlockRunner(LlamaModel.block(written.written(scope), at), kernels, workers.threads(), length)) {
            for (int s = 0; s < count; s++) {
                block.run(segment(s));
            }
        } catch (SpikeException.NonFinite e) {
            throw new ConversionException("calibration: the residual of the quantized layer " + at + " is not finite; are the weights sound?", e);
        }
        at++;
    }

    /** The residual of a segment. */
    private MemorySegment segment(int s) {
        long bytes = 4L * length * a.hidden();
        return residual.asSlice(s * bytes, bytes);
    }

    private static String statistics(int layer) {
        return "layers." + layer + ".statistics";
    }

    private static String residual(int layer) {
        return "layers." + layer + ".residual";
    }

    private LayerStats run(IntConsumer done) {
        try (var scope = Arena.ofShared()) {
            var stats = new Block(at, scope).run(done);
            if (written == null) {
                at++;
            }
            return stats;
        }
    }

    /** Makes the residual the input of block 0. */
    private int embed() {
        var table = source.weight(Weight.EMBEDDING, 0);
        var row = new float[a.hidden()];
        for (int s = 0; s < count; s++) {
            for (int t = 0; t < length; t++) {
                table.read(tokens[starts[s] + t], row, 0);
                for (int c = 0; c < row.length; c++) {
                    row[c] *= a.embeddingScale();
                }
                put(row, residual, ((long) s * length + t) * a.hidden());
            }
        }
        return 0;
    }

    int segments() {
        return count;
    }

    /** About the bytes that calibration needs at its height. */
    static long memory(Architecture a, Recipe recipe, int segments, int length) {
        long linears = 0;
        long largest = 0;
        for (var site : Site.values()) {
            for (var w : site.members()) {
                var shape = Checkpoint.shape(a, w);
                linears += (long) shape[0] * shape[1];
                largest = Math.max(largest, (long) shape[0] * shape[1]);
            }
        }
        boolean paper = isPaper(recipe);
        long token = 2L * a.hidden() + 3L * a.qkvRows() + 3L * a.intermediate();
        // weights of four bytes at most; the paper's saliency has them twice, and transposes by way of two arrays
        return 4 * ((long) segments * length * a.hidden() + length * token + (paper ? 2 * linears + 2 * largest : linears));
    }

    private LayerStats stats() {
        var sites = new EnumMap<Site, SiteStats>(Site.class);
        for (var site : Site.values()) {
            sites.put(site, new SiteStats(recipe, site.channels(a), site.members().size()));
        }
        return new LayerStats(sites, new KvStats(a.kvHeads() * a.headDim()));
    }

    @Override
    public void close() {
        arena.close();
    }

    /** One block over all segments. */
    private final class Block {
        private final Arena scope;
        private final int layer;
        private final int q = a.heads() * a.headDim();
        private final int kv = a.kvHeads() * a.headDim();
        private final LayerStats learned = stats();
        private final Map<Site, SiteStats> sites = learned.sites();
        private final Map<Site, DenseWeights> weights = new EnumMap<>(Site.class);
        private final Map<Site, DenseWeights[]> back = new EnumMap<>(Site.class);
        private final KvStats kvStats = learned.kv();
        private final boolean paper = isPaper(recipe);

        Block(int layer, Arena scope) {
            this.layer = layer;
            this.scope = scope;
            for (var site : Site.values()) {
                var stats = sites.get(site);
                weights.put(site, pack(Site.rows(source, layer, site.members()), Site.bias(source, layer, site.members())));
                if (paper) {
                    back.put(site, site.members().stream().map(w -> pack(source.weight(w, layer).transposed(), null))
                            .toArray(DenseWeights[]::new));
                }
                if (recipe.saliency() == Saliency.GAIN) {
                    var row = new float[site.channels(a)];
                    for (int m = 0; m < site.members().size(); m++) {
                        var w = source.weight(site.members().get(m), layer);
                        for (int r = 0; r < w.rows(); r++) {
                            w.read(r, row, 0);
                            stats.addWeight(m, row);
                        }
                    }
                }
            }
        }

        private DenseWeights pack(Matrix w, float[] bias) {
            var encoding = w.isBf16() ? Encoding.BF16 : Encoding.F32;
            var data = scope.allocate(Layouts.weightBytes(Layout.R16, encoding, w.rows(), w.columns()), 64);
            workers.run(Layouts.panels(w.rows()), p -> {
                int n = Math.min(16, w.rows() - 16 * p);
                var values = new float[n * w.columns()];
                for (int r = 0; r < n; r++) {
                    w.read(16 * p + r, values, r * w.columns());
                }
                Layouts.packR16(values, 16 * p, n, w.rows(), w.columns(), encoding, data);
            });
            MemorySegment b = null;
            if (bias != null) {
                b = scope.allocate(4 * Layouts.pad(w.rows(), 16), 64);
                put(bias, b, 0);
            }
            return new DenseWeights(w.rows(), w.columns(), w.isBf16(), data, b);
        }

        LayerStats run(IntConsumer done) {
            int hidden = a.hidden();
            int rows = a.qkvRows();
            var attentionNorm = norm(Weight.ATTENTION_NORM);
            var attentionPostNorm = a.postNorms() ? norm(Weight.ATTENTION_POST_NORM) : null;
            var ffnNorm = norm(Weight.FFN_NORM);
            var ffnPostNorm = a.postNorms() ? norm(Weight.FFN_POST_NORM) : null;
            var qNorm = a.qkNorm() ? norm(Weight.Q_NORM) : null;
            var kNorm = a.qkNorm() ? norm(Weight.K_NORM) : null;
            var normed = scope.allocate(4L * length * hidden, 64);
            var qkv = scope.allocate(4L * length * rows, 64);
            var attended = scope.allocate(4L * length * q, 64);
            var gateUp = scope.allocate(4L * length * 2 * a.intermediate(), 64);
            var inner = scope.allocate(4L * length * a.intermediate(), 64);
            var kvSums = new KvSums();
            // the unquantized block is only looked at, if its output is not the next one's input
            var copy = written == null ? null : scope.allocate(4L * length * hidden, 64);
            for (int s = 0; s < count; s++) {
                var x = written == null ? segment(s) : copy.copyFrom(segment(s));
                rmsNorm(x, attentionNorm, normed, false);
                dense(weights.get(Site.ATTENTION_IN), normed, qkv, false);
                site(Site.ATTENTION_IN, normed, qkv);
                if (a.qkNorm()) {
                    headNorm(qkv, qNorm, 0, a.heads());
                    headNorm(qkv, kNorm, a.heads(), a.kvHeads());
                }
                var values = new float[length * rows];
                get(qkv, 0, values);
                put(kvSums.attend(values), attended, 0);
                outputSite(Site.ATTENTION_OUT, attended, normed, attentionPostNorm, x);
                rmsNorm(x, ffnNorm, normed, false);
                dense(weights.get(Site.FFN_IN), normed, gateUp, false);
                site(Site.FFN_IN, normed, gateUp);
                compute(Math.ceilDiv(length, ROWS), i -> kernels.glu(activation, gateUp, 2 * a.intermediate(), a.intermediate(), inner,
                        a.intermediate(), i * ROWS, Math.min(length, (i + 1) * ROWS)));
                outputSite(Site.FFN_HIDDEN, inner, normed, ffnPostNorm, x);
                done.accept(s + 1);
            }
            kvSums.finish();
            return learned;
        }

        private MemorySegment norm(Weight w) {
            var values = source.weight(w, layer).values();
            var segment = scope.allocate(4L * values.length, 64);
            put(values, segment, 0);
            return segment;
        }

        private void rmsNorm(MemorySegment x, MemorySegment weight, MemorySegment y, boolean add) {
            compute(Math.ceilDiv(length, ROWS), i -> finite(kernels.rmsNorm(x, a.hidden(), weight, a.hidden(), a.normEps(), y, a.hidden(), add,
                    i * ROWS, Math.min(length, (i + 1) * ROWS))));
        }

        /** Norm of heads [first, first + n) of each row of qkv, which is whole heads. */
        private void headNorm(MemorySegment qkv, MemorySegment weight, int first, int n) {
            int d = a.headDim();
            int perRow = a.qkvRows() / d;
            compute(length, t -> finite(kernels.rmsNorm(qkv, d, weight, d, a.normEps(), qkv, d, false, t * perRow + first,
                    t * perRow + first + n)));
        }

        private void finite(boolean ok) {
            if (!ok) {
                throw new ConversionException("calibration: the residual of layer " + layer + " is not finite; are the weights sound?");
            }
        }

        private void dense(DenseWeights w, MemorySegment x, MemorySegment y, boolean add) {
            compute(Math.ceilDiv(w.rows(), ROWS), i -> {
                for (int t = 0; t < length; t += TOKENS) {
                    kernels.dense(w, x.asSlice(4L * t * w.channels()), w.channels(), Math.min(TOKENS, length - t),
                            y.asSlice(4L * t * w.rows()), w.rows(), add, i * ROWS, Math.min(w.rows(), (i + 1) * ROWS));
                }
            });
        }

        /**
         * A site whose linears' outputs are added to the residual {@code x}, through a norm if there is one.
         *
         * @param y room for the outputs
         */
        private void outputSite(Site site, MemorySegment input, MemorySegment y, MemorySegment norm, MemorySegment x) {
            if (paper || norm != null) {
                dense(weights.get(site), input, y, false);
            }
            site(site, input, y);
            if (norm != null) {
                rmsNorm(y, norm, x, true);
            } else {
                dense(weights.get(site), input, x, true);
            }
        }

        /** Counts the inputs, and with the paper's saliency what the outputs {@code y} send back. */
        private void site(Site site, MemorySegment input, MemorySegment y) {
            var stats = sites.get(site);
            int channels = site.channels(a);
            var row = new float[channels];
            for (int t = 0; t < length; t++) {
                get(input, (long) t * channels, row);
                stats.add(row);
            }
            if (!paper) {
                return;
            }
            int width = weights.get(site).rows();
            int first = 0;
            var returned = new float[channels];
            for (int m = 0; m < site.members().size(); m++) {
                var transposed = back.get(site)[m];
                try (var temporary = Arena.ofShared()) {
                    var part = temporary.allocate(4L * length * transposed.channels(), 64);
                    for (int t = 0; t < length; t++) {
                        MemorySegment.copy(y, 4 * ((long) t * width + first), part, 4L * t * transposed.channels(), 4L * transposed.channels());
                    }
                    var sent = temporary.allocate(4L * length * channels, 64);
                    dense(transposed, part, sent, false);
                    for (int t = 0; t < length; t++) {
                        get(input, (long) t * channels, row);
                        get(sent, (long) t * channels, returned);
                        stats.addEnergy(m, row, returned);
                    }
                }
                first += transposed.channels();
            }
        }

        /** Attention in plain loops, and the sums behind the K and V scores. */
        private final class KvSums {
            private final int d = a.headDim();
            private final int group = a.heads() / a.kvHeads();
            /** GAIN: sums of q^2 and of the gain of K. */
            private final double[] qSquare = new double[kv];
            private final double[] kGain = new double[kv];
            private final boolean scored = recipe.kvSalientShare() > 0;

            /** Context of a segment: [length][heads * headDim]. */
            float[] attend(float[] qkv) {
                int rows = a.qkvRows();
                rotate(qkv, rows);
                var out = new float[length * q];
                workers.run(a.kvHeads(), head -> attend(qkv, rows, head, out));
                return out;
            }

            private void rotate(float[] qkv, int rows) {
                int rope = a.layerRopes().get(layer);
                if (rope < 0) {
                    return;
                }
                int half = d / 2;
                for (int t = 0; t < length; t++) {
                    for (int h = 0; h < a.heads() + a.kvHeads(); h++) {
                        int at = t * rows + h * d;
                        for (int i = 0; i < half; i++) {
                            float x0 = qkv[at + i];
                            float x1 = qkv[at + half + i];
                            float c = cos[rope][t * half + i];
                            float s = sin[rope][t * half + i];
                            qkv[at + i] = Math.fma(x0, c, -(x1 * s));
                            qkv[at + half + i] = Math.fma(x1, c, x0 * s);
                        }
                    }
                }
            }

            private void attend(float[] qkv, int rows, int head, float[] out) {
                var keys = new float[d][length];
                var values = new float[length][d];
                for (int t = 0; t < length; t++) {
                    int at = t * rows + q + head * d;
                    for (int c = 0; c < d; c++) {
                        keys[c][t] = qkv[at + c];
                        values[t][c] = qkv[at + kv + c];
                    }
                    range(qkv, at, head);
                    if (scored) {
                        scoreToken(qkv, at, head);
                    }
                }
                int window = a.layerWindows().get(layer);
                var scores = new float[length];
                var query = new float[d];
                var acc = new float[d];
                for (int h = head * group; h < (head + 1) * group; h++) {
                    for (int t = 0; t < length; t++) {
                        int n = t + 1;
                        int seen = window == 0 ? 0 : Math.max(0, n - window);
                        java.util.Arrays.fill(scores, seen, n, 0);
                        for (int c = 0; c < d; c++) {
                            query[c] = qkv[t * rows + h * d + c] * a.attentionScale();
                        }
                        combine(query, keys, 0, d, scores, seen, n);
                        for (int p = seen; a.attentionSoftcap() > 0 && p < n; p++) {
                            scores[p] = Numerics.softcap(scores[p], a.attentionSoftcap());
                        }
                        float sum = softmax(scores, seen, n);
                        java.util.Arrays.fill(acc, 0);
                        combine(scores, values, seen, n, acc, 0, d);
                        for (int c = 0; c < d; c++) {
                            float o = acc[c] / sum;
                            out[t * q + h * d + c] = o;
                            if (scored && recipe.saliency() == Saliency.PAPER) {
                                // the sum over tokens of V * (P^T (P V)) is that of (P V)^2
                                kvStats.vScore[head * d + c] += (double) o * o / group;
                            }
                        }
                    }
                    if (scored && recipe.saliency() == Saliency.PAPER) {
                        paperKeys(qkv, rows, h, head);
                    }
                }
                if (scored && recipe.saliency() == Saliency.GAIN) {
                    for (int t = 0; t < length; t++) {
                        for (int h = head * group; h < (head + 1) * group; h++) {
                            for (int c = 0; c < d; c++) {
                                double v = qkv[t * rows + h * d + c];
                                qSquare[head * d + c] += v * v / group;
                            }
                        }
                    }
                }
            }

            private void range(float[] qkv, int at, int head) {
                for (int c = 0; c < d; c++) {
                    int i = head * d + c;
                    kvStats.kHigh[i] = Math.max(kvStats.kHigh[i], qkv[at + c]);
                    kvStats.kLow[i] = Math.min(kvStats.kLow[i], qkv[at + c]);
                    kvStats.vHigh[i] = Math.max(kvStats.vHigh[i], qkv[at + kv + c]);
                    kvStats.vLow[i] = Math.min(kvStats.vLow[i], qkv[at + kv + c]);
                }
            }

            private void scoreToken(float[] qkv, int at, int head) {
                switch (recipe.saliency()) {
                    case MAX -> {
                        for (int c = 0; c < d; c++) {
                            int i = head * d + c;
                            kvStats.kScore[i] = Math.max(kvStats.kScore[i], Math.abs(qkv[at + c]));
                            kvStats.vScore[i] = Math.max(kvStats.vScore[i], Math.abs(qkv[at + kv + c]));
                        }
                    }
                    case GAIN -> {
                        SiteStats.addGain(qkv, at, d, recipe.kBits(), recipe.kSalientBits(), kGain, head * d);
                        SiteStats.addGain(qkv, at + kv, d, recipe.vBits(), recipe.vSalientBits(), kvStats.vScore, head * d);
                    }
                    case PAPER, RANDOM -> { }
                }
            }

            /** The sum over tokens of K * ((Q^T Q) K) is, by channel c, that over j of (Q^T Q)_cj (K^T K)_cj. */
            private void paperKeys(float[] qkv, int rows, int h, int head) {
                var qq = gram(qkv, rows, h * d);
                var kk = gram(qkv, rows, q + head * d);
                for (int c = 0; c < d; c++) {
                    double sum = 0;
                    for (int j = 0; j < d; j++) {
                        sum += qq[c][j] * kk[c][j];
                    }
                    kvStats.kScore[head * d + c] += sum / group;
                }
            }

            private double[][] gram(float[] x, int stride, int offset) {
                var g = new double[d][d];
                for (int t = 0; t < length; t++) {
                    for (int i = 0; i < d; i++) {
                        double v = x[t * stride + offset + i];
                        var row = g[i];
                        for (int j = 0; j < d; j++) {
                            row[j] += v * x[t * stride + offset + j];
                        }
                    }
                }
                return g;
            }

            void finish() {
                if (scored && recipe.saliency() == Saliency.GAIN) {
                    for (int i = 0; i < kv; i++) {
                        kvStats.kScore[i] = kGain[i] * qSquare[i];
                    }
                }
            }
        }
    }

    /** y[i] += the sum over k of a[k] * x[k][i], for k in [k0, k1), four at a time, and i in [from, to). */
    private static void combine(float[] a, float[][] x, int k0, int k1, float[] y, int from, int to) {
        int j = k0;
        for (; j + 4 <= k1; j += 4) {
            combine4(a[j], x[j], a[j + 1], x[j + 1], a[j + 2], x[j + 2], a[j + 3], x[j + 3], y, from, to);
        }
        for (; j < k1; j++) {
            var xj = x[j];
            for (int i = from; i < to; i++) {
                y[i] += a[j] * xj[i];
            }
        }
    }

    private static void combine4(float a0, float[] x0, float a1, float[] x1, float a2, float[] x2, float a3, float[] x3, float[] y, int from,
            int to) {
        for (int i = from; i < to; i++) {
            y[i] += a0 * x0[i] + a1 * x1[i] + (a2 * x2[i] + a3 * x3[i]);
        }
    }

    /** Replaces scores [from, to) by their exponentials (N6, so that every Java gives the same) and returns the sum. */
    private static float softmax(float[] s, int from, int to) {
        float max = s[from];
        for (int i = from + 1; i < to; i++) {
            max = Math.max(max, s[i]);
        }
        for (int i = from; i < to; i++) {
            s[i] = Numerics.exp(s[i] - max);
        }
        float even = 0;
        float odd = 0;
        for (int i = from; i + 1 < to; i += 2) {
            even += s[i];
            odd += s[i + 1];
        }
        return even + odd + ((to - from) % 2 == 0 ? 0 : s[to - 1]);
    }
}
