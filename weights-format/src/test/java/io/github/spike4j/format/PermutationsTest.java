package io.github.spike4j.format;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.HashSet;
import java.util.SplittableRandom;

import org.junit.jupiter.api.Test;

class PermutationsTest {
    /** Against a set: sound ones, one element changed to anything, around the sizes of a word. */
    @Test
    void findsTheFirstWrongElement() {
        var random = new SplittableRandom(1);
        for (int round = 0; round < 20_000; round++) {
            int count = random.nextInt(1, 200);
            int from = random.nextInt(5);
            int[] sources = new int[from + count + 3];
            Arrays.fill(sources, -7);
            for (int i = 0; i < count; i++) {
                int j = random.nextInt(i + 1);
                sources[from + i] = sources[from + j];
                sources[from + j] = i;
            }
            if (round % 4 > 0) {
                sources[from + random.nextInt(count)] = round % 4 == 1 ? random.nextInt(count) : round % 4 == 2 ? count + random.nextInt(70) : random.nextInt();
            }
            assertEquals(naive(sources, from, count), Permutations.firstWrong(sources, from, count), () -> from + " " + count + " " + Arrays.toString(sources));
        }
    }

    private static int naive(int[] sources, int from, int count) {
        var seen = new HashSet<Integer>();
        for (int i = from; i < from + count; i++) {
            if (sources[i] < 0 || sources[i] >= count || !seen.add(sources[i])) {
                return i;
            }
        }
        return -1;
    }
}
