package io.github.spike4j.convert;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import java.util.regex.Pattern;

import io.github.spike4j.convert.importer.Sources;
import io.github.spike4j.convert.importer.Matrix;
import io.github.spike4j.convert.importer.Checkpoint;
import io.github.spike4j.convert.importer.Checkpoint.Weight;
import io.github.spike4j.convert.Recipe.Compute;
import io.github.spike4j.convert.Recipe.Saliency;
import io.github.spike4j.format.Architecture;
import io.github.spike4j.format.S4jWriter;
import io.github.spike4j.kernels.Kernels;
import io.github.spike4j.kernels.Numerics;
import io.github.spike4j.tokenizer.Tokenizer;
import io.github.spike4j.tokenizer.TokenizerException;
import io.github.spike4j.weights.TemplateEntries;

/**
 * Converts a checkpoint into a {@code .s4j}: block by block, calibrates, chooses salient channels, rounds weights, writes. Needs memory for
 * one tensor and for the residual of the calibration segments. Equal input gives equal bytes.
 *
 * <p>What is done waits in {@code OUT.work}: after a kill, a full disk or anything else that is not the input's fault, the same request
 * goes on from there, linear by linear, and writes the same bytes.
 */
public final class Converter {
    private static final long MAX_TEXT = 1L << 30;
    /** What systems say when a file cannot grow. */
    private static final Pattern FULL = Pattern.compile("No space left|File too large|quota exceeded", Pattern.CASE_INSENSITIVE);

    private final ConvertRequest request;
    private final ProgressListener listener;
    private final Recipe recipe;
    private final Workers workers;
    private final Checkpoint source;
    private final Architecture a;
    private final List<String> warnings = new ArrayList<>();
    private final RandomGenerator random;
    private final boolean calibrated;
    /** Only planning: there is no writer, and values do not matter. */
    private final boolean planning;
    /** In weights. */
    private long done;
    private long total;
    private int resumed;
    private boolean going;

    private Converter(ConvertRequest request, ProgressListener listener, Checkpoint source, Workers workers, boolean planning) {
        this.request = request;
        this.listener = listener;
        this.source = source;
        this.workers = workers;
        recipe = request.recipe();
        a = source.architecture();
        calibrated = recipe.usesCalibration() && request.calibration() != null;
        this.planning = planning;
        random = RandomGeneratorFactory.of("L64X128MixRandom").create(recipe.seed());
    }

    /**
     * Converts; the file appears under its name when it is complete.
     *
     * @throws RecipeException     if the recipe needs calibration text and there is none
     * @throws ConversionException for anything else that stops it; one line
     */
    public static ConvertReport convert(ConvertRequest request, ProgressListener listener) {
        long start = System.nanoTime();
        var unfit = unfit(request);
        if (unfit != null) {
            throw new ConversionException(unfit);
        }
        if (!request.overwrite() && Files.exists(request.out())) {
            throw new ConversionException(request.out() + ": the file exists already; remove it or choose another name");
        }
        if (request.recipe().needsCalibration() && request.calibration() == null) {
            throw new RecipeException(noCalibration(request.recipe()));
        }
        try (var source = Checkpoint.open(request.source(), request.context()); var workers = new Workers(request.threads())) {
            var converter = new Converter(request, listener, source, workers, false);
            converter.run();
            return new ConvertReport(request.out(), Files.size(request.out()), request.recipe().name(),
                    Checkpoint.parameters(source.architecture()), source.architecture().layers(), List.copyOf(converter.warnings),
                    (System.nanoTime() - start) / 1e9, converter.resumed);
        } catch (IOException e) {
            throw new ConversionException(unwritable(request, e), e);
        } catch (UncheckedIOException e) {
            throw new ConversionException(unwritable(request, e.getCause()), e);
        }
    }

    /** What {@link #convert} would do with this request; writes nothing. */
    public static ConvertPlan plan(ConvertRequest request) {
        var problems = new ArrayList<String>();
        try (var source = Checkpoint.open(request.source(), request.context()); var workers = new Workers(1)) {
            var planner = new Converter(request, ProgressListener.none(), source, workers, true);
            return planner.plan(problems);
        } catch (ConversionException e) {
            problems.add(e.getMessage());
            return new ConvertPlan(null, 0, 0, 0, 0, null, false, null, List.of(), problems);
        } catch (IOException e) {
            throw new AssertionError("planning writes nothing", e);
        }
    }

    private ConvertPlan plan(List<String> problems) throws IOException {
        var unfit = unfit(request);
        if (unfit != null) {
            problems.add(unfit);
        }
        if (recipe.needsCalibration() && request.calibration() == null) {
            problems.add(noCalibration(recipe));
        }
        var provenance = new TreeMap<>(source.provenance());
        CalibrationText text = null;
        try {
            text = calibrationText(provenance);
        } catch (ConversionException e) {
            problems.add(e.getMessage());
        }
        var file = new ModelFile(null, a, recipe);
        write(file, null);
        long bytes = file.size(source.tokenizer(), provenance, license());
        long memory = (128L << 20) + file.largest() + (text == null ? 0 : Calibration.memory(a, recipe, text.starts().length, text.length()));
        return new ConvertPlan(a, Checkpoint.parameters(a), bytes, 2 * bytes, memory, source.tokenizer(), !source.chatTemplates().isEmpty(), license(),
                List.copyOf(warnings), problems);
    }

    /** Why the file must not be written there; null if it may. */
    private static String unfit(ConvertRequest request) {
        var out = request.out();
        return Files.isDirectory(out) ? out + ": a folder; give the name of the file to write"
                // a rename would put a file in place of the device
                : Files.exists(out) && !Files.isRegularFile(out) ? out + ": no regular file, and not to be replaced by one; choose another name"
                : isInput(request) ? out + ": the conversion may read this file; choose another name for what it writes" : null;
    }

    /** Whether what is to be replaced is the source, lies among its files and is no {@code .s4j}, or is the calibration text. */
    private static boolean isInput(ConvertRequest request) {
        try {
            var out = request.out().toRealPath();
            var source = request.source().toRealPath();
            var folder = Files.isDirectory(source) ? source : source.getParent();
            return out.equals(source) || out.getParent().equals(folder) && !out.toString().endsWith(".s4j")
                    || request.calibration() != null && out.equals(request.calibration().toRealPath());
        } catch (IOException absent) {
            return false; // nothing to replace, or nothing to read: that is said when it is opened
        }
    }

    private static String noCalibration(Recipe recipe) {
        return "recipe " + recipe.name() + " chooses salient channels or ranges from text; add --calibration TEXT";
    }

    /** One line about a failure to write; says how much a full disk lacks. */
    private static String unwritable(ConvertRequest request, IOException e) {
        var reason = Sources.reason(e);
        var line = request.out() + ": cannot be written: " + reason;
        if (!FULL.matcher(reason).find()) {
            return line;
        }
        try {
            var folder = request.out().toAbsolutePath().getParent();
            long lacking = plan(request).diskBytes() - size(request.out().resolveSibling(request.out().getFileName() + ".work"));
            return line + ": some %,d more bytes are needed in %s, %,d are free; make room and give the same command again, it goes on from here"
                    .formatted(lacking, folder, Files.getFileStore(folder).getUsableSpace());
        } catch (IOException | UncheckedIOException | ConversionException again) {
            return line;
        }
    }

    private static long size(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return 0;
        }
        try (var files = Files.walk(folder)) {
            return files.map(Path::toFile).filter(File::isFile).mapToLong(File::length).sum();
        }
    }

    private String license() {
        return request.license() == null ? source.license() : request.license();
    }

    private void run() throws IOException {
        var tokenizer = source.tokenizer();
        var provenance = new TreeMap<>(source.provenance());
        var text = calibrationText(provenance);
        var writer = open(Job.of(request, source, provenance, license()));
        var file = new ModelFile(writer, a, recipe);
        try (var calibration = text == null ? null
                : new Calibration(source, recipe, text.ids(), text.starts(), text.length(), Kernels.of("auto"), workers, writer,
                        Calibration.isPaper(recipe) ? file : null)) {
            write(file, calibration);
            begin("assemble");
            file.finish(tokenizer, provenance, license());
            done = total;
            begin("done");
        } catch (ConversionException e) {
            // it would end so again
            if (!Thread.currentThread().isInterrupted()) {
                writer.close();
            }
            throw e;
        } finally {
            writer.suspend();
        }
    }

    private S4jWriter open(String job) throws IOException {
        try {
            return S4jWriter.resume(request.out(), job, request.restart());
        } catch (S4jWriter.OtherJobException e) {
            throw new ConversionException(request.out() + ".work: unfinished work of another conversion (other " + Job.difference(job, e.job())
                    + "); repeat that one to finish it, or add --restart to throw it away", e);
        }
    }

    // ---- the order of things -------------------------------------------------------------------------------------------

    /** @param calibration null: none, or only planning */
    private void write(ModelFile file, Calibration calibration) throws IOException {
        if (a.context() > source.positions()) {
            warn("the source is made for " + source.positions() + " positions; beyond them, to the context of " + a.context()
                    + ", expect worse text");
        }
        long outer = (long) a.vocab() * a.hidden();
        long layers = 0;
        for (var site : Site.values()) {
            layers += a.layers() * weights(site.members());
        }
        total = 2 * outer + layers * (calibrated ? 2 : 1);
        total += total / 16; // assembling
        file.entry("tokenizer.json", source.tokenizerJson());
        source.chatTemplates().forEach((name, template) -> {
            if (TemplateEntries.isLegal(name)) {
                file.entry(TemplateEntries.entry(name), template.getBytes(StandardCharsets.UTF_8));
            } else {
                warn("the chat template named \"" + Sources.printable(name) + "\" is left out: in a .s4j file names are of [a-z0-9._-]");
            }
        });
        block(file, "embedding", outer, () -> file.embedding(source.weight(Weight.EMBEDDING, 0)));
        for (int layer = 0; layer < a.layers(); layer++) {
            int l = layer;
            var name = "layers." + layer + ".";
            block(file, name + "norms", 0, () -> {
                norm(file, name + "attn_norm", Weight.ATTENTION_NORM, l);
                norm(file, name + "ffn_norm", Weight.FFN_NORM, l);
                if (a.qkNorm()) {
                    norm(file, name + "q_norm", Weight.Q_NORM, l);
                    norm(file, name + "k_norm", Weight.K_NORM, l);
                }
                if (a.postNorms()) {
                    norm(file, name + "attn_post_norm", Weight.ATTENTION_POST_NORM, l);
                    norm(file, name + "ffn_post_norm", Weight.FFN_POST_NORM, l);
                }
            });
            var stats = calibration == null ? null : calibrate(calibration, layer, layers / a.layers());
            if (recipe.compute() == Compute.SPIKING) {
                spiking(file, layer, stats);
            } else {
                dense(file, layer);
            }
        }
        block(file, "final_norm", 0, () -> norm(file, "final_norm", Weight.NORM, 0));
        block(file, "lm_head", outer, () -> head(file));
    }

    private void norm(ModelFile file, String name, Weight weight, int layer) throws IOException {
        file.floats(name, source.weight(weight, layer).values(), Checkpoint.shape(a, weight)[1]);
    }

    private long weights(List<Weight> members) {
        return members.stream().map(w -> Checkpoint.shape(a, w)).mapToLong(s -> (long) s[0] * s[1]).sum();
    }

    /** What is restored together if it is done. */
    private void block(ModelFile file, String name, long weights, ModelFile.Action action) throws IOException {
        if (file.restore(name)) {
            resumed++;
        } else {
            begin(name);
            file.write(name, action);
        }
        done += weights;
    }

    private LayerStats calibrate(Calibration calibration, int layer, long weights) throws IOException {
        long before = done;
        var stats = calibration.restore(layer);
        if (stats == null) {
            var phase = "layers." + layer + ": calibration";
            begin(phase);
            stats = calibration.layer(layer, segment -> {
                done = before + weights * segment / calibration.segments();
                listener.progress(phase, done, total);
            });
        }
        done = before + weights;
        return stats;
    }

    private void begin(String phase) {
        if (!going && resumed > 0) {
            listener.resumed(done, total);
        }
        going = true;
        listener.progress(phase, done, total);
    }

    private void warn(String message) {
        warnings.add(message);
        listener.warning(message);
    }

    // ---- calibration ---------------------------------------------------------------------------------------------------

    /** @param starts first token of each segment of {@code length} */
    private record CalibrationText(int[] ids, int[] starts, int length) { }

    /** Reads the text; null if there is none or no use for it. */
    private CalibrationText calibrationText(Map<String, String> provenance) {
        if (!calibrated) {
            if (recipe.usesCalibration()) {
                warn("no --calibration text: the clipping of weights is searched as if all channels mattered alike");
            }
            return null;
        }
        var path = request.calibration();
        byte[] bytes;
        String text;
        try {
            if (Files.size(path) > MAX_TEXT) {
                throw new ConversionException(path + ": the limit of a calibration text is 1 GB");
            }
            bytes = Files.readAllBytes(path);
            text = StandardCharsets.UTF_8.newDecoder().decode(java.nio.ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException e) {
            throw new ConversionException(path + ": not UTF-8 text", e);
        } catch (IOException e) {
            throw new ConversionException(path + ": cannot be read: " + Sources.reason(e), e);
        }
        int[] ids;
        try {
            ids = Tokenizer.fromJson(source.tokenizerJson()).encode(text, false);
        } catch (TokenizerException e) {
            throw new ConversionException(request.source() + ": its tokenizer cannot be used: " + e.getMessage(), e);
        }
        int bos = source.tokenizer().bos();
        if (source.tokenizer().addBos()) {
            var more = new int[ids.length + 1];
            more[0] = bos;
            System.arraycopy(ids, 0, more, 1, ids.length);
            ids = more;
        }
        for (int id : ids) {
            if (id < 0 || id >= a.vocab()) {
                throw new ConversionException(request.source() + ": the tokenizer gives id " + id + ", the model has " + a.vocab() + " tokens");
            }
        }
        int length = Math.min(Math.min(recipe.calibrationLength(), a.context()), ids.length);
        if (length < 16) {
            throw new ConversionException(path + ": " + ids.length + " tokens; calibration needs at least 16");
        }
        var starts = Calibration.starts(ids.length, recipe.calibrationSegments(), length);
        if (starts.length < recipe.calibrationSegments()) {
            warn("the calibration text holds " + starts.length + " of " + recipe.calibrationSegments() + " segments of " + length + " tokens");
        }
        provenance.put("calibration", path.getFileName().toString());
        provenance.put("calibrationSha256", Job.sha256(bytes));
        provenance.put("calibrationTokens", starts.length + " x " + length);
        return new CalibrationText(ids, starts, length);
    }

    // ---- blocks --------------------------------------------------------------------------------------------------------

    private void dense(ModelFile file, int layer) throws IOException {
        for (var site : Site.values()) {
            var group = site.groups(layer, false).getFirst();
            block(file, group.linear(), weights(group.members()), () -> file.dense(group.linear(), Site.rows(source, layer, group.members()),
                    Site.bias(source, layer, group.members()), workers));
        }
    }

    private void spiking(ModelFile file, int layer, LayerStats stats) throws IOException {
        boolean own = recipe.masks() == Recipe.Masks.OWN && recipe.salientShare() > 0;
        var channels = new EnumMap<Site, List<Channels>>(Site.class);
        for (var site : Site.values()) {
            channels.put(site, site.groups(layer, own).stream().map(g -> channels(site, g, stats)).toList());
        }
        int[] inner = channels.get(Site.FFN_HIDDEN).getFirst().permutation();
        for (var site : Site.values()) {
            var groups = site.groups(layer, own);
            double[] importance = stats == null ? ones(site.channels(a)) : stats.sites().get(site).importance();
            for (int i = 0; i < groups.size(); i++) {
                var group = groups.get(i);
                var c = channels.get(site).get(i);
                var rows = group.members().stream().map(w -> source.weight(w, layer)).map(m -> site == Site.FFN_IN ? m.rows(inner) : m).toList();
                var bias = Site.bias(source, layer, group.members());
                if (site == Site.FFN_IN && bias != null) {
                    bias = permuted(bias, inner);
                }
                var folded = site == Site.FFN_HIDDEN || c.isIdentity();
                var added = bias;
                block(file, group.linear(), weights(group.members()),
                        () -> spiking(file, group, c, folded ? null : c.permutation(), Matrix.concat(rows), added, importance));
            }
        }
        int n = a.kvHeads() * a.headDim();
        boolean drawn = recipe.saliency() == Saliency.RANDOM || planning;
        var k = salient(n, drawn || stats == null ? null : stats.kv().kScore);
        var v = salient(n, drawn || stats == null ? null : stats.kv().vScore);
        block(file, "layers." + layer + ".attention", 0, () -> attention(file, stats, k, v));
    }

    private void spiking(ModelFile file, Site.Group group, Channels channels, int[] permutation, Matrix rows, float[] bias,
            double[] importance) throws IOException {
        var segments = ModelFile.segments(recipe, channels);
        var how = new SpikeLinear.Weights(recipe.weightBits(), recipe.weightGroup(), recipe.weightClipSearch(), false);
        try (var arena = Arena.ofShared()) {
            var linear = planning ? SpikeLinear.planned(rows.rows(), segments, how)
                    : SpikeLinear.quantize(group.linear(), rows, channels, segments, how, channels.permute(importance), workers, arena);
            file.spiking(group.name(), permutation, segments, recipe.clip(), group.linear(), rows.rows(), recipe.weightBits(), linear, bias);
        }
    }

    /** Every member's bias through one permutation. */
    private static float[] permuted(float[] bias, int[] source) {
        var out = new float[bias.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = bias[i - i % source.length + source[i % source.length]];
        }
        return out;
    }

    private Channels channels(Site site, Site.Group group, LayerStats stats) {
        int n = site.channels(a);
        if (recipe.salientShare() == 0) {
            return Channels.plain(n);
        }
        if (recipe.saliency() == Saliency.RANDOM || planning) {
            return Channels.of(Channels.draw(n, random), recipe.salientShare());
        }
        var s = stats.sites().get(site);
        return Channels.of(group.member() < 0 ? s.sharedScore() : s.score(group.member()), recipe.salientShare());
    }

    /** K or V channels of all kv heads; without scores they are drawn. */
    private Channels[] salient(int n, double[] score) {
        double share = recipe.kvSalientShare();
        return heads(share == 0 ? new boolean[n] : Channels.isSalient(score == null ? Channels.draw(n, random) : score, share));
    }

    private void attention(ModelFile file, LayerStats stats, Channels[] k, Channels[] v) throws IOException {
        var kv = planning ? new KvStats(a.kvHeads() * a.headDim()) : stats == null ? null : stats.kv();
        file.attention(k, v, recipe.k() == Recipe.KvMode.TOKEN ? null : frozen(k, kv.kHigh, kv.kLow, recipe.kBits(), recipe.kSalientBits()),
                recipe.v() == Recipe.KvMode.TOKEN ? null : frozen(v, kv.vHigh, kv.vLow, recipe.vBits(), recipe.vSalientBits()));
    }

    /** Ranges of calibration, by permuted channel of each head. */
    private ModelFile.Frozen frozen(Channels[] heads, float[] high, float[] low, int bits, int salientBits) {
        int d = a.headDim();
        var frozen = new ModelFile.Frozen(new float[high.length], new byte[high.length]);
        for (int h = 0; h < heads.length; h++) {
            for (int c = 0; c < d; c++) {
                int from = h * d + heads[h].permutation()[c];
                int at = h * d + c;
                int levels = (1 << (c < heads[h].ordinary() ? bits : salientBits)) - 1;
                frozen.scale()[at] = Numerics.scale(high[from], low[from], levels);
                frozen.zero()[at] = (byte) Numerics.zero(low[from], frozen.scale()[at], levels);
            }
        }
        return frozen;
    }

    /** The channels of each kv head. */
    private Channels[] heads(boolean[] salient) {
        var heads = new Channels[a.kvHeads()];
        for (int h = 0; h < heads.length; h++) {
            heads[h] = Channels.split(Arrays.copyOfRange(salient, h * a.headDim(), (h + 1) * a.headDim()));
        }
        return heads;
    }

    private void head(ModelFile file) throws IOException {
        var rows = source.weight(Weight.LM_HEAD, 0);
        if (recipe.compute() == Compute.DENSE) {
            file.dense("lm_head", rows, null, workers);
            return;
        }
        var channels = Channels.plain(a.hidden());
        var segments = ModelFile.headSegments(a);
        try (var arena = Arena.ofShared()) {
            var how = new SpikeLinear.Weights(8, 0, false, true);
            var linear = planning ? SpikeLinear.planned(rows.rows(), segments, how)
                    : SpikeLinear.quantize("lm_head", rows, channels, segments, how, ones(a.hidden()), workers, arena);
            file.spiking("head_in", null, segments, 1, "lm_head", rows.rows(), 8, linear, null);
        }
    }

    private static double[] ones(int n) {
        var h = new double[n];
        Arrays.fill(h, 1);
        return h;
    }
}
