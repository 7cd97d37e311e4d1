package io.github.spike4j;

import java.util.List;
import java.util.Map;

/**
 * What a model is.
 *
 * @param features        what distinguishes it from the first LLaMA, a short English phrase each; empty if nothing does
 * @param compute         {@code "spiking"} or {@code "dense"}
 * @param context         positions the model was made for
 * @param weightBytes     bytes of its tensors
 * @param kvBytesPerToken bytes of cache that a token takes, all layers
 * @param provenance      where the weights came from
 * @param license         licence of the weights, or null
 */
public record ModelInfo(String family, int layers, int hidden, int intermediate, int heads, int kvHeads, int headDim, int vocab,
        int context, List<String> features, String compute, long weightBytes, long kvBytesPerToken, Map<String, String> provenance,
        String license) {}
