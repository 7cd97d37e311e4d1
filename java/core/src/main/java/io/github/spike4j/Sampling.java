package io.github.spike4j;

import java.util.List;

/**
 * How the next token is chosen, and when a generation ends. The steps, in order:
 * <ol>
 * <li>repetition penalty: the logit of a token that occurs among the last {@code repetitionWindow} tokens, prompt included, is divided by
 *     the penalty if positive, else multiplied by it;
 * <li>temperature 0 takes the highest logit and ends here;
 * <li>top-k keeps the {@code topK} highest logits;
 * <li>the temperature divides them, softmax makes them probabilities;
 * <li>top-p keeps the fewest of the most probable tokens whose sum reaches {@code topP}; min-p those with at least {@code minP} times the
 *     highest probability. Both look at the same probabilities, a token must pass both, the most probable one always stays;
 * <li>one is drawn by the seeded generator, in proportion.
 * </ol>
 * Of equal logits the lower id comes first. The same logits and seed give the same tokens on every machine.
 *
 * @param temperature 0 (greedy) or more, at most 100
 * @param topK how many of the highest logits take part; 0: all
 * @param topP in (0, 1]; 1: off
 * @param minP in [0, 1]; 0: off
 * @param repetitionPenalty more than 0, 1: off
 * @param repetitionWindow how many of the latest tokens are penalized, at most 2^20; 0: all
 * @param seed of the generator (L64X128MixRandom)
 * @param stop texts that end the generation; they are not part of the result
 * @param maxTokens how many tokens at most are generated, at least 1
 */
public record Sampling(double temperature, int topK, double topP, double minP, double repetitionPenalty, int repetitionWindow, long seed,
                       List<String> stop, int maxTokens) {
    public Sampling {
        check(temperature >= 0 && temperature <= 100, "temperature", temperature, "from 0 to 100");
        check(topK >= 0, "topK", topK, "0 (off) or more");
        check(topP > 0 && topP <= 1, "topP", topP, "more than 0, at most 1 (off)");
        check(minP >= 0 && minP <= 1, "minP", minP, "from 0 (off) to 1");
        check(repetitionPenalty > 0 && repetitionPenalty <= 100, "repetitionPenalty", repetitionPenalty, "more than 0, at most 100; 1 is off");
        check(repetitionWindow >= 0 && repetitionWindow <= 1 << 20, "repetitionWindow", repetitionWindow, "from 0 (all tokens) to 1048576");
        check(maxTokens > 0, "maxTokens", maxTokens, "1 or more");
        stop = List.copyOf(stop);
        for (String s : stop) {
            if (s.isEmpty()) throw new IllegalArgumentException("a stop text is empty");
        }
    }

    /** Always the most probable token; at most {@code maxTokens}. */
    public static Sampling greedy(int maxTokens) {
        return builder().maxTokens(maxTokens).build();
    }

    /** A builder that starts from greedy sampling of 256 tokens. */
    public static Builder builder() {
        return new Builder();
    }

    /** Whether the logits alone decide. */
    public boolean isGreedy() {
        return temperature == 0;
    }

    private static void check(boolean ok, String name, Object value, String range) {
        if (!ok) throw new IllegalArgumentException(name + " is " + value + "; it must be " + range);
    }

    /** Collects the options; those not set are off. */
    public static final class Builder {
        private double temperature;
        private int topK;
        private double topP = 1;
        private double minP;
        private double repetitionPenalty = 1;
        private int repetitionWindow = 64;
        private long seed;
        private List<String> stop = List.of();
        private int maxTokens = 256;

        private Builder() {}

        public Builder temperature(double temperature) {
            this.temperature = temperature;
            return this;
        }

        public Builder topK(int topK) {
            this.topK = topK;
            return this;
        }

        public Builder topP(double topP) {
            this.topP = topP;
            return this;
        }

        public Builder minP(double minP) {
            this.minP = minP;
            return this;
        }

        public Builder repetitionPenalty(double penalty) {
            this.repetitionPenalty = penalty;
            return this;
        }

        /** As {@link #repetitionPenalty(double)}, for the last {@code window} tokens; 0: all. */
        public Builder repetitionPenalty(double penalty, int window) {
            this.repetitionWindow = window;
            return repetitionPenalty(penalty);
        }

        public Builder seed(long seed) {
            this.seed = seed;
            return this;
        }

        public Builder stop(String... texts) {
            this.stop = List.of(texts);
            return this;
        }

        public Builder maxTokens(int maxTokens) {
            this.maxTokens = maxTokens;
            return this;
        }

        public Sampling build() {
            return new Sampling(temperature, topK, topP, minP, repetitionPenalty, repetitionWindow, seed, stop, maxTokens);
        }
    }
}
