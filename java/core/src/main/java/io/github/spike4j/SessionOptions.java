package io.github.spike4j;

/**
 * Options of a session.
 *
 * @param maxContext most tokens, 1 to the model's context; 0 for the model's context
 */
public record SessionOptions(int maxContext) {
    /** Checks the range. */
    public SessionOptions {
        if (maxContext < 0) {
            throw new IllegalArgumentException("maxContext: expected 0 or more, got " + maxContext);
        }
    }

    /** A session of at most {@code tokens} tokens; memory is taken as they come, 64 at a time. */
    public static SessionOptions maxContext(int tokens) {
        return new SessionOptions(tokens);
    }

    /** The model's own context. */
    public static SessionOptions defaults() {
        return new SessionOptions(0);
    }
}
