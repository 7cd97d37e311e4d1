package io.github.spike4j.runtime;

import io.github.spike4j.kernels.GifSpec;
import io.github.spike4j.kernels.Kernels;
import io.github.spike4j.kernels.Queries;
import io.github.spike4j.kernels.Spikes;
import io.github.spike4j.model.Buffer;
import io.github.spike4j.model.LlamaModel;
import io.github.spike4j.model.Phase;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** All memory of a step, for batches up to a size. */
final class Workspace implements AutoCloseable {
    /**
     * Of the largest batch.
     *
     * @param rows     tokens
     * @param selected rows of logits
     * @param context  positions that a session may reach
     */
    record Size(int rows, int selected, int context) {
        static final Size NONE = new Size(0, 0, 0);

        /** Whether a batch fits. */
        boolean holds(int rows, int selected, int context) {
            return rows <= this.rows && selected <= this.selected && context <= this.context;
        }

        /** Room for both. */
        Size max(int rows, int selected, int context) {
            return new Size(Math.max(rows, this.rows), Math.max(selected, this.selected), Math.max(context, this.context));
        }
    }

    private final Arena arena = Arena.ofShared();
    private final Size size;
    /** By row: silent codes, and the first phase that was not finite or -1. */
    final long[] silent;
    final int[] failedPhase;
    private final MemorySegment[] shared = new MemorySegment[Buffer.values().length];
    private final Spikes[] spikes;
    /** Per thread, for steps of one row: each thread prepares its own copy, which saves a barrier. */
    private final MemorySegment[][] own;
    private final Spikes[][] ownSpikes;
    /** Bit planes of each slot, shared and per thread; null if no linear wants them. */
    private final MemorySegment[] planes;
    private final MemorySegment[][] ownPlanes;
    private final MemorySegment[] scratch;
    private final MemorySegment[][] outputs;
    private final Queries queries;

    /** @throws OutOfMemoryError if there is no room; nothing stays behind */
    Workspace(LlamaModel model, Kernels kernels, int threads, Size size) {
        this.size = size;
        int rows = size.rows();
        int selected = Math.max(1, size.selected());
        silent = new long[rows];
        failedPhase = new int[rows];
        try {
            for (var buffer : Buffer.values()) {
                boolean head = buffer == Buffer.HEAD || buffer == Buffer.LOGITS;
                int count = head ? selected : buffer == Buffer.NORMED || buffer == Buffer.ROTATED ? Math.max(rows, selected) : rows;
                shared[buffer.ordinal()] = floats((long) count * model.width(buffer));
            }
            int padded = model.specs().flatMap(List::stream).mapToInt(GifSpec::padded).max().orElse(0);
            int groups = model.specs().flatMap(List::stream).mapToInt(GifSpec::groups).max().orElse(0);
            spikes = spikes(model.slots(), Math.max(rows, selected), padded, groups);
            own = new MemorySegment[threads][Buffer.values().length];
            ownSpikes = new Spikes[threads][];
            planes = planes(model, Math.max(rows, selected));
            ownPlanes = new MemorySegment[threads][];
            scratch = new MemorySegment[threads];
            long scratchBytes = model.attention().stream().mapToLong(a -> kernels.attendScratch(a, size.context())).max().orElse(0);
            for (int t = 0; t < threads; t++) {
                for (var buffer : List.of(Buffer.NORMED, Buffer.HIDDEN, Buffer.ROTATED)) {
                    own[t][buffer.ordinal()] = floats(model.width(buffer));
                }
                ownSpikes[t] = spikes(model.slots(), 1, padded, groups);
                ownPlanes[t] = planes(model, 1);
                scratch[t] = arena.allocate(scratchBytes + 64, 64);
            }
            int qPadded = model.attention().stream().mapToInt(a -> a.dense() ? 0 : a.qPadded()).max().orElse(0);
            queries = model.dense() ? null : new Queries(arena, rows, model.architecture().heads(), qPadded);
            outputs = new MemorySegment[model.phases().size()][];
            for (int p = 0; p < outputs.length; p++) {
                if (model.phases().get(p) instanceof Phase.Linear linear) {
                    var to = shared[linear.to().ordinal()];
                    outputs[p] = linear.parts().stream().map(part -> to.asSlice(4L * part.offset())).toArray(MemorySegment[]::new);
                }
            }
        } catch (Throwable t) { // out of memory: nothing stays behind
            arena.close();
            throw t;
        }
    }

    private Spikes[] spikes(int slots, int count, int padded, int groups) {
        var made = new Spikes[slots];
        for (int s = 0; s < slots; s++) {
            made[s] = new Spikes(arena, count, padded, groups);
        }
        return made;
    }

    private MemorySegment[] planes(LlamaModel model, int count) {
        var made = new MemorySegment[model.slots()];
        for (int s = 0; s < made.length && model.planeWords() > 0; s++) {
            made[s] = arena.allocate(8L * count * model.planeWords(), 64);
        }
        return made;
    }

    private MemorySegment floats(long count) {
        return arena.allocate(4 * count, 64);
    }

    /** The largest batch that fits. */
    Size size() {
        return size;
    }

    /** A buffer that all threads share. */
    MemorySegment floats(Buffer buffer) {
        return shared[buffer.ordinal()];
    }

    /** The buffer as a phase of {@code rows} rows sees it on a thread. */
    MemorySegment floats(Buffer buffer, int rows, int thread) {
        var mine = rows == 1 ? own[thread][buffer.ordinal()] : null;
        return mine != null ? mine : shared[buffer.ordinal()];
    }

    /** The encoded input of a slot as a phase of {@code rows} rows sees it on a thread. */
    Spikes spikes(int slot, int rows, int thread) {
        return rows == 1 ? ownSpikes[thread][slot] : spikes[slot];
    }

    /** The bit planes of a slot as a phase of {@code rows} rows sees them on a thread. */
    MemorySegment planes(int slot, int rows, int thread) {
        return rows == 1 ? ownPlanes[thread][slot] : planes[slot];
    }

    /** Where part {@code part} of the linear phase {@code phase} writes. */
    MemorySegment output(int phase, int part) {
        return outputs[phase][part];
    }

    MemorySegment scratch(int thread) {
        return scratch[thread];
    }

    Queries queries() {
        return queries;
    }

    @Override
    public void close() {
        arena.close();
    }
}
