package io.github.spike4j.convert;

/** Scales, zero points and codes of SPEC.md N3, as the kernels compute them. */
final class Gif {
    private static final float RINT = 0x1.8p23f;

    private Gif() { }

    /** Half to even, |x| <= 2^22. */
    static float rint(float x) {
        return x + RINT - RINT;
    }

    static float clamp(float x, float lo, float hi) {
        return Math.min(Math.max(x, lo), hi);
    }

    /** hi >= 0 >= lo; levels = 2^bits - 1. */
    static float scale(float hi, float lo, int levels) {
        return clamp((hi - lo) / levels, 1e-5f, 1e4f);
    }

    static int zero(float lo, float scale, int levels) {
        return (int) rint(clamp(-lo / scale, 0, levels));
    }

    static int code(float x, float scale, int zero, int levels) {
        return (int) clamp(rint(clamp(x / scale, -0x1p21f, 0x1p21f)) + zero, 0, levels);
    }
}
