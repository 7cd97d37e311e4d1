package io.github.spike4j.format;

import java.util.List;

/**
 * The spiking attention.
 *
 * @param qBits  width of Q, 2 to 8
 * @param kBits  widths of K: ordinary, salient
 * @param vBits  widths of V: ordinary, salient (equal or one more)
 * @param kMode  {@code "token"} or {@code "frozen"}
 * @param layers one a layer
 */
public record Attention(int qBits, int[] kBits, int[] vBits, String kMode, List<AttentionLayer> layers) { }
