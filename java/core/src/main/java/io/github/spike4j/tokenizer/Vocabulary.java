package io.github.spike4j.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.ThreadLocalRandom;

/** The model's tokens: UTF-8 texts in one array, found by text (hash table, seeded: texts come from files) or by id. */
final class Vocabulary {
    private static final long SEED = ThreadLocalRandom.current().nextLong() << 3 | 5;

    private final Bytes texts = new Bytes(1 << 12);
    private int[] end = new int[256];
    private int[] id = new int[256];
    private int[] entryOfId = new int[256];
    private int[] table = new int[1024];
    private int entries;
    private int size;

    Vocabulary() {
        Arrays.fill(entryOfId, -1);
    }

    /** One more than the highest id. */
    int size() {
        return size;
    }

    int entries() {
        return entries;
    }

    /** Adds a member of an object; of equal texts only the later one is a token, as in the readers of JSON objects. */
    void add(byte[] text, int start, int stop, int tokenId) {
        int slot = reserve(text, start, stop, tokenId);
        if (table[slot] == 0) {
            append(text, start, stop, tokenId, slot);
            return;
        }
        int entry = table[slot] - 1;
        if (entryOfId[id[entry]] == entry) entryOfId[id[entry]] = -1;
        id[entry] = tokenId;
        entryOfId[tokenId] = entry;
        size = Math.max(size, tokenId + 1);
    }

    /** Adds an element of a list, whose id is its place; of equal texts the later one is found by text, and each by its id. */
    void append(byte[] text, int start, int stop) {
        append(text, start, stop, entries, reserve(text, start, stop, entries));
    }

    private void append(byte[] text, int start, int stop, int tokenId, int slot) {
        texts.add(text, start, stop);
        end[entries] = texts.length;
        id[entries] = tokenId;
        entryOfId[tokenId] = entries;
        table[slot] = ++entries;
        size = Math.max(size, tokenId + 1);
    }

    /** Makes room for one more token, and gives its slot in the table. */
    private int reserve(byte[] text, int start, int stop, int tokenId) {
        if (entries == id.length) {
            id = Arrays.copyOf(id, entries * 2);
            end = Arrays.copyOf(end, entries * 2);
        }
        if (tokenId >= entryOfId.length) {
            int old = entryOfId.length;
            entryOfId = Arrays.copyOf(entryOfId, Math.max(tokenId + 1, old * 2));
            Arrays.fill(entryOfId, old, entryOfId.length, -1);
        }
        if ((entries + 1) * 2 > table.length) rehash();
        return slot(text, start, stop);
    }

    void trim() {
        texts.array = Arrays.copyOf(texts.array, texts.length);
        end = Arrays.copyOf(end, entries);
        id = Arrays.copyOf(id, entries);
        entryOfId = Arrays.copyOf(entryOfId, size);
    }

    /** The token's id, or -1. */
    int find(byte[] text, int start, int stop) {
        int entry = table[slot(text, start, stop)] - 1;
        return entry < 0 ? -1 : id[entry];
    }

    int find(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        return find(utf8, 0, utf8.length);
    }

    /**
     * The id of the unknown token, when one is needed: a file may name one that it does not have, and never need it.
     *
     * @throws TokenizerException if the vocabulary does not have it
     */
    int unknown(String text) {
        int id = text == null ? -1 : find(text);
        if (id < 0) throw new TokenizerException("the text has a word that is no token, and the tokenizer's unknown token (" + text + ") is not in its vocabulary");
        return id;
    }

    /** Ids of the 256 tokens {@code <0xNN>} that stand for a byte; -1 where there is none. */
    int[] fallbackBytes() {
        int[] ids = new int[256];
        for (int b = 0; b < 256; b++) ids[b] = find(String.format("<0x%02X>", b));
        return ids;
    }

    /** A copy of the texts, in the order of the file. */
    byte[][] texts() {
        byte[][] copies = new byte[entries][];
        for (int e = 0; e < entries; e++) copies[e] = Arrays.copyOfRange(texts.array, start(e), end[e]);
        return copies;
    }

    boolean has(int tokenId) {
        return tokenId >= 0 && tokenId < entryOfId.length && entryOfId[tokenId] >= 0;
    }

    /** The token's text, or null if no token has this id. */
    String text(int tokenId) {
        if (!has(tokenId)) return null;
        int entry = entryOfId[tokenId];
        int start = start(entry);
        return new String(texts.array, start, end[entry] - start, StandardCharsets.UTF_8);
    }

    /** Appends the token's text. */
    void text(int tokenId, StringBuilder out) {
        int entry = entryOfId[tokenId];
        for (int i = start(entry), n; i < end[entry]; i += n) {
            n = Utf8.wellFormedLength(texts.array, i, end[entry]);
            out.appendCodePoint(Utf8.codePoint(texts.array, i, n));
        }
    }

    private int start(int entry) {
        return entry == 0 ? 0 : end[entry - 1];
    }

    private int slot(byte[] text, int start, int stop) {
        long h = stop - start;
        for (int i = start; i < stop; i++) h = SEED * h + text[i];
        h = (h ^ h >>> 32) * 0x9E3779B97F4A7C15L;
        for (int i = (int) (h >>> Long.numberOfLeadingZeros(table.length - 1)); ; i = i + 1 & table.length - 1) {
            int entry = table[i] - 1;
            if (entry < 0 || Arrays.equals(texts.array, start(entry), end[entry], text, start, stop)) return i;
        }
    }

    private void rehash() {
        table = new int[table.length * 2];
        for (int e = 0; e < entries; e++) table[slot(texts.array, start(e), end[e])] = e + 1; // of equal texts the later one stays
    }
}
