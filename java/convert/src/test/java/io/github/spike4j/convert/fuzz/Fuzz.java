package io.github.spike4j.convert.fuzz;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Runs Jazzer on the targets, each in a process of its own, and counts the inputs:
 * {@code Fuzz [--runs N] [--seconds N] [--jobs N] [--seed N] [--keep FOLDER] [TARGET...]}. Exit code 1 if there is a finding; its input
 * stays in the folder. {@code --classpath} prints what a copy of the targets needs ({@code bench/fuzz-bundle.sh}).
 */
final class Fuzz {
    /** Where the parsers' targets are: those that reach package-private code lie beside it. */
    private static final List<String> TARGETS = List.of("io.github.spike4j.format.S4jFuzz",
            "io.github.spike4j.convert.importer.SafetensorsFuzz", "io.github.spike4j.convert.fuzz.ConfigFuzz",
            "io.github.spike4j.convert.importer.GgufFuzz", "io.github.spike4j.convert.importer.PyTorchFuzz",
            "io.github.spike4j.convert.fuzz.TokenizerJsonFuzz", "io.github.spike4j.convert.fuzz.TokenizerFileFuzz",
            "io.github.spike4j.convert.fuzz.RecipeFuzz", "io.github.spike4j.convert.fuzz.TemplateFuzz");
    private static final Pattern DONE = Pattern.compile("(?m)^Done (\\d+) runs in (\\d+) second");
    private static final Pattern FOUND = Pattern.compile("(?m)^(?:== Java Exception: .*|==\\d+== ERROR: .*|Test unit written to .*)$");

    private Fuzz() { }

    public static void main(String[] args) throws Exception {
        long runs = 20_000;
        long seconds = 0;
        int seed = 1;
        int jobs = 1;
        Path keep = Path.of("target", "fuzz");
        var names = new ArrayList<String>();
        for (int i = 0; i < args.length; i++) {
            switch (args[i]) {
                case "--runs" -> runs = Long.parseLong(args[++i]);
                case "--seconds" -> seconds = Long.parseLong(args[++i]);
                case "--seed" -> seed = Integer.parseInt(args[++i]);
                case "--classpath" -> {
                    System.out.println(System.getProperty("java.class.path"));
                    return;
                }
                case "--jobs" -> jobs = Integer.parseInt(args[++i]);
                case "--keep" -> keep = Path.of(args[++i]);
                default -> names.add(args[i]);
            }
        }
        var chosen = TARGETS.stream().filter(t -> names.isEmpty() || names.contains(simple(t))).toList();
        if (chosen.isEmpty()) {
            throw new IllegalArgumentException("no such target; there are " + TARGETS.stream().map(Fuzz::simple).toList());
        }
        // The shares of one target are processes with their own seed and corpus.
        var waiting = new ArrayList<Share>();
        int shares = Math.max(1, jobs / chosen.size());
        for (var target : chosen) {
            for (int s = 0; s < shares; s++) {
                waiting.add(new Share(target, seed + s, Math.ceilDiv(runs, shares), seconds,
                        Files.createDirectories(keep.resolve(simple(target) + "-" + s))));
            }
        }
        var running = new ArrayList<Share>();
        boolean sound = true;
        System.out.printf("%-20s %12s %8s%n", "target", "inputs", "seconds");
        while (!waiting.isEmpty() || !running.isEmpty()) {
            while (running.size() < jobs && !waiting.isEmpty()) {
                running.add(waiting.removeFirst().start());
            }
            Thread.sleep(200);
            for (var share : List.copyOf(running)) {
                if (!share.process.isAlive()) {
                    running.remove(share);
                    sound &= share.report();
                }
            }
        }
        System.exit(sound ? 0 : 1);
    }

    private static String simple(String name) {
        return name.substring(name.lastIndexOf('.') + 1);
    }

    private static final class Share {
        final String target;
        final int seed;
        final long runs;
        /** 0: no limit. */
        final long seconds;
        final Path folder;
        Process process;

        Share(String target, int seed, long runs, long seconds, Path folder) {
            this.target = target;
            this.seed = seed;
            this.runs = runs;
            this.seconds = seconds;
            this.folder = folder;
        }

        Share start() throws Exception {
            var corpus = Files.createDirectories(folder.resolve("corpus"));
            int n = 0;
            @SuppressWarnings("unchecked")
            var seeds = (List<byte[]>) Class.forName(target).getMethod("seeds").invoke(null);
            for (byte[] input : seeds) {
                Files.write(corpus.resolve("seed-" + n++), input);
            }
            var memory = Path.of("/dev/shm");
            process = new ProcessBuilder(List.of(ProcessHandle.current().info().command().orElse("java"), "-Xmx1g", "-Xss1m", "-ea",
                    "-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED",
                    "-Djava.io.tmpdir=" + (Files.isWritable(memory) ? memory : Path.of(System.getProperty("java.io.tmpdir"))),
                    "-cp", System.getProperty("java.class.path"), "com.code_intelligence.jazzer.Jazzer", "--target_class=" + target,
                    "--instrumentation_includes=io.github.spike4j.**", "--keep_going=1", "--reproducer_path=" + folder,
                    // a tokenizer.json brings its own expressions; how long they may run is the tokenizer's business, and -timeout sees it
                    "--disabled_hooks=com.code_intelligence.jazzer.sanitizers.RegexInjection", "-runs=" + runs, "-max_total_time=" + seconds, "-seed=" + seed,
                    "-timeout=60", "-rss_limit_mb=4096", "-print_final_stats=0", "-artifact_prefix=" + folder + File.separator,
                    corpus.toString())).redirectErrorStream(true).redirectOutput(folder.resolve("log").toFile()).start();
            return this;
        }

        /** Prints a line; whether nothing was found. */
        boolean report() throws IOException {
            var log = Files.readString(folder.resolve("log"), java.nio.charset.StandardCharsets.ISO_8859_1);
            var done = DONE.matcher(log);
            boolean complete = done.find();
            System.out.printf("%-20s %12s %8s%n", simple(target), complete ? done.group(1) : "-", complete ? done.group(2) : "-");
            if (complete && process.exitValue() == 0) {
                return true;
            }
            FOUND.matcher(log).results().limit(4).forEach(f -> System.out.println("  " + f.group()));
            System.out.println("  exit code " + process.exitValue() + "; see " + folder.resolve("log"));
            return false;
        }
    }
}
