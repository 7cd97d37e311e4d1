package io.github.spike4j.bindings;

import io.github.spike4j.bindings.ffi.Spike4jH;

/** Rounding and denormals of the calling thread. Libraries built for fast math change them, and new threads inherit them. */
public final class FloatEnvironment {
    private FloatEnvironment() {
    }

    /**
     * Rounds to nearest even and keeps denormals from now on.
     *
     * @return whether something was otherwise
     */
    public static boolean reset() {
        NativeLibrary.require();
        return Spike4jH.s4j_reset_float_environment() != 0;
    }
}
