package io.github.spike4j.convert;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;

import io.github.spike4j.kernels.Numerics;

/** What calibration learns about the input of some linears (q, k, v; o; gate, up; down), by source channel. */
final class SiteStats {
    private final Recipe recipe;
    private final int channels;
    /** One number: how many were counted. */
    private final long[] tokens = {0};
    private final float[] max;
    private final double[] square;
    /** Sum over tokens of e_n^2 - e_(n+a)^2 of the whole row's range. */
    private final double[] gained;
    /** By member: the paper's sums over tokens of x * ((x W^T) W). */
    private final double[][] energy;
    /** By member: squared norm of the weight's column. */
    private final double[][] columns;

    SiteStats(Recipe recipe, int channels, int members) {
        this.recipe = recipe;
        this.channels = channels;
        max = new float[channels];
        square = new double[channels];
        gained = new double[channels];
        energy = new double[members][channels];
        columns = new double[members][channels];
    }

    void transfer(StatsBytes to) {
        to.array(MemorySegment.ofArray(tokens));
        to.array(MemorySegment.ofArray(max));
        for (var sums : List.of(square, gained)) {
            to.array(MemorySegment.ofArray(sums));
        }
        for (int m = 0; m < energy.length; m++) {
            to.array(MemorySegment.ofArray(energy[m]));
            to.array(MemorySegment.ofArray(columns[m]));
        }
    }

    /** Counts a token's input. */
    void add(float[] x) {
        tokens[0]++;
        for (int c = 0; c < channels; c++) {
            max[c] = Math.max(max[c], Math.abs(x[c]));
            square[c] += (double) x[c] * x[c];
        }
        if (recipe.saliency() == Recipe.Saliency.GAIN && recipe.salientShare() > 0) {
            addGain(x, 0, channels, recipe.activationBits(), recipe.salientBits(), gained, 0);
        }
    }

    /** Counts a token's (x W^T) W of a member. */
    void addEnergy(int member, float[] x, float[] back) {
        for (int c = 0; c < channels; c++) {
            energy[member][c] += (double) x[c] * back[c];
        }
    }

    /** Counts a row of a member's weight. */
    void addWeight(int member, float[] row) {
        for (int c = 0; c < channels; c++) {
            columns[member][c] += (double) row[c] * row[c];
        }
    }

    /** Adds e_n^2 - e_more^2 of a row's values {@code [from, from + count)}, in one range. */
    static void addGain(float[] x, int from, int count, int bits, int more, double[] to, int at) {
        float hi = 0;
        float lo = 0;
        for (int c = 0; c < count; c++) {
            hi = Math.max(hi, x[from + c]);
            lo = Math.min(lo, x[from + c]);
        }
        int few = (1 << bits) - 1;
        int many = (1 << more) - 1;
        float s0 = Numerics.scale(hi, lo, few);
        float s1 = Numerics.scale(hi, lo, many);
        int z0 = Numerics.zero(lo, s0, few);
        int z1 = Numerics.zero(lo, s1, many);
        for (int c = 0; c < count; c++) {
            float v = x[from + c];
            double e0 = v - (Numerics.code(v, s0, z0, few) - z0) * s0;
            double e1 = v - (Numerics.code(v, s1, z1, many) - z1) * s1;
            to[at + c] += e0 * e0 - e1 * e1;
        }
    }

    /** Mean x^2: the diagonal of the Hessian of the output error. */
    double[] importance() {
        return Arrays.stream(square).map(s -> s / tokens[0]).toArray();
    }

    /** Score of each channel for one member. */
    double[] score(int member) {
        var score = new double[channels];
        for (int c = 0; c < channels; c++) {
            score[c] = switch (recipe.saliency()) {
                case MAX -> max[c];
                case PAPER -> energy[member][c] / tokens[0];
                case GAIN -> columns[member][c] * gained[c] / tokens[0];
                case RANDOM -> throw new IllegalStateException("a random mask has no score");
            };
        }
        return score;
    }

    /** Sum of the members' scores, each over its L1 norm. */
    double[] sharedScore() {
        var all = new double[channels];
        for (int m = 0; m < energy.length; m++) {
            var one = score(m);
            double norm = Arrays.stream(one).map(Math::abs).sum();
            for (int c = 0; c < channels; c++) {
                all[c] += norm == 0 ? 0 : one[c] / norm;
            }
        }
        return all;
    }
}
