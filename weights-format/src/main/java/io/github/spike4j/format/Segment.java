package io.github.spike4j.format;

/**
 * Consecutive channels of an input group with one width and one range set; the fields of {@code s4j_segment}.
 *
 * @param channels      real channels; 0 is an empty segment
 * @param bits          width B of the activation codes, 2 to 8, or 16
 * @param rangeSet      0 to 3
 * @param actGroup      channels of one activation sub-scale, a multiple of 16, or 0
 * @param maxMultiplier largest sub-scale M, 1 to 255
 * @param group         channels over which sums are kept: the finer of {@code actGroup} and the weight group, a multiple of
 *                      16; 0 when both are 0
 */
public record Segment(int channels, int bits, int rangeSet, int actGroup, int maxMultiplier, int group) {
    /** Channels rounded up to 64. */
    public int padded() {
        return (int) Layouts.pad(channels, Layouts.SEGMENT);
    }

    /** Groups of the segment: the last may be shorter; a segment without groups is one, an empty one none. */
    public int groups() {
        return group == 0 ? Math.min(channels, 1) : Math.ceilDiv(channels, group);
    }
}
