package io.github.spike4j;

/**
 * Counts since the start. A code is one encoded channel of an input group, or of Q, K or V; it is silent when it equals its zero point:
 * then it adds nothing.
 *
 * @param tokens      tokens that went through the model
 * @param steps       batches that did
 * @param codes       codes
 * @param silentCodes those that were silent
 */
public record Statistics(long tokens, long steps, long codes, long silentCodes) {
    /** Codes per token that were not silent, over all encoded inputs. */
    public double spikesPerToken() {
        return tokens == 0 ? 0 : (double) (codes - silentCodes) / tokens;
    }

    /** Share of silent codes, 0 to 1. */
    public double silentShare() {
        return codes == 0 ? 0 : (double) silentCodes / codes;
    }
}
