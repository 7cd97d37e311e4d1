package io.github.spike4j.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.BitSet;

/**
 * Byte pair encoding: a word starts as one symbol a character (or a byte), and the adjacent pair of the lowest rank is merged, the
 * leftmost of equals first, until no pair has a rank. Short words are scanned for it; long ones (a SentencePiece-like text is one
 * word) keep a heap of pairs and a linked list of symbols, O(n log n).
 */
final class Bpe implements Model {
    /** What the file says beside vocabulary and merges. */
    record Options(String unknown, String prefix, String suffix, boolean fuseUnknown, boolean byteFallback, boolean ignoreMerges) {}

    private static final int SCAN_LIMIT = 64;
    private static final int CUT_LENGTH = 32;

    private final Vocabulary vocabulary;
    private final PairMap merges;
    private final Options options;
    /** Tokens of the bytes {@code <0xNN>}, each -1 if absent; null without byte fallback. */
    private final int[] fallback;
    /** Token of a byte of {@link ByteAlphabet}; null where words are read as characters. */
    private final int[] bytes;
    /** Pairs of characters that some merge joins; null where long words are not cut. */
    private final PairMap joints;
    private final WordCache cache = new WordCache();

    /**
     * @param merges (left id, right id) to rank &lt;&lt; 32 | merged id
     * @param readsBytes words are plain text, to be read as UTF-8 bytes in {@link ByteAlphabet}; see {@link #canReadBytes}
     */
    Bpe(Vocabulary vocabulary, PairMap merges, Options options, boolean readsBytes) {
        this.vocabulary = vocabulary;
        this.merges = merges;
        this.options = options;
        fallback = options.byteFallback ? vocabulary.fallbackBytes() : null;
        bytes = readsBytes ? byteTokens(vocabulary) : null;
        joints = joints();
    }

    /**
     * No merge ever crosses a place between two characters if there is none of a token that ends with the one and a token that starts with
     * the other: what is on both sides can be encoded by itself. So a text that is one word, as SentencePiece has it, is many small words.
     */
    private PairMap joints() {
        boolean affixes = !options.prefix.isEmpty() || !options.suffix.isEmpty();
        boolean allBytes = fallback != null && Arrays.stream(fallback).allMatch(id -> id >= 0);
        boolean fuses = options.unknown != null && options.fuseUnknown && !allBytes;
        if (bytes != null || affixes || fuses || options.ignoreMerges) return null;
        BitSet noCharacters = new BitSet();
        if (fallback != null) Arrays.stream(fallback).filter(id -> id >= 0).forEach(noCharacters::set);
        if (options.unknown != null && vocabulary.find(options.unknown) >= 0) noCharacters.set(vocabulary.find(options.unknown));
        PairMap found = new PairMap(1024);
        boolean[] usable = {true};
        merges.forEach((left, right) -> {
            String l = vocabulary.text(left);
            String r = vocabulary.text(right);
            usable[0] &= !noCharacters.get(left) && !noCharacters.get(right) && l != null && r != null;
            if (usable[0] && !l.isEmpty() && !r.isEmpty()) found.put(l.codePointBefore(l.length()), r.codePointAt(0), 0);
        });
        return usable[0] ? found : null;
    }

    /** Whether every byte of {@link ByteAlphabet} is a token and no affix is put to characters: then no mapped text is needed. */
    static boolean canReadBytes(Vocabulary vocabulary, Options options) {
        return options.prefix.isEmpty() && options.suffix.isEmpty() && byteTokens(vocabulary) != null;
    }

    private static int[] byteTokens(Vocabulary vocabulary) {
        int[] ids = new int[256];
        for (int b = 0; b < 256; b++) {
            if ((ids[b] = vocabulary.find(String.valueOf(ByteAlphabet.charOf(b)))) < 0) return null;
        }
        return ids;
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
        private final long[] pairs = new long[SCAN_LIMIT];

        Encoder(Ints out) {
            super(cache, out);
        }

        @Override
        public void word(String text, int start, int end, boolean first) {
            if (joints == null || end - start <= CUT_LENGTH) {
                super.word(text, start, end, first);
                return;
            }
            int from = start;
            int last = text.codePointAt(start);
            for (int i = start + Character.charCount(last), n; i < end; i += n) {
                int c = text.codePointAt(i);
                n = Character.charCount(c);
                // where words start, so that the cache finds them again
                boolean wanted = i - from >= CUT_LENGTH || !Character.isLetterOrDigit(c);
                if (wanted && joints.get(last, c) == PairMap.ABSENT) {
                    super.word(text, from, i, first);
                    from = i;
                }
                last = c;
            }
            super.word(text, from, end, first);
        }

        @Override
        void encode(String text, int start, int end) {
            utf8.clear();
            utf8.addUtf8(text, start, end);
            if (options.ignoreMerges) {
                int whole = wholeWord(text, start, end);
                if (whole >= 0) {
                    ids.add(whole);
                    return;
                }
            }
            if (bytes != null) {
                for (int i = 0; i < utf8.length; i++) ids.add(bytes[utf8.array[i] & 0xFF]);
            } else {
                characters();
            }
            if (ids.length <= SCAN_LIMIT) mergeByScan();
            else mergeByHeap();
        }

        private int wholeWord(String text, int start, int end) {
            return bytes == null ? vocabulary.find(utf8.array, 0, utf8.length) : vocabulary.find(ByteAlphabet.map(text, start, end));
        }

        /** One symbol a character; for one that is no token its bytes, or the unknown token, or nothing. */
        private void characters() {
            boolean affixes = !options.prefix.isEmpty() || !options.suffix.isEmpty();
            int unknown = -1; // not yet added
            for (int i = 0, n; i < utf8.length; i += n) {
                n = Utf8.wellFormedLength(utf8.array, i, utf8.length);
                int id = affixes ? withAffixes(i, n) : vocabulary.find(utf8.array, i, i + n);
                if (id >= 0) {
                    if (unknown >= 0) ids.add(unknown);
                    unknown = -1;
                    ids.add(id);
                } else if (fallback == null || !addBytes(i, n, affixes)) {
                    if (options.unknown == null) continue;
                    if (unknown >= 0 && !options.fuseUnknown) ids.add(unknown);
                    unknown = vocabulary.unknown(options.unknown);
                }
            }
            if (unknown >= 0) ids.add(unknown);
        }

        /** The character as {@code <0xNN>} tokens, with its affixes as Hugging Face does it; false if one of them does not exist. */
        private boolean addBytes(int i, int n, boolean affixes) {
            byte[] from = affixes ? affixed(i, n).getBytes(StandardCharsets.UTF_8) : utf8.array;
            int start = affixes ? 0 : i;
            int end = affixes ? from.length : i + n;
            for (int k = start; k < end; k++) {
                if (fallback[from[k] & 0xFF] < 0) return false;
            }
            for (int k = start; k < end; k++) ids.add(fallback[from[k] & 0xFF]);
            return true;
        }

        private int withAffixes(int i, int n) {
            return vocabulary.find(affixed(i, n));
        }

        private String affixed(int i, int n) {
            String s = new String(utf8.array, i, n, StandardCharsets.UTF_8);
            return (i > 0 ? options.prefix : "") + s + (i + n == utf8.length ? options.suffix : "");
        }

        private void mergeByScan() {
            int[] symbols = ids.array;
            int count = ids.length;
            for (int i = 0; i + 1 < count; i++) pairs[i] = merges.get(symbols[i], symbols[i + 1]);
            while (true) {
                int best = -1;
                long rank = Long.MAX_VALUE;
                for (int i = 0; i + 1 < count; i++) {
                    if (pairs[i] != PairMap.ABSENT && pairs[i] < rank) {
                        rank = pairs[i];
                        best = i;
                    }
                }
                if (best < 0) break;
                symbols[best] = (int) rank;
                count--;
                System.arraycopy(symbols, best + 2, symbols, best + 1, count - best - 1);
                System.arraycopy(pairs, best + 1, pairs, best, Math.max(0, count - best - 1));
                if (best > 0) pairs[best - 1] = merges.get(symbols[best - 1], symbols[best]);
                if (best + 1 < count) pairs[best] = merges.get(symbols[best], symbols[best + 1]);
            }
            ids.length = count;
        }

        private void mergeByHeap() {
            int[] symbols = ids.array;
            int count = ids.length;
            int[] next = new int[count];
            int[] previous = new int[count];
            Heap heap = new Heap(count);
            for (int i = 0; i < count; i++) {
                previous[i] = i - 1;
                next[i] = i + 1 < count ? i + 1 : -1;
                if (i + 1 < count) push(heap, i, i + 1);
            }
            while (!heap.isEmpty()) {
                long top = heap.pop();
                int left = (int) top;
                int right = next[left];
                // an entry may be older than a merge beside it: its symbol is gone, or pairs otherwise now
                if (symbols[left] < 0 || right < 0) continue;
                long merge = merges.get(symbols[left], symbols[right]);
                if (merge == PairMap.ABSENT || merge >>> 32 != top >>> 32) continue;
                symbols[left] = (int) merge;
                symbols[right] = -1;
                next[left] = next[right];
                if (next[left] >= 0) {
                    previous[next[left]] = left;
                    push(heap, left, next[left]);
                }
                if (previous[left] >= 0) push(heap, previous[left], left);
            }
            int n = 0;
            for (int i = 0; i >= 0; i = next[i]) symbols[n++] = symbols[i];
            ids.length = n;
        }

        private void push(Heap heap, int left, int right) {
            long merge = merges.get(ids.array[left], ids.array[right]);
            if (merge != PairMap.ABSENT) heap.push(merge & 0xFFFFFFFF00000000L | left);
        }
    }

    /** A binary heap of rank &lt;&lt; 32 | position, the lowest on top. */
    static final class Heap {
        private long[] a;
        private int size;

        Heap(int capacity) {
            a = new long[capacity];
        }

        boolean isEmpty() {
            return size == 0;
        }

        void push(long v) {
            if (size == a.length) a = Arrays.copyOf(a, size * 2);
            int i = size++;
            for (int up; i > 0 && a[up = i - 1 >> 1] > v; i = up) a[i] = a[up];
            a[i] = v;
        }

        long pop() {
            long top = a[0];
            long v = a[--size];
            int i = 0;
            for (int child; (child = 2 * i + 1) < size; i = child) {
                if (child + 1 < size && a[child + 1] < a[child]) child++;
                if (a[child] >= v) break;
                a[i] = a[child];
            }
            a[i] = v;
            return top;
        }
    }
}
