package io.github.spike4j.format;

import java.util.List;

/**
 * Channels that feed the same linears and are encoded once.
 *
 * @param channels    K, the sum of the segments' channels
 * @param permutation tensor (I32, ROW, {@code [channels]}): source channel of each permuted channel; null is the identity
 * @param segments    1 to 4
 * @param clip        by range set (4): factor on the range, in (0, 1]
 * @param hadamard    whether the row is rotated by an online Hadamard (N9) before it is permuted and encoded
 */
public record InputGroup(int channels, String permutation, List<Segment> segments, List<Float> clip, boolean hadamard) {
    /** Sum of the segments' padded channels. */
    public int padded() {
        int sum = 0;
        for (Segment s : segments) {
            sum += s.padded();
        }
        return sum;
    }

    /** G, the sum of the segments' groups. */
    public int groups() {
        int sum = 0;
        for (Segment s : segments) {
            sum += s.groups();
        }
        return sum;
    }

    /** Real channels of each segment. */
    public int[] segmentChannels() {
        int[] channels = new int[segments.size()];
        for (int i = 0; i < channels.length; i++) {
            channels[i] = segments.get(i).channels();
        }
        return channels;
    }
}
