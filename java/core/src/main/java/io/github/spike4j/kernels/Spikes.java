package io.github.spike4j.kernels;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Encoded rows of an input group, structure of arrays (the C struct {@code s4j_spikes}). Row r of an array of width w starts at
 * element r * w, where the widths are those of the {@link GifSpec} in use: one buffer serves every spec that fits.
 */
public final class Spikes {
    private final int rows;
    private final int maxPadded;
    private final int maxGroups;
    private final MemorySegment code;
    private final MemorySegment scale;
    private final MemorySegment zero;
    private final MemorySegment mult;
    private final MemorySegment sum;
    private final MemorySegment silent;
    private volatile Object peer;

    /**
     * Allocates room for {@code rows} rows of any spec with at most {@code maxPadded} padded channels and {@code maxGroups} groups.
     */
    public Spikes(Arena arena, int rows, int maxPadded, int maxGroups) {
        GifSpec.require(rows > 0, "rows", rows);
        GifSpec.require(maxPadded > 0, "padded channels", maxPadded);
        GifSpec.require(maxGroups > 0, "groups", maxGroups);
        this.rows = rows;
        this.maxPadded = maxPadded;
        this.maxGroups = maxGroups;
        code = arena.allocate((long) rows * maxPadded, 64);
        scale = arena.allocate((long) rows * 4 * GifSpec.MAX_SEGMENTS, 64);
        zero = arena.allocate((long) rows * 4 * maxGroups, 64);
        mult = arena.allocate((long) rows * 4 * maxGroups, 64);
        sum = arena.allocate((long) rows * 4 * maxGroups, 64);
        silent = arena.allocate((long) rows * 4, 64);
    }

    /** Allocates room for {@code rows} rows of {@code spec}. */
    public static Spikes of(Arena arena, GifSpec spec, int rows) {
        return new Spikes(arena, rows, spec.padded(), spec.groups());
    }

    /** Throws unless {@code count} rows of {@code spec} fit. */
    public void check(GifSpec spec, int count) {
        if (count < 0 || count > rows || spec.padded() > maxPadded || spec.groups() > maxGroups) {
            throw new IllegalArgumentException(count + " rows of " + spec.padded() + " padded channels and " + spec.groups()
                    + " groups do not fit a spike buffer of " + rows + " rows, " + maxPadded + " and " + maxGroups);
        }
    }

    /** Capacity in rows. */
    public int rows() {
        return rows;
    }

    /** i8 [rows][padded]: d = c - z (B at most 7) or c - 128 (B = 8), pads 0; B = 16: c / 256 - 128, then c % 256 - 128. */
    public MemorySegment code() {
        return code;
    }

    /** f32 [rows][4]: the scale of each segment. */
    public MemorySegment scale() {
        return scale;
    }

    /** i32 [rows][groups]: zero points. */
    public MemorySegment zero() {
        return zero;
    }

    /** i32 [rows][groups]: activation sub-scales m, 1 without activation groups. */
    public MemorySegment mult() {
        return mult;
    }

    /** i32 [rows][groups]: sums of the signed bytes over real channels; 0 for 16 bits. */
    public MemorySegment sum() {
        return sum;
    }

    /** i32 [rows]: silent codes, -1 for a row that is not finite. */
    public MemorySegment silent() {
        return silent;
    }

    /** Silent codes of a row, -1 if it is not finite. */
    public int silent(int row) {
        return silent.get(GifSpec.INT, 4L * row);
    }

    /** The unsigned code of permuted channel {@code k} (counted without pads) of a row of {@code spec}. */
    public int codeAt(GifSpec spec, int row, int k) {
        long at = (long) row * spec.padded();
        long group = (long) row * spec.groups();
        for (var s : spec.segments()) {
            if (k < s.channels()) {
                int z = zero.get(GifSpec.INT, 4 * (group + (s.group() == 0 ? 0 : k / s.group())));
                int d = code.get(ValueLayout.JAVA_BYTE, at + k);
                return switch (s.bits()) {
                    case 16 -> 256 * (d + 128) + code.get(ValueLayout.JAVA_BYTE, at + s.padded() + k) + 128;
                    case 8 -> d + 128;
                    default -> d + z;
                };
            }
            k -= s.channels();
            at += s.codeBytes();
            group += s.groups();
        }
        throw new IndexOutOfBoundsException("channel beyond the spec's " + spec.channels());
    }

    /** Backends cache their own form of this descriptor here. */
    public Object peer() {
        return peer;
    }

    /** See {@link #peer()}. */
    public void peer(Object value) {
        peer = value;
    }
}
