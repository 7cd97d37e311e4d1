package io.github.spike4j.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.IntFunction;

/**
 * Byte pair encoding: a word starts as one symbol a character (or a byte), and the adjacent pair of the lowest rank is merged, the
 * leftmost of equals first, until no pair has a rank. Short words are scanned for it; long ones (a SentencePiece-like text is one
 * word) keep a heap of pairs and a linked list of symbols, O(n log n).
 */
final class Bpe implements Model {
    /** What the file says beside vocabulary and merges. */
    record Options(String unknown, String prefix, String suffix, boolean fuseUnknown, boolean byteFallback, boolean ignoreMerges) {}

    private static final int SCAN_LIMIT = 64;
    private static final int CACHE_SIZE = 1 << 14;
    private static final int CACHED_LENGTH = 48;

    private final Vocabulary vocabulary;
    private final PairMap merges;
    private final Options options;
    private final int unknown;
    /** Token of a byte, for {@code <0xNN>} fallback; null unless all exist. */
    private final int[] fallback;
    /** Token of a byte of {@link ByteAlphabet}; null where words are read as characters. */
    private final int[] bytes;
    /** Words seen: immutable entries, replaced without locks. */
    private final Cached[] cache = new Cached[CACHE_SIZE];

    private record Cached(int hash, String word, int[] ids) {}

    /**
     * @param merges (left id, right id) to rank &lt;&lt; 32 | merged id
     * @param readsBytes words are plain text, to be read as UTF-8 bytes in {@link ByteAlphabet}; see {@link #canReadBytes}
     */
    Bpe(Vocabulary vocabulary, PairMap merges, Options options, boolean readsBytes) {
        this.vocabulary = vocabulary;
        this.merges = merges;
        this.options = options;
        unknown = options.unknown == null ? -1 : vocabulary.find(options.unknown);
        if (options.unknown != null && unknown < 0) {
            throw new TokenizerException("tokenizer.json: the unknown token " + options.unknown + " is not in the vocabulary");
        }
        fallback = options.byteFallback ? byteTokens(vocabulary, b -> String.format("<0x%02X>", b)) : null;
        bytes = readsBytes ? byteTokens(vocabulary, b -> String.valueOf(ByteAlphabet.charOf(b))) : null;
    }

    /** Whether every byte of {@link ByteAlphabet} is a token and no affix is put to characters: then no mapped text is needed. */
    static boolean canReadBytes(Vocabulary vocabulary, Options options) {
        return options.prefix.isEmpty() && options.suffix.isEmpty()
                && byteTokens(vocabulary, b -> String.valueOf(ByteAlphabet.charOf(b))) != null;
    }

    private static int[] byteTokens(Vocabulary vocabulary, IntFunction<String> text) {
        int[] ids = new int[256];
        for (int b = 0; b < 256; b++) {
            if ((ids[b] = vocabulary.find(text.apply(b))) < 0) return null;
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

    private final class Encoder implements PreTokenizer.Sink {
        private final Ints out;
        private final Bytes utf8 = new Bytes(256);
        private int[] symbols = new int[64];
        private int count;
        private final long[] pairs = new long[SCAN_LIMIT];

        Encoder(Ints out) {
            this.out = out;
        }

        @Override
        public void word(String text, int start, int end, boolean first) {
            int length = end - start;
            if (length > CACHED_LENGTH) {
                encode(text, start, end);
                out.addAll(symbols, count);
                return;
            }
            int hash = 0;
            for (int i = start; i < end; i++) hash = 31 * hash + text.charAt(i);
            int slot = (hash * 0x9E3779B9) >>> Integer.numberOfLeadingZeros(CACHE_SIZE - 1);
            Cached seen = cache[slot];
            if (seen == null || seen.hash != hash || seen.word.length() != length || !text.startsWith(seen.word, start)) {
                encode(text, start, end);
                seen = new Cached(hash, text.substring(start, end), Arrays.copyOf(symbols, count));
                cache[slot] = seen;
            }
            out.addAll(seen.ids, seen.ids.length);
        }

        private void encode(String text, int start, int end) {
            count = 0;
            utf8.clear();
            utf8.addUtf8(text, start, end);
            if (options.ignoreMerges) {
                int whole = wholeWord(text, start, end);
                if (whole >= 0) {
                    add(whole);
                    return;
                }
            }
            if (bytes != null) {
                for (int i = 0; i < utf8.length; i++) add(bytes[utf8.array[i] & 0xFF]);
            } else {
                characters();
            }
            if (count <= SCAN_LIMIT) mergeByScan();
            else mergeByHeap();
        }

        private int wholeWord(String text, int start, int end) {
            return bytes == null ? vocabulary.find(utf8.array, 0, utf8.length) : vocabulary.find(ByteAlphabet.map(text, start, end));
        }

        /** One symbol a character; for one that is no token its bytes, or the unknown token, or nothing. */
        private void characters() {
            boolean affixes = !options.prefix.isEmpty() || !options.suffix.isEmpty();
            boolean pendingUnknown = false;
            for (int i = 0, n; i < utf8.length; i += n) {
                n = Utf8.wellFormedLength(utf8.array, i, utf8.length);
                int id = affixes ? withAffixes(i, n) : vocabulary.find(utf8.array, i, i + n);
                if (id >= 0) {
                    if (pendingUnknown) add(unknown);
                    pendingUnknown = false;
                    add(id);
                } else if (fallback != null) {
                    for (int k = i; k < i + n; k++) add(fallback[utf8.array[k] & 0xFF]);
                } else if (unknown >= 0) {
                    if (pendingUnknown && !options.fuseUnknown) add(unknown);
                    pendingUnknown = true;
                }
            }
            if (pendingUnknown) add(unknown);
        }

        private int withAffixes(int i, int n) {
            String s = new String(utf8.array, i, n, StandardCharsets.UTF_8);
            return vocabulary.find((i > 0 ? options.prefix : "") + s + (i + n == utf8.length ? options.suffix : ""));
        }

        private void add(int id) {
            if (count == symbols.length) symbols = Arrays.copyOf(symbols, count * 2);
            symbols[count++] = id;
        }

        private void mergeByScan() {
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
                if (best < 0) return;
                symbols[best] = (int) rank;
                count--;
                System.arraycopy(symbols, best + 2, symbols, best + 1, count - best - 1);
                System.arraycopy(pairs, best + 1, pairs, best, Math.max(0, count - best - 1));
                if (best > 0) pairs[best - 1] = merges.get(symbols[best - 1], symbols[best]);
                if (best + 1 < count) pairs[best] = merges.get(symbols[best], symbols[best + 1]);
            }
        }

        private void mergeByHeap() {
            int[] next = new int[count];
            int[] previous = new int[count];
            Heap heap = new Heap(count);
            for (int i = 0; i < count; i++) {
                previous[i] = i - 1;
                next[i] = i + 1 < count ? i + 1 : -1;
                if (i + 1 < count) push(heap, i, i + 1);
            }
            while (heap.size > 0) {
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
            count = n;
        }

        private void push(Heap heap, int left, int right) {
            long merge = merges.get(symbols[left], symbols[right]);
            if (merge != PairMap.ABSENT) heap.push(merge & 0xFFFFFFFF00000000L | left);
        }
    }

    /** A binary heap of rank &lt;&lt; 32 | position, the lowest on top. */
    private static final class Heap {
        private long[] a;
        private int size;

        Heap(int capacity) {
            a = new long[capacity];
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
