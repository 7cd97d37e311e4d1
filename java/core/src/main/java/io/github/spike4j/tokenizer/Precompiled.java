package io.github.spike4j.tokenizer;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * SentencePiece's compiled character map, as a normalizer read as Hugging Face does. The map is a Darts double-array trie from UTF-8 to positions in a
 * list of replacements. A grapheme cluster of less than 6 bytes that starts with a key becomes the replacement of the shortest such key;
 * of any other cluster each character is looked up by itself.
 *
 * <p>Bytes, little-endian: u32 length of the trie in bytes, the trie (u32 each), the replacements (UTF-8, each ended by 0).
 */
final class Precompiled implements Normalizer {
    private static final Pattern CLUSTER = Pattern.compile("\\X");
    private static final int MAX_CLUSTER = 6;
    /** Of a key and of a replacement, in bytes: real ones have some 30. */
    private static final int MAX_LENGTH = 1024;
    static final long NONE = -1;

    private final int[] trie;
    private final byte[] replacements;

    Precompiled(byte[] map) {
        ByteBuffer in = ByteBuffer.wrap(map).order(ByteOrder.LITTLE_ENDIAN);
        int units = in.remaining() < 4 ? 0 : in.getInt() >>> 2;
        if (units == 0 || units > in.remaining() / 4) throw new TokenizerException("tokenizer.json: \"precompiled_charsmap\" is damaged: the trie does not fit into it");
        trie = new int[units];
        in.asIntBuffer().get(trie);
        in.position(in.position() + 4 * units);
        replacements = new byte[in.remaining()];
        in.get(replacements);
        for (int i = 0, n, length = 0; i < replacements.length; i += n) {
            n = Utf8.wellFormedLength(replacements, i, replacements.length);
            if (n == 0) throw new TokenizerException("tokenizer.json: \"precompiled_charsmap\" is damaged: its replacements are not UTF-8");
            length = replacements[i] == 0 ? 0 : length + n;
            if (length > MAX_LENGTH) throw new TokenizerException("tokenizer.json: \"precompiled_charsmap\" has a replacement of more than " + MAX_LENGTH + " bytes");
        }
    }

    @Override
    public String apply(String text) {
        Output out = new Output(text);
        Bytes utf8 = new Bytes(16);
        Matcher clusters = null;
        for (int i = 0; i < text.length(); ) {
            int end = i + 1;
            if (!endsCluster(text, i)) {
                if (clusters == null) clusters = CLUSTER.matcher(assigned(text));
                end = clusters.region(i, text.length()).lookingAt() ? clusters.end() : i + Character.charCount(text.codePointAt(i));
            }
            utf8.clear();
            utf8.addUtf8(text, i, end);
            if (utf8.length >= MAX_CLUSTER || !replace(utf8, out)) {
                for (int n; i < end; i += n) {
                    int c = text.codePointAt(i);
                    n = Character.charCount(c);
                    utf8.clear();
                    utf8.addCodePoint(c);
                    if (!replace(utf8, out)) out.appendCodePoint(c);
                }
            }
            i = end;
        }
        return out.text();
    }

    /** Whether the char at {@code i} is surely a whole grapheme cluster: nothing below U+0300 continues one, but for the LF of CR LF. */
    private static boolean endsCluster(String text, int i) {
        char c = text.charAt(i);
        if (c >= 0x300) return false;
        if (i + 1 == text.length()) return true;
        char next = text.charAt(i + 1);
        return next < 0x300 && !(c == '\r' && next == '\n');
    }

    /** Java ends a cluster at each unassigned character; only those that are to be ignored do so. They become a letter of as many chars. */
    private static String assigned(String text) {
        if (text.codePoints().noneMatch(Precompiled::isOther)) return text;
        StringBuilder out = new StringBuilder(text.length());
        text.codePoints().map(c -> !isOther(c) ? c : c < 0x10000 ? 'a' : 0x10000).forEach(out::appendCodePoint);
        return out.toString();
    }

    /** Unassigned, but not Default_Ignorable_Code_Point. */
    private static boolean isOther(int c) {
        return Character.getType(c) == Character.UNASSIGNED && c != 0x2065 && !(c >= 0xFFF0 && c <= 0xFFF8) && !(c >= 0xE0000 && c <= 0xE0FFF);
    }

    /** Appends the replacement of the shortest key that starts the bytes; false if there is none. */
    private boolean replace(Bytes utf8, Output out) {
        int node = offset(trie[0]);
        for (int i = 0; i < utf8.length && utf8.array[i] != 0; i++) {
            int label = utf8.array[i] & 0xFF;
            node ^= label;
            if (node >= trie.length || (trie[node] & 0x8000_00FF) != label) return false;
            int unit = trie[node];
            node ^= offset(unit);
            if ((unit >> 8 & 1) == 0) continue;
            if (node >= trie.length) return false;
            append(trie[node] & 0x7FFF_FFFF, out);
            return true;
        }
        return false;
    }

    /**
     * The longest key that starts a text, as SentencePiece itself looks for it. A trie with a circle has keys without an end.
     *
     * @return its length in bytes &lt;&lt; 32 | where its replacement starts, or {@link #NONE}
     */
    long longest(byte[] utf8, int from, int to) {
        long found = NONE;
        int node = offset(trie[0]);
        for (int i = from; i < to && i - from < MAX_LENGTH; i++) {
            int label = utf8[i] & 0xFF;
            node ^= label;
            if (node >= trie.length || (trie[node] & 0x8000_00FF) != label) return found;
            int unit = trie[node];
            node ^= offset(unit);
            if ((unit >> 8 & 1) == 0) continue;
            if (node >= trie.length) return found;
            found = (long) (i + 1 - from) << 32 | checked(trie[node] & 0x7FFF_FFFF);
        }
        return found;
    }

    byte[] replacements() {
        return replacements;
    }

    /** Where the replacement that starts at a place ends. */
    int end(int start) {
        int end = start;
        while (end < replacements.length && replacements[end] != 0) end++;
        return end;
    }

    private int checked(int at) {
        if (at > replacements.length) throw new TokenizerException("the tokenizer's \"precompiled_charsmap\" is damaged: a replacement is outside");
        return at;
    }

    /** Non-negative, below 2^30. */
    private static int offset(int unit) {
        return unit >>> 10 << ((unit & 1 << 9) >> 6);
    }

    private void append(int at, Output out) {
        checked(at);
        for (int n; at < replacements.length && replacements[at] != 0; at += n) {
            n = Utf8.wellFormedLength(replacements, at, replacements.length);
            if (n == 0) throw new TokenizerException("the tokenizer's \"precompiled_charsmap\" is damaged: a replacement starts within a character");
            out.appendCodePoint(Utf8.codePoint(replacements, at, n));
        }
    }
}
