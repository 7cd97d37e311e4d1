package io.github.spike4j.runtime;

import io.github.spike4j.bindings.Attention;
import io.github.spike4j.bindings.Bounds;
import io.github.spike4j.bindings.DType;
import io.github.spike4j.bindings.Encoding;
import io.github.spike4j.bindings.FloatEnvironment;
import io.github.spike4j.bindings.GifSegment;
import io.github.spike4j.bindings.KernelTable;
import io.github.spike4j.bindings.KvHead;
import io.github.spike4j.bindings.Linear;
import io.github.spike4j.bindings.NativeException;
import io.github.spike4j.bindings.QueryBuffer;
import io.github.spike4j.bindings.Rows;
import io.github.spike4j.bindings.SequenceTable;
import io.github.spike4j.bindings.SpikeBuffer;
import io.github.spike4j.bindings.Tier;
import io.github.spike4j.bindings.Weights;
import io.github.spike4j.kernels.Activation;
import io.github.spike4j.kernels.AttentionSpec;
import io.github.spike4j.kernels.DenseWeights;
import io.github.spike4j.kernels.GifSpec;
import io.github.spike4j.kernels.Kernels;
import io.github.spike4j.kernels.Queries;
import io.github.spike4j.kernels.Sequences;
import io.github.spike4j.kernels.SpikeWeights;
import io.github.spike4j.kernels.Spikes;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A tier of the native library. The C form of a descriptor is built on its first use and kept in its peer cell, so a call in the
 * steady state only checks sizes and jumps.
 */
final class NativeKernels extends Kernels {
    private final KernelTable table;

    NativeKernels(Tier tier) {
        table = KernelTable.of(tier);
    }

    @Override
    public String backend() {
        return "native";
    }

    @Override
    public String tier() {
        return table.tier().id();
    }

    @Override
    public void prepareThread() {
        FloatEnvironment.reset();
    }

    @Override
    public boolean encode(GifSpec spec, MemorySegment x, int xStride, Spikes out, int begin, int end) {
        try {
            Encoding.encode(table, gif(spec), x, xStride, spikes(out), begin, end);
            return true;
        } catch (NativeException e) {
            return nonFinite(e);
        }
    }

    @Override
    public void spikeSteps(MemorySegment codes, int n, int bits, int count, MemorySegment steps) {
        Encoding.spikeSteps(table, codes, n, bits, count, steps);
    }

    @Override
    public void planes(GifSpec spec, Spikes x, MemorySegment planes, int begin, int end) {
        Encoding.planes(table, gif(spec), spikes(x), planes, begin, end);
    }

    @Override
    public void linear(SpikeWeights w, Spikes x, int tokens, MemorySegment y, int yStride, boolean add, int begin, int end) {
        Linear.linear(table, weights(w), spikes(x), tokens, y, yStride, add, begin, end);
    }

    @Override
    public void linearPlanes(SpikeWeights w, Spikes x, MemorySegment planes, int tokens, MemorySegment y, int yStride, boolean add,
            int begin, int end) {
        Linear.linearPlanes(table, weights(w), spikes(x), planes, tokens, y, yStride, add, begin, end);
    }

    @Override
    public void dense(DenseWeights w, MemorySegment x, int xStride, int tokens, MemorySegment y, int yStride, boolean add, int begin,
            int end) {
        Linear.dense(table, dense(w), x, xStride, tokens, y, yStride, add, begin, end);
    }

    @Override
    public boolean rmsNorm(MemorySegment x, int xStride, MemorySegment weight, int channels, float eps, MemorySegment y, int yStride,
            boolean add, int begin, int end) {
        try {
            Rows.rmsNorm(table, x, xStride, weight, channels, eps, y, yStride, add, begin, end);
            return true;
        } catch (NativeException e) {
            return nonFinite(e);
        }
    }

    @Override
    public void glu(Activation activation, MemorySegment gateUp, int stride, int channels, MemorySegment y, int yStride, int begin, int end) {
        var function = switch (activation) {
            case SILU -> Rows.Activation.SILU;
            case GELU_TANH -> Rows.Activation.GELU_TANH;
        };
        Rows.glu(table, function, gateUp, stride, channels, y, yStride, begin, end);
    }

    @Override
    public void hadamard(MemorySegment x, int xStride, int channels, int begin, int end) {
        Rows.hadamard(table, x, xStride, channels, begin, end);
    }

    @Override
    public void embed(MemorySegment rows, boolean bf16, int vocab, int channels, float scale, MemorySegment ids, MemorySegment y, int yStride,
            int begin, int end) {
        Rows.embed(table, rows, bf16 ? DType.BF16 : DType.F32, vocab, channels, scale, ids, y, yStride, begin, end);
    }

    @Override
    public void softcap(MemorySegment x, int xStride, int channels, float cap, int begin, int end) {
        Rows.softcap(table, x, xStride, channels, cap, begin, end);
    }

    @Override
    public int argmax(MemorySegment x, int n) {
        try {
            return (int) Rows.argmax(table, x, n);
        } catch (NativeException e) {
            return nonFinite(e) ? 0 : -1;
        }
    }

    @Override
    public boolean append(AttentionSpec spec, MemorySegment qkv, int qkvStride, MemorySegment rope, Sequences seq, Queries q, int begin,
            int end) {
        try {
            Attention.append(table, attention(spec), qkv, qkvStride, rope, sequences(seq), queries(q), begin, end);
            return true;
        } catch (NativeException e) {
            return nonFinite(e);
        }
    }

    @Override
    public long attendScratch(AttentionSpec spec, int context) {
        return Attention.scratchBytes(attention(spec), context);
    }

    @Override
    public void attend(AttentionSpec spec, Queries q, Sequences seq, MemorySegment out, int outStride, MemorySegment scratch, int begin,
            int end, int headBegin, int headEnd) {
        Attention.attend(table, attention(spec), queries(q), sequences(seq), out, outStride, scratch, begin, end, headBegin, headEnd);
    }

    @Override
    public void denseAppend(AttentionSpec spec, MemorySegment qkv, int qkvStride, MemorySegment rope, Sequences seq, int begin, int end) {
        Attention.denseAppend(table, attention(spec), qkv, qkvStride, rope, sequences(seq), begin, end);
    }

    @Override
    public void denseAttend(AttentionSpec spec, MemorySegment qkv, int qkvStride, Sequences seq, MemorySegment out, int outStride,
            MemorySegment scratch, int begin, int end, int headBegin, int headEnd) {
        Attention.denseAttend(table, attention(spec), qkv, qkvStride, sequences(seq), out, outStride, scratch, begin, end, headBegin,
                headEnd);
    }

    @Override
    public long readBandwidth(MemorySegment data) {
        return Bounds.readBandwidth(table, data);
    }

    @Override
    public long gemmPeak(int weightBits, int actBits, long iterations) {
        return Bounds.gemmPeak(table, weightBits, actBits, iterations);
    }

    /** False for a row that was not finite; anything else is an error of the caller. */
    private static boolean nonFinite(NativeException e) {
        if (e.isNonFinite()) {
            return false;
        }
        throw e;
    }

    // Arena.ofAuto: a C form lives as long as its Java descriptor, which nobody has to close.

    private static io.github.spike4j.bindings.GifSpec gif(GifSpec spec) {
        if (spec.peer() instanceof io.github.spike4j.bindings.GifSpec known) {
            return known;
        }
        var segments = spec.segments().stream()
                .map(s -> new GifSegment(s.channels(), s.bits(), s.rangeSet(), s.actGroup(), s.maxMultiplier(), s.group())).toList();
        var clip = new float[GifSpec.MAX_SEGMENTS];
        for (int i = 0; i < clip.length; i++) {
            clip[i] = spec.clip(i);
        }
        var made = new io.github.spike4j.bindings.GifSpec(Arena.ofAuto(), segments, spec.permutation(), clip);
        spec.peer(made);
        return made;
    }

    private static SpikeBuffer spikes(Spikes x) {
        if (x.peer() instanceof SpikeBuffer known) {
            return known;
        }
        var made = new SpikeBuffer(Arena.ofAuto(), x.rows(), x.code(), x.scale(), x.zero(), x.mult(), x.sum(), x.silent());
        x.peer(made);
        return made;
    }

    private static Weights weights(SpikeWeights w) {
        if (w.peer() instanceof Weights known) {
            return known;
        }
        var layout = switch (w.layout()) {
            case R16 -> Weights.Layout.R16;
            case P64 -> Weights.Layout.P64;
            case C1 -> throw new UnsupportedOperationException("the native library has no linear over layout C1");
        };
        var parts = new Weights.Parts(w.data(), w.scale(), w.zero(), w.mult(), w.sum(), w.bias());
        var steps = w.stepped() ? java.util.stream.IntStream.range(0, w.spec().segments().size()).map(w::steps).toArray() : new int[0];
        var made = new Weights(Arena.ofAuto(), gif(w.spec()), parts, w.rows(), w.weightGroups(), w.bits(), layout, steps);
        w.peer(made);
        return made;
    }

    private static io.github.spike4j.bindings.DenseWeights dense(DenseWeights w) {
        if (w.peer() instanceof io.github.spike4j.bindings.DenseWeights known) {
            return known;
        }
        var made = new io.github.spike4j.bindings.DenseWeights(Arena.ofAuto(), w.data(), w.bias(), w.rows(), w.channels(),
                w.bf16() ? DType.BF16 : DType.F32);
        w.peer(made);
        return made;
    }

    private static io.github.spike4j.bindings.AttentionSpec attention(AttentionSpec a) {
        if (a.peer().value instanceof io.github.spike4j.bindings.AttentionSpec known) {
            return known;
        }
        var heads = a.kvHeads();
        var scores = new io.github.spike4j.bindings.AttentionSpec.Scores(a.scores().kappa(), a.scores().softcap(), a.scores().window());
        io.github.spike4j.bindings.AttentionSpec made;
        if (a.dense()) {
            made = io.github.spike4j.bindings.AttentionSpec.dense(Arena.ofAuto(), a.heads(), a.headDim(), scores,
                    heads.stream().mapToLong(AttentionSpec.KvHead::pageOffset).toArray());
        } else {
            var bits = new io.github.spike4j.bindings.AttentionSpec.Bits(a.qBits(), a.kBits()[0], a.kBits()[1], a.vBits()[0], a.vBits()[1]);
            made = io.github.spike4j.bindings.AttentionSpec.spiking(Arena.ofAuto(), a.heads(), a.headDim(), scores, heads.stream()
                    .map(h -> new KvHead(h.kPerm(), h.vPerm(), h.kSalient(), h.vSalient(), frozen(a.frozenK(), h.kScale(), h.kZero()),
                            frozen(a.frozenV(), h.vScale(), h.vZero()), h.pageOffset())).toList(),
                    bits, a.coding().k() == AttentionSpec.Coding.K.SHARED, a.coding().hadamard());
        }
        a.peer().value = made;
        return made;
    }

    private static KvHead.Frozen frozen(boolean frozen, float[] scale, int[] zeros) {
        if (!frozen) {
            return null;
        }
        var zero = new byte[zeros.length];
        for (int i = 0; i < zero.length; i++) {
            zero[i] = (byte) zeros[i];
        }
        return new KvHead.Frozen(scale, zero);
    }

    /** All threads of a step tell the table the same, so the race is harmless. */
    private static SequenceTable sequences(Sequences seq) {
        SequenceTable view;
        if (seq.peer() instanceof SequenceTable known) {
            view = known;
        } else {
            view = new SequenceTable(seq.structs());
            seq.peer(view);
        }
        return view.filled(seq.count(), seq.context(), seq.blockBytes());
    }

    private static QueryBuffer queries(Queries q) {
        if (q.peer() instanceof QueryBuffer known) {
            return known;
        }
        var made = new QueryBuffer(Arena.ofAuto(), q.rows(), q.heads(), q.code(), q.scale(), q.zero(), q.sum(), q.silent());
        q.peer(made);
        return made;
    }
}
