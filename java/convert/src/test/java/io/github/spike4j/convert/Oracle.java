package io.github.spike4j.convert;

import java.util.ArrayList;
import java.util.List;

/** Codes, scales and zero points of weights, written line by line from SPEC.md N3, N4 and the rounding that README.md describes. */
final class Oracle {
    private Oracle() { }

    /** A row or group of a row: channels {@code [from, to)} with one scale. */
    record Range(float scale, int zero, int[] codes) { }

    static Range round(float[] w, int bits, float hi, float lo) {
        int top = (1 << bits) - 1;
        float s = (hi - lo) / top;
        s = Math.min(Math.max(s, 1e-5f), 1e4f);
        return codes(w, bits, lo, s);
    }

    static Range codes(float[] w, int bits, float lo, float s) {
        int top = (1 << bits) - 1;
        int z = (int) Math.rint((double) Math.min(Math.max(-lo / s, 0f), (float) top));
        var c = new int[w.length];
        for (int i = 0; i < w.length; i++) {
            double q = Math.rint((double) (w[i] / s)) + z;
            c[i] = (int) Math.min(Math.max(q, 0), top);
        }
        return new Range(s, z, c);
    }

    static float high(float[] w) {
        float m = 0;
        for (float v : w) {
            m = v > m ? v : m;
        }
        return m;
    }

    static float low(float[] w) {
        float m = 0;
        for (float v : w) {
            m = v < m ? v : m;
        }
        return m;
    }

    /** The shrink of the range with the least weighted error. */
    static float shrink(float[] w, double[] h, int bits) {
        float best = 1;
        double least = Double.MAX_VALUE;
        for (int percent = 100; percent >= 30; percent -= 2) {
            float p = percent / 100f;
            var r = round(w, bits, high(w) * p, low(w) * p);
            double cost = 0;
            for (int i = 0; i < w.length; i++) {
                float e = w[i] - (r.codes[i] - r.zero) * r.scale;
                cost += h[i] * ((double) e * e);
            }
            if (cost < least) {
                least = cost;
                best = p;
            }
        }
        return best;
    }

    static Range clipped(float[] w, double[] h, int bits) {
        float p = shrink(w, h, bits);
        return round(w, bits, high(w) * p, low(w) * p);
    }

    /** Integer sub-scales of a row: base, and by group mw, z and codes. */
    record Grouped(float base, List<Integer> mult, List<Range> groups) { }

    static Grouped grouped(List<float[]> groups, List<double[]> h, int bits, int cap) {
        int top = (1 << bits) - 1;
        var hi = new float[groups.size()];
        var lo = new float[groups.size()];
        float most = 0;
        for (int g = 0; g < hi.length; g++) {
            float p = shrink(groups.get(g), h.get(g), bits);
            hi[g] = high(groups.get(g)) * p;
            lo[g] = low(groups.get(g)) * p;
            most = Math.max(most, (hi[g] - lo[g]) / top);
        }
        float base = Math.min(Math.max(most, 1e-5f), 1e4f) / cap;
        var mult = new ArrayList<Integer>();
        var ranges = new ArrayList<Range>();
        for (int g = 0; g < hi.length; g++) {
            float raw = (hi[g] - lo[g]) / top;
            int m = Math.max(1, (int) Math.ceil(Math.min(raw / base, (float) cap)));
            mult.add(m);
            ranges.add(codes(groups.get(g), bits, lo[g], base * m));
        }
        return new Grouped(base, mult, ranges);
    }

    /** Salient channels: all but the trunc((1 - share) C) with the smallest scores and their ties. */
    static boolean[] mask(double[] score, double share) {
        int quota = (int) ((1 - share) * score.length);
        var salient = new boolean[score.length];
        for (int c = 0; c < score.length; c++) {
            int notAbove = 0;
            int below = 0;
            for (double s : score) {
                notAbove += s <= score[c] ? 1 : 0;
                below += s < score[c] ? 1 : 0;
            }
            // the threshold is the quota-th smallest; a score is above it if at least quota scores are smaller
            salient[c] = quota == 0 || below >= quota && notAbove > quota;
        }
        return salient;
    }
}
