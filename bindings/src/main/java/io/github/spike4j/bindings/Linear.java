package io.github.spike4j.bindings;

import io.github.spike4j.bindings.ffi.Spike4jH;
import java.lang.foreign.MemorySegment;

/**
 * Linear layers. Each call computes output rows [begin, end) for tokens [0, tokens): begin is a multiple of 16, end a multiple
 * of 16 or the number of rows. Output: token t at element {@code t * yStride}. Results: {@code spike4j.h}.
 */
public final class Linear {
    private Linear() {
    }

    /**
     * Spike linear over layout R16.
     *
     * @param x   tokens encoded with {@link Weights#gif()}
     * @param add adds to y instead of overwriting it
     */
    public static void linear(KernelTable k, Weights w, SpikeBuffer x, long tokens, MemorySegment y, long yStride, boolean add,
            long begin, long end) {
        layout(w, Weights.Layout.R16);
        output(w.rows(), tokens, y, yStride, begin, end);
        x.check("x", w.gif(), tokens);
        NativeException.check("s4j_linear", Spike4jH.s4j_linear(k.handle(), w.gif().struct(), w.struct(), x.struct(), tokens, y,
                yStride, flags(add), begin, end));
    }

    /**
     * The same sums by AND and popcount, over layout P64.
     *
     * @param planes u64, {@code x} as written by {@link Encoding#planes}
     */
    public static void linearPlanes(KernelTable k, Weights w, SpikeBuffer x, MemorySegment planes, long tokens, MemorySegment y,
            long yStride, boolean add, long begin, long end) {
        layout(w, Weights.Layout.P64);
        output(w.rows(), tokens, y, yStride, begin, end);
        x.check("x", w.gif(), tokens);
        Check.memory("planes", planes, tokens, w.gif().planeWords() * Long.BYTES, Long.BYTES);
        NativeException.check("s4j_linear_planes", Spike4jH.s4j_linear_planes(k.handle(), w.gif().struct(), w.struct(),
                x.struct(), planes, tokens, y, yStride, flags(add), begin, end));
    }

    /** Dense float linear. {@code x}: f32, token t at element {@code t * xStride}, {@link DenseWeights#channels()} long. */
    public static void dense(KernelTable k, DenseWeights w, MemorySegment x, long xStride, long tokens, MemorySegment y,
            long yStride, boolean add, long begin, long end) {
        output(w.rows(), tokens, y, yStride, begin, end);
        Check.rows("x", x, tokens, xStride, w.channels());
        NativeException.check("s4j_dense", Spike4jH.s4j_dense(k.handle(), w.struct(), x, xStride, tokens, y, yStride, flags(add),
                begin, end));
    }

    private static void layout(Weights w, Weights.Layout expected) {
        if (w.layout() != expected) {
            throw new IllegalArgumentException("weights: expected layout " + expected + ", got " + w.layout());
        }
    }

    private static void output(long rows, long tokens, MemorySegment y, long yStride, long begin, long end) {
        Check.that(tokens >= 0, "tokens", "at least 0", tokens);
        Check.range("output rows", begin, end, rows);
        Check.that(begin % 16 == 0, "begin", "a multiple of 16", begin);
        if (end % 16 != 0 && end != rows) {
            throw new IllegalArgumentException("end: expected a multiple of 16 or " + rows + ", got " + end);
        }
        Check.writableRows("y", y, tokens, yStride, end);
    }

    private static int flags(boolean add) {
        return add ? Spike4jH.S4J_ADD() : Spike4jH.S4J_STORE();
    }
}
