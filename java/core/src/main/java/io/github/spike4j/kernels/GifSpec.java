package io.github.spike4j.kernels;

import io.github.spike4j.format.Permutations;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;

/**
 * How the channels of an input group become GIF codes (SPEC.md N3; the C struct {@code s4j_gif}): a permutation, then one to
 * four segments, each with its width and its range set. Immutable.
 */
public final class GifSpec {
    /** Segments of an input group, and range sets. */
    public static final int MAX_SEGMENTS = 4;
    /** Channels of a segment: no sum over segments overflows. */
    private static final int MAX_CHANNELS = 1 << 24;

    /**
     * Consecutive channels, after the permutation, with one width and one range set.
     *
     * @param channels real channels, 0 to 2^24; an empty segment is skipped
     * @param bits activation width B, 2..8 or 16
     * @param rangeSet 0..3
     * @param actGroup channels of one activation sub-scale, a multiple of 16, or 0: the range set's scale
     * @param maxMultiplier M, 1..255
     * @param group channels over which sums are kept: the finer of {@code actGroup} and the weight group, 0 if both are 0
     */
    public record Segment(int channels, int bits, int rangeSet, int actGroup, int maxMultiplier, int group) {
        /** Checks every range. */
        public Segment {
            require(channels >= 0 && channels <= MAX_CHANNELS, "segment channels (0..2^24)", channels);
            require(bits >= 2 && bits <= 8 || bits == 16, "segment bits (2..8, 16)", bits);
            require(rangeSet >= 0 && rangeSet < MAX_SEGMENTS, "segment range set (0..3)", rangeSet);
            require(actGroup >= 0 && actGroup % 16 == 0, "activation group (a multiple of 16)", actGroup);
            require(maxMultiplier >= 1 && maxMultiplier <= 255, "max multiplier (1..255)", maxMultiplier);
            require(group >= 0 && group % 16 == 0, "group (a multiple of 16)", group);
            require(actGroup == 0 || (group > 0 && actGroup % group == 0), "group (must divide the activation group)", group);
        }

        /** Channels rounded up to 64. */
        public int padded() {
            return (channels + 63) & -64;
        }

        /** Bytes of the codes in an encoded row: 16 bits have two planes of {@link #padded()}. */
        public int codeBytes() {
            return bits == 16 ? 2 * padded() : padded();
        }

        /** Groups whose sums are kept. */
        public int groups() {
            return group == 0 ? (channels > 0 ? 1 : 0) : (channels + group - 1) / group;
        }
    }

    private final int channels;
    private final int padded;
    private final int groups;
    private final int[] permutation;
    private final List<Segment> segments;
    private final float[] clip;
    /** The backend's own form of this descriptor, built on first use (a race builds it twice, harmlessly). */
    private volatile Object peer;

    /**
     * @param permutation source channel of each permuted channel, or null for the identity
     * @param segments one to four; their channels sum to K
     * @param clip factor on hi and lo by range set, in (0, 1]; null for 1
     * @throws IllegalArgumentException naming what is wrong
     */
    public GifSpec(int[] permutation, List<Segment> segments, float[] clip) {
        require(!segments.isEmpty() && segments.size() <= MAX_SEGMENTS, "number of segments (1..4)", segments.size());
        this.segments = List.copyOf(segments);
        int allChannels = 0;
        int allBytes = 0;
        int allGroups = 0;
        for (var s : segments) {
            allChannels += s.channels();
            allBytes += s.codeBytes();
            allGroups += s.groups();
        }
        channels = allChannels;
        padded = allBytes;
        groups = allGroups;
        require(channels > 0, "channels", channels);
        this.clip = new float[] {1, 1, 1, 1};
        if (clip != null) {
            require(clip.length <= MAX_SEGMENTS, "number of clip ratios (at most 4)", clip.length);
            for (int i = 0; i < clip.length; i++) {
                if (!(clip[i] > 0 && clip[i] <= 1)) {
                    throw new IllegalArgumentException("clip ratio of range set " + i + " is " + clip[i] + "; it must be in (0, 1]");
                }
                this.clip[i] = clip[i];
            }
        }
        this.permutation = permutation == null ? null : permutation.clone();
        if (permutation != null) {
            require(permutation.length == channels, "permutation length (must be " + channels + ")", permutation.length);
            int wrong = Permutations.firstWrong(permutation, 0, channels);
            if (wrong >= 0) {
                throw new IllegalArgumentException("not a permutation of " + channels + " channels: " + permutation[wrong]
                        + " is out of range or repeated");
            }
        }
    }

    /** One segment of {@code channels} channels at {@code bits} bits, one range, no permutation. */
    public static GifSpec plain(int channels, int bits) {
        return new GifSpec(null, List.of(new Segment(channels, bits, 0, 0, 1, 0)), null);
    }

    /** Real channels K. */
    public int channels() {
        return channels;
    }

    /** Bytes of an encoded row: the segments' padded channels, those of 16 bits twice. */
    public int padded() {
        return padded;
    }

    /** Groups G of all segments. */
    public int groups() {
        return groups;
    }

    /** A copy of the permutation, or null for the identity. */
    public int[] permutation() {
        return permutation == null ? null : permutation.clone();
    }

    /** Source channel of permuted channel {@code k}. */
    public int source(int k) {
        return permutation == null ? k : permutation[k];
    }

    /** The segments in order. */
    public List<Segment> segments() {
        return segments;
    }

    /** Whether a segment that is not empty has at least {@code bits} bits. */
    public boolean hasBits(int bits) {
        for (var s : segments) {
            if (s.bits() >= bits && s.channels() > 0) {
                return true;
            }
        }
        return false;
    }

    /** Clip ratio of a range set. */
    public float clip(int rangeSet) {
        return clip[rangeSet];
    }

    /** Words of 64 bits of a row's bit planes; there are none for 16-bit segments. */
    public int planeWords() {
        return segments.stream().mapToInt(s -> s.bits() * s.padded() / 64).sum();
    }

    /** Backends cache their own form of this descriptor here. */
    public Object peer() {
        return peer;
    }

    /** See {@link #peer()}. */
    public void peer(Object value) {
        peer = value;
    }

    @Override
    public String toString() {
        return "GifSpec[channels=" + channels + ", segments=" + segments + ", clip=" + Arrays.toString(clip) + "]";
    }

    static void require(boolean ok, String what, long actual) {
        if (!ok) {
            throw new IllegalArgumentException(what + " must not be " + actual);
        }
    }

    static void require(boolean ok, String what, double actual) {
        if (!ok) {
            throw new IllegalArgumentException(what + " must not be " + actual);
        }
    }

    static MemorySegment sized(MemorySegment segment, long bytes, String what) {
        if (segment == null || segment.byteSize() < bytes) {
            throw new IllegalArgumentException(what + " needs " + bytes + " bytes, got " + (segment == null ? "null" : segment.byteSize()));
        }
        return segment;
    }

    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
}
