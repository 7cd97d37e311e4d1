package io.github.spike4j.tokenizer;

import java.util.Arrays;

/**
 * The segmentation of a text into tokens that has the highest sum of scores; of equals the one whose last token starts first, and so on. A
 * character that is no token may be unknown. For one thread.
 */
abstract class BestPath {
    static final int UNKNOWN = -1;

    private final ByteTrie trie;
    private final boolean floats;
    /** Of the best path that ends at each byte: its score, its last token, where that starts (-1: there is none). */
    private double[] best = new double[64];
    private int[] token = new int[64];
    private int[] start = new int[64];

    /** @param floats sums are kept as floats, and compared with a new one in double */
    BestPath(ByteTrie trie, boolean floats) {
        this.trie = trie;
        this.floats = floats;
    }

    /** The score of a path with one more token, of {@code length} bytes, or {@link #UNKNOWN}. */
    abstract double sum(int token, int length, double before);

    final void find(Bytes utf8) {
        int length = utf8.length;
        if (best.length <= length) {
            best = new double[length + 1];
            token = new int[length + 1];
            start = new int[length + 1];
        }
        Arrays.fill(start, 0, length + 1, -1);
        best[0] = 0;
        for (int i = 0, character; i < length; i += character) {
            character = Utf8.wellFormedLength(utf8.array, i, length);
            boolean whole = false;
            for (int k = i, node = ByteTrie.ROOT; k < length && (node = trie.child(node, utf8.array[k])) != ByteTrie.NONE; ) {
                int id = trie.token(node);
                k++;
                if (id < 0) continue;
                offer(i, k, id);
                whole |= k == i + character;
            }
            if (!whole) offer(i, i + character, UNKNOWN);
        }
        // turn the path around: of each byte of the path, where the token that starts there ends
        for (int end = length, after = -1; end >= 0; ) {
            int from = end == 0 ? -1 : start[end];
            start[end] = after;
            after = end;
            end = from;
        }
    }

    private void offer(int from, int to, int id) {
        double sum = sum(id, to - from, best[from]);
        if (start[to] >= 0 && sum <= best[to]) return;
        best[to] = floats ? (float) sum : sum;
        token[to] = id;
        start[to] = from;
    }

    /** Where the token of the path that starts at a byte ends. */
    final int end(int from) {
        return start[from];
    }

    /** The token of the path that starts at a byte, or {@link #UNKNOWN}. */
    final int token(int from) {
        return token[start[from]];
    }
}
