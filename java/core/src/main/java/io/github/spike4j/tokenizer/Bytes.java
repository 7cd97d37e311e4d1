package io.github.spike4j.tokenizer;

import java.util.Arrays;

/** A growing array of bytes. */
final class Bytes {
    byte[] array;
    int length;

    Bytes(int capacity) {
        array = new byte[Math.max(16, capacity)];
    }

    void clear() {
        length = 0;
    }

    void add(byte b) {
        if (length == array.length) grow(1);
        array[length++] = b;
    }

    void add(byte[] from, int start, int end) {
        if (array.length - length < end - start) grow(end - start);
        System.arraycopy(from, start, array, length, end - start);
        length += end - start;
    }

    void addCodePoint(int c) {
        if (c < 0x80) {
            add((byte) c);
        } else {
            if (c < 0x800) {
                add((byte) (0xC0 | c >> 6));
            } else {
                if (c < 0x10000) {
                    add((byte) (0xE0 | c >> 12));
                } else {
                    add((byte) (0xF0 | c >> 18));
                    add((byte) (0x80 | c >> 12 & 0x3F));
                }
                add((byte) (0x80 | c >> 6 & 0x3F));
            }
            add((byte) (0x80 | c & 0x3F));
        }
    }

    void addUtf8(CharSequence s, int start, int end) {
        for (int i = start; i < end; ) {
            int c = Character.codePointAt(s, i);
            addCodePoint(c);
            i += Character.charCount(c);
        }
    }

    private void grow(int by) {
        array = Arrays.copyOf(array, Math.max(Math.addExact(length, by), array.length < (1 << 30) ? array.length * 2 : Integer.MAX_VALUE - 8));
    }
}
