package io.github.spike4j.cli;

import io.github.spike4j.SessionOptions;
import io.github.spike4j.SpikeModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * {@code spike4j compare}: how far the predictions of model B are from those of model A, token by token of one text. Both must read the
 * text as the same ids of an equally large vocabulary.
 */
@Command(name = "compare", description = "Measure how far one model's predictions are from another's.", sortOptions = false,
        mixinStandardHelpOptions = true)
final class CompareCommand implements Callable<Integer> {

    /** Positions that both models do in turn; bounds the logits that are kept. */
    private static final int PIECE = 32;
    private static final int TOP = 5;

    @Parameters(index = "0", paramLabel = "A", description = "The .s4j file to compare with, such as the unquantized model.")
    private Path fileA;

    @Parameters(index = "1", paramLabel = "B", description = "The .s4j file to judge.")
    private Path fileB;

    @Mixin
    private TextSegments segments;

    @Mixin
    private EngineOptions engineOptions;

    @Mixin
    private Report report;

    @Spec
    private CommandSpec spec;

    /** The {@code --json} form: nats, shares from 0 to 1; {@code tokens} counts predictions. */
    record Result(double perplexityA, double perplexityB, double meanNllA, double meanNllB, double klDivergence,
            double klDivergenceMedian, double klDivergence99, double klDivergenceMax, double topTokenAgreement, double topTokenInTop5,
            long tokens, int segments, int seq, String backend, String tier, int threads) {}

    @Override
    public Integer call() throws IOException {
        segments.check();
        var builder = engineOptions.builder();
        Failure.readableFile(fileA);
        Failure.readableFile(fileB);
        var content = segments.read();
        try (var engine = builder.build(); var a = engine.open(fileA); var b = engine.open(fileB)) {
            var list = segments.cut(sameIds(content, a, b), Math.min(a.info().context(), b.info().context()));
            var sums = new Sums(a.info().vocab(), list.size() * (segments.seq() - 1));
            try (var progress = Progress.of("compare", Progress.Unit.SEGMENTS, !report.forPeople(), spec.commandLine().getErr())) {
                for (int i = 0; i < list.size(); i++) {
                    compare(a, b, list.get(i), sums);
                    progress.progress("KL %.4f".formatted(sums.kl / sums.tokens), i + 1, list.size());
                }
            }
            var result = sums.result(list.size(), segments.seq(), engine.backend(), engine.tier(), engine.threads());
            report.print(result, """
                    perplexity %.4f and %.4f (%d predictions in %d segments of %d)
                    KL divergence %.6f nats: median %.6f, 99 %% %.6f, largest %.6f
                    same top token %.2f %%, A's top token among B's best 5 %.2f %%""".formatted(result.perplexityA, result.perplexityB,
                    result.tokens, result.segments, result.seq, result.klDivergence, result.klDivergenceMedian, result.klDivergence99,
                    result.klDivergenceMax, 100 * result.topTokenAgreement, 100 * result.topTokenInTop5));
        }
        return 0;
    }

    private int[] sameIds(String content, SpikeModel a, SpikeModel b) throws IOException {
        if (a.info().vocab() != b.info().vocab()) {
            throw new Failure("%s has a vocabulary of %d, %s one of %d: their predictions cannot be compared".formatted(fileA, a.info().vocab(),
                    fileB, b.info().vocab()));
        }
        var ids = segments.encode(content, a, fileA);
        var others = segments.encode(content, b, fileB);
        int at = Arrays.mismatch(ids, others);
        if (at >= 0) {
            throw new Failure("%s and %s have different tokenizers: token %d of %s is %s and %s".formatted(fileA, fileB, at, segments.text(),
                    at < ids.length ? ids[at] : "missing", at < others.length ? others[at] : "missing"));
        }
        return ids;
    }

    private static void compare(SpikeModel a, SpikeModel b, int[] ids, Sums sums) {
        // the last token predicts nothing that is known
        int predictions = ids.length - 1;
        var kept = new float[Math.min(PIECE, predictions)][];
        try (var sessionA = a.newSession(SessionOptions.maxContext(ids.length));
                var sessionB = b.newSession(SessionOptions.maxContext(ids.length))) {
            for (int from = 0; from < predictions; from += PIECE) {
                int first = from;
                var piece = Arrays.copyOfRange(ids, from, Math.min(predictions, from + PIECE));
                sessionA.evaluate(piece, (position, logits) -> kept[position - first] = logits.clone());
                sessionB.evaluate(piece, (position, logits) -> sums.add(kept[position - first], logits, ids[position + 1]));
            }
        }
    }

    /** What is summed over predictions. */
    private static final class Sums {
        private final double[] divergences;
        private final double[] logA;
        private final double[] logB;
        private double nllA;
        private double nllB;
        private double kl;
        private int same;
        private int near;
        private int tokens;

        Sums(int vocabulary, int predictions) {
            divergences = new double[predictions];
            logA = new double[vocabulary];
            logB = new double[vocabulary];
        }

        void add(float[] a, float[] b, int target) {
            logSoftmax(a, logA);
            logSoftmax(b, logB);
            double divergence = 0;
            int top = 0;
            for (int i = 0; i < logA.length; i++) {
                divergence += Math.exp(logA[i]) * (logA[i] - logB[i]);
                top = a[i] > a[top] ? i : top;
            }
            // ties go to the lower id
            int better = 0;
            for (int i = 0; i < b.length; i++) {
                better += b[i] > b[top] || b[i] == b[top] && i < top ? 1 : 0;
            }
            nllA -= logA[target];
            nllB -= logB[target];
            kl += divergence;
            divergences[tokens++] = divergence;
            same += better == 0 ? 1 : 0;
            near += better < TOP ? 1 : 0;
        }

        private static void logSoftmax(float[] logits, double[] log) {
            double max = Double.NEGATIVE_INFINITY;
            for (var logit : logits) {
                max = Math.max(max, logit);
            }
            double sum = 0;
            for (var logit : logits) {
                sum += Math.exp(logit - max);
            }
            double shift = max + Math.log(sum);
            for (int i = 0; i < logits.length; i++) {
                log[i] = logits[i] - shift;
            }
        }

        Result result(int segments, int seq, String backend, String tier, int threads) {
            double n = tokens;
            var sorted = divergences.clone();
            Arrays.sort(sorted);
            return new Result(Math.exp(nllA / n), Math.exp(nllB / n), nllA / n, nllB / n, kl / n, rank(sorted, .5), rank(sorted, .99),
                    sorted[sorted.length - 1], same / n, near / n, tokens, segments, seq, backend, tier, threads);
        }

        /** The smallest value that at least this share of all does not exceed. */
        private static double rank(double[] sorted, double share) {
            return sorted[Math.max(0, (int) Math.ceil(share * sorted.length) - 1)];
        }
    }
}
