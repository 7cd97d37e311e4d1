package io.github.spike4j.tokenizer;

import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * The tokens of a vocabulary as a trie over their bytes. Nodes are numbered level by level; the children of a node are consecutive, their
 * labels ascending, so that a step is a search in a few bytes.
 */
final class ByteTrie {
    static final int ROOT = 0;
    static final int NONE = -1;
    /** In bytes: a text is looked through as far from each of its places. */
    private static final int MAX_DEPTH = 4096;

    /** Label of the edge to each node. */
    private final byte[] label;
    /** The children of node n are {@code [firstChild[n], firstChild[n + 1])}. */
    private final int[] firstChild;
    /** Token that ends at each node, or -1. */
    private final int[] token;

    /** @param wanted the tokens that are to be found, by id */
    ByteTrie(Vocabulary vocabulary, IntPredicate wanted) {
        byte[][] texts = Arrays.stream(vocabulary.texts()).filter(text -> wanted.test(vocabulary.find(text, 0, text.length)))
                .sorted(Arrays::compareUnsigned).toArray(byte[][]::new);

        Ints labels = new Ints(1 << 10);
        Ints first = new Ints(1 << 10);
        Ints tokens = new Ints(1 << 10);
        // the range of texts below each node of a level
        Ints from = new Ints(16);
        Ints to = new Ints(16);
        from.add(0);
        to.add(texts.length);
        labels.add(0);
        for (int depth = 0, nodes = 1; from.length > 0; depth++) {
            if (depth > MAX_DEPTH) throw new TokenizerException("tokenizer.json: a token of more than " + MAX_DEPTH + " bytes");
            Ints nextFrom = new Ints(from.length);
            Ints nextTo = new Ints(from.length);
            for (int n = 0; n < from.length; n++) {
                int i = from.array[n];
                int end = to.array[n];
                int here = -1;
                // texts may be equal: the vocabulary knows which counts
                for (; i < end && texts[i].length == depth; i++) here = vocabulary.find(texts[i], 0, depth);
                tokens.add(here);
                first.add(nodes);
                while (i < end) {
                    byte b = texts[i][depth];
                    nextFrom.add(i);
                    while (i < end && texts[i][depth] == b) i++;
                    nextTo.add(i);
                    labels.add(b);
                    nodes++;
                }
            }
            from = nextFrom;
            to = nextTo;
        }
        first.add(labels.length);
        label = new byte[labels.length];
        for (int i = 0; i < label.length; i++) label[i] = (byte) labels.array[i];
        firstChild = first.toArray();
        token = tokens.toArray();
    }

    /** Length in bytes of the longest token that starts at a place of a text, or 0. */
    int longest(byte[] utf8, int start, int end) {
        int longest = 0;
        for (int k = start, node = ROOT; k < end && (node = child(node, utf8[k])) != NONE; ) {
            k++;
            if (token[node] >= 0) longest = k - start;
        }
        return longest;
    }

    /** The node that byte {@code b} leads to, or {@link #NONE}. */
    int child(int node, byte b) {
        int low = firstChild[node];
        int high = firstChild[node + 1] - 1;
        int wanted = b & 0xFF;
        while (low <= high) {
            int middle = low + high >>> 1;
            int seen = label[middle] & 0xFF;
            if (seen == wanted) return middle;
            if (seen < wanted) low = middle + 1;
            else high = middle - 1;
        }
        return NONE;
    }

    /** The token whose bytes lead to the node, or -1. */
    int token(int node) {
        return token[node];
    }

    /** The node that some bytes lead to, or {@link #NONE}. */
    int walk(byte[] bytes) {
        int node = ROOT;
        for (int i = 0; i < bytes.length && node != NONE; i++) node = child(node, bytes[i]);
        return node;
    }
}
