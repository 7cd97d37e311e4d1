package io.github.spike4j.convert.importer;

import io.github.spike4j.format.Rope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;

/**
 * The rotations of models that were stretched to longer contexts, as transformers computes them ({@code modeling_rope_utils.py}), in
 * double. Frequencies are given as periods: positions by radian, the reciprocals of transformers' {@code inv_freq}.
 *
 * <p>Two of its forms depend on the length of the text, which no cache of rotated keys can follow; here, as in other engines, the context that
 * the model shall serve decides for all texts. Dynamic NTK recomputes theta once a text is longer than {@code max_position_embeddings}; up to
 * such a context nothing is scaled, beyond it theta is that of a text which fills it. LongRoPE changes its factors at the original context.
 */
final class RopeScaling {
    private RopeScaling() { }

    /**
     * The unscaled periods, theta^(2 i / rotary).
     *
     * @param rotary rotated channels of a head, even
     */
    static double[] periods(int rotary, double theta) {
        return map(rotary / 2, i -> StrictMath.pow(theta, 2.0 * i / rotary));
    }

    /** Positions are divided by {@code factor}. */
    static double[] linear(double[] periods, double factor) {
        return map(periods.length, i -> periods[i] * factor);
    }

    /**
     * Dynamic NTK: theta of a text longer than the model was trained for.
     *
     * @param length positions of the text, in units of {@code max_position_embeddings}, more than 1
     */
    static double[] dynamic(int rotary, double theta, double factor, double length) {
        return periods(rotary, theta * StrictMath.pow(factor * length - (factor - 1), rotary / (rotary - 2.0)));
    }

    /** Each period by its own factor, as in LongRoPE and in GGUF's {@code rope_freqs}. */
    static double[] each(double[] periods, double[] factors) {
        return map(periods.length, i -> periods[i] * factors[i]);
    }

    /** Llama 3.1: long waves are stretched by {@code factor}, short ones are kept, between them is a smooth passage. */
    static double[] llama3(double[] periods, double factor, double lowFrequency, double highFrequency, double original) {
        return map(periods.length, i -> {
            double wave = 2 * Math.PI * periods[i];
            if (wave > original / lowFrequency) {
                return periods[i] * factor;
            }
            if (wave < original / highFrequency) {
                return periods[i];
            }
            double smooth = (original / wave - lowFrequency) / (highFrequency - lowFrequency);
            return 1 / ((1 - smooth) / (periods[i] * factor) + smooth / periods[i]);
        });
    }

    /**
     * YaRN: a ramp over the pairs from kept to stretched, its ends where a pair turns {@code betaFast} and {@code betaSlow} times in the
     * original context.
     *
     * @param truncate whether the ends are rounded outwards to whole pairs
     */
    static double[] yarn(int rotary, double theta, double factor, double betaFast, double betaSlow, double original, boolean truncate) {
        double fast = pair(rotary, theta, betaFast, original);
        double slow = pair(rotary, theta, betaSlow, original);
        double low = Math.max(truncate ? Math.floor(fast) : fast, 0);
        double high = Math.min(truncate ? Math.ceil(slow) : slow, rotary - 1);
        double width = low == high ? .001 : high - low;
        var periods = periods(rotary, theta);
        return map(periods.length, i -> {
            double ramp = Math.clamp((i - low) / width, 0, 1);
            return 1 / (ramp / (factor * periods[i]) + (1 - ramp) / periods[i]);
        });
    }

    /** The pair, a fraction, that turns {@code turns} times in {@code length} positions. */
    private static double pair(int rotary, double theta, double turns, double length) {
        return rotary * StrictMath.log(length / (turns * 2 * Math.PI)) / (2 * StrictMath.log(theta));
    }

    /** YaRN's factor on cosine and sine: 0.1 scale ln(factor) + 1. */
    static double yarnMagnitude(double factor, double scale) {
        return factor <= 1 ? 1 : .1 * scale * StrictMath.log(factor) + 1;
    }

    /** LongRoPE's factor on cosine and sine: sqrt(1 + ln(factor) / ln(original)). */
    static double longRopeMagnitude(double factor, double original) {
        return factor <= 1 ? 1 : StrictMath.sqrt(1 + StrictMath.log(factor) / StrictMath.log(original));
    }

    /** A rotation of heads of {@code headDim} channels; pairs without a period are left as they are. See {@link HeadRows#partial}. */
    static Rope rope(double[] periods, double magnitude, int headDim) {
        var all = new ArrayList<Double>();
        for (double p : Arrays.copyOf(periods, headDim / 2)) {
            all.add(p);
        }
        return new Rope(all, magnitude);
    }

    private static double[] map(int n, IntToDoubleFunction f) {
        return IntStream.range(0, n).mapToDouble(f).toArray();
    }
}
