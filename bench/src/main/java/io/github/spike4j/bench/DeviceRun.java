package io.github.spike4j.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * Checks and measures the machine that it runs on, from the bundle that {@code bench/device-bundle.sh} made: builds the native
 * code, runs checkkernel on every tier, compares logits hashes, times kernels and whole models, and writes one JSON file. It
 * is written after every step, so a run that is cut off leaves what it had.
 *
 * <p>Exit code 0 if every step passed and all logits hashes are equal, else 1.
 */
public final class DeviceRun {

    private static final JsonMapper JSON =
            JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();
    private static final List<String> TIERS = List.of("scalar", "avx2", "avxvnni", "avx512", "amx");
    private static final String PROMPT = "The history of the city";
    /** Few enough for scalar Java. */
    private static final String TOKENS = "16";
    /** Seconds after which a step is stopped. */
    private static final int STEP_LIMIT = 300;

    /**
     * The result file.
     *
     * @param date    start, UTC
     * @param machine processor, cores, kernel, GPUs, compilers
     * @param sources SHA-256 of each tier's sources, as bench/verified.json holds them
     * @param steps   every command in order
     * @param hashes  logits hash by configuration
     * @param equal   whether all of {@code hashes} are one
     */
    record Result(
            Instant date,
            Map<String, String> machine,
            Map<String, String> sources,
            List<Step> steps,
            Map<String, String> hashes,
            boolean equal) {}

    /**
     * One command.
     *
     * @param name    what it shows
     * @param command the command line
     * @param code    exit code; -1 if it was stopped
     * @param seconds wall clock time
     * @param json    its standard output if that is a JSON object, else null
     * @param output  the end of what it printed, if it is not JSON or it failed
     */
    record Step(String name, List<String> command, int code, double seconds, JsonNode json, List<String> output) {}

    private final Path bundle;
    private final Path file;
    private final Result result;

    private DeviceRun(Path bundle, Path file) throws IOException {
        this.bundle = bundle;
        this.file = file;
        this.result = new Result(
                Instant.now().truncatedTo(ChronoUnit.SECONDS),
                new LinkedHashMap<>(),
                Sources.hashes(bundle.resolve("native/src")),
                new ArrayList<>(),
                new TreeMap<>(),
                true);
    }

    /**
     * Runs everything.
     *
     * @param args the unpacked bundle, and the JSON file to write
     * @throws IOException if the result cannot be written
     * @throws InterruptedException if stopped
     */
    public static void main(String... args) throws IOException, InterruptedException {
        if (args.length != 2) {
            System.err.println("usage: DeviceRun BUNDLE RESULT.json");
            System.exit(2);
        }
        System.exit(new DeviceRun(Path.of(args[0]).toRealPath(), Path.of(args[1])).run() ? 0 : 1);
    }

    private boolean run() throws IOException, InterruptedException {
        describeMachine();
        if (step("build", List.of("sh", "build.sh")).code != 0) {
            return false;
        }
        var tiers = new ArrayList<String>();
        for (var tier : TIERS) {
            if (!absent(step("checkkernel " + tier, List.of("build/checkkernel", "--tier", tier)))) {
                tiers.add(tier);
            }
        }
        var cores = Runtime.getRuntime().availableProcessors();
        var model = bundle.resolve("demo.s4j").toString();
        for (var tier : tiers) {
            for (var threads : new HashSet<>(List.of(1, cores))) {
                hash("native " + tier + " threads " + threads,
                        cli("run", model, "--prompt", PROMPT, "-n", TOKENS, "--json", "--backend", "native", "--tier", tier,
                                "--threads", threads.toString()));
            }
        }
        for (var backend : List.of("vector", "scalar")) {
            hash(backend, cli("run", model, "--prompt", PROMPT, "-n", TOKENS, "--json", "--backend", backend));
        }
        for (var tier : tiers) {
            step("kernels " + tier, List.of("build/checkkernel", "--bench", "--tier", tier));
        }
        for (var recipe : List.of("w4a4-t2", "bf16")) {
            step("bench " + recipe, cli("bench", "--shape", "tinyllama-1.1b", "--recipe", recipe, "--pp", "512", "--tg", "64",
                    "--threads", Integer.toString(cores), "--json"));
        }
        write();
        // A tier that is not there is no failure; everything else that did not end with 0 is.
        return equal() && result.steps.stream().allMatch(step -> step.code == 0 || absent(step));
    }

    /** Whether checkkernel refused a tier that the build or the machine lacks. */
    private static boolean absent(Step step) {
        return step.code == 2 && step.output.stream().anyMatch(line -> line.endsWith("is not supported here"));
    }

    private void describeMachine() throws IOException, InterruptedException {
        var machine = result.machine;
        machine.put("cores", Integer.toString(Runtime.getRuntime().availableProcessors()));
        for (var line : Files.readAllLines(Path.of("/proc/cpuinfo"))) {
            if (line.startsWith("model name")) {
                machine.put("processor", line.substring(line.indexOf(':') + 1).strip());
                break;
            }
        }
        machine.put("kernel", System.getProperty("os.version"));
        machine.put("java", Runtime.version().toString());
        machine.put("gcc", firstLine("gcc", "--version"));
        machine.put("nvcc", firstLine("nvcc", "--version"));
        machine.put("gpu", firstLine("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"));
    }

    private static String firstLine(String... command) throws InterruptedException {
        try {
            var process = new ProcessBuilder(command).redirectErrorStream(true).start();
            var text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            return process.waitFor() == 0 ? text.lines().findFirst().orElse("") : "absent";
        } catch (IOException e) {
            return "absent";
        }
    }

    private List<String> cli(String... arguments) {
        var command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "--add-modules=jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-Dspike4j.native.path=" + bundle.resolve("build/libspike4j.so"),
                "-cp", System.getProperty("java.class.path"),
                "io.github.spike4j.cli.Main"));
        command.addAll(List.of(arguments));
        return command;
    }

    private void hash(String configuration, List<String> command) throws IOException, InterruptedException {
        var step = step("run " + configuration, command);
        if (step.json != null && step.json.has("logitsHash")) {
            result.hashes.put(configuration, step.json.path("logitsHash").asString());
        }
    }

    private boolean equal() {
        return new HashSet<>(result.hashes.values()).size() <= 1;
    }

    private Step step(String name, List<String> command) throws IOException, InterruptedException {
        System.out.println(name);
        var out = Files.createTempFile("spike4j", ".out");
        var err = Files.createTempFile("spike4j", ".err");
        try {
            var start = System.nanoTime();
            var process = new ProcessBuilder(command)
                    .directory(bundle.toFile())
                    .redirectOutput(out.toFile())
                    .redirectError(err.toFile())
                    .start();
            var ended = process.waitFor(STEP_LIMIT, TimeUnit.SECONDS);
            if (!ended) {
                process.destroyForcibly().waitFor();
            }
            var seconds = (System.nanoTime() - start) / 1e9;
            var code = ended ? process.exitValue() : -1;
            var text = Files.readString(out, StandardCharsets.UTF_8).strip();
            var json = code == 0 && text.startsWith("{") ? JSON.readTree(text) : null;
            var lines = new ArrayList<String>();
            if (json == null) {
                text.lines().forEach(lines::add);
                Files.readString(err, StandardCharsets.UTF_8).lines().forEach(lines::add);
            }
            var tail = List.copyOf(lines.subList(Math.max(0, lines.size() - 200), lines.size()));
            var step = new Step(name, command, code, seconds, json, tail);
            result.steps.add(step);
            write();
            return step;
        } finally {
            Files.delete(out);
            Files.delete(err);
        }
    }

    private void write() throws IOException {
        var now = new Result(result.date, result.machine, result.sources, result.steps, result.hashes, equal());
        Files.writeString(file, JSON.writeValueAsString(now) + "\n");
    }
}
