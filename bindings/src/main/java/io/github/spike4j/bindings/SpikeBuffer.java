package io.github.spike4j.bindings;

import io.github.spike4j.bindings.ffi.s4j_spikes;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Room for encoded rows, {@code s4j_spikes}. Row r of an array of width w starts at element r * w, with the widths of the
 * {@link GifSpec} that it is used with; one buffer serves every spec that fits.
 */
public final class SpikeBuffer {
    private final MemorySegment code;
    private final MemorySegment scale;
    private final MemorySegment zero;
    private final MemorySegment mult;
    private final MemorySegment sum;
    private final MemorySegment silent;
    private final MemorySegment struct;
    private final long rows;

    /**
     * @param arena  lives at least as long as the last call that uses this
     * @param rows   rows, at least 1
     * @param padded most signed bytes of a row, see {@link GifSpec#padded()}
     * @param groups most groups of a row, see {@link GifSpec#groups()}
     */
    public SpikeBuffer(Arena arena, long rows, long padded, long groups) {
        Check.that(rows > 0, "rows", "at least 1", rows);
        Check.that(padded > 0, "padded", "at least 1", padded);
        Check.that(groups > 0, "groups", "at least 1", groups);
        long grouped = Math.multiplyExact(rows, groups);
        this(arena, rows, arena.allocate(Math.multiplyExact(rows, padded), 64),
                arena.allocate(ValueLayout.JAVA_FLOAT, Math.multiplyExact(rows, GifSpec.MAX_SEGMENTS)),
                arena.allocate(ValueLayout.JAVA_INT, grouped), arena.allocate(ValueLayout.JAVA_INT, grouped),
                arena.allocate(ValueLayout.JAVA_INT, grouped), arena.allocate(ValueLayout.JAVA_INT, rows));
    }

    /**
     * A view of memory that the caller allocated, kept alive by it; the arrays are those of the accessors.
     *
     * @param arena for the struct alone
     */
    public SpikeBuffer(Arena arena, long rows, MemorySegment code, MemorySegment scale, MemorySegment zero, MemorySegment mult,
            MemorySegment sum, MemorySegment silent) {
        Check.writable("code", code, rows, 1, 1);
        Check.writable("scale", scale, rows, GifSpec.MAX_SEGMENTS * Float.BYTES, Float.BYTES);
        Check.writable("zero", zero, rows, Integer.BYTES, Integer.BYTES);
        Check.writable("mult", mult, 1, zero.byteSize(), Integer.BYTES);
        Check.writable("sum", sum, 1, zero.byteSize(), Integer.BYTES);
        Check.writable("silent", silent, rows, Integer.BYTES, Integer.BYTES);
        this.rows = rows;
        this.code = code;
        this.scale = scale;
        this.zero = zero;
        this.mult = mult;
        this.sum = sum;
        this.silent = silent;
        struct = s4j_spikes.allocate(arena);
        s4j_spikes.code(struct, code);
        s4j_spikes.scale(struct, scale);
        s4j_spikes.zero(struct, zero);
        s4j_spikes.mult(struct, mult);
        s4j_spikes.sum(struct, sum);
        s4j_spikes.silent(struct, silent);
    }

    /** A buffer of just the size for rows of one spec. */
    public SpikeBuffer(Arena arena, GifSpec gif, long rows) {
        this(arena, rows, gif.padded(), gif.groups());
    }

    /** Signed bytes, {@code [rows][padded]}: c - z, or c - 128 for 8 bits. */
    public MemorySegment code() {
        return code;
    }

    /** f32 {@code [rows][4]}: scale by segment. */
    public MemorySegment scale() {
        return scale;
    }

    /** i32 {@code [rows][groups]}: zero point. */
    public MemorySegment zero() {
        return zero;
    }

    /** i32 {@code [rows][groups]}: activation sub-scale. */
    public MemorySegment mult() {
        return mult;
    }

    /** i32 {@code [rows][groups]}: sum of the signed bytes. */
    public MemorySegment sum() {
        return sum;
    }

    /** i32 {@code [rows]}: silent channels, or -1 for a row that was not finite. */
    public MemorySegment silent() {
        return silent;
    }

    /** Rows of this buffer. */
    public long rows() {
        return rows;
    }

    /** Rows 0..end-1 of the spec fit. */
    void check(String name, GifSpec gif, long end) {
        if (end > rows || end > code.byteSize() / gif.padded() || end > zero.byteSize() / Integer.BYTES / gif.groups()) {
            throw new IllegalArgumentException(name + ": expected room for " + end + " rows of " + gif.padded() + " codes and "
                    + gif.groups() + " groups, got " + rows + " rows, " + code.byteSize() + " codes, "
                    + zero.byteSize() / Integer.BYTES + " groups in all");
        }
    }

    MemorySegment struct() {
        return struct;
    }
}
