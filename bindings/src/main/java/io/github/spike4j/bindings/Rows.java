package io.github.spike4j.bindings;

import io.github.spike4j.bindings.ffi.Spike4jH;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Operations on rows of floats. Strides count floats. Results: {@code spike4j.h}. */
public final class Rows {
    /** One result slot a thread, so that {@link #argmax} allocates once. */
    private static final ThreadLocal<MemorySegment> INDEX = ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(ValueLayout.JAVA_LONG));

    private Rows() {
    }

    /** The function of a gate. */
    public enum Activation {
        /** g / (1 + exp(-g)). */
        SILU(Spike4jH.S4J_SILU()),
        /** GELU by tanh. */
        GELU_TANH(Spike4jH.S4J_GELU_TANH());

        private final int value;

        Activation(int value) {
            this.value = value;
        }
    }

    /**
     * RMSNorm of rows [begin, end); y may be x.
     *
     * @param weight f32 {@code [channels]}
     * @param add    onto y instead of over it
     * @throws NativeException non-finite: rows that became all NaN; the other rows are done
     */
    public static void rmsNorm(KernelTable k, MemorySegment x, long xStride, MemorySegment weight, long channels, float eps,
            MemorySegment y, long yStride, boolean add, long begin, long end) {
        Check.that(channels >= 1, "channels", "at least 1", channels);
        Check.range("rows", begin, end, Long.MAX_VALUE);
        Check.rows("x", x, end, xStride, channels);
        Check.memory("weight", weight, channels, Float.BYTES, Float.BYTES);
        Check.writableRows("y", y, end, yStride, channels);
        NativeException.check("s4j_rmsnorm", Spike4jH.s4j_rmsnorm(k.handle(), x, xStride, weight, channels, eps, y, yStride,
                add ? Spike4jH.S4J_ADD() : Spike4jH.S4J_STORE(), begin, end));
    }

    /** activation(gate) * up of rows [begin, end); a row of {@code gateUp} is {@code channels} gates, then {@code channels} ups. */
    public static void glu(KernelTable k, Activation activation, MemorySegment gateUp, long stride, long channels, MemorySegment y,
            long yStride, long begin, long end) {
        Check.within("channels", channels, 1, 1L << 31);
        Check.range("rows", begin, end, Long.MAX_VALUE);
        Check.rows("gateUp", gateUp, end, stride, 2 * channels);
        Check.writableRows("y", y, end, yStride, channels);
        NativeException.check("s4j_glu",
                Spike4jH.s4j_glu(k.handle(), activation.value, gateUp, stride, channels, y, yStride, begin, end));
    }

    /** Online rotation of rows [begin, end) in place, by Hadamards of the largest power of two that divides the channels. */
    public static void hadamard(KernelTable k, MemorySegment x, long xStride, long channels, long begin, long end) {
        Check.within("channels", channels, 1, Integer.MAX_VALUE);
        Check.range("rows", begin, end, Long.MAX_VALUE);
        Check.writableRows("x", x, end, xStride, channels);
        NativeException.check("s4j_hadamard", Spike4jH.s4j_hadamard(k.handle(), x, xStride, channels, begin, end));
    }

    /**
     * Embedding rows: row i of y is row {@code ids[i]} of the table times {@code scale}, i in [begin, end).
     *
     * @param table row-major {@code [vocab][channels]}
     * @param scale positive
     * @param ids   i32 {@code [end]}
     * @throws NativeException an id is not in 0..vocab-1; nothing was written
     */
    public static void embed(KernelTable k, MemorySegment table, DType dtype, long vocab, long channels, float scale,
            MemorySegment ids, MemorySegment y, long yStride, long begin, long end) {
        Check.within("channels", channels, 1, 1L << 31);
        Check.within("vocab", vocab, 1, 1L << 31);
        Check.range("rows", begin, end, Long.MAX_VALUE);
        Check.memory("table", table, vocab, channels * dtype.bytes(), dtype.bytes());
        Check.memory("ids", ids, end, Integer.BYTES, Integer.BYTES);
        Check.writableRows("y", y, end, yStride, channels);
        NativeException.check("s4j_embed",
                Spike4jH.s4j_embed(k.handle(), table, dtype.value(), vocab, channels, scale, ids, y, yStride, begin, end));
    }

    /**
     * x = cap tanh(x / cap) for rows [begin, end), in place.
     *
     * @param cap positive
     */
    public static void softcap(KernelTable k, MemorySegment x, long xStride, long channels, float cap, long begin, long end) {
        Check.that(channels >= 1, "channels", "at least 1", channels);
        Check.range("rows", begin, end, Long.MAX_VALUE);
        Check.writableRows("x", x, end, xStride, channels);
        NativeException.check("s4j_softcap", Spike4jH.s4j_softcap(k.handle(), x, xStride, channels, cap, begin, end));
    }

    /**
     * Position of the maximum of f32 {@code x[0..n)}, the lowest one on ties.
     *
     * @throws NativeException non-finite: a NaN is present
     */
    public static long argmax(KernelTable k, MemorySegment x, long n) {
        Check.that(n >= 1, "n", "at least 1", n);
        Check.memory("x", x, n, Float.BYTES, Float.BYTES);
        var index = INDEX.get();
        NativeException.check("s4j_argmax", Spike4jH.s4j_argmax(k.handle(), x, n, index));
        return index.get(ValueLayout.JAVA_LONG, 0);
    }
}
