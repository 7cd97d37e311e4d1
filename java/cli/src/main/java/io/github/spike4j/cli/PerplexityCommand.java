package io.github.spike4j.cli;

import io.github.spike4j.SessionOptions;
import io.github.spike4j.SpikeModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * {@code spike4j perplexity}. A segment's loss is the mean over its {@code seq - 1} predictions, and the perplexity is exp of the mean
 * over segments.
 */
@Command(name = "perplexity", description = "Measure how well a model predicts a text.", sortOptions = false,
        mixinStandardHelpOptions = true)
final class PerplexityCommand implements Callable<Integer> {

    @Parameters(paramLabel = "MODEL", description = "The .s4j file.")
    private Path file;

    @Mixin
    private TextSegments segments;

    @Mixin
    private EngineOptions engineOptions;

    @Mixin
    private Report report;

    @Spec
    private CommandSpec spec;

    /** The {@code --json} form; {@code tokens} counts predictions. */
    record Result(double perplexity, double meanNll, long tokens, int segments, int seq, String backend, String tier, int threads,
            double tokensPerSecond) {}

    @Override
    public Integer call() throws IOException {
        segments.check();
        var builder = engineOptions.builder();
        Failure.readableFile(file);
        var content = segments.read();
        try (var engine = builder.build(); var model = engine.open(file)) {
            var list = segments.cut(segments.encode(content, model, file), model.info().context());
            var count = list.size();
            var seq = segments.seq();
            var start = System.nanoTime();
            double sum = 0;
            try (var progress = Progress.of("perplexity", Progress.Unit.SEGMENTS, !report.forPeople(), spec.commandLine().getErr())) {
                for (int i = 0; i < count; i++) {
                    sum += loss(model, list.get(i));
                    progress.progress("%.2f".formatted(Math.exp(sum / (i + 1))), i + 1, count);
                }
            }
            var mean = sum / count;
            var tokens = (long) count * (seq - 1);
            var result = new Result(Math.exp(mean), mean, tokens, count, seq, engine.backend(), engine.tier(), engine.threads(),
                    (long) count * seq / ((System.nanoTime() - start) / 1e9));
            report.print(result, "perplexity %.4f, mean NLL %.6f, %d predictions in %d segments of %d, %.1f tokens/s, %s %s, %d threads"
                    .formatted(result.perplexity, mean, tokens, count, seq, result.tokensPerSecond, result.backend, result.tier,
                            result.threads));
        }
        return 0;
    }

    /** Mean negative log-likelihood, in nats, of tokens 1, 2, ... of a segment. */
    private static double loss(SpikeModel model, int[] ids) {
        var sum = new double[1];
        try (var session = model.newSession(SessionOptions.maxContext(ids.length))) {
            session.evaluate(ids, (position, logits) -> {
                if (position + 1 < ids.length) {
                    sum[0] += nll(logits, ids[position + 1]);
                }
            });
        }
        return sum[0] / (ids.length - 1);
    }

    /** -log softmax(logits)[target]. */
    static double nll(float[] logits, int target) {
        double max = Double.NEGATIVE_INFINITY;
        for (var logit : logits) {
            max = Math.max(max, logit);
        }
        double sum = 0;
        for (var logit : logits) {
            sum += Math.exp(logit - max);
        }
        return max + Math.log(sum) - logits[target];
    }
}
