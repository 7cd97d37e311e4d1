package io.github.spike4j.runtime;

import io.github.spike4j.SpikeException;
import io.github.spike4j.kernels.AttentionSpec;
import io.github.spike4j.kernels.Kernels;
import io.github.spike4j.kernels.Sequences;
import io.github.spike4j.model.LlamaModel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Runs a single block over whole texts, as a step of the engine does, for whoever needs the residual between blocks. */
public final class BlockRunner implements AutoCloseable {
    private final Arena arena = Arena.ofShared();
    private final Batch batch;
    private final Team team;
    private final Executor executor;
    private final int length;
    private final long bytes;

    /**
     * @param block  see {@link LlamaModel#block}
     * @param length tokens of each text
     */
    public BlockRunner(LlamaModel block, Kernels kernels, int threads, int length) {
        this.length = length;
        bytes = 4L * length * block.architecture().hidden();
        kernels.prepareThread(); // here first: in a thread of the team a failure would leave everybody waiting
        team = new Team(threads, kernels::prepareThread);
        executor = new Executor(block, kernels, team);
        try {
            var table = new Sequences.BlockTable(arena, Math.ceilDiv(length, AttentionSpec.PAGE));
            for (int i = 0; i < table.capacity(); i++) {
                table.set(i, arena.allocate(block.blockBytes(), 64));
            }
            batch = new Batch(arena, length, 1, 0);
            batch.add(new int[length], 0, length, table);
            executor.adopt(executor.room(new Workspace.Size(length, 0, length)));
        } catch (Throwable t) { // out of memory: nothing stays behind
            close();
            throw t;
        }
    }

    /**
     * Replaces the block's input by its output.
     *
     * @param residual f32 [length][hidden] of a text from its first token on
     * @throws SpikeException.NonFinite where a value is not finite
     */
    public void run(MemorySegment residual) {
        executor.residual().asSlice(0, bytes).copyFrom(residual);
        executor.step(batch);
        for (int row = 0; row < length; row++) {
            var failed = executor.failed(row);
            if (failed != null) {
                throw new SpikeException.NonFinite(failed.layer(), failed.operation(), row);
            }
        }
        residual.copyFrom(executor.residual().asSlice(0, bytes));
    }

    @Override
    public void close() {
        executor.close();
        team.close();
        arena.close();
    }
}
