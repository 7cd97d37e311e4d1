package io.github.spike4j.kernels;

import java.util.Locale;

/** The function of the gate (SPEC.md, N9). */
public enum Activation {
    /** g / (1 + exp(-g)). */
    SILU,
    /** GELU by tanh. */
    GELU_TANH;

    /** By its name in a manifest: {@code silu}, {@code gelu_tanh}. */
    public static Activation of(String name) {
        for (var activation : values()) {
            if (activation.name().toLowerCase(Locale.ROOT).equals(name)) {
                return activation;
            }
        }
        throw new IllegalArgumentException("no activation '" + name + "'");
    }
}
