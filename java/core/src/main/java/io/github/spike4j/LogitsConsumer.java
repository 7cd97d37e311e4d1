package io.github.spike4j;

/** Receives the logits of one position. */
@FunctionalInterface
public interface LogitsConsumer {
    /**
     * @param position position in the session of the token that these logits follow
     * @param logits   by token id; reused after the call returns
     */
    void accept(int position, float[] logits);
}
