package io.github.spike4j.format;

/**
 * K and V channels of one layer: permuted, ordinary channels first, then salient.
 *
 * @param kPermutation tensor, I32 ROW {@code [kvHeads, headDim]}: source channel of each permuted channel
 * @param vPermutation the same for V
 * @param kSalient     by kv head: salient channels
 * @param vSalient     by kv head
 * @param kScale       F32 ROW {@code [kvHeads, headDim]}, permuted; only in k mode "frozen", else null
 * @param kZero        U8 ROW, the same shape; only in k mode "frozen", else null
 * @param vScale       as kScale, in v mode "frozen"
 * @param vZero        as kZero, in v mode "frozen"
 */
public record AttentionLayer(String kPermutation, String vPermutation, int[] kSalient, int[] vSalient, String kScale,
        String kZero, String vScale, String vZero) { }
