package io.github.spike4j;

/** Where a model runs. */
public enum Device {
    /** The best that can be used here. */
    AUTO,
    /** The processor. */
    CPU
}
