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
    /** Of all tokens but {@link #special}. */
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
        trie = new ByteTrie(vocabulary, id -> !special.get(id));
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
        private final BestPath path = new BestPath(trie, false) {
            @Override
            double sum(int token, int length, double before) {
                if (token != UNKNOWN) return scores[token] + before;
                if (unknown < 0) throw new TokenizerException("the tokenizer has no unknown token (\"unk_id\"), and a character of the text is no token");
                return unknownScore + before;
            }
        };

        Encoder(Ints out) {
            super(cache, out);
        }

        @Override
        void encode(String text, int from, int to) {
            utf8.clear();
            utf8.addUtf8(text, from, to);
            path.find(utf8);
            int unknownStart = -1; // neighbouring unknowns are taken together
            for (int i = 0; i < utf8.length; i = path.end(i)) {
                int token = path.token(i);
                if (token == BestPath.UNKNOWN || token == unknown) {
                    if (unknownStart < 0) unknownStart = i;
                } else {
                    if (unknownStart >= 0) addUnknown(unknownStart, i);
                    unknownStart = -1;
                    ids.add(token);
                }
            }
            if (unknownStart >= 0) addUnknown(unknownStart, utf8.length);
        }

        /** Appends what stands for unknown text: the token that is exactly this text, else bytes, else the unknown token. */
        private void addUnknown(int from, int to) {
            int known = vocabulary.find(utf8.array, from, to);
            if (known >= 0 && special.get(known)) known = -1;
            boolean bytes = known < 0 && fallback != null;
            for (int i = from; i < to && bytes; i++) bytes = fallback[utf8.array[i] & 0xFF] >= 0;
            if (bytes) {
                for (int i = from; i < to; i++) ids.add(fallback[utf8.array[i] & 0xFF]);
            } else {
                ids.add(known >= 0 ? known : unknown);
            }
        }
    }
}
