package io.github.spike4j.bindings;

import io.github.spike4j.bindings.ffi.s4j_sequence;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The sequences of a batch, {@code s4j_sequence[]}. Filled anew for each step, read by all threads of the step. */
public final class SequenceTable {
    private final MemorySegment structs;
    /** The elements of {@link #structs}, made once: a step allocates nothing. */
    private final MemorySegment[] elements;
    private int size;
    private long context;
    private long blockBytes = Long.MAX_VALUE;

    /**
     * @param arena    lives at least as long as the last call that uses this
     * @param capacity most sequences of a batch
     */
    public SequenceTable(Arena arena, int capacity) {
        Check.that(capacity > 0, "capacity", "at least 1", capacity);
        this(s4j_sequence.allocateArray(capacity, arena));
    }

    /** A view of an array that the caller fills; what it filled is told by {@link #filled}. */
    public SequenceTable(MemorySegment structs) {
        Check.memory("structs", structs, 1, s4j_sequence.sizeof(), Long.BYTES);
        this.structs = structs;
        elements = structs.elements(s4j_sequence.layout()).toArray(MemorySegment[]::new);
    }

    /**
     * The caller wrote the array itself.
     *
     * @param size       sequences written
     * @param context    most positions that a token of the batch sees, at least 1 if there is a sequence
     * @param blockBytes size of the smallest block, at least 1
     */
    public SequenceTable filled(int size, long context, long blockBytes) {
        Check.within("sequences", size, 0, elements.length);
        Check.within("context", context, size > 0 ? 1 : 0, Integer.MAX_VALUE);
        Check.within("blockBytes", blockBytes, 1, Long.MAX_VALUE);
        this.size = size;
        this.context = context;
        this.blockBytes = blockBytes;
        return this;
    }

    /** Starts a new batch. */
    public void clear() {
        size = 0;
        context = 0;
        blockBytes = Long.MAX_VALUE;
    }

    /**
     * Adds consecutive tokens of one session.
     *
     * @param row      row of the first token in the batch
     * @param rows     tokens, at least 1
     * @param position position of the first token
     * @param blocks   KV blocks for positions 0 to position + rows - 1; must not shrink before the batch is done
     */
    public void add(long row, long rows, long position, BlockTable blocks) {
        Check.within("sequences", size, 0, elements.length - 1);
        Check.within("row", row, 0, Integer.MAX_VALUE);
        Check.within("rows", rows, 1, Integer.MAX_VALUE - row);
        Check.within("position", position, 0, Integer.MAX_VALUE - rows);
        if ((long) blocks.size() * AttentionSpec.PAGE < position + rows) {
            throw new IllegalArgumentException("blocks: expected blocks of " + AttentionSpec.PAGE + " positions for "
                    + (position + rows) + " positions, got " + blocks.size());
        }
        var struct = elements[size++];
        s4j_sequence.row(struct, row);
        s4j_sequence.rows(struct, rows);
        s4j_sequence.position(struct, position);
        s4j_sequence.blocks(struct, blocks.pointers());
        context = Math.max(context, position + rows);
        blockBytes = Math.min(blockBytes, blocks.blockBytes());
    }

    /** Number of sequences. */
    public int size() {
        return size;
    }

    /** Most positions that a token of the batch sees. */
    public long context() {
        return context;
    }

    /** Every block of every sequence holds the layer's pages. */
    void check(AttentionSpec a) {
        if (blockBytes < a.blockBytes()) {
            throw new IllegalArgumentException("sequences: expected blocks of at least " + a.blockBytes() + " bytes, got " + blockBytes);
        }
    }

    MemorySegment structs() {
        return structs;
    }
}
