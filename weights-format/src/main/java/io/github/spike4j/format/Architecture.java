package io.github.spike4j.format;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * The shape of a model and what distinguishes it from the first LLaMA.
 *
 * @param family           {@code "llama"}: RMSNorm, RoPE (halves), grouped-query attention, gated feed-forward
 * @param layers           blocks
 * @param hidden           width of the residual
 * @param intermediate     width of the feed-forward
 * @param heads            query heads
 * @param kvHeads          key and value heads, a divisor of {@code heads}
 * @param headDim          channels of a head, even, 2 to 256
 * @param vocab            tokens
 * @param context          positions the model was made for
 * @param normEps          epsilon of RMSNorm
 * @param tiedEmbeddings   whether lm_head was the embedding in the source (both are stored apart)
 * @param activation       of the gate: {@code "silu"} or {@code "gelu_tanh"}
 * @param embeddingScale   factor on the embedding rows; 1 in most models
 * @param attentionScale   kappa, the factor on scores; (float) (1 / sqrt(headDim)) in most models
 * @param attentionSoftcap limit of scores: cap tanh(score / cap); 0 is none
 * @param logitsSoftcap    the same for logits
 * @param qkNorm           whether q and k are normalized by head before RoPE (tensors {@code q_norm}, {@code k_norm})
 * @param postNorms        whether the outputs of attention and feed-forward are normalized before they are added (tensors
 *                         {@code attn_post_norm}, {@code ffn_post_norm})
 * @param ropes            the rotations in use
 * @param layerRopes       by layer: index into {@code ropes}, or -1 for none
 * @param layerWindows     by layer: 0, or w: a position sees itself and the w - 1 before it
 */
public record Architecture(String family, int layers, int hidden, int intermediate, int heads, int kvHeads, int headDim,
        int vocab, int context, float normEps, boolean tiedEmbeddings, String activation, float embeddingScale,
        float attentionScale, float attentionSoftcap, float logitsSoftcap, boolean qkNorm, boolean postNorms, List<Rope> ropes,
        List<Integer> layerRopes, List<Integer> layerWindows) {
    /** The families this version knows. */
    static final List<String> FAMILIES = List.of("llama");
    /** The activations this version knows. */
    static final List<String> ACTIVATIONS = List.of("gelu_tanh", "silu");
    /** Limits, so that no list of 2^31 elements is made for numbers that are refused later. */
    private static final int MAX_LAYERS = 1024;
    private static final int MAX_HEAD_DIM = 256;

    /** Keeps its own copies of the lists. */
    public Architecture {
        ropes = copy(ropes);
        layerRopes = copy(layerRopes);
        layerWindows = copy(layerWindows);
    }

    /** A LLaMA without anything special. */
    public static Architecture llama(int layers, int hidden, int intermediate, int heads, int kvHeads, int headDim, int vocab, int context,
            float normEps, double ropeTheta, boolean tiedEmbeddings) {
        var zeros = Collections.nCopies(Math.clamp(layers, 0, MAX_LAYERS), 0);
        return new Architecture("llama", layers, hidden, intermediate, heads, kvHeads, headDim, vocab, context, normEps, tiedEmbeddings, "silu",
                1, (float) (1 / StrictMath.sqrt(headDim)), 0, 0, false, false, List.of(Rope.of(Math.min(headDim, MAX_HEAD_DIM), ropeTheta)), zeros, zeros);
    }

    private static <T> List<T> copy(List<T> list) {
        return list == null ? null : Collections.unmodifiableList(new ArrayList<>(list));
    }

    /** Rows of the fused q, k, v. */
    public int qkvRows() {
        return (heads + 2 * kvHeads) * headDim;
    }

    /** Of another family. */
    Architecture withFamily(String name) {
        return new Architecture(name, layers, hidden, intermediate, heads, kvHeads, headDim, vocab, context, normEps, tiedEmbeddings,
                activation, embeddingScale, attentionScale, attentionSoftcap, logitsSoftcap, qkNorm, postNorms, ropes, layerRopes, layerWindows);
    }

    /** Made for other positions. */
    public Architecture withContext(int positions) {
        return new Architecture(family, layers, hidden, intermediate, heads, kvHeads, headDim, vocab, positions, normEps, tiedEmbeddings,
                activation, embeddingScale, attentionScale, attentionSoftcap, logitsSoftcap, qkNorm, postNorms, ropes, layerRopes, layerWindows);
    }

    /** With lm_head declared the embedding, or a matrix of its own. */
    public Architecture withTiedEmbeddings(boolean tied) {
        return new Architecture(family, layers, hidden, intermediate, heads, kvHeads, headDim, vocab, context, normEps, tied, activation,
                embeddingScale, attentionScale, attentionSoftcap, logitsSoftcap, qkNorm, postNorms, ropes, layerRopes, layerWindows);
    }

    /** With another gate and its factor on the embeddings. */
    public Architecture withActivation(String name, float scaleOfEmbeddings) {
        return new Architecture(family, layers, hidden, intermediate, heads, kvHeads, headDim, vocab, context, normEps, tiedEmbeddings, name,
                scaleOfEmbeddings, attentionScale, attentionSoftcap, logitsSoftcap, qkNorm, postNorms, ropes, layerRopes, layerWindows);
    }

    /** With another factor on the scores, and limits of scores and logits. */
    public Architecture withScores(float scale, float scoreCap, float logitCap) {
        return new Architecture(family, layers, hidden, intermediate, heads, kvHeads, headDim, vocab, context, normEps, tiedEmbeddings,
                activation, embeddingScale, scale, scoreCap, logitCap, qkNorm, postNorms, ropes, layerRopes, layerWindows);
    }

    /** With norms of q and k, and after attention and feed-forward. */
    public Architecture withNorms(boolean ofHeads, boolean after) {
        return new Architecture(family, layers, hidden, intermediate, heads, kvHeads, headDim, vocab, context, normEps, tiedEmbeddings,
                activation, embeddingScale, attentionScale, attentionSoftcap, logitsSoftcap, ofHeads, after, ropes, layerRopes, layerWindows);
    }

    /** With other rotations, by layer. */
    public Architecture withRopes(List<Rope> all, List<Integer> byLayer) {
        return new Architecture(family, layers, hidden, intermediate, heads, kvHeads, headDim, vocab, context, normEps, tiedEmbeddings,
                activation, embeddingScale, attentionScale, attentionSoftcap, logitsSoftcap, qkNorm, postNorms, all, byLayer, layerWindows);
    }

    /** With windows, by layer. */
    public Architecture withWindows(List<Integer> byLayer) {
        return new Architecture(family, layers, hidden, intermediate, heads, kvHeads, headDim, vocab, context, normEps, tiedEmbeddings,
                activation, embeddingScale, attentionScale, attentionSoftcap, logitsSoftcap, qkNorm, postNorms, ropes, layerRopes, byLayer);
    }
}
