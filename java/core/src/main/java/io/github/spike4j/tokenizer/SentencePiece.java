package io.github.spike4j.tokenizer;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * SentencePiece's models over normalized text, to the last bit: scores are floats, and so are their sums over the text.
 *
 * <ul>
 * <li>Unigram: of all segmentations into pieces the one with the highest sum; of equals the one whose last piece starts first, and so on.
 *     A character that is no piece costs {@link #UNKNOWN_PENALTY} more than the worst piece.
 * <li>BPE: of all adjacent pairs that together are a piece, the one with the highest score is joined, the leftmost of equals, until there is
 *     none. Parts need not be pieces. What ends as an unused piece is taken apart again.
 * <li>Word: what a space begins is one piece. Character: each character is one.
 * </ul>
 * User-defined pieces are found before the others. What is no piece is bytes, or else one unknown token for a run.
 */
final class SentencePiece implements Model {
    enum Algorithm { UNIGRAM, BPE, WORD, CHAR }

    /** In the order of their numbers in SentencePiece's files, from 1. */
    enum Type { NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE }

    private static final float UNKNOWN_PENALTY = 10;

    private final Algorithm algorithm;
    private final Vocabulary vocabulary;
    /** Of each piece. */
    private final float[] scores;
    private final Type[] types;
    /** Of the user-defined pieces, and for unigram of the normal ones. */
    private final ByteTrie trie;
    private final int unknown;
    private final float unknownScore;
    /** Of normal pieces, and never below the smallest normal float, as in SentencePiece. */
    private final float maxScore;
    /** Tokens of the bytes {@code <0xNN>}, each -1 if absent; null without byte fallback. */
    private final int[] fallback;
    private final WordCache cache = new WordCache();

    SentencePiece(Algorithm algorithm, Vocabulary vocabulary, float[] scores, Type[] types, boolean byteFallback) {
        this.algorithm = algorithm;
        this.vocabulary = vocabulary;
        this.scores = scores;
        this.types = types;
        trie = new ByteTrie(vocabulary, id -> types[id] == Type.USER_DEFINED || types[id] == Type.NORMAL && algorithm == Algorithm.UNIGRAM);
        unknown = Arrays.asList(types).indexOf(Type.UNKNOWN);
        float min = Float.MAX_VALUE;
        float max = Float.MIN_NORMAL;
        for (int id = 0; id < types.length; id++) {
            if (types[id] != Type.NORMAL) continue;
            min = Math.min(min, scores[id]);
            max = Math.max(max, scores[id]);
        }
        unknownScore = min - UNKNOWN_PENALTY;
        maxScore = max;
        fallback = byteFallback ? vocabulary.fallbackBytes() : null;
    }

    @Override
    public Vocabulary vocabulary() {
        return vocabulary;
    }

    @Override
    public PreTokenizer.Sink encoder(Ints ids) {
        return switch (algorithm) {
            case UNIGRAM -> new Unigram(ids);
            case BPE, CHAR -> new Symbols(ids);
            case WORD -> new Words(ids);
        };
    }

    private abstract class Encoder extends WordCache.Encoder {
        final Bytes utf8 = new Bytes(256);
        /** Whether the last piece was unknown: the next one joins it. */
        private boolean inUnknown;

        Encoder(Ints out) {
            super(cache, out);
        }

        @Override
        final void encode(String text, int start, int end) {
            utf8.clear();
            utf8.addUtf8(text, start, end);
            inUnknown = false;
            encode();
        }

        /** Appends the ids of {@link #utf8}. */
        abstract void encode();

        /** Appends a piece, or for -1 and the unknown piece what stands for the text. */
        final void add(int id, int start, int end) {
            boolean isUnknown = id < 0 || types[id] == Type.UNKNOWN;
            if (!isUnknown) {
                ids.add(id);
            } else if (fallback != null) {
                for (int i = start; i < end; i++) {
                    int b = fallback[utf8.array[i] & 0xFF];
                    ids.add(b >= 0 ? b : unknown());
                }
            } else if (!inUnknown) {
                ids.add(unknown());
            }
            inUnknown = isUnknown;
        }

        private int unknown() {
            if (unknown < 0) throw new TokenizerException("the tokenizer has no unknown piece, and a character of the text is no piece");
            return unknown;
        }
    }

    private final class Unigram extends Encoder {
        private final BestPath path = new BestPath(trie, true) {
            @Override
            double sum(int piece, int length, double before) {
                if (piece == UNKNOWN) return unknownScore + (float) before;
                return (types[piece] == Type.NORMAL ? scores[piece] : length * maxScore - 0.1) + before;
            }
        };

        Unigram(Ints out) {
            super(out);
        }

        @Override
        void encode() {
            path.find(utf8);
            for (int i = 0; i < utf8.length; i = path.end(i)) add(path.token(i), i, path.end(i));
        }
    }

    /** Characters and user-defined pieces, which BPE joins. */
    private final class Symbols extends Encoder {
        /** Of each symbol: where it starts (where the next one starts is its end), the symbols beside it, -1 if there is none. */
        private int[] start = new int[64];
        private int[] next = new int[64];
        private int[] previous = new int[64];
        /** The piece that it is together with the next one; -1 if that is none. */
        private int[] joint = new int[64];
        private boolean[] frozen = new boolean[64];
        /** How an unused piece was made: the length of its first part. */
        private final Map<Integer, Integer> parts = new HashMap<>();
        /** Of the parts of an unused piece that are still to come, the last first. */
        private final Ints ends = new Ints(16);
        private final Bpe.Heap heap = new Bpe.Heap(64);

        Symbols(Ints out) {
            super(out);
        }

        @Override
        void encode() {
            int count = symbols();
            if (algorithm == Algorithm.BPE) {
                parts.clear();
                for (int s = 0; s + 1 < count; s++) join(s);
                joint[count - 1] = -1;
                while (!heap.isEmpty()) {
                    long top = heap.pop();
                    int left = (int) top;
                    // an entry may be older than a merge beside it
                    if (next[left] < 0 || joint[left] < 0 || key(left) != top) continue;
                    int right = next[left];
                    next[left] = next[right];
                    next[right] = joint[right] = -1;
                    if (next[left] < count) previous[next[left]] = left;
                    join(left);
                    if (previous[left] >= 0) join(previous[left]);
                }
            }
            for (int s = 0; s < count; s = next[s]) addWhole(start[s], start[next[s]]);
        }

        private int symbols() {
            int count = 0;
            for (int i = 0, n; i < utf8.length; i += n) {
                if (count + 1 == start.length) grow();
                n = trie.longest(utf8.array, i, utf8.length);
                frozen[count] = n > 0;
                if (n == 0) n = Utf8.wellFormedLength(utf8.array, i, utf8.length);
                start[count] = i;
                previous[count] = count - 1;
                next[count] = ++count;
            }
            start[count] = utf8.length;
            return count;
        }

        private void grow() {
            start = Arrays.copyOf(start, start.length * 2);
            next = Arrays.copyOf(next, next.length * 2);
            previous = Arrays.copyOf(previous, previous.length * 2);
            joint = Arrays.copyOf(joint, joint.length * 2);
            frozen = Arrays.copyOf(frozen, frozen.length * 2);
        }

        /** Looks up what a symbol is together with the next one. */
        private void join(int left) {
            int right = next[left];
            joint[left] = -1;
            if (start[right] == utf8.length || frozen[left] || frozen[right]) return;
            int id = vocabulary.find(utf8.array, start[left], start[next[right]]);
            if (id < 0 || types[id] == Type.UNKNOWN || types[id] == Type.CONTROL || types[id] == Type.BYTE) return;
            joint[left] = id;
            heap.push(key(left));
            if (types[id] == Type.UNUSED) parts.put(id, start[right] - start[left]);
        }

        /** The highest score first, the leftmost of equals. */
        private long key(int left) {
            int bits = Float.floatToIntBits(scores[joint[left]] + 0.0f); // minus zero is zero
            return (long) ~(bits ^ bits >> 31 & Integer.MAX_VALUE) << 32 | left;
        }

        private void addWhole(int from, int to) {
            ends.length = 0;
            ends.add(to);
            for (int at = from; ends.length > 0; ) {
                int end = ends.array[ends.length - 1];
                int id = vocabulary.find(utf8.array, at, end);
                Integer first = id >= 0 && types[id] == Type.UNUSED ? parts.get(id) : null;
                if (first != null) {
                    ends.add(at + first);
                } else {
                    add(id, at, end);
                    at = end;
                    ends.length--;
                }
            }
        }
    }

    private final class Words extends Encoder {
        private static final int SPACE_BYTES = 3;

        Words(Ints out) {
            super(out);
        }

        @Override
        void encode() {
            for (int i = 0, end; i < utf8.length; i = end) {
                end = i + 1;
                while (end < utf8.length && !isSpace(end)) end++;
                add(vocabulary.find(utf8.array, i, end), i, end);
            }
        }

        /** Whether a ▁ starts here. */
        private boolean isSpace(int i) {
            byte[] a = utf8.array;
            return i + SPACE_BYTES <= utf8.length && a[i] == (byte) 0xE2 && a[i + 1] == (byte) 0x96 && a[i + 2] == (byte) 0x81;
        }
    }
}
