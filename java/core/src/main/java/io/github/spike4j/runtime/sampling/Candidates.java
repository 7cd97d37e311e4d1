package io.github.spike4j.runtime.sampling;

/**
 * Tokens with their logits or weights, as a {@link Sampler} sorts them: parallel arrays, and heaps in their first elements. Working memory
 * of one thread, which all samplers there share; it grows to the largest vocabulary and stays.
 */
public final class Candidates {
    double[] value = {};
    int[] id = {};

    /** Makes room for {@code vocabulary} values, and as many ids where they are wanted. */
    void reserve(int vocabulary, boolean ids) {
        if (value.length < vocabulary) value = new double[vocabulary];
        if (ids && id.length < vocabulary) id = new int[vocabulary];
    }

    /** The {@code k} best of the first {@code n} to the front, descending. */
    void selectTop(int k, int n) {
        // a heap of the k best so far with the worst on top; then taken apart from the back
        for (int i = k / 2 - 1; i >= 0; i--) siftWorst(i, k);
        for (int i = k; i < n; i++) {
            if (better(i, 0)) {
                move(i, 0);
                siftWorst(0, k);
            }
        }
        for (int m = k - 1; m > 0; m--) {
            swap(0, m);
            siftWorst(0, m);
        }
    }

    /** Makes the first {@code n} a heap with the best on top. */
    void heapify(int n) {
        for (int i = n / 2 - 1; i >= 0; i--) siftBest(i, n);
    }

    /** Moves the top of a heap of {@code n} behind the others, which stay a heap. */
    void pop(int n) {
        swap(0, n - 1);
        siftBest(0, n - 1);
    }

    private boolean better(int a, int b) {
        return value[a] > value[b] || value[a] == value[b] && id[a] < id[b];
    }

    private void siftWorst(int i, int n) {
        for (int child; (child = 2 * i + 1) < n; i = child) {
            if (child + 1 < n && better(child, child + 1)) child++;
            if (better(child, i)) return;
            swap(i, child);
        }
    }

    private void siftBest(int i, int n) {
        for (int child; (child = 2 * i + 1) < n; i = child) {
            if (child + 1 < n && better(child + 1, child)) child++;
            if (better(i, child)) return;
            swap(i, child);
        }
    }

    private void move(int from, int to) {
        value[to] = value[from];
        id[to] = id[from];
    }

    private void swap(int a, int b) {
        double v = value[a];
        int t = id[a];
        move(b, a);
        value[b] = v;
        id[b] = t;
    }
}
