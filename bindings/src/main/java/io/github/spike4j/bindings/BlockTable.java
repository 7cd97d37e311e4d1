package io.github.spike4j.bindings;

import io.github.spike4j.bindings.ffi.Spike4jH;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The KV blocks of a session as the array of pointers that C reads; block i holds positions 64 i to 64 i + 63 of all layers. */
public final class BlockTable {
    private final MemorySegment pointers;
    private final long capacity;
    private final long blockBytes;
    private int size;

    /**
     * @param arena      lives at least as long as the last call that uses this
     * @param capacity   most blocks
     * @param blockBytes least size of a block
     */
    public BlockTable(Arena arena, int capacity, long blockBytes) {
        Check.that(capacity > 0, "capacity", "at least 1", capacity);
        Check.that(blockBytes > 0, "blockBytes", "at least 1", blockBytes);
        this.capacity = capacity;
        this.blockBytes = blockBytes;
        pointers = arena.allocate(Spike4jH.C_POINTER, capacity);
    }

    /** Number of blocks. */
    public int size() {
        return size;
    }

    /**
     * Sets block i; i = {@link #size()} appends.
     *
     * @param block writable native memory, 64-byte aligned, which the caller keeps alive
     */
    public void set(int i, MemorySegment block) {
        Check.within("block index", i, 0, Math.min(size, capacity - 1));
        Check.writable("block", block, 1, blockBytes, 64);
        pointers.setAtIndex(Spike4jH.C_POINTER, i, block);
        size = Math.max(size, i + 1);
    }

    /** Forgets the blocks from {@code count} on. */
    public void truncate(int count) {
        Check.within("count", count, 0, size);
        size = count;
    }

    long blockBytes() {
        return blockBytes;
    }

    MemorySegment pointers() {
        return pointers;
    }
}
