package io.github.spike4j.convert;

/** Follows a conversion; called on the converting thread. */
@FunctionalInterface
public interface ProgressListener {
    /**
     * @param phase what is being done, such as {@code "layer 3: calibrate"}
     * @param done  units done of the whole conversion, ascending
     * @param total units of the whole conversion
     */
    void progress(String phase, long done, long total);

    /** Something that the user should know, one line. */
    default void warning(String message) { }

    /** Listens to nothing. */
    static ProgressListener none() {
        return (phase, done, total) -> { };
    }
}
