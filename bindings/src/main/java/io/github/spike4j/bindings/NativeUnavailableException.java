package io.github.spike4j.bindings;

/** The native library cannot be used in this JVM. The message names every way that was tried and why it failed. */
public final class NativeUnavailableException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    NativeUnavailableException(String message) {
        super(message);
    }
}
