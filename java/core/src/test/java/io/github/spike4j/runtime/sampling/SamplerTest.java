package io.github.spike4j.runtime.sampling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.github.spike4j.Sampling;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SamplerTest {
    /** Of all samplers: what one leaves there must not matter to the next. */
    private static final Candidates candidates = new Candidates();

    @Test
    void greedyTiesGoToTheLowerId() {
        Sampler s = new Sampler(Sampling.greedy(1), 5);
        assertEquals(1, s.sample(new float[] {0, 3, 3, -1, 3}, candidates));
        assertEquals(0, s.sample(new float[] {-0f, 0f, -1, -1, 0f}, candidates));
    }

    /** Against the definition in {@link Sampling}, on lists, with every mix of options. */
    @Test
    void equalsTheDefinition() {
        SplittableRandom random = new SplittableRandom(8);
        for (int round = 0; round < 2000; round++) {
            int n = random.nextInt(1, 200);
            Sampling options = Sampling.builder()
                    .temperature(random.nextInt(5) == 0 ? 0 : random.nextDouble(0.05, 3))
                    .topK(random.nextBoolean() ? 0 : random.nextInt(1, 60))
                    .topP(random.nextBoolean() ? 1 : random.nextDouble(0.01, 1))
                    .minP(random.nextBoolean() ? 0 : random.nextDouble(0, 1))
                    .repetitionPenalty(random.nextBoolean() ? 1 : random.nextDouble(0.5, 2), random.nextInt(20))
                    .seed(random.nextLong()).build();
            Sampler sampler = new Sampler(options, n);
            Definition definition = new Definition(options);
            for (int i = 0; i < 10; i++) {
                float[] logits = new float[n];
                // few different values: many ties
                for (int k = 0; k < n; k++) logits[k] = round % 2 == 0 ? random.nextInt(-5, 6) : (float) random.nextDouble(-30, 30);
                int expected = definition.sample(logits);
                assertEquals(expected, sampler.sample(logits, candidates), options::toString);
                sampler.accept(expected);
                definition.text.add(expected);
            }
        }
    }

    @Test
    void theSeedDecides() {
        float[] logits = new float[500];
        assertArrayEquals(tokens(logits, 1), tokens(logits, 1));
        assertFalse(Arrays.equals(tokens(logits, 1), tokens(logits, 2)));
    }

    @Test
    void probabilitiesAreThoseOfSoftmax() {
        float[] logits = {0, 1, 2, -1};
        Sampler s = new Sampler(Sampling.builder().temperature(1).seed(3).build(), 4);
        int[] count = new int[4];
        for (int i = 0; i < 200_000; i++) count[s.sample(logits, candidates)]++;
        double sum = 1 + Math.E + Math.exp(2) + Math.exp(-1);
        for (int i = 0; i < 4; i++) assertEquals(Math.exp(logits[i]) / sum, count[i] / 200_000.0, 0.005);
    }

    @Test
    void damagedLogitsAreNoticed() {
        for (var options : List.of(Sampling.builder(), Sampling.builder().repetitionPenalty(1.1), Sampling.builder().temperature(1))) {
            for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
                assertEquals(-1, new Sampler(options.build(), 3).sample(new float[] {0, bad, 1}, candidates));
            }
            float[] none = {Float.NEGATIVE_INFINITY, Float.NEGATIVE_INFINITY};
            assertEquals(-1, new Sampler(options.build(), 2).sample(none, candidates));
        }
    }

    @Test
    void impossibleOptions() {
        for (Runnable r : List.<Runnable>of(
                () -> Sampling.builder().temperature(-1).build(), () -> Sampling.builder().temperature(Double.NaN).build(), () -> Sampling.builder().topP(0).build(),
                () -> Sampling.builder().minP(1.1).build(), () -> Sampling.builder().topK(-1).build(), () -> Sampling.builder().repetitionPenalty(0).build(),
                () -> Sampling.builder().stop("").build(), () -> Sampling.builder().maxTokens(0).build())) {
            assertThrows(IllegalArgumentException.class, r::run);
        }
    }

    @Test
    void allocatesNothing() {
        float[] logits = new float[2000];
        for (int i = 0; i < logits.length; i++) logits[i] = i * 7 % 31;
        Sampler sampler = new Sampler(Sampling.builder().temperature(0.9).topK(300).topP(0.95).minP(0.01).repetitionPenalty(1.1).build(), logits.length);
        StopMatcher stop = new StopMatcher(List.of("</s>", "\n\n"));
        StringBuilder out = new StringBuilder(1 << 16);
        ThreadMXBean threads = ManagementFactory.getPlatformMXBean(ThreadMXBean.class);
        for (int round = 0; round < 2; round++) {
            out.setLength(0);
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < 1000; i++) {
                sampler.accept(sampler.sample(logits, candidates));
                stop.push("word <\n", out);
            }
            long bytes = threads.getCurrentThreadAllocatedBytes() - before;
            if (round == 1) assertTrue(bytes < 1024, bytes + " bytes for 1000 tokens");
        }
    }

    private static int[] tokens(float[] logits, long seed) {
        Sampler s = new Sampler(Sampling.builder().temperature(1).seed(seed).build(), logits.length);
        return IntStream.range(0, 50).map(i -> s.sample(logits, candidates)).toArray();
    }

    private static final class Definition {
        final Sampling o;
        final RandomGenerator random;
        final List<Integer> text = new ArrayList<>();

        Definition(Sampling o) {
            this.o = o;
            random = RandomGeneratorFactory.of("L64X128MixRandom").create(o.seed());
        }

        int sample(float[] logits) {
            double[] v = new double[logits.length];
            List<Integer> recent = o.repetitionWindow() == 0 ? text : text.subList(Math.max(0, text.size() - o.repetitionWindow()), text.size());
            for (int i = 0; i < v.length; i++) {
                v[i] = logits[i];
                if (recent.contains(i) && o.repetitionPenalty() != 1) v[i] = v[i] > 0 ? v[i] / o.repetitionPenalty() : v[i] * o.repetitionPenalty();
            }
            Comparator<Integer> descending = Comparator.<Integer>comparingDouble(i -> -v[i]).thenComparing(i -> i);
            List<Integer> ids = new ArrayList<>(IntStream.range(0, v.length).boxed().toList());
            if (o.temperature() == 0) return ids.stream().min(descending).orElseThrow();
            double max = Arrays.stream(v).max().orElseThrow();
            if (o.topK() > 0 && o.topK() < v.length) ids = ids.stream().sorted(descending).limit(o.topK()).toList();
            double[] p = new double[v.length];
            double sum = 0;
            for (int i : ids) {
                double x = (v[i] - max) / o.temperature();
                p[i] = x < -64 * StrictMath.log(2) ? 0 : StrictMath.exp(x);
                sum += p[i];
            }
            if (o.topP() < 1 || o.minP() > 0) {
                List<Integer> kept = new ArrayList<>();
                double total = 0;
                for (int i : ids.stream().sorted(descending).toList()) {
                    if (!kept.isEmpty() && (p[i] < o.minP() || o.topP() < 1 && total >= o.topP() * sum)) break;
                    kept.add(i);
                    total += p[i];
                }
                ids = kept;
                sum = total;
            }
            double target = random.nextDouble() * sum;
            double running = 0;
            int last = -1;
            for (int i : ids) {
                if (p[i] == 0) continue;
                last = i;
                running += p[i];
                if (running > target) break;
            }
            return last;
        }
    }
}
