package io.github.spike4j.tokenizer;

import java.util.Arrays;

/** A growing array of token ids. */
final class Ints {
    int[] array;
    int length;

    Ints(int capacity) {
        array = new int[Math.max(16, capacity)];
    }

    void add(int v) {
        if (length == array.length) array = Arrays.copyOf(array, length * 2);
        array[length++] = v;
    }

    void addAll(int[] from, int n) {
        if (array.length - length < n) array = Arrays.copyOf(array, Math.max(array.length * 2, length + n));
        System.arraycopy(from, 0, array, length, n);
        length += n;
    }

    int[] toArray() {
        return Arrays.copyOf(array, length);
    }
}
