package io.github.spike4j.bindings;

import io.github.spike4j.bindings.ffi.Spike4jH;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Upper bounds that benchmarks compare with. */
public final class Bounds {
    private Bounds() {
    }

    /**
     * Reads memory once and returns the XOR of its 64-bit words.
     *
     * @param data 64-byte aligned, a multiple of 64 bytes long
     */
    public static long readBandwidth(KernelTable k, MemorySegment data) {
        Check.memory("data", data, 0, 1, 64);
        Check.that(data.byteSize() % 64 == 0, "data", "a multiple of 64 bytes", data.byteSize());
        try (var arena = Arena.ofConfined()) {
            var out = arena.allocate(ValueLayout.JAVA_LONG);
            NativeException.check("s4j_read_bandwidth", Spike4jH.s4j_read_bandwidth(k.handle(), data, data.byteSize(), out));
            return out.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    /**
     * Runs the inner instruction mix of the spike GEMM in registers only.
     *
     * @return the multiply-accumulates done
     */
    public static long gemmPeak(KernelTable k, int weightBits, int actBits, long iterations) {
        Check.that(iterations >= 0, "iterations", "at least 0", iterations);
        try (var arena = Arena.ofConfined()) {
            var out = arena.allocate(ValueLayout.JAVA_LONG, 2);
            NativeException.check("s4j_gemm_peak", Spike4jH.s4j_gemm_peak(k.handle(), weightBits, actBits, iterations, out,
                    out.asSlice(Long.BYTES)));
            return out.get(ValueLayout.JAVA_LONG, 0);
        }
    }
}
