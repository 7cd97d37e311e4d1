package io.github.spike4j.runtime;

import io.github.spike4j.kernels.Kernels;

/** The backends by name; one place that knows which exist and which can run here. */
public final class Backends {
    private Backends() {}

    /** See {@link Kernels#of(String)}. */
    public static Kernels kernels(String name) {
        throw new IllegalArgumentException("unknown backend \"" + name + "\"");
    }
}
