package io.github.spike4j.bindings;

import io.github.spike4j.bindings.ffi.Spike4jH;
import io.github.spike4j.bindings.ffi.s4j_gif;
import io.github.spike4j.bindings.ffi.s4j_segment;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** The encoding of an input group, {@code s4j_gif}: validated once, then immutable native memory of the given arena. */
public final class GifSpec {
    /** Most segments of an input group, and most range sets. */
    public static final int MAX_SEGMENTS = Spike4jH.S4J_MAX_SEGMENTS();

    private final List<GifSegment> segments;
    private final long channels;
    private final long padded;
    private final long groups;
    private final long planeWords;
    private final boolean needsSum;
    private final boolean wide;
    private final boolean grouped;
    private final MemorySegment struct;

    /**
     * @param arena    lives at least as long as the last call that uses this
     * @param segments 1 to 4 segments in order
     * @param perm     source channel of each permuted channel, a permutation of 0..K-1; or null for the identity
     * @param clip     factor on the range of each range set in use, in (0, 1]; missing ones are 1
     * @throws IllegalArgumentException naming what is out of range
     */
    public GifSpec(Arena arena, List<GifSegment> segments, int[] perm, float... clip) {
        Check.within("segments", segments.size(), 1, MAX_SEGMENTS);
        Check.within("clip.length", clip.length, 0, MAX_SEGMENTS);
        this.segments = List.copyOf(segments);
        channels = segments.stream().mapToLong(GifSegment::channels).sum();
        padded = segments.stream().mapToLong(GifSegment::codeBytes).sum();
        groups = segments.stream().mapToLong(GifSegment::groups).sum();
        planeWords = segments.stream().mapToLong(s -> s.bits() * s.padded() / Long.SIZE).sum();
        needsSum = segments.stream().anyMatch(s -> s.bits() >= 8 && s.channels() > 0);
        wide = segments.stream().anyMatch(s -> s.bits() == 16 && s.channels() > 0);
        grouped = segments.stream().anyMatch(s -> s.group() != 0);
        Check.that(channels > 0, "channels", "at least one channel", channels);
        struct = s4j_gif.allocate(arena);
        s4j_gif.channels(struct, channels);
        s4j_gif.padded(struct, padded);
        s4j_gif.groups(struct, groups);
        s4j_gif.segments(struct, segments.size());
        s4j_gif.perm(struct, MemorySegment.NULL);
        if (perm != null) {
            Check.that(perm.length == channels, "perm.length", "the number of channels, " + channels, perm.length);
            Check.permutation("perm", perm);
            s4j_gif.perm(struct, arena.allocateFrom(ValueLayout.JAVA_INT, perm));
        }
        for (int i = 0; i < MAX_SEGMENTS; i++) {
            float factor = i < clip.length ? clip[i] : 1;
            if (!(factor > 0 && factor <= 1)) {
                throw new IllegalArgumentException("clip[" + i + "]: expected a factor in (0, 1], got " + factor);
            }
            s4j_gif.clip(struct, i, factor);
        }
        for (int i = 0; i < segments.size(); i++) {
            var from = segments.get(i);
            var to = s4j_gif.segment(struct, i);
            s4j_segment.channels(to, from.channels());
            s4j_segment.padded(to, from.padded());
            s4j_segment.groups(to, from.groups());
            s4j_segment.bits(to, from.bits());
            s4j_segment.range_set(to, from.rangeSet());
            s4j_segment.act_group(to, from.actGroup());
            s4j_segment.max_multiplier(to, from.maxMultiplier());
            s4j_segment.group(to, from.group());
        }
    }

    /** The segments, in order. */
    public List<GifSegment> segments() {
        return segments;
    }

    /** K, the real channels of all segments. */
    public long channels() {
        return channels;
    }

    /** Signed bytes of an encoded row. */
    public long padded() {
        return padded;
    }

    /** G, the groups of all segments. */
    public long groups() {
        return groups;
    }

    /** 64-bit words of a row in bit-plane form. */
    public long planeWords() {
        return planeWords;
    }

    /** Whether weights for this encoding must carry sums: some segment has 8 or 16 bits. */
    boolean needsSum() {
        return needsSum;
    }

    /** Whether some segment has 16 bits; there are no bit planes of it then. */
    boolean isWide() {
        return wide;
    }

    boolean isGrouped() {
        return grouped;
    }

    MemorySegment struct() {
        return struct;
    }
}
