package io.github.spike4j.convert;

import java.nio.file.Path;
import java.util.Objects;

/**
 * What to convert.
 *
 * @param source      a folder or file of another project (README.md, "Sources")
 * @param out         the {@code .s4j} to write
 * @param recipe      how
 * @param calibration UTF-8 text for masks, frozen ranges and weight errors, or null
 * @param threads     1 or more; the result does not depend on it
 * @param overwrite   whether {@code out} may exist
 * @param license     licence of the weights, an SPDX expression or text; null: what the source says, if it does
 * @param restart     whether unfinished work of another conversion to {@code out} may be thrown away
 * @param context     positions that the model shall serve, up to {@link #MAX_CONTEXT}; 0: those of the source
 */
public record ConvertRequest(Path source, Path out, Recipe recipe, Path calibration, int threads, boolean overwrite,
        String license, boolean restart, int context) {
    /** Largest context of a model. */
    public static final int MAX_CONTEXT = 1 << 24;

    /** Checks what cannot be null. */
    public ConvertRequest {
        Objects.requireNonNull(source, "source");
        Objects.requireNonNull(out, "out");
        Objects.requireNonNull(recipe, "recipe");
        if (threads < 1) {
            throw new IllegalArgumentException("threads must be at least 1, not " + threads);
        }
        if (context < 0 || context > MAX_CONTEXT) {
            throw new IllegalArgumentException("context must be 0 to " + MAX_CONTEXT + ", not " + context);
        }
    }

    /** Without calibration text, on all processors, replacing nothing. */
    public static ConvertRequest of(Path source, Path out, Recipe recipe) {
        return new ConvertRequest(source, out, recipe, null, Runtime.getRuntime().availableProcessors(), false, null, false, 0);
    }

    /** With another calibration text. */
    public ConvertRequest calibration(Path text) {
        return new ConvertRequest(source, out, recipe, text, threads, overwrite, license, restart, context);
    }

    /** With another number of threads. */
    public ConvertRequest threads(int count) {
        return new ConvertRequest(source, out, recipe, calibration, count, overwrite, license, restart, context);
    }

    /** Whether an existing file is replaced. */
    public ConvertRequest overwrite(boolean allowed) {
        return new ConvertRequest(source, out, recipe, calibration, threads, allowed, license, restart, context);
    }

    /** With the licence of the weights. */
    public ConvertRequest license(String text) {
        return new ConvertRequest(source, out, recipe, calibration, threads, overwrite, text, restart, context);
    }

    /** Whether unfinished work of another conversion is thrown away. */
    public ConvertRequest restart(boolean allowed) {
        return new ConvertRequest(source, out, recipe, calibration, threads, overwrite, license, allowed, context);
    }

    /** With another context. */
    public ConvertRequest context(int positions) {
        return new ConvertRequest(source, out, recipe, calibration, threads, overwrite, license, restart, positions);
    }
}
