package io.github.spike4j;

/**
 * A generated token.
 *
 * @param id   its id, or {@link #NONE}
 * @param text the text that became certain with it: whole characters only, so it may be empty and may hold those of earlier tokens
 */
public record Token(int id, String text) {
    /** The id of what is no token: the text that was still held back when the generation ended. */
    public static final int NONE = -1;
}
