package io.github.spike4j.tokenizer;

import java.util.Arrays;
import java.util.concurrent.ThreadLocalRandom;

/** Open-addressing map from a pair of non-negative ints to a non-negative long; linear probing, load at most 0.6. Keys come from files: the hash is seeded. */
final class PairMap {
    static final long ABSENT = -1;
    private static final long FREE = -1;
    private static final long SEED = ThreadLocalRandom.current().nextLong() | 1;

    private long[] keys;
    private long[] values;
    private int shift;
    private int size;

    PairMap(int expected) {
        allocate(Math.max(16, Integer.highestOneBit(Math.max(1, Math.min(expected, 1 << 27)) * 2 - 1) * 2));
    }

    int size() {
        return size;
    }

    long get(int a, int b) {
        long key = (long) a << 32 | b;
        for (int i = slot(key); ; i = i + 1 & keys.length - 1) {
            if (keys[i] == key) return values[i];
            if (keys[i] == FREE) return ABSENT;
        }
    }

    @FunctionalInterface
    interface Visitor {
        void pair(int a, int b);
    }

    void forEach(Visitor visitor) {
        for (long key : keys) {
            if (key != FREE) visitor.pair((int) (key >>> 32), (int) key);
        }
    }

    void put(int a, int b, long value) {
        if (size >= keys.length * 0.6) {
            long[] oldKeys = keys;
            long[] oldValues = values;
            allocate(keys.length * 2);
            for (int i = 0; i < oldKeys.length; i++) {
                if (oldKeys[i] != FREE) insert(oldKeys[i], oldValues[i]);
            }
        }
        insert((long) a << 32 | b, value);
    }

    private void insert(long key, long value) {
        int i = slot(key);
        while (keys[i] != FREE && keys[i] != key) i = i + 1 & keys.length - 1;
        if (keys[i] == FREE) size++;
        keys[i] = key;
        values[i] = value;
    }

    private void allocate(int capacity) {
        keys = new long[capacity];
        values = new long[capacity];
        Arrays.fill(keys, FREE);
        shift = Long.numberOfLeadingZeros(capacity - 1L);
        size = 0;
    }

    private int slot(long key) {
        key *= SEED;
        return (int) ((key ^ key >>> 32) * 0x9E3779B97F4A7C15L >>> shift);
    }
}
