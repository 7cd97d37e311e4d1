package io.github.spike4j.tokenizer;

import java.util.Arrays;

/** A growing array of scores. */
final class Doubles {
    private double[] array;
    private int length;

    Doubles(int capacity) {
        array = new double[Math.max(16, capacity)];
    }

    void add(double v) {
        if (length == array.length) array = Arrays.copyOf(array, length * 2);
        array[length++] = v;
    }

    double[] toArray() {
        return Arrays.copyOf(array, length);
    }
}
