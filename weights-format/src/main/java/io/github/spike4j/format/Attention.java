package io.github.spike4j.format;

import java.util.List;

/**
 * The spiking attention.
 *
 * @param qBits    width of Q, 2 to 8
 * @param kBits    widths of K: ordinary, salient
 * @param vBits    widths of V: ordinary, salient (equal or one more)
 * @param kMode    ranges of K: {@code "token"}, or {@code "frozen"} by channel
 * @param vMode    ranges of V: {@code "token"}, or {@code "frozen"} by channel
 * @param kRanges  in k mode "token": {@code "separate"} ranges of ordinary and salient channels, or one {@code "shared"} by both
 * @param hadamard whether q and k are rotated by an online Hadamard after RoPE
 * @param layers   one a layer
 */
public record Attention(int qBits, int[] kBits, int[] vBits, String kMode, String vMode, String kRanges, boolean hadamard,
        List<AttentionLayer> layers) {
    /** With ranges by token, separate, and no rotation but RoPE. */
    public static Attention token(int qBits, int[] kBits, int[] vBits, List<AttentionLayer> layers) {
        return new Attention(qBits, kBits, vBits, "token", "token", "separate", false, layers);
    }
}
