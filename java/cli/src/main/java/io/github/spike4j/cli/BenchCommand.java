package io.github.spike4j.cli;

import io.github.spike4j.Sampling;
import io.github.spike4j.SessionOptions;
import io.github.spike4j.SpikeEngine;
import io.github.spike4j.SpikeModel;
import io.github.spike4j.convert.Recipe;
import io.github.spike4j.convert.RecipeException;
import io.github.spike4j.convert.Recipes;
import io.github.spike4j.convert.SyntheticModel;
import io.github.spike4j.format.Architecture;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * {@code spike4j bench}: prefill and decode of a model of random weights, beside the bounds of the machine. As llama-bench does, each test
 * starts from an empty context, after one warm-up, and is the mean of the repetitions.
 */
@Command(name = "bench", description = "Measure speed with random weights, no model file needed.", sortOptions = false,
        mixinStandardHelpOptions = true)
final class BenchCommand implements Callable<Integer> {
    private static final long SEED = 1;

    @Option(names = "--shape", required = true, paramLabel = "NAME|D,FF,L,H,KV,V",
            description = "tinyllama-1.1b, llama2-7b, llama2-13b, llama2-70b, or six numbers.")
    private String shape;

    @Option(names = "--recipe", required = true, paramLabel = "NAME|FILE.json", description = "Built-in recipe or a JSON file.")
    private String recipe;

    @Option(names = "--pp", paramLabel = "N", description = "Tokens of the prompt. Default: ${DEFAULT-VALUE}.")
    private int pp = 512;

    @Option(names = "--tg", paramLabel = "N", description = "Tokens to generate. Default: ${DEFAULT-VALUE}.")
    private int tg = 128;

    @Option(names = "--repeat", paramLabel = "N", description = "Repetitions. Default: ${DEFAULT-VALUE}.")
    private int repeat = 1;

    @Option(names = "--dir", paramLabel = "DIR", description = "Where the weights are written for the time. Default: that of temporary files.")
    private Path directory = Path.of(System.getProperty("java.io.tmpdir"));

    @Mixin
    private EngineOptions engineOptions;

    @Mixin
    private Report report;

    @Spec
    private CommandSpec spec;

    /**
     * The {@code --json} form.
     *
     * @param readGBps read bandwidth of the mapped file with the same threads, mean of right before and after each decode, 10^9 bytes a second
     * @param weightBytesPerToken bytes of weights that one token must read
     * @param decodeShareOfBandwidth decode's weight bytes a second over {@code readGBps}
     * @param gemmGmacPerSecond of the widest linear on a batch of the prompt's size, 10^9 multiply-accumulates a second
     * @param peakGmacPerSecond the same instructions in registers only; 0 where the backend has no such bound
     * @param peakRssBytes of the model's first run, before the bounds were measured
     */
    record Result(String shape, String recipe, int promptTokens, int generatedTokens, int repetitions, double promptTokensPerSecond,
            double tokensPerSecond, double readGBps, long weightBytesPerToken, double decodeShareOfBandwidth, double gemmGmacPerSecond,
            double peakGmacPerSecond, double gemmShareOfPeak, long peakRssBytes, long fileBytes, long kvBytes, String backend, String tier,
            int threads) {}

    @Override
    public Integer call() throws IOException {
        EngineOptions.usage(pp >= 1 && pp <= 1 << 17, spec, "--pp must be 1 to 131072, not " + pp);
        EngineOptions.usage(tg >= 1 && tg <= 1 << 17, spec, "--tg must be 1 to 131072, not " + tg);
        EngineOptions.usage(repeat >= 1 && repeat <= 1000, spec, "--repeat must be 1 to 1000, not " + repeat);
        var builder = engineOptions.builder();
        var chosen = recipe();
        var architecture = architecture();
        if (!Files.isDirectory(directory)) {
            throw new Failure(directory + ": no such directory");
        }
        var work = Files.createTempDirectory(directory, "spike4j-bench");
        var ended = new Thread(() -> deleteInUse(work)); // by ctrl-C: these may be many gigabytes
        Runtime.getRuntime().addShutdownHook(ended);
        try {
            var file = work.resolve("random.s4j");
            try (var progress = Progress.of("random weights", Progress.Unit.STEPS, !report.forPeople(), spec.commandLine().getErr())) {
                new SyntheticModel(architecture, chosen, SEED).write(file, progress::progress);
            }
            try (var engine = builder.build()) {
                measure(engine, file, chosen);
            }
        } finally {
            if (!isEnding(ended)) {
                delete(work);
            }
        }
        return 0;
    }

    private void measure(SpikeEngine engine, Path file, Recipe chosen) throws IOException {
        double prompt = 0;
        double generation = 0;
        double read = 0;
        double gemm;
        double peak;
        long weights;
        long rss;
        long kv;
        try (var model = engine.open(file)) {
            kv = model.info().kvBytesPerToken() * Math.max(pp, tg);
            prefill(model);
            decode(model);
            rss = peakRss(); // before the bounds map the file again
            try (var bounds = new Bounds(file, engine.backend(), engine.tier(), engine.threads())) {
                for (int i = 0; i < repeat; i++) {
                    prompt += prefill(model);
                    read += bounds.readGBps() / 2;
                    generation += decode(model);
                    read += bounds.readGBps() / 2;
                }
                read /= repeat;
                weights = bounds.weightBytesPerToken();
                gemm = bounds.gemmGmacPerSecond(pp);
                peak = bounds.peakGmacPerSecond();
            }
        }
        var promptSpeed = (double) pp * repeat / prompt;
        var speed = (double) tg * repeat / generation;
        var result = new Result(shape, chosen.name(), pp, tg, repeat, promptSpeed, speed, read, weights, speed * weights / 1e9 / read, gemm, peak,
                peak == 0 ? 0 : gemm / peak, rss, Files.size(file), kv, engine.backend(), engine.tier(), engine.threads());
        report.print(result, """
                %s %s, %s %s, %d threads
                prefill  %10.1f tokens/s (pp%d)   GEMM %.1f of %.1f GMAC/s in registers (%.2f)
                decode   %10.1f tokens/s (tg%d)   %,d weight bytes a token, %.1f GB/s of reads (%.2f)
                memory   %,d bytes at most, file %,d, KV %,d""".formatted(result.shape, result.recipe, result.backend, result.tier,
                result.threads, promptSpeed, pp, result.gemmGmacPerSecond, result.peakGmacPerSecond, result.gemmShareOfPeak, speed, tg,
                result.weightBytesPerToken, result.readGBps, result.decodeShareOfBandwidth, rss, result.fileBytes, kv));
    }

    /** Seconds until the logits after {@code pp} random tokens are there. */
    private double prefill(SpikeModel model) {
        var ids = new SplittableRandom(7).ints(pp, 0, model.info().vocab()).toArray();
        try (var session = model.newSession(SessionOptions.maxContext(pp))) {
            var start = System.nanoTime();
            session.append(ids);
            session.logits();
            return (System.nanoTime() - start) / 1e9;
        }
    }

    /** Seconds that {@code tg} single tokens take, one after the other, from a context of one. */
    private double decode(SpikeModel model) {
        try (var session = model.newSession(SessionOptions.maxContext(tg + 1))) {
            session.append(0);
            session.logits();
            var start = System.nanoTime();
            session.generate(Sampling.greedy(tg)).result().join();
            // The last token's own step is part of the tg steps.
            session.logits();
            return (System.nanoTime() - start) / 1e9;
        }
    }

    private Recipe recipe() {
        try {
            return Recipes.resolve(recipe);
        } catch (RecipeException e) {
            throw new ParameterException(spec.commandLine(), e.getMessage(), e);
        }
    }

    private Architecture architecture() {
        try {
            return SyntheticModel.shape(shape, Math.max(pp, tg + 1));
        } catch (RecipeException e) {
            throw new ParameterException(spec.commandLine(), "--shape: " + e.getMessage(), e);
        }
    }

    /** High-water mark of resident memory, or 0 where the system does not tell. */
    private static long peakRss() throws IOException {
        var status = Path.of("/proc/self/status");
        if (!Files.isReadable(status)) {
            return 0;
        }
        try (var lines = Files.lines(status)) {
            return lines.filter(line -> line.startsWith("VmHWM:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024)
                    .findFirst()
                    .orElse(0);
        }
    }

    private static void delete(Path work) throws IOException {
        try (var files = Files.walk(work)) {
            for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        }
    }

    /** Whether the JVM is running this hook already; otherwise it will not. */
    private static boolean isEnding(Thread hook) {
        try {
            return !Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            return true;
        }
    }

    /** Deletes a folder that a thread is still writing to; without the folder it ends. */
    private static void deleteInUse(Path work) {
        for (int i = 0; i < 1000 && Files.exists(work); i++) {
            try {
                delete(work);
            } catch (IOException | UncheckedIOException e) {
                // something came or went meanwhile: once more
            }
        }
    }
}
