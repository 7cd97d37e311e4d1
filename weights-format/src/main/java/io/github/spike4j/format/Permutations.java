package io.github.spike4j.format;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;

/** Permutations of channels: I32 tensors of the source channel of each permuted channel. */
public final class Permutations {
    private Permutations() { }

    /** An I32 tensor of less than 2^29 elements as an array. */
    public static int[] read(MemorySegment tensor) {
        int[] values = new int[(int) (tensor.byteSize() / Integer.BYTES)];
        read(tensor, values);
        return values;
    }

    /** Reads an I32 tensor into an array that is large enough. */
    static int read(MemorySegment tensor, int[] values) {
        var ints = tensor.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN).asIntBuffer();
        int count = ints.remaining();
        ints.get(values, 0, count);
        return count;
    }

    /**
     * Where {@code count} elements from {@code from} on cease to be a permutation of 0 to {@code count - 1}.
     *
     * @return index of the first element that is out of range or repeated; -1 if there is none
     */
    public static int firstWrong(int[] sources, int from, int count) {
        return isPermutation(sources, from, count) ? -1 : search(sources, from, count);
    }

    /** A model has a million elements, which a fresh JVM interprets: they are marked without a branch, and the array checks their range. */
    private static boolean isPermutation(int[] sources, int from, int count) {
        var seen = new long[Math.ceilDiv(count, Long.SIZE)];
        try {
            for (int i = from, end = from + count; i < end; i++) {
                int source = sources[i];
                seen[source >> 6] |= 1L << source;
            }
        } catch (ArrayIndexOutOfBoundsException e) {
            return false;
        }
        for (int i = 0; i < seen.length; i++) {
            if (seen[i] != -1L >>> Long.SIZE - Math.min(count - Long.SIZE * i, Long.SIZE)) {
                return false;
            }
        }
        return true;
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
