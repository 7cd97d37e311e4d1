package io.github.spike4j.bindings;

import io.github.spike4j.bindings.ffi.s4j_queries;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Room for the encoded queries of a batch, {@code s4j_queries}; serves every layer with as many heads of at most its size. */
public final class QueryBuffer {
    private final long rows;
    private final long heads;
    private final MemorySegment code;
    private final MemorySegment silent;
    private final MemorySegment struct;

    /**
     * @param arena      lives at least as long as the last call that uses this
     * @param rows       token rows, at least 1
     * @param heads      query heads
     * @param queryBytes signed bytes of an encoded query, see {@link AttentionSpec#queryBytes()}
     */
    public QueryBuffer(Arena arena, long rows, long heads, long queryBytes) {
        long queries = queries(rows, heads);
        Check.that(queryBytes > 0, "queryBytes", "at least 1", queryBytes);
        this(arena, rows, heads, arena.allocate(Math.multiplyExact(queries, queryBytes), 64),
                arena.allocate(ValueLayout.JAVA_FLOAT, queries), arena.allocate(ValueLayout.JAVA_INT, queries),
                arena.allocate(ValueLayout.JAVA_INT, 2 * queries), arena.allocate(ValueLayout.JAVA_INT, rows));
    }

    /**
     * A view of memory that the caller allocated and keeps alive: i8 {@code [rows][heads][queryBytes]}, f32 and i32
     * {@code [rows][heads]}, i32 {@code [rows][heads][2]}, i32 {@code [rows]}.
     *
     * @param arena for the struct alone
     * @param rows  token rows, at least 1
     * @param heads query heads, at least 1
     */
    public QueryBuffer(Arena arena, long rows, long heads, MemorySegment code, MemorySegment scale, MemorySegment zero,
            MemorySegment sum, MemorySegment silent) {
        long queries = queries(rows, heads);
        Check.writable("code", code, queries, 1, 1);
        Check.writable("scale", scale, queries, Float.BYTES, Float.BYTES);
        Check.writable("zero", zero, queries, Integer.BYTES, Integer.BYTES);
        Check.writable("sum", sum, 2 * queries, Integer.BYTES, Integer.BYTES);
        Check.writable("silent", silent, rows, Integer.BYTES, Integer.BYTES);
        this.rows = rows;
        this.heads = heads;
        this.code = code;
        this.silent = silent;
        struct = s4j_queries.allocate(arena);
        s4j_queries.code(struct, code);
        s4j_queries.scale(struct, scale);
        s4j_queries.zero(struct, zero);
        s4j_queries.sum(struct, sum);
        s4j_queries.silent(struct, silent);
    }

    private static long queries(long rows, long heads) {
        Check.that(rows > 0, "rows", "at least 1", rows);
        Check.that(heads > 0, "heads", "at least 1", heads);
        return Math.multiplyExact(rows, heads);
    }

    /** i32 {@code [rows]}: silent codes of Q, K and V of the token, or -1 for a row that was not finite. */
    public MemorySegment silent() {
        return silent;
    }

    /** Token rows of this buffer. */
    public long rows() {
        return rows;
    }

    void check(AttentionSpec a, long end) {
        if (end > rows || a.heads() > heads || a.queryBytes() > code.byteSize() / rows / heads) {
            throw new IllegalArgumentException("queries: expected room for " + end + " rows of " + a.heads() + " heads of "
                    + a.queryBytes() + " bytes, got " + rows + " rows of " + heads + " heads, " + code.byteSize() + " bytes in all");
        }
    }

    MemorySegment struct() {
        return struct;
    }
}
