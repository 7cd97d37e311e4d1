package io.github.spike4j.bindings;

/**
 * One kv head of a layer's spiking attention. Channels are permuted: ordinary first, then salient.
 *
 * @param kPerm      source channel of each permuted K channel; a permutation of 0..headDim-1
 * @param vPerm      the same for V
 * @param kSalient   salient K channels, the last of the permuted ones
 * @param vSalient   salient V channels
 * @param frozenK    scales and zero points of K by permuted channel; null if K ranges are per token
 * @param frozenV    the same for V
 * @param pageOffset byte offset of the head's page in a block, a multiple of 64
 */
public record KvHead(int[] kPerm, int[] vPerm, int kSalient, int vSalient, Frozen frozenK, Frozen frozenV, long pageOffset) {
    /**
     * Ranges of K or V frozen at calibration, by permuted channel.
     *
     * @param scale {@code [headDim]}
     * @param zero  {@code [headDim]}, unsigned
     */
    public record Frozen(float[] scale, byte[] zero) {
    }
}
