package io.github.spike4j.runtime;

import io.github.spike4j.model.LlamaModel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The tables of N5 that a model's layers use. A position costs microseconds of exact sines, so a thread of its own makes the next half of
 * the tables while steps read the first: a step waits only if it jumps beyond what is being made.
 */
final class RopeTables implements AutoCloseable {
    /** Smallest table. */
    private static final int LEAST = 256;

    private record Tables(Arena arena, MemorySegment[] byRope, int positions) {
        void close() {
            arena.close();
        }
    }

    private final LlamaModel model;
    /** Whether some layer has the rotation; the first is none (-1). */
    private final boolean[] used;
    /** Only {@link #prepare} replaces it, so no step reads it then. */
    private Tables current;
    /** What will replace it, or null; it reads {@link #current}. */
    private Growth growth;
    /** Growing ahead failed: from then on who needs more makes it, and has the error. */
    private boolean exhausted;

    RopeTables(LlamaModel model) {
        this.model = model;
        used = new boolean[model.architecture().ropes().size() + 1];
        for (int rope : model.architecture().layerRopes()) {
            used[rope + 1] = true;
        }
        current = new Tables(Arena.ofShared(), new MemorySegment[used.length], 0);
    }

    /** The table of a rotation, or of none (-1): f32 [positions][headDim]. */
    MemorySegment table(int rope) {
        return current.byRope[rope + 1];
    }

    /** Positions that the tables reach. */
    int positions() {
        return current.positions;
    }

    /** Starts to make tables of so many positions, which the first step will find or wait for. */
    void start(int positions) {
        grow(positions);
    }

    /**
     * Before a step.
     *
     * @param positions positions that it reads
     * @param most      positions that any step may come to read
     * @throws OutOfMemoryError if there is no room for them; the tables stay
     */
    void prepare(int positions, int most) {
        if (growth != null && (positions > current.positions || !growth.isAlive())) {
            adopt();
        }
        if (positions > current.positions) {
            int doubled = Math.min(Integer.highestOneBit(2 * positions - 1), most);
            replace(grown(current, Math.max(positions, Math.max(doubled, LEAST))));
        }
        if (growth == null && !exhausted && positions > current.positions / 2 && current.positions < most) {
            grow((int) Math.min(2L * current.positions, most));
        }
    }

    private void grow(int positions) {
        try {
            var next = new Growth(positions);
            next.start();
            growth = next;
        } catch (OutOfMemoryError e) { // no thread to be had
            exhausted = true;
        }
    }

    private void adopt() {
        var larger = growth.await();
        growth = null;
        if (larger == null) {
            exhausted = true;
        } else {
            replace(larger);
        }
    }

    /** Makes larger tables. */
    private final class Growth extends Thread {
        private final Tables from = current;
        private final int positions;
        /** Null if there was no room. */
        private Tables made;

        Growth(int positions) {
            super("spike4j-rope");
            setDaemon(true);
            this.positions = positions;
        }

        @Override
        public void run() {
            try {
                made = grown(from, positions);
            } catch (OutOfMemoryError e) {
                // whoever needs them makes them, and has the error
            }
        }

        Tables await() {
            boolean interrupted = false;
            while (isAlive()) {
                try {
                    join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                currentThread().interrupt();
            }
            return made;
        }
    }

    private void replace(Tables larger) {
        current.close();
        current = larger;
    }

    /** The same rows and more, in memory of its own. */
    private Tables grown(Tables old, int positions) {
        long row = 4L * model.architecture().headDim();
        var arena = Arena.ofShared();
        try {
            var tables = new MemorySegment[used.length];
            for (int i = 0; i < used.length; i++) {
                if (used[i]) {
                    tables[i] = arena.allocate(row * positions, 64);
                    if (old.positions > 0) {
                        MemorySegment.copy(old.byRope[i], 0, tables[i], 0, row * old.positions);
                    }
                    model.rope(i - 1, tables[i], old.positions, positions);
                }
            }
            return new Tables(arena, tables, positions);
        } catch (Throwable t) { // out of memory: nothing stays behind
            arena.close();
            throw t;
        }
    }

    @Override
    public void close() {
        if (growth != null) {
            adopt();
        }
        current.close();
    }
}
