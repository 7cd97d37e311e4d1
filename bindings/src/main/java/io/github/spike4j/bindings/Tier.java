package io.github.spike4j.bindings;

import io.github.spike4j.bindings.ffi.Spike4jH;
import java.util.Locale;

/** Instruction set tiers, from low to high; ordinals are the values of {@code enum s4j_tier}. */
public enum Tier {
    /** Portable C. */
    SCALAR,
    /** AVX2, FMA, F16C, BMI2. */
    AVX2,
    /** AVX2 with AVX-VNNI. */
    AVXVNNI,
    /** The Ice Lake set of AVX-512. */
    AVX512,
    /** AVX-512 with AMX-INT8. */
    AMX;

    /**
     * The best tier that the loaded library, the CPU and the operating system support.
     *
     * @throws NativeUnavailableException if there is no library
     */
    public static Tier best() {
        NativeLibrary.require();
        return values()[Spike4jH.s4j_best_tier()];
    }

    /** The tier's name in options and messages, for example {@code avx2}. */
    public String id() {
        return name().toLowerCase(Locale.ROOT);
    }
}
