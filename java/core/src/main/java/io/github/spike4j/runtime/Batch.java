package io.github.spike4j.runtime;

import io.github.spike4j.kernels.Sequences;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The tokens of a step: rows of some sequences, and those rows whose logits are wanted. Reused from step to step. */
final class Batch {
    private final MemorySegment ids;
    private final Sequences sequences;
    private final int[] selected;
    private final int maxRows;
    private int rows;
    private int selectedCount;

    /** Room for {@code maxRows} tokens of {@code maxSequences} sequences and {@code maxSelected} rows of logits. */
    Batch(Arena arena, int maxRows, int maxSequences, int maxSelected) {
        ids = arena.allocate(ValueLayout.JAVA_INT, maxRows);
        sequences = new Sequences(arena, maxSequences);
        selected = new int[maxSelected];
        this.maxRows = maxRows;
    }

    void clear() {
        rows = 0;
        selectedCount = 0;
        sequences.clear();
    }

    /**
     * Adds {@code count} tokens of {@code tokens} from {@code from} on, which is also their position.
     *
     * @return the row of the first
     */
    int add(int[] tokens, int from, int count, Sequences.BlockTable table) {
        int first = rows;
        sequences.add(first, count, from, table);
        MemorySegment.copy(tokens, from, ids, ValueLayout.JAVA_INT, 4L * first, count);
        rows += count;
        return first;
    }

    /** Wants the logits of a row; rows ascend. */
    void select(int row) {
        selected[selectedCount++] = row;
    }

    int rows() {
        return rows;
    }

    /** Most rows. */
    int maxRows() {
        return maxRows;
    }

    int freeRows() {
        return maxRows - rows;
    }

    int selectedCount() {
        return selectedCount;
    }

    int freeSelected() {
        return selected.length - selectedCount;
    }

    int selected(int i) {
        return selected[i];
    }

    MemorySegment ids() {
        return ids;
    }

    Sequences sequences() {
        return sequences;
    }
}
