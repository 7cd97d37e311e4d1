package io.github.spike4j.format;

/**
 * The shape of a model.
 *
 * @param family       {@code "llama"}: RMSNorm, RoPE (halves), grouped-query attention, gated SiLU feed-forward
 * @param layers       blocks
 * @param hidden       width of the residual
 * @param intermediate width of the feed-forward
 * @param heads        query heads
 * @param kvHeads      key and value heads, a divisor of {@code heads}
 * @param headDim      channels of a head, even, 2 to 256
 * @param vocab        tokens
 * @param context      positions the model was made for
 * @param normEps      epsilon of RMSNorm
 * @param ropeTheta    base of the rotary frequencies
 * @param tiedEmbeddings whether lm_head was the embedding in the source (both are stored apart)
 */
public record Architecture(String family, int layers, int hidden, int intermediate, int heads, int kvHeads, int headDim,
        int vocab, int context, float normEps, double ropeTheta, boolean tiedEmbeddings) {
    /** The families this version knows. */
    static final java.util.Set<String> FAMILIES = java.util.Set.of("llama");

    /** Rows of the fused q, k, v. */
    public int qkvRows() {
        return (heads + 2 * kvHeads) * headDim;
    }
}
