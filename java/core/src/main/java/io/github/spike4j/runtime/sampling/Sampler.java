package io.github.spike4j.runtime.sampling;

import io.github.spike4j.Sampling;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/**
 * One generation's choice of tokens, as {@link Sampling} defines it (SPEC.md N11): double arithmetic and {@link StrictMath}, so
 * that equal logits and seed give equal tokens everywhere. A weight below 2^-64 of the highest counts as 0. Sums run over the kept logits in
 * descending order where top-k applies, else over the ids in ascending order. Each draw takes one {@code nextDouble}; a greedy choice takes none.
 * Works in the {@link Candidates} of the thread that samples, and allocates nothing after construction. For one thread at a time.
 */
public final class Sampler {
    private static final RandomGeneratorFactory<RandomGenerator> RANDOM = RandomGeneratorFactory.of("L64X128MixRandom");
    private static final double NEGLIGIBLE = -64 * 0x1.62e42fefa39efp-1; // ln 2^-64

    private final Sampling options;
    private final int vocabulary;
    /** Null for greedy choices. */
    private final RandomGenerator random;
    /** Where a penalty is wanted: how often each token occurs in the window, and the window as a ring (null if unbounded). */
    private final int[] occurrences;
    private final int[] window;
    private long accepted;

    /** @param vocabulary number of logits */
    public Sampler(Sampling options, int vocabulary) {
        if (vocabulary <= 0) throw new IllegalArgumentException("a vocabulary of " + vocabulary + " tokens");
        this.options = options;
        this.vocabulary = vocabulary;
        random = options.isGreedy() ? null : RANDOM.create(options.seed());
        boolean penalty = options.repetitionPenalty() != 1;
        occurrences = penalty ? new int[vocabulary] : null;
        window = penalty && options.repetitionWindow() > 0 ? new int[options.repetitionWindow()] : null;
    }

    /** Whether {@link #accept} matters. */
    public boolean remembers() {
        return occurrences != null;
    }

    /** Notes a token of the text, of the prompt too: the penalty looks at these. {@link #sample} does not note its result. */
    public void accept(int token) {
        if (occurrences == null) return;
        if (window != null) {
            int slot = (int) (accepted % window.length);
            if (accepted >= window.length) occurrences[window[slot]]--;
            window[slot] = token;
        }
        accepted++;
        occurrences[token]++;
    }

    /** Chooses from the logits, by token id; -1 if they are damaged: none is finite, or one is NaN or +infinity. */
    public int sample(float[] logits, Candidates candidates) {
        if (options.isGreedy() && occurrences == null) return highest(logits);
        candidates.reserve(vocabulary, !options.isGreedy());
        double[] value = candidates.value;
        for (int i = 0; i < vocabulary; i++) value[i] = logits[i];
        if (occurrences != null) {
            double penalty = options.repetitionPenalty();
            for (int i = 0; i < vocabulary; i++) {
                if (occurrences[i] > 0) value[i] = value[i] > 0 ? value[i] / penalty : value[i] * penalty;
            }
        }
        int best = 0;
        for (int i = 0; i < vocabulary; i++) {
            if (Double.isNaN(value[i])) return -1;
            if (value[i] > value[best]) best = i;
        }
        if (!Double.isFinite(value[best])) return -1;
        if (options.isGreedy()) return best;
        for (int i = 0; i < vocabulary; i++) candidates.id[i] = i;
        int k = options.topK();
        if (k == 0 || k >= vocabulary) return draw(candidates, vocabulary, false);
        candidates.selectTop(k, vocabulary);
        return draw(candidates, k, true);
    }

    /** The greedy choice as it stands in the logits. */
    private int highest(float[] logits) {
        int best = 0;
        for (int i = 0; i < vocabulary; i++) {
            if (Float.isNaN(logits[i])) return -1;
            if (logits[i] > logits[best]) best = i;
        }
        return Float.isFinite(logits[best]) ? best : -1;
    }

    /** @param sorted whether the {@code n} candidates are in descending order (else by ascending id) */
    private int draw(Candidates candidates, int n, boolean sorted) {
        double[] value = candidates.value;
        double highest = value[0];
        for (int i = 1; i < n && !sorted; i++) highest = Math.max(highest, value[i]);
        double sum = 0;
        for (int i = 0; i < n; i++) {
            double x = (value[i] - highest) / options.temperature();
            value[i] = x >= NEGLIGIBLE ? StrictMath.exp(x) : 0;
            sum += value[i];
        }
        if (options.topP() == 1 && options.minP() == 0) return pick(candidates, 0, n, 1, sum);

        // The kept ones are taken in descending order: from the front, or off a heap (they gather, the first last, at the end).
        double enough = options.topP() == 1 ? Double.POSITIVE_INFINITY : options.topP() * sum;
        double kept = 0;
        int count = 0;
        if (!sorted) candidates.heapify(n);
        while (count < n && kept < enough) {
            int at = sorted ? count : 0;
            if (count > 0 && (value[at] < options.minP() || value[at] == 0)) break;
            kept += value[at];
            if (!sorted) candidates.pop(n - count);
            count++;
        }
        return sorted ? pick(candidates, 0, count, 1, kept) : pick(candidates, n - 1, count, -1, kept);
    }

    /** Draws among {@code count} candidates from {@code start} on, in steps of {@code step}, whose weights sum to {@code sum}. */
    private int pick(Candidates candidates, int start, int count, int step, double sum) {
        double[] value = candidates.value;
        double target = random.nextDouble() * sum;
        int last = start;
        double running = 0;
        for (int i = 0, at = start; i < count; i++, at += step) {
            if (value[at] == 0) continue;
            last = at;
            running += value[at];
            if (running > target) break;
        }
        return candidates.id[last];
    }
}
