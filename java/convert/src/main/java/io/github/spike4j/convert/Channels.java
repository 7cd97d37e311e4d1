package io.github.spike4j.convert;

import java.util.Arrays;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;

/**
 * Channels of an input group in the order in which they are stored: ordinary ascending, then salient ascending.
 *
 * @param permutation source channel of each permuted channel
 * @param ordinary    how many are not salient
 */
record Channels(int[] permutation, int ordinary) {
    /** No salient channels. */
    static Channels plain(int n) {
        return new Channels(IntStream.range(0, n).toArray(), n);
    }

    /**
     * The paper's mask: {@code quota = trunc((1 - share) n)}, those at or below the quota-th smallest score are
     * ordinary. A quota of 0 makes all salient.
     */
    static Channels of(double[] score, double share) {
        return split(isSalient(score, share));
    }

    /** Which channels are salient. */
    static boolean[] isSalient(double[] score, double share) {
        for (double s : score) {
            if (Double.isNaN(s)) {
                throw new ConversionException("a saliency is not a number: the calibration overflowed; are the weights finite?");
            }
        }
        var salient = new boolean[score.length];
        int quota = quota(score.length, share);
        if (quota == 0) {
            Arrays.fill(salient, true);
        } else {
            var sorted = score.clone();
            Arrays.sort(sorted);
            double threshold = sorted[quota - 1];
            for (int c = 0; c < salient.length; c++) {
                salient[c] = score[c] > threshold;
            }
        }
        return salient;
    }

    /** Ordinary channels of {@code n}. */
    static int quota(int n, double share) {
        return (int) ((1 - share) * n);
    }

    /** Different scores in a random order. */
    static double[] draw(int n, RandomGenerator random) {
        var score = IntStream.range(0, n).asDoubleStream().toArray();
        for (int i = n - 1; i > 0; i--) {
            int j = random.nextInt(i + 1);
            double s = score[i];
            score[i] = score[j];
            score[j] = s;
        }
        return score;
    }

    /** Ordinary ascending, then salient ascending. */
    static Channels split(boolean[] salient) {
        var order = IntStream.concat(IntStream.range(0, salient.length).filter(c -> !salient[c]),
                IntStream.range(0, salient.length).filter(c -> salient[c])).toArray();
        return new Channels(order, (int) IntStream.range(0, salient.length).filter(c -> !salient[c]).count());
    }

    int salient() {
        return permutation.length - ordinary;
    }

    /** Values by source channel as values by permuted channel. */
    double[] permute(double[] values) {
        return IntStream.of(permutation).mapToDouble(c -> values[c]).toArray();
    }

    boolean isIdentity() {
        for (int c = 0; c < permutation.length; c++) {
            if (permutation[c] != c) {
                return false;
            }
        }
        return true;
    }
}
