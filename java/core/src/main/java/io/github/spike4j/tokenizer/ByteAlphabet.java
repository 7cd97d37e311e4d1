package io.github.spike4j.tokenizer;

import java.util.Arrays;

/**
 * GPT-2's visible alphabet for bytes: printable Latin-1 stands for itself, the other 68 bytes for U+0100 and up, in order.
 */
final class ByteAlphabet {
    private static final char[] CHARS = new char[256];
    private static final short[] BYTES = new short[0x144];

    static {
        Arrays.fill(BYTES, (short) -1);
        char other = 0x100;
        for (int b = 0; b < 256; b++) {
            boolean visible = b >= 0x21 && b <= 0x7E || b >= 0xA1 && b <= 0xAC || b >= 0xAE;
            CHARS[b] = visible ? (char) b : other++;
            BYTES[CHARS[b]] = (short) b;
        }
    }

    private ByteAlphabet() {}

    static char charOf(int b) {
        return CHARS[b & 0xFF];
    }

    /** The byte that {@code c} stands for, or -1. */
    static int byteOf(char c) {
        return c < BYTES.length ? BYTES[c] : -1;
    }

    /** The UTF-8 bytes of a part of a well-formed text, each as its char. */
    static String map(CharSequence text, int start, int end) {
        Bytes utf8 = new Bytes((end - start) * 3);
        utf8.addUtf8(text, start, end);
        StringBuilder mapped = new StringBuilder(utf8.length);
        for (int i = 0; i < utf8.length; i++) mapped.append(charOf(utf8.array[i]));
        return mapped.toString();
    }
}
