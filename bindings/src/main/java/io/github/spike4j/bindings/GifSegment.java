package io.github.spike4j.bindings;

/**
 * Consecutive channels of an input group, after its permutation, with one width and one range set.
 *
 * @param channels      real channels; 0 is an empty segment
 * @param bits          code width B, 2..8 or 16
 * @param rangeSet      0..3
 * @param actGroup      channels of one activation sub-scale, a multiple of 16; or 0
 * @param maxMultiplier M, the largest activation sub-scale, 1..255
 * @param group         channels over which sums are kept: the finer of {@code actGroup} and the weight group; 0 if both are 0
 */
public record GifSegment(long channels, int bits, int rangeSet, int actGroup, int maxMultiplier, int group) {
    private static final long MAX_CHANNELS = 1L << 31;

    /** @throws IllegalArgumentException naming the component that is out of range */
    public GifSegment {
        Check.within("channels", channels, 0, MAX_CHANNELS);
        Check.that(bits >= 2 && bits <= 8 || bits == 16, "bits", "2..8 or 16", bits);
        Check.within("rangeSet", rangeSet, 0, GifSpec.MAX_SEGMENTS - 1);
        Check.that(actGroup >= 0 && actGroup % 16 == 0, "actGroup", "0 or a multiple of 16", actGroup);
        Check.within("maxMultiplier", maxMultiplier, 1, 255);
        Check.that(group >= 0 && group % 16 == 0, "group", "0 or a multiple of 16", group);
        if (actGroup > 0) {
            Check.that(group > 0 && actGroup % group == 0, "group", "a divisor of the activation group " + actGroup, group);
        }
    }

    /** A segment without activation or weight groups. */
    public GifSegment(long channels, int bits, int rangeSet) {
        this(channels, bits, rangeSet, 0, 1, 0);
    }

    /** Channels rounded up to a multiple of 64. */
    public long padded() {
        return Check.pad(channels, 64);
    }

    /** Bytes of the codes in an encoded row: 16 bits have two planes. */
    public long codeBytes() {
        return bits == 16 ? 2 * padded() : padded();
    }

    /** Number of groups that sums are kept for. */
    public long groups() {
        return group == 0 ? Math.min(channels, 1) : Math.ceilDiv(channels, (long) group);
    }
}
