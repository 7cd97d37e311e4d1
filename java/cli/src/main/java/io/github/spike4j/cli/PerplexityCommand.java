package io.github.spike4j.cli;

import io.github.spike4j.SessionOptions;
import io.github.spike4j.SpikeModel;
import io.github.spike4j.format.S4jFile;
import io.github.spike4j.format.TokenizerInfo;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * {@code spike4j perplexity}. The text is tokenized once and cut into segments of {@code --seq} tokens, without overlap and without a
 * rest; a segment's loss is the mean over its {@code seq - 1} predictions, and the perplexity is exp of the mean over segments.
 */
@Command(name = "perplexity", description = "Measure how well a model predicts a text.", sortOptions = false,
        mixinStandardHelpOptions = true)
final class PerplexityCommand implements Callable<Integer> {

    @Parameters(paramLabel = "MODEL", description = "The .s4j file.")
    private Path file;

    @Option(names = "--text", required = true, paramLabel = "FILE", description = "UTF-8 text.")
    private Path text;

    @Option(names = "--seq", required = true, paramLabel = "N", description = "Tokens of a segment.")
    private int seq;

    @Option(names = "--segments", paramLabel = "N", description = "Only N segments, spread evenly over the text. Default: all.")
    private Integer segments;

    @Option(names = "--bos", paramLabel = "auto|on|off",
            description = "Whether the text starts with BOS; auto: as the tokenizer does. Default: ${DEFAULT-VALUE}.")
    private String bos = "auto";

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
        EngineOptions.usage(seq >= 2, spec, "--seq must be 2 or more, not " + seq);
        EngineOptions.usage(segments == null || segments >= 1, spec, "--segments must be 1 or more, not " + segments);
        EngineOptions.usage(List.of("auto", "on", "off").contains(bos), spec, "--bos must be auto, on or off, not " + bos);
        var builder = engineOptions.builder();
        Failure.readableFile(file);
        var content = Texts.read(text);
        TokenizerInfo tokenizer;
        try (var s4j = S4jFile.open(file)) {
            tokenizer = s4j.manifest().tokenizer();
        }
        try (var engine = builder.build(); var model = engine.open(file)) {
            var context = model.info().context();
            EngineOptions.usage(seq <= context, spec, "--seq must be at most " + context + ", the model's context, not " + seq);
            var ids = withBos(model.encode(content), tokenizer);
            var all = ids.length / seq;
            if (all == 0) {
                throw new Failure(text + ": " + ids.length + " tokens, but a segment has " + seq);
            }
            EngineOptions.usage(segments == null || segments <= all, spec,
                    "--segments must be at most " + all + ", those of the text, not " + segments);
            var count = segments == null ? all : segments;
            var start = System.nanoTime();
            double sum = 0;
            try (var progress = Progress.of("perplexity", !report.forPeople(), spec.commandLine().getErr())) {
                for (int i = 0; i < count; i++) {
                    var from = (int) ((long) i * all / count) * seq;
                    sum += loss(model, Arrays.copyOfRange(ids, from, from + seq));
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

    /** The ids, which start with BOS where the tokenizer wants it, as {@code --bos} wants them. */
    private int[] withBos(int[] ids, TokenizerInfo tokenizer) {
        var id = tokenizer == null ? -1 : tokenizer.bos();
        var has = id >= 0 && ids.length > 0 && ids[0] == id;
        return switch (bos) {
            case "on" -> {
                EngineOptions.usage(id >= 0, spec, "--bos on: the model's tokenizer has no BOS");
                yield has ? ids : IntStream.concat(IntStream.of(id), IntStream.of(ids)).toArray();
            }
            case "off" -> has && tokenizer.addBos() ? Arrays.copyOfRange(ids, 1, ids.length) : ids;
            default -> ids;
        };
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
