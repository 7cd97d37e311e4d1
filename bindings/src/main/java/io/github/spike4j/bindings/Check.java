package io.github.spike4j.bindings;

import java.lang.foreign.MemorySegment;

/** The checks that stand between Java and C. Each costs a few compares; texts are made only on failure. */
final class Check {
    private Check() {
    }

    /** For constant texts, or where a call may allocate: arguments are evaluated whether the condition holds or not. */
    static void that(boolean condition, String name, String expected, long actual) {
        if (!condition) {
            throw new IllegalArgumentException(name + ": expected " + expected + ", got " + actual);
        }
    }

    static void that(boolean condition, String name, String expected, double actual) {
        if (!condition) {
            throw new IllegalArgumentException(name + ": expected " + expected + ", got " + actual);
        }
    }

    static void within(String name, long value, long low, long high) {
        if (value < low || value > high) {
            throw new IllegalArgumentException(name + ": expected " + low + ".." + high + ", got " + value);
        }
    }

    /** {@code 0 <= begin <= end <= limit}. */
    static void range(String name, long begin, long end, long limit) {
        if (begin < 0 || begin > end || end > limit) {
            throw new IllegalArgumentException(name + ": expected 0 <= begin <= end <= " + limit + ", got [" + begin + ", " + end + ")");
        }
    }

    /** Native memory of at least {@code count * size} bytes at the alignment. Counts are not negative. */
    static void memory(String name, MemorySegment memory, long count, long size, long alignment) {
        if (!memory.isNative()) {
            throw new IllegalArgumentException(name + ": expected native memory, got a heap segment");
        }
        if (size != 0 && count > memory.byteSize() / size) {
            throw new IllegalArgumentException(
                    name + ": expected at least " + count + " x " + size + " bytes, got " + memory.byteSize());
        }
        if ((memory.address() & (alignment - 1)) != 0) {
            throw new IllegalArgumentException(
                    name + ": expected an address that is a multiple of " + alignment + ", got 0x" + Long.toHexString(memory.address()));
        }
    }

    /** As {@link #memory}, and writable. */
    static void writable(String name, MemorySegment memory, long count, long size, long alignment) {
        memory(name, memory, count, size, alignment);
        if (memory.isReadOnly()) {
            throw new IllegalArgumentException(name + ": expected writable memory, got a read-only segment");
        }
    }

    /** Rows 0..end-1 of {@code width} floats, {@code stride} floats apart; the last row need not be as long as the stride. */
    static void rows(String name, MemorySegment memory, long end, long stride, long width) {
        if (stride < width) {
            throw new IllegalArgumentException(name + ": expected a stride of at least " + width + ", got " + stride);
        }
        memory(name, memory, 0, 1, Float.BYTES);
        long floats = memory.byteSize() / Float.BYTES;
        if (end > 0 && (floats < width || stride > 0 && end - 1 > (floats - width) / stride)) {
            throw new IllegalArgumentException(name + ": expected at least " + end + " rows of " + width + " floats, " + stride
                    + " apart, got " + floats + " floats");
        }
    }

    /** As {@link #rows}, and writable. */
    static void writableRows(String name, MemorySegment memory, long end, long stride, long width) {
        writable(name, memory, 0, 1, Float.BYTES);
        rows(name, memory, end, stride, width);
    }

    /** Rounds up to a multiple of a power of two. */
    static long pad(long value, long multiple) {
        return value + multiple - 1 & -multiple;
    }

    /** The values of an index array are a permutation of 0..n-1. */
    static void permutation(String name, int[] values) {
        var seen = new java.util.BitSet(values.length);
        for (int value : values) {
            within(name, value, 0, values.length - 1L);
            that(!seen.get(value), name, "a permutation", value);
            seen.set(value);
        }
    }
}
