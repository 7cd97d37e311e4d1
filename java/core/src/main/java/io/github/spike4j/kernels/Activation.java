package io.github.spike4j.kernels;

/** The function of the gate (SPEC.md, N9). */
public enum Activation {
    /** g / (1 + exp(-g)). */
    SILU,
    /** GELU by tanh. */
    GELU_TANH
}
