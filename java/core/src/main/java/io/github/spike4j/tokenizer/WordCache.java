package io.github.spike4j.tokenizer;

import java.util.Arrays;

/** Words that a model has encoded: one entry a slot, immutable, replaced without locks; any number of threads. */
final class WordCache {
    private static final int SLOTS = 1 << 14;
    private static final int MAX_LENGTH = 48;

    private final Entry[] entries = new Entry[SLOTS];

    private record Entry(int hash, String word, int[] ids) {}

    /** Encodes words of one thread through the cache. */
    abstract static class Encoder implements PreTokenizer.Sink {
        private final Entry[] entries;
        private final Ints out;
        /** The ids of the word being encoded. */
        final Ints ids = new Ints(64);

        Encoder(WordCache cache, Ints out) {
            entries = cache.entries;
            this.out = out;
        }

        /** Appends the ids of a part of a text to {@link #ids}, which is empty. */
        abstract void encode(String text, int start, int end);

        @Override
        public void word(String text, int start, int end, boolean first) {
            int length = end - start;
            if (length > MAX_LENGTH) {
                ids.length = 0;
                encode(text, start, end);
                out.addAll(ids.array, ids.length);
                return;
            }
            int hash = 0;
            for (int i = start; i < end; i++) hash = 31 * hash + text.charAt(i);
            int slot = (hash * 0x9E3779B9) >>> Integer.numberOfLeadingZeros(SLOTS - 1);
            Entry seen = entries[slot];
            if (seen == null || seen.hash != hash || seen.word.length() != length || !text.startsWith(seen.word, start)) {
                ids.length = 0;
                encode(text, start, end);
                seen = new Entry(hash, text.substring(start, end), Arrays.copyOf(ids.array, ids.length));
                entries[slot] = seen;
            }
            out.addAll(seen.ids, seen.ids.length);
        }
    }
}
