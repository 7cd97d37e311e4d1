package io.github.spike4j.kernels;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Encoded queries of a batch (the C struct {@code s4j_queries}). */
public final class Queries {
    private final int rows;
    private final int heads;
    private final int qPadded;
    private final MemorySegment code;
    private final MemorySegment scale;
    private final MemorySegment zero;
    private final MemorySegment sum;
    private final MemorySegment silent;
    private volatile Object peer;

    /** Room for {@code rows} tokens of {@code heads} query heads with codes of stride {@code qPadded}. */
    public Queries(Arena arena, int rows, int heads, int qPadded) {
        this.rows = rows;
        this.heads = heads;
        this.qPadded = qPadded;
        code = arena.allocate((long) rows * heads * qPadded, 64);
        scale = arena.allocate(4L * rows * heads, 64);
        zero = arena.allocate(4L * rows * heads, 64);
        sum = arena.allocate(8L * rows * heads, 64);
        silent = arena.allocate(4L * rows, 64);
    }

    /** Throws unless {@code count} rows of {@code spec} fit. The stride of the codes is the spec's own. */
    public void check(AttentionSpec spec, int count) {
        if (count > rows || spec.heads() > heads || spec.qPadded() > qPadded) {
            throw new IllegalArgumentException(count + " rows of " + spec.heads() + " heads and stride " + spec.qPadded()
                    + " do not fit a query buffer of " + rows + ", " + heads + " and " + qPadded);
        }
    }

    /** Capacity in tokens. */
    public int rows() {
        return rows;
    }

    /** Capacity in query heads. */
    public int heads() {
        return heads;
    }

    /** i8 [rows][heads][qPadded of the spec]. */
    public MemorySegment code() {
        return code;
    }

    /** f32 [rows][heads]. */
    public MemorySegment scale() {
        return scale;
    }

    /** i32 [rows][heads]. */
    public MemorySegment zero() {
        return zero;
    }

    /** i32 [rows][heads][2]. */
    public MemorySegment sum() {
        return sum;
    }

    /** i32 [rows]: silent codes of Q, K and V, -1 if the token is not finite. */
    public MemorySegment silent() {
        return silent;
    }

    /** Silent codes of a token's Q, K and V, -1 if it is not finite. */
    public int silent(int row) {
        return silent.get(GifSpec.INT, 4L * row);
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
