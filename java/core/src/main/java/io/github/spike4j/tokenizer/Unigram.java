package io.github.spike4j.tokenizer;

import java.util.Arrays;
import java.util.BitSet;

/**
 * The unigram language model: of all segmentations of a word into tokens, the one with the highest sum of scores (of equals the one whose
 * last token starts first, and so on). A character that is no token costs {@link #UNKNOWN_PENALTY} more than the worst token; neighbours
 * of that kind are one unknown token, or their bytes.
 */
final class Unigram implements Model {
    private static final double UNKNOWN_PENALTY = 10;

    private final Vocabulary vocabulary;
    private final ByteTrie trie;
    /** Score of each token. */
    private final double[] scores;
    /** Id of the unknown token, or -1. */
    private final int unknown;
    private final double unknownScore;
    /** Tokens of the bytes {@code <0xNN>}, each -1 if absent; null without byte fallback. */
    private final int[] fallback;
    /** Special tokens, which no text stands for: where they are to be seen, they are cut out before. */
    private final BitSet special;
    private final WordCache cache = new WordCache();

    Unigram(Vocabulary vocabulary, double[] scores, int unknown, boolean byteFallback, BitSet special) {
        this.vocabulary = vocabulary;
        this.scores = scores;
        this.unknown = unknown;
        this.special = special;
        trie = new ByteTrie(vocabulary);
        unknownScore = Arrays.stream(scores).min().orElse(0) - UNKNOWN_PENALTY;
        fallback = byteFallback ? vocabulary.fallbackBytes() : null;
    }

    @Override
    public Vocabulary vocabulary() {
        return vocabulary;
    }

    @Override
    public PreTokenizer.Sink encoder(Ints ids) {
        return new Encoder(ids);
    }

    private final class Encoder extends WordCache.Encoder {
        private final Bytes utf8 = new Bytes(256);
        /** Of the best path that ends at each byte: its score, its last token, where that starts (-1: there is none). */
        private double[] best = new double[64];
        private int[] token = new int[64];
        private int[] start = new int[64];

        Encoder(Ints out) {
            super(cache, out);
        }

        @Override
        void encode(String text, int from, int to) {
            utf8.clear();
            utf8.addUtf8(text, from, to);
            findBestPath();

            // backwards: neighbouring unknowns are taken together
            int unknownEnd = -1;
            for (int end = utf8.length; end > 0; end = start[end]) {
                if (token[end] == unknown) {
                    if (unknownEnd < 0) unknownEnd = end;
                } else {
                    if (unknownEnd >= 0) addUnknown(end, unknownEnd);
                    unknownEnd = -1;
                    ids.add(token[end]);
                }
            }
            if (unknownEnd >= 0) addUnknown(0, unknownEnd);
            ids.reverse();
        }

        private void findBestPath() {
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
                int node = ByteTrie.ROOT;
                for (int k = i; k < length && (node = trie.child(node, utf8.array[k])) != ByteTrie.NONE; ) {
                    int id = trie.token(node);
                    k++;
                    if (id < 0 || special.get(id)) continue;
                    offer(i, k, id, scores[id] + best[i]);
                    whole |= k == i + character;
                }
                if (!whole) {
                    if (unknown < 0) throw new TokenizerException("the tokenizer has no unknown token (\"unk_id\"), and a character of the text is no token");
                    offer(i, i + character, unknown, unknownScore + best[i]);
                }
            }
        }

        private void offer(int from, int to, int id, double score) {
            if (start[to] >= 0 && score <= best[to]) return;
            best[to] = score;
            token[to] = id;
            start[to] = from;
        }

        /** Appends, last first, what stands for unknown text: the token that is exactly this text, else bytes, else the unknown token. */
        private void addUnknown(int from, int to) {
            int known = vocabulary.find(utf8.array, from, to);
            if (known >= 0 && special.get(known)) known = -1;
            boolean bytes = known < 0 && fallback != null;
            for (int i = from; i < to && bytes; i++) bytes = fallback[utf8.array[i] & 0xFF] >= 0;
            if (bytes) {
                for (int i = to - 1; i >= from; i--) ids.add(fallback[utf8.array[i] & 0xFF]);
            } else {
                ids.add(known >= 0 ? known : unknown);
            }
        }
    }
}
