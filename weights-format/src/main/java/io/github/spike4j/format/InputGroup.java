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
        return segments.stream().mapToInt(Segment::padded).sum();
    }

    /** G, the sum of the segments' groups. */
    public int groups() {
        return segments.stream().mapToInt(Segment::groups).sum();
    }

    /** Real channels of each segment. */
    public int[] segmentChannels() {
        return segments.stream().mapToInt(Segment::channels).toArray();
    }
}
