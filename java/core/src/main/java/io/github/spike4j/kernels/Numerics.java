package io.github.spike4j.kernels;

/** The float steps of SPEC.md, "Numerics", that every Java path does in the same order. */
public final class Numerics {
    private Numerics() {}

    /** Half to even, |x| at most 2^22 (N0). */
    public static float rint(float x) {
        return (x + 0x1.8p23f) - 0x1.8p23f;
    }

    /** {@code x} between {@code lo} and {@code hi}; a NaN becomes {@code lo}. */
    public static float clamp(float x, float lo, float hi) {
        float y = x > lo ? x : lo;
        return y < hi ? y : hi;
    }

    /** Neither NaN nor infinite. */
    public static boolean finite(float x) {
        return (Float.floatToRawIntBits(x) & 0x7fffffff) < 0x7f800000;
    }

    /** N6: the engine's exponential, at most 0.894 ulp off; a NaN stays one. */
    public static float exp(float x) {
        if (x != x) {
            return x;
        }
        x = clamp(x, -87f, 88f);
        float n = rint(x * 0x1.715476p+0f);
        float r = Math.fma(n, -0x1.62e4p-1f, x);
        r = Math.fma(n, -0x1.7f7d1cp-20f, r);
        float p = 0x1.a0d2cep-13f;
        p = Math.fma(p, r, 0x1.6e879cp-10f);
        p = Math.fma(p, r, 0x1.11121p-7f);
        p = Math.fma(p, r, 0x1.555382p-5f);
        p = Math.fma(p, r, 0x1.555554p-3f);
        p = Math.fma(p, r, 0.5f);
        p = Math.fma(p, r, 1f);
        p = Math.fma(p, r, 1f);
        return Float.intBitsToFloat(Float.floatToRawIntBits(p) + ((int) n << 23));
    }

    /** N6: cap tanh(x / cap), with the sign of x. */
    public static float softcap(float x, float cap) {
        float u = exp(-2f * Math.abs(x / cap));
        return Math.copySign((1f - u) / (1f + u) * cap, x);
    }

    /** N9: the gate's function of g. */
    public static float activate(Activation activation, float g) {
        float t = switch (activation) {
            case SILU -> g;
            case GELU_TANH -> g * Math.fma(g * g, 0x1.2444f2p-4f, 0x1.988454p+0f);
        };
        return g / (1f + exp(-t));
    }

    /** N3: the scale of a range that contains zero. */
    public static float scale(float hi, float lo, int levels) {
        return bounded((hi - lo) / levels, levels);
    }

    /** N3: a scale between its bounds; 16 bits have a floor of their own. */
    public static float bounded(float scale, int levels) {
        return clamp(scale, levels > 255 ? 1e-9f : 1e-5f, 1e4f);
    }

    /** N3: the zero point, a code. hi >= 0 >= lo. */
    public static int zero(float lo, float s, int levels) {
        return (int) rint(clamp(-lo / s, 0, levels));
    }

    /** N3: division, two roundings, clamped before the conversion. */
    public static int code(float x, float s, int z, int levels) {
        return (int) clamp(rint(clamp(x / s, -0x1p21f, 0x1p21f)) + z, 0, levels);
    }

    /** The largest code of a width. */
    public static int levels(int bits) {
        return (1 << bits) - 1;
    }

    /** The value of a bfloat16. */
    public static float bf16(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }
}
