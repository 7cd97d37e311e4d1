package io.github.spike4j.runtime;

import io.github.spike4j.SpikeException;
import io.github.spike4j.kernels.AttentionSpec;
import io.github.spike4j.kernels.Sequences.BlockTable;
import java.lang.foreign.Arena;
import java.util.Arrays;

/**
 * A session's tokens, cache and wishes. All fields are guarded by the scheduler's lock, except what the scheduler's thread works on without
 * it ({@link #inStep}). Tokens [0, cached) are in the cache, those up to {@link #target} are to be computed.
 */
public final class Sequence {
    final Lane lane;
    final int maxContext;
    final BlockTable table;
    final KvPool.Block[] blocks;
    /** The first block that is there: those before it lie behind every layer's window. */
    int firstBlock;
    int[] ids = new int[64];
    int length;
    int cached;
    int target;
    /** The logits after token {@code logitsAt - 1}; valid if that is {@code length - 1}. */
    final float[] logits;
    int logitsAt;
    Task task;
    Evaluation evaluation;
    RuntimeException failure;
    boolean closed;
    /** Whether it ever was evaluated, or is about to be. */
    boolean evaluates;
    /** The scheduler's thread chooses its next token, or computes a step in which it takes part. */
    boolean inStep;
    /** The generation whose token is chosen, and the token or what was thrown instead. */
    Task chooser;
    int chosen;
    Throwable thrown;
    /** In the step: its rows, its first row, its rows of logits, the first of them, and who wants them all or null. */
    int stepRows;
    int stepRow;
    int stepSelected;
    int stepLogits;
    Evaluation stepEvaluation;
    long codes;
    long silentCodes;
    long steps;
    long tokens;

    /** Logits of many positions on their way to the caller. */
    static final class Evaluation {
        final float[][] rows;
        /** Rows that wait for the caller, and the position of the first. */
        int ready;
        int position;

        Evaluation(int rows, int vocab) {
            this.rows = new float[rows][vocab];
        }
    }

    Sequence(Lane lane, int maxContext) {
        this.lane = lane;
        this.maxContext = maxContext;
        int count = (maxContext + AttentionSpec.PAGE - 1) / AttentionSpec.PAGE;
        table = new BlockTable(Arena.ofAuto(), count);
        blocks = new KvPool.Block[count];
        logits = new float[lane.vocab()];
    }

    void require(int more) {
        if (length + (long) more > maxContext) {
            throw new SpikeException.ContextFull((int) Math.min(Integer.MAX_VALUE, length + (long) more), maxContext);
        }
    }

    void push(int id) {
        if (length == ids.length) {
            ids = Arrays.copyOf(ids, Math.min(maxContext, 2 * ids.length));
        }
        ids[length++] = id;
    }

    /**
     * Forgets the tokens from {@code end} on. The last one that stays is computed again, for its logits were not kept; all are, if what it
     * sees was given up.
     */
    void truncate(int end) {
        length = end;
        cached = Math.min(cached, Math.max(0, end - 1));
        target = Math.min(target, end);
        logitsAt = 0;
        if (firstBlock > 0 && (cached + 1 - lane.window) / AttentionSpec.PAGE < firstBlock) {
            cached = 0;
            releaseBlocks();
        } else {
            release((cached + AttentionSpec.PAGE - 1) / AttentionSpec.PAGE, blocks.length);
        }
    }

    /** Gives up what lies two windows and more behind the next token: one window that it sees, and one to go back by. */
    void forget() {
        if (lane.window > 0) {
            int first = (int) Math.max(0, cached - 2L * lane.window) / AttentionSpec.PAGE;
            release(firstBlock, first);
            firstBlock = Math.max(firstBlock, first);
        }
    }

    /** Makes room for {@code more} tokens, so that pushing them allocates nothing. */
    void reserve(int more) {
        int needed = (int) Math.min(maxContext, length + (long) more);
        if (needed > ids.length) {
            ids = Arrays.copyOf(ids, needed);
        }
    }

    boolean isLive() {
        return failure == null && !closed;
    }

    /** Whether there are tokens to compute, and somebody to take them. */
    boolean isPending() {
        return target > cached && (evaluation == null || evaluation.ready == 0);
    }

    boolean hasLogits() {
        return length > 0 && logitsAt == length;
    }

    /** Makes the blocks of positions [cached, cached + count) its own. */
    void prepareBlocks(int count) {
        for (int b = cached / AttentionSpec.PAGE; b <= (cached + count - 1) / AttentionSpec.PAGE; b++) {
            blocks[b] = blocks[b] == null ? lane.pool.take() : lane.pool.writable(blocks[b]);
            table.set(b, blocks[b].memory);
        }
    }

    void releaseBlocks() {
        release(firstBlock, blocks.length);
        firstBlock = 0;
    }

    private void release(int from, int to) {
        for (int b = from; b < to && blocks[b] != null; b++) {
            lane.pool.release(blocks[b]);
            blocks[b] = null;
            table.set(b, null);
        }
    }

    /** Ends the sequence for good; an error, which callers cannot be thrown again and again, becomes a cause. */
    void fail(Throwable t) {
        failure = t instanceof RuntimeException e ? e : new IllegalStateException("the session ended by an error; see the cause", t);
        var ended = task;
        task = null;
        if (ended != null) {
            ended.fail(failure);
        }
    }

    /** Ends its generation. If that throws (the end of its text cannot be made), both fail. */
    void end(Task.End reason) {
        try {
            task.end(reason);
            task = null;
        } catch (Throwable t) {
            fail(t);
        }
    }
}
