package io.github.spike4j.convert;

/** Follows a conversion; called on the converting thread. */
@FunctionalInterface
public interface ProgressListener {
    /**
     * @param phase what is being done, such as {@code "layer 3: calibrate"}
     * @param done  weights done so far, ascending; calibration counts them too
     * @param total weights to be done
     */
    void progress(String phase, long done, long total);

    /** Told once, before the first progress of its own, by a conversion that goes on where an earlier one ended. */
    default void resumed(long done, long total) { }

    /** Something that the user should know, one line. */
    default void warning(String message) { }

    /** Listens to nothing. */
    static ProgressListener none() {
        return (phase, done, total) -> { };
    }
}
