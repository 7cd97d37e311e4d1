package io.github.spike4j.runtime;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;

/**
 * KV blocks of a model: the pages of all layers and kv heads for 64 positions. Blocks are counted references, shared by forks and copied
 * before one of them writes. Guarded by the scheduler's lock.
 */
final class KvPool {
    /** A block. */
    static final class Block {
        final MemorySegment memory;
        private int references;

        private Block(MemorySegment memory) {
            this.memory = memory;
        }
    }

    private final Arena arena;
    private final long blockBytes;
    private final ArrayDeque<Block> free = new ArrayDeque<>();
    private int allocated;

    KvPool(Arena arena, long blockBytes) {
        this.arena = arena;
        this.blockBytes = blockBytes;
    }

    /** A block of arbitrary content, referenced once. */
    Block take() {
        var block = free.poll();
        if (block == null) {
            block = new Block(arena.allocate(blockBytes, 64));
            allocated++;
        }
        block.references = 1;
        return block;
    }

    /** One more reference. */
    Block share(Block block) {
        block.references++;
        return block;
    }

    /** One reference less. */
    void release(Block block) {
        if (--block.references == 0) {
            free.push(block);
        }
    }

    /** A block that its only holder may write: this one, or a copy. */
    Block writable(Block block) {
        if (block.references == 1) {
            return block;
        }
        var copy = take();
        copy.memory.copyFrom(block.memory);
        release(block);
        return copy;
    }

    /** Blocks in use. */
    int used() {
        return allocated - free.size();
    }
}
