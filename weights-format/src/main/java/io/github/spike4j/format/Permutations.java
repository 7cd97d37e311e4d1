package io.github.spike4j.format;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;

/** Permutations of channels: I32 tensors of the source channel of each permuted channel. */
public final class Permutations {
    private Permutations() { }

    /** An I32 tensor of less than 2^29 elements as an array. */
    public static int[] read(MemorySegment tensor) {
        int[] values = new int[(int) (tensor.byteSize() / Integer.BYTES)];
        tensor.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(values);
        return values;
    }

    /**
     * Where {@code count} elements from {@code from} on cease to be a permutation of 0 to {@code count - 1}.
     *
     * @return index of the first element that is out of range or repeated; -1 if there is none
     */
    public static int firstWrong(int[] sources, int from, int count) {
        return isPermutation(sources, from, count) ? -1 : search(sources, from, count);
    }

    /** A model has a million of them, so that a fresh JVM feels each branch. */
    private static boolean isPermutation(int[] sources, int from, int count) {
        var seen = new long[(count + Long.SIZE - 1) / Long.SIZE];
        int last = count - 1;
        for (int i = from; i < from + count; i++) {
            int source = sources[i];
            if ((source | last - source) < 0) {
                return false;
            }
            seen[source / Long.SIZE] |= 1L << source;
        }
        int different = 0;
        for (long word : seen) {
            different += Long.bitCount(word);
        }
        return different == count;
    }

    private static int search(int[] sources, int from, int count) {
        var seen = new boolean[count];
        for (int i = from; i < from + count; i++) {
            int source = sources[i];
            if (source < 0 || source >= count || seen[source]) {
                return i;
            }
            seen[source] = true;
        }
        throw new AssertionError("a permutation");
    }
}
