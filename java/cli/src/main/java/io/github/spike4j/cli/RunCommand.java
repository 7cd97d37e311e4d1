package io.github.spike4j.cli;

import io.github.spike4j.Generation;
import io.github.spike4j.Sampling;
import io.github.spike4j.Session;
import io.github.spike4j.SpikeEngine;
import io.github.spike4j.SpikeModel;
import io.github.spike4j.Statistics;
import io.github.spike4j.format.S4jFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code spike4j run}. */
@Command(name = "run", description = "Continue a text.", sortOptions = false, mixinStandardHelpOptions = true)
final class RunCommand implements Callable<Integer> {

    /** The demo model's place in the repository. */
    private static final Path DEMO = Path.of("demo", "novelwiki-29m.s4j");

    @Parameters(arity = "0..1", paramLabel = "MODEL", description = "The .s4j file. Default: the demo model of the repository.")
    private Path file;

    @ArgGroup(exclusive = true, multiplicity = "1")
    private Prompt prompt;

    @Mixin
    private SamplingOptions samplingOptions = new SamplingOptions(128);

    @Mixin
    private EngineOptions engineOptions;

    @Option(names = "--split", paramLabel = "N", description = "Feed the prompt in pieces of N tokens. No result depends on it.")
    private Integer split;

    @Option(names = "--batch", paramLabel = "N", description = "Run beside N - 1 other sessions of the same prompt.")
    private int batch = 1;

    @Option(names = "--fork", description = "Go on in a fork of the session that read the prompt.")
    private boolean fork;

    @Option(names = "--verify", description = "Check the model's hashes first.")
    private boolean verify;

    @Mixin
    private Report report;

    @Spec
    private CommandSpec spec;

    /** One of two. */
    static final class Prompt {
        @Option(names = "--prompt", required = true, paramLabel = "TEXT", description = "Text to continue.")
        private String text;

        @Option(names = "--prompt-file", required = true, paramLabel = "FILE", description = "UTF-8 file with the text to continue.")
        private Path file;

        private String read() throws IOException {
            return text != null ? text : Texts.read(file);
        }
    }

    /** The {@code --json} form. */
    record Result(String text, int[] promptTokens, List<Integer> tokens, String logitsHash, double promptTokensPerSecond,
            double tokensPerSecond, String backend, String tier, int threads, double spikesPerToken, double silentShare,
            String finishReason) {}

    @Override
    public Integer call() throws IOException {
        EngineOptions.usage(batch >= 1 && batch <= 4096, spec, "--batch must be 1 to 4096, not " + batch);
        EngineOptions.usage(split == null || split >= 1, spec, "--split must be 1 or more, not " + split);
        var sampling = samplingOptions.sampling();
        var builder = engineOptions.builder();
        if (split != null) {
            builder.promptPiece(split);
        }
        var text = prompt.read();
        var path = orDemo(file);
        if (verify) {
            try (var s4j = S4jFile.open(path)) {
                s4j.verify((_, _) -> {});
            }
        }
        try (var engine = builder.build(); var model = engine.open(path)) {
            run(engine, model, text, sampling);
        }
        return 0;
    }

    /** The model that is named, or the demo model of the repository. */
    static Path orDemo(Path file) throws IOException {
        if (file != null) {
            return Failure.readableFile(file);
        }
        var demo = Path.of(System.getProperty("spike4j.home", "")).resolve(DEMO);
        if (!Files.isRegularFile(demo)) {
            throw new Failure(demo + ": the demo model is not there; name a model");
        }
        return demo;
    }

    private void run(SpikeEngine engine, SpikeModel model, String text, Sampling sampling) {
        var ids = model.encode(text);
        if (ids.length == 0) {
            throw new Failure("the prompt is empty");
        }
        var others = new ArrayList<Session>();
        try (var session = model.newSession()) {
            for (int i = 1; i < batch; i++) {
                others.add(model.newSession());
            }
            // All are queued before anyone waits, so that they meet in the same steps.
            var start = System.nanoTime();
            others.forEach(other -> other.append(ids));
            session.append(ids);
            session.logits();
            var promptSeconds = seconds(start);
            if (fork) {
                try (var branch = session.fork()) {
                    generate(engine, branch, session.statistics(), others, text, ids, promptSeconds, sampling);
                }
            } else {
                generate(engine, session, new Statistics(0, 0, 0, 0), others, text, ids, promptSeconds, sampling);
            }
        } finally {
            others.forEach(Session::close);
        }
    }

    /** @param before counts of the prompt where another session read it */
    private void generate(SpikeEngine engine, Session session, Statistics before, List<Session> others, String text, int[] ids,
            double promptSeconds, Sampling sampling) {
        var hash = report.forPeople() ? null : new LogitsHash();
        var rest = others.stream().map(other -> other.generate(sampling)).toList();
        var out = report.out();
        if (report.forPeople()) {
            out.print(text);
            out.flush();
        }
        var generation = hash == null ? session.generate(sampling) : session.generate(sampling, hash);
        long first = 0;
        long last = 0;
        int count = 0;
        for (var token : generation) {
            last = System.nanoTime();
            if (count++ == 0) {
                first = last;
            }
            if (report.forPeople()) {
                out.print(token.text());
                out.flush();
            }
        }
        var done = generation.result().join();
        rest.forEach(Generation::cancel);
        rest.forEach(other -> other.result().join());
        // The logits that each token was chosen from are hashed by now: those after the last one are left, unless it was followed by EOS.
        if (hash != null && done.reason() != Generation.Reason.EOS) {
            hash.accept(session.position() - 1, session.logits());
        }
        // The first token comes from the prompt's logits: time runs from there.
        var tokensPerSecond = count > 1 ? (count - 1) / ((last - first) / 1e9) : 0;
        var own = session.statistics();
        var statistics = new Statistics(before.tokens() + own.tokens(), before.steps() + own.steps(), before.codes() + own.codes(),
                before.silentCodes() + own.silentCodes());
        var result = new Result(done.text(), ids, done.ids(), hash == null ? null : hash.hex(), ids.length / promptSeconds,
                tokensPerSecond, engine.backend(), engine.tier(), engine.threads(), statistics.spikesPerToken(),
                statistics.silentShare(), done.reason().name().toLowerCase(Locale.ROOT));
        report.print(result,
                "%n%nprompt %.1f tokens/s, generation %.1f tokens/s, %s %s, %d threads, %.0f spikes/token, %.1f %% of codes silent"
                        .formatted(result.promptTokensPerSecond, result.tokensPerSecond, result.backend, result.tier, result.threads,
                                result.spikesPerToken, 100 * result.silentShare));
    }

    private static double seconds(long start) {
        return (System.nanoTime() - start) / 1e9;
    }
}
