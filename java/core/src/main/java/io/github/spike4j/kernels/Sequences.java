package io.github.spike4j.kernels;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The sessions' runs of consecutive tokens that make a batch (an array of the C struct {@code s4j_sequence}: row, rows, position,
 * blocks, 8 bytes each). Reused from batch to batch; single-threaded while it is filled.
 */
public final class Sequences {
    /** A session's KV blocks: position p lies in block p / 64. */
    public static final class BlockTable {
        private final MemorySegment pointers;
        private final MemorySegment[] blocks;

        /** A table of at most {@code capacity} blocks. */
        public BlockTable(Arena arena, int capacity) {
            pointers = arena.allocate(ValueLayout.ADDRESS, capacity);
            blocks = new MemorySegment[capacity];
        }

        /** Puts a block, 64-byte aligned, at {@code index}; null removes it. */
        public void set(int index, MemorySegment block) {
            pointers.setAtIndex(ValueLayout.ADDRESS, index, block == null ? MemorySegment.NULL : block);
            blocks[index] = block;
        }

        /** The block at {@code index}. */
        public MemorySegment block(int index) {
            return blocks[index];
        }

        /** Capacity in blocks. */
        public int capacity() {
            return blocks.length;
        }
    }

    private final MemorySegment structs;
    private final int[] row;
    private final int[] rows;
    private final int[] position;
    private final BlockTable[] tables;
    private int count;
    private int context;
    private long blockBytes = Long.MAX_VALUE;
    private volatile Object peer;

    /** Room for {@code capacity} sequences. */
    public Sequences(Arena arena, int capacity) {
        structs = arena.allocate(32L * capacity, 8);
        row = new int[capacity];
        rows = new int[capacity];
        position = new int[capacity];
        tables = new BlockTable[capacity];
    }

    /** Empties the list. */
    public void clear() {
        java.util.Arrays.fill(tables, 0, count, null);
        count = 0;
        context = 0;
        blockBytes = Long.MAX_VALUE;
    }

    /**
     * Appends a run of {@code rows} tokens whose first is the batch's row {@code row} at {@code position}; its blocks must be there, but for
     * the first ones that lie behind the windows of all layers.
     */
    public void add(int row, int rows, int position, BlockTable table) {
        int needed = (position + rows + AttentionSpec.PAGE - 1) / AttentionSpec.PAGE;
        if (count == tables.length || rows < 1 || row < 0 || position < 0 || needed > table.capacity()) {
            throw new IllegalArgumentException("sequence of " + rows + " rows at position " + position + " does not fit (" + count
                    + " of " + tables.length + " sequences, " + needed + " of " + table.capacity() + " blocks)");
        }
        int first = 0;
        while (first < position / AttentionSpec.PAGE && table.block(first) == null) {
            first++;
        }
        for (int b = first; b < needed; b++) {
            if (table.block(b) == null) {
                throw new IllegalArgumentException("KV block " + b + " of " + needed + " is missing");
            }
            blockBytes = Math.min(blockBytes, table.block(b).byteSize());
        }
        context = Math.max(context, position + rows);
        structs.setAtIndex(ValueLayout.JAVA_LONG, 4L * count, row);
        structs.setAtIndex(ValueLayout.JAVA_LONG, 4L * count + 1, rows);
        structs.setAtIndex(ValueLayout.JAVA_LONG, 4L * count + 2, position);
        structs.setAtIndex(ValueLayout.JAVA_LONG, 4L * count + 3, table.pointers.address());
        this.row[count] = row;
        this.rows[count] = rows;
        this.position[count] = position;
        tables[count++] = table;
    }

    /** Sequences in the batch. */
    public int count() {
        return count;
    }

    /** First batch row of sequence {@code i}. */
    public int row(int i) {
        return row[i];
    }

    /** Tokens of sequence {@code i}. */
    public int rows(int i) {
        return rows[i];
    }

    /** Position of the first token of sequence {@code i}. */
    public int position(int i) {
        return position[i];
    }

    /** The KV blocks of sequence {@code i}. */
    public BlockTable table(int i) {
        return tables[i];
    }

    /** Most positions that a token of the batch sees. */
    public int context() {
        return context;
    }

    /** Bytes of the smallest block of the batch. */
    public long blockBytes() {
        return blockBytes;
    }

    /** The C array. */
    public MemorySegment structs() {
        return structs;
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
