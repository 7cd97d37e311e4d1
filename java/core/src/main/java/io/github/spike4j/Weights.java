package io.github.spike4j;

/** Where an engine has the weights of its models. */
public enum Weights {
    /**
     * In the mapped file: models open in milliseconds, and processes share the memory. The file must not be truncated while it is open: the
     * system then ends the process (SIGBUS).
     */
    MAPPED,
    /**
     * In memory, copied from the file when a model is opened, with huge pages where the system has them: what happens to the file afterwards does
     * not matter, and no page is ever read from a disk while a token waits for it.
     */
    RAM
}
