package io.github.spike4j.kernels;

import java.lang.foreign.MemorySegment;

/**
 * Every operation of the engine on one backend: scalar Java ({@code java}), the Vector API ({@code vector}) or a native tier
 * ({@code scalar}, {@code avx2}, ...). All give the same bits (SPEC.md, "Numerics"). The methods mirror spike4j.h one to one: they are
 * pure, single-threaded over the rows {@code [begin, end)}, never allocate in steady state, and may run in parallel on disjoint ranges.
 * Strides count floats. Sizes are checked before a native call; a buffer that is too small throws {@link IllegalArgumentException} or
 * {@link IndexOutOfBoundsException}.
 */
public abstract class Kernels {
    /** For backends. */
    protected Kernels() {}

    /**
     * The kernels of a backend by name: {@code java}, {@code vector}, {@code scalar}, {@code avx2}, ...
     *
     * @throws IllegalArgumentException for an unknown name; UnsupportedOperationException, with the reason, for one that cannot run here
     */
    public static Kernels of(String name) {
        return io.github.spike4j.runtime.Backends.kernels(name);
    }

    /** {@code native}, {@code vector} or {@code scalar} (scalar Java). */
    public abstract String backend();

    /** The native tier ({@code scalar}, {@code avx2}, ...), or {@code java} for the Java backends. */
    public abstract String tier();

    /** N0: makes the calling thread round to nearest even and keep denormals; called by every thread before it computes. */
    public void prepareThread() {}

    /** N3. Encodes rows of {@code x} into {@code out}; false if a row was not finite (its silent count is -1). */
    public abstract boolean encode(GifSpec spec, MemorySegment x, int xStride, Spikes out, int begin, int end);

    /** N3, multi-step form: {@code steps} [count][n] of {@code codes} [n]. */
    public abstract void spikeSteps(MemorySegment codes, int n, int bits, int count, MemorySegment steps);

    /** Bit planes of encoded rows: u64 [rows][spec.planeWords()]. */
    public abstract void planes(GifSpec spec, Spikes x, MemorySegment planes, int begin, int end);

    /**
     * N4. y[t][o] = (or +=, with {@code add}) the linear of token t in [0, tokens) for output rows o in [begin, end); begin is a multiple
     * of 16, end too unless it is {@code w.rows()}.
     */
    public abstract void linear(SpikeWeights w, Spikes x, int tokens, MemorySegment y, int yStride, boolean add, int begin, int end);

    /** N4 over bit planes (layout P64). */
    public abstract void linearPlanes(SpikeWeights w, Spikes x, MemorySegment planes, int tokens, MemorySegment y, int yStride,
            boolean add, int begin, int end);

    /** N1, DOT256. Ranges as in {@link #linear}. */
    public abstract void dense(DenseWeights w, MemorySegment x, int xStride, int tokens, MemorySegment y, int yStride, boolean add,
            int begin, int end);

    /** N2, y = (or +=, with {@code add}); false if a row's sum of squares was not finite (the row becomes NaN). {@code y} may be {@code x}. */
    public abstract boolean rmsNorm(MemorySegment x, int xStride, MemorySegment weight, int channels, float eps, MemorySegment y,
            int yStride, boolean add, int begin, int end);

    /** N9. y = activation(gate) * up, gate in channels [0, channels), up in [channels, 2 channels) of a row. */
    public abstract void glu(Activation activation, MemorySegment gateUp, int stride, int channels, MemorySegment y, int yStride, int begin,
            int end);

    /** Embedding rows: y[i] = table[ids[i]] * scale, ids i32; {@code table} row-major [vocab][channels], bf16 or f32. */
    public abstract void embed(MemorySegment table, boolean bf16, int vocab, int channels, float scale, MemorySegment ids, MemorySegment y,
            int yStride, int begin, int end);

    /** N6: x = cap tanh(x / cap) in place. */
    public abstract void softcap(MemorySegment x, int xStride, int channels, float cap, int begin, int end);

    /** N9, online: rotates rows [begin, end) in place by block-diagonal Hadamards. */
    public abstract void hadamard(MemorySegment x, int xStride, int channels, int begin, int end);

    /** Position of the maximum of x[0, n), the lowest on ties; -1 if a NaN is present. */
    public abstract int argmax(MemorySegment x, int n);

    /** N5, N3, N7: rotates, encodes Q, writes K and V to the cache, for token rows [begin, end); false if a token was not finite. */
    public abstract boolean append(AttentionSpec spec, MemorySegment qkv, int qkvStride, MemorySegment rope, Sequences seq, Queries q,
            int begin, int end);

    /** Bytes of scratch, 64-byte aligned, that {@link #attend} and {@link #denseAttend} need up to {@code context} positions. */
    public abstract long attendScratch(AttentionSpec spec, int context);

    /** N7, N8 for token rows [begin, end) and kv heads [headBegin, headEnd). */
    public abstract void attend(AttentionSpec spec, Queries q, Sequences seq, MemorySegment out, int outStride, MemorySegment scratch,
            int begin, int end, int headBegin, int headEnd);

    /** Dense: rotates q in {@code qkv}, writes rotated k, and v, to the f32 cache. */
    public abstract void denseAppend(AttentionSpec spec, MemorySegment qkv, int qkvStride, MemorySegment rope, Sequences seq, int begin,
            int end);

    /** Dense reference attention. */
    public abstract void denseAttend(AttentionSpec spec, MemorySegment qkv, int qkvStride, Sequences seq, MemorySegment out, int outStride,
            MemorySegment scratch, int begin, int end, int headBegin, int headEnd);

    /** Bound: XOR of the 64-bit words of {@code data}, whose size is a multiple of 64. */
    public abstract long readBandwidth(MemorySegment data);

    /** Bound: multiply-accumulates of {@code iterations} rounds of the GEMM's inner mix in registers; 0 if the backend has none. */
    public abstract long gemmPeak(int weightBits, int actBits, long iterations);
}
