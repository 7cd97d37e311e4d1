package io.github.spike4j.convert;

import java.util.Locale;

/**
 * How a checkpoint becomes a {@code .s4j}; kept in the manifest. As JSON: the fields below, camelCase, enums in lower case; with
 * {@code "base": NAME} those not given come from a built-in recipe.
 *
 * <p>A spiking recipe encodes the input of every linear at {@code activationBits}; the {@code salientShare} of its channels with the
 * highest score fire {@code 2^addBits} spikes, that is {@code activationBits + addBits} bits.
 *
 * @param name                what it is called
 * @param compute             {@link Compute#SPIKING} or {@link Compute#DENSE} (float weights, no spikes: the reference)
 * @param weightBits          2, 4 or 8; dense: 16 (bfloat16) or 32
 * @param activationBits      n, 2 to 8, or 16 (integers in place of floats: no salient channels); 0 when dense
 * @param addBits             a: salient channels have n + a bits (at most 8) and T = 2^a steps; 0 to 4
 * @param salientShare        share of salient channels of every input group, 0 to 1
 * @param kvSalientShare      share of salient K and V channels, at one bit more, of all kv heads of a layer
 * @param ranges              whether salient channels have a range of their own
 * @param masks               whether linears of the same input share their mask
 * @param saliency            score of a channel
 * @param seed                of {@link Saliency#RANDOM}
 * @param clip                factor on the dynamic range of the ordinary channels, in (0, 1]
 * @param weightGroup         channels of one weight sub-scale, a multiple of 16, or 0: one scale a row
 * @param actGroup            channels of one activation sub-scale, a multiple of 16, or 0: one scale a token
 * @param k                   ranges of K: per token, or per channel frozen at calibration
 * @param kRanges             whether salient K channels have a range of their own; {@link Ranges#SEPARATE} with k {@link KvMode#FROZEN}
 * @param v                   ranges of V: per token, or per channel frozen at calibration
 * @param qBits               width of Q, 2 to 8; 8 with k {@link KvMode#FROZEN}
 * @param kBits               width of ordinary K channels
 * @param vBits               width of ordinary V channels
 * @param weightClipSearch    whether each row (or group) of weights searches the clipping of its range
 * @param calibrationSegments segments of the calibration text, spread evenly
 * @param calibrationLength   their tokens, bounded by the model's context
 */
public record Recipe(String name, Compute compute, int weightBits, int activationBits, int addBits, double salientShare,
        double kvSalientShare, Ranges ranges, Masks masks, Saliency saliency, long seed, double clip, int weightGroup, int actGroup,
        KvMode k, Ranges kRanges, KvMode v, int qBits, int kBits, int vBits, boolean weightClipSearch, int calibrationSegments, int calibrationLength) {

    /** Kind of arithmetic. */
    public enum Compute {
        /** Integer spikes. */
        SPIKING,
        /** Floats. */
        DENSE;

        @Override
        public String toString() {
            return lower(this);
        }
    }

    /** Ranges of ordinary and salient channels. */
    public enum Ranges {
        /** One over both (the paper). */
        SHARED,
        /** Each its own. */
        SEPARATE;

        @Override
        public String toString() {
            return lower(this);
        }
    }

    /** Masks of q, k, v and of gate, up. */
    public enum Masks {
        /** One for all: the sum of the members' scores, each over its L1 norm. */
        SHARED,
        /** One each (the paper). */
        OWN;

        @Override
        public String toString() {
            return lower(this);
        }
    }

    /** Score of a channel. */
    public enum Saliency {
        /** The paper's: mean over tokens of x * ((x W^T) W), where x is what the quantized blocks before make of the text. */
        PAPER,
        /** Largest |x|. */
        MAX,
        /** Output error that the extra bits remove. */
        GAIN,
        /** None: a draw. */
        RANDOM;

        @Override
        public String toString() {
            return lower(this);
        }
    }

    /** Ranges of K or V. */
    public enum KvMode {
        /** Per token and kv head. */
        TOKEN,
        /** Per channel, frozen at calibration. */
        FROZEN;

        @Override
        public String toString() {
            return lower(this);
        }
    }

    /** Checks every field. */
    public Recipe {
        require(name, name != null && !name.isBlank(), "name", "\"\"", "some text");
        require(name, compute != null, "compute", null, "spiking or dense");
        require(name, ranges != null, "ranges", null, "shared or separate");
        require(name, masks != null, "masks", null, "shared or own");
        require(name, saliency != null, "saliency", null, "paper, max, gain or random");
        require(name, k != null, "k", null, "token or frozen");
        require(name, kRanges != null, "kRanges", null, "shared or separate");
        require(name, v != null, "v", null, "token or frozen");
        if (compute == Compute.DENSE) {
            require(name, weightBits == 16 || weightBits == 32, "weightBits", weightBits, "16 or 32 for a dense recipe");
        } else {
            require(name, weightBits == 2 || weightBits == 4 || weightBits == 8, "weightBits", weightBits, "2, 4 or 8");
            require(name, activationBits >= 2 && activationBits <= 8 || activationBits == 16, "activationBits", activationBits, "2 to 8, or 16");
            require(name, addBits >= 0 && addBits <= 4, "addBits", addBits, "0 to 4");
            require(name, salientShare >= 0 && salientShare <= 1, "salientShare", salientShare, "0 to 1");
            require(name, kvSalientShare >= 0 && kvSalientShare <= 1, "kvSalientShare", kvSalientShare, "0 to 1");
            require(name, activationBits < 16 || salientShare == 0, "salientShare", salientShare, "0 with activationBits 16");
            require(name, salientShare == 0 || activationBits + addBits <= 8, "addBits", addBits,
                    "at most " + (8 - activationBits) + " with activationBits " + activationBits);
            require(name, clip > 0 && clip <= 1, "clip", clip, "in (0, 1]");
            require(name, weightGroup >= 0 && weightGroup % 16 == 0, "weightGroup", weightGroup, "0 or a multiple of 16");
            require(name, actGroup >= 0 && actGroup % 16 == 0, "actGroup", actGroup, "0 or a multiple of 16");
            require(name, weightGroup == 0 || actGroup == 0 || Math.max(weightGroup, actGroup) % Math.min(weightGroup, actGroup) == 0,
                    "weightGroup", weightGroup, "a multiple or a divisor of actGroup " + actGroup);
            require(name, qBits >= 2 && qBits <= 8, "qBits", qBits, "2 to 8");
            require(name, k != KvMode.FROZEN || qBits == 8, "qBits", qBits, "8 with k frozen");
            require(name, k != KvMode.FROZEN || kRanges == Ranges.SEPARATE, "kRanges", kRanges, "separate with k frozen");
            require(name, kBits >= 2 && kBits <= 8, "kBits", kBits, "2 to 8");
            require(name, vBits >= 2 && vBits <= 8, "vBits", vBits, "2 to 8");
            require(name, calibrationSegments >= 1 && calibrationSegments <= 4096, "calibrationSegments", calibrationSegments, "1 to 4096");
            require(name, calibrationLength >= 16, "calibrationLength", calibrationLength, "16 or more");
        }
    }

    /** Width of salient channels. */
    public int salientBits() {
        return activationBits + addBits;
    }

    /** Width of salient K channels. */
    public int kSalientBits() {
        return Math.min(8, kBits + 1);
    }

    /** Width of salient V channels. */
    public int vSalientBits() {
        return Math.min(8, vBits + 1);
    }

    /** Whether masks or frozen ranges need calibration text. */
    public boolean needsCalibration() {
        return compute == Compute.SPIKING
                && (k == KvMode.FROZEN || v == KvMode.FROZEN || saliency != Saliency.RANDOM && (salientShare > 0 || kvSalientShare > 0));
    }

    /** Whether calibration text makes the result better. */
    public boolean usesCalibration() {
        return needsCalibration() || compute == Compute.SPIKING && weightClipSearch;
    }

    private static void require(String recipe, boolean ok, String field, Object value, String allowed) {
        if (!ok) {
            throw new RecipeException("recipe " + recipe + ": " + field + " is " + value + "; it must be " + allowed);
        }
    }

    private static String lower(Enum<?> e) {
        return e.name().toLowerCase(Locale.ROOT);
    }
}
