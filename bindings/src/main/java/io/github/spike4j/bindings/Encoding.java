package io.github.spike4j.bindings;

import io.github.spike4j.bindings.ffi.Spike4jH;
import java.lang.foreign.MemorySegment;

/** GIF encoding and the other two forms of the same spikes. Shapes, units and results: {@code spike4j.h}. */
public final class Encoding {
    private Encoding() {
    }

    /**
     * Encodes rows [begin, end).
     *
     * @param x       f32, row r at element {@code r * xStride}, {@link GifSpec#channels()} long
     * @param xStride floats between rows
     * @throws NativeException non-finite: rows with silent count -1; the other rows are encoded
     */
    public static void encode(KernelTable k, GifSpec gif, MemorySegment x, long xStride, SpikeBuffer out, long begin, long end) {
        Check.range("rows", begin, end, out.rows());
        Check.rows("x", x, end, xStride, gif.channels());
        out.check("out", gif, end);
        NativeException.check("s4j_encode", Spike4jH.s4j_encode(k.handle(), gif.struct(), x, xStride, out.struct(), begin, end));
    }

    /**
     * Multi-step form of unsigned codes, with soft reset.
     *
     * @param codes u8 {@code [n]}
     * @param bits  width of a step, 1..8
     * @param count steps, 1..16
     * @param steps u8 {@code [count][n]}; their sum over the steps is the code
     */
    public static void spikeSteps(KernelTable k, MemorySegment codes, long n, int bits, int count, MemorySegment steps) {
        Check.that(n >= 0, "n", "at least 0", n);
        Check.within("bits", bits, 1, 8);
        Check.within("count", count, 1, 16);
        Check.memory("codes", codes, n, 1, 1);
        Check.writable("steps", steps, n, count, 1);
        NativeException.check("s4j_spike_steps", Spike4jH.s4j_spike_steps(k.handle(), codes, n, bits, count, steps));
    }

    /**
     * Bit-plane form of encoded rows [begin, end).
     *
     * @param gif    without 16-bit segments
     * @param planes u64 {@code [rows][GifSpec.planeWords()]}
     */
    public static void planes(KernelTable k, GifSpec gif, SpikeBuffer x, MemorySegment planes, long begin, long end) {
        Check.that(!gif.isWide(), "gif", "segments of at most 8 bits", 16);
        Check.range("rows", begin, end, x.rows());
        x.check("x", gif, end);
        Check.writable("planes", planes, end, gif.planeWords() * Long.BYTES, Long.BYTES);
        NativeException.check("s4j_planes", Spike4jH.s4j_planes(k.handle(), gif.struct(), x.struct(), planes, begin, end));
    }
}
