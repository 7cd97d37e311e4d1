package io.github.spike4j.convert.importer;

import java.util.stream.IntStream;

/** Orders of q's and k's rows: other projects pair the channels of a head differently, ours are i and i + headDim / 2. */
final class HeadRows {
    private HeadRows() { }

    /** Source row of each row where pairs are neighbours: channels (2 i, 2 i + 1) become (i, i + headDim / 2). */
    static int[] neighbours(int rows, int headDim) {
        int half = headDim / 2;
        return order(rows, headDim, c -> c < half ? 2 * c : 2 * (c - half) + 1);
    }

    /**
     * Source row of each row where only the first {@code rotary} channels of a head are rotated, in pairs (i, i + rotary / 2): these come
     * first in both halves, the others behind them.
     */
    static int[] partial(int rows, int headDim, int rotary) {
        int half = headDim / 2;
        int pairs = rotary / 2;
        return order(rows, headDim, c -> {
            int i = c % half;
            boolean second = c >= half;
            return i < pairs ? (second ? pairs + i : i) : rotary + (second ? half - pairs : 0) + i - pairs;
        });
    }

    private static int[] order(int rows, int headDim, java.util.function.IntUnaryOperator channel) {
        return IntStream.range(0, rows).map(r -> r - r % headDim + channel.applyAsInt(r % headDim)).toArray();
    }
}
