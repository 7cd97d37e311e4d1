package io.github.spike4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** From a real checkpoint to text, through the commands alone: stories260k. */
class EndToEndTest {

    private static final Path SHARED = Path.of(System.getProperty("spike4j.shared.dir", "../../../shared"));
    private static final Path STORIES = SHARED.resolve("models/stories260k");

    @TempDir
    static Path dir;

    private static Path dense;
    private static Path spiking;

    @BeforeAll
    static void convert() {
        Cli.shared("models/stories260k");
        dense = dir.resolve("dense.s4j");
        spiking = dir.resolve("spiking.s4j");
        var run = Cli.run("convert", STORIES.resolve("stories260K.bin"), "-o", dense, "--recipe", "f32", "--license", "MIT", "--json");
        assertEquals(0, run.code(), run.toString());
        assertEquals(260032, json(run).path("parameters").asLong());
        ok("convert", STORIES.resolve("stories260K.bin"), "-o", spiking, "--recipe", "w4a4-t2", "--quiet", "--calibration",
                SHARED.resolve("text/calibration.txt"));
    }

    private static Cli ok(Object... args) {
        var run = Cli.run(args);
        assertEquals(0, run.code(), run.toString());
        return run;
    }

    private static JsonNode json(Cli run) {
        assertEquals(1, run.out().strip().lines().count(), run.toString());
        return JsonMapper.shared().readTree(run.out());
    }

    private static JsonNode run(Path model, Object... more) {
        var arguments = new ArrayList<Object>(List.of("run", model, "--prompt", "Once upon a time there was a dog", "-n", 12, "--json"));
        arguments.addAll(Arrays.asList(more));
        return json(ok(arguments.toArray()));
    }

    @Test
    void theLicenseIsKept() {
        assertEquals("MIT", json(ok("inspect", dense, "--json")).path("license").asString());
        assertTrue(json(ok("inspect", spiking, "--json")).path("license").isNull());
    }

    @Test
    void aDryRunSaysWhatTheConversionMakes() throws IOException {
        var bin = STORIES.resolve("stories260K.bin");
        var plan = json(ok("convert", bin, "--recipe", "f32", "--license", "MIT", "--dry-run", "--json"));
        assertEquals(Files.size(dense), plan.path("fileBytes").asLong());
        assertEquals(260032, plan.path("parameters").asLong());
        assertEquals(5, plan.path("architecture").path("layers").asInt());
        assertEquals("MIT", plan.path("license").asString());
        assertTrue(plan.path("tokenizer").path("addBos").asBoolean() && !plan.path("chatTemplate").asBoolean());
        assertTrue(plan.path("memoryBytes").asLong() > 0 && plan.path("diskBytes").asLong() >= 2 * Files.size(dense));
        var longer = ok("convert", bin, "--recipe", "f32", "--context", 700, "--dry-run", "--json");
        assertEquals(700, json(longer).path("architecture").path("context").asInt());
        assertTrue(longer.err().contains("warning: the source is made for 512 positions"), longer.err());
        var people = ok("convert", bin, "-o", dir.resolve("never.s4j"), "--recipe", "f32", "--dry-run");
        assertTrue(people.out().contains("recipe f32 makes 1,26"), people.out());
        var refused = Cli.run("convert", bin, "-o", dir.resolve("never.s4j"), "--recipe", "w4a4-t2", "--dry-run", "--json");
        assertEquals(1, refused.code());
        assertEquals(1, json(refused).path("problems").size());
        assertTrue(refused.err().startsWith("spike4j: ") && refused.err().contains("--calibration"), refused.toString());
        var wrong = Files.writeString(dir.resolve("nothing.bin"), "no checkpoint");
        Cli.run("convert", wrong, "--recipe", "f32", "--dry-run").fails(1, "nothing.bin");
        assertTrue(Files.notExists(dir.resolve("never.s4j")) && Files.notExists(dir.resolve("never.s4j.work")));
    }

    @Test
    void theGoldenText() throws IOException {
        var golden = Files.readString(STORIES.resolve("golden_greedy.txt")).strip();
        var prompt = golden.substring(0, golden.indexOf(','));
        var text = json(ok("run", dense, "--prompt", prompt, "-n", 400, "--json")).path("text").asString();
        assertTrue((prompt + text).startsWith(golden), text);
    }

    @Test
    void oneHashForEveryWayToComputeIt() {
        for (var model : List.of(dense, spiking)) {
            var reference = run(model, "--backend", "scalar", "--threads", 1);
            var hash = reference.path("logitsHash").asString();
            var ways = new ArrayList<>(List.of("--backend scalar --threads 2", "--backend vector", "--weights ram", "--tier scalar",
                    "--threads 1", "--threads 2", "--threads 3", "--split 1", "--split 7", "--split 64", "--batch 8", "--fork",
                    "--split 3 --batch 8 --fork --threads 2"));
            for (var way : ways) {
                var result = run(model, (Object[]) way.split(" "));
                for (var field : List.of("logitsHash", "spikesPerToken", "silentShare")) {
                    assertEquals(reference.path(field), result.path(field), model + " " + way + " " + field);
                }
            }
            assertNotEquals(hash, run(model, "--temp", 1, "--seed", 3).path("logitsHash").asString());
        }
    }

    @Test
    void theSeedDecides() {
        var one = run(spiking, "--temp", 0.9, "--top-k", 50, "--top-p", 0.95, "--min-p", 0.01, "--seed", 1);
        assertEquals(one.path("text"), run(spiking, "--temp", 0.9, "--top-k", 50, "--top-p", 0.95, "--min-p", 0.01, "--seed", 1).path("text"));
        assertNotEquals(one.path("text"), run(spiking, "--temp", 0.9, "--top-k", 50, "--top-p", 0.95, "--min-p", 0.01, "--seed", 2).path("text"));
    }

    @Test
    void aRunSaysWhatItDid() {
        var result = run(spiking, "--threads", 2);
        for (var field : List.of("text", "promptTokens", "tokens", "logitsHash", "promptTokensPerSecond", "tokensPerSecond", "backend",
                "tier", "threads", "spikesPerToken", "silentShare")) {
            assertTrue(result.has(field), field + " in " + result);
        }
        assertEquals(12, result.path("tokens").size());
        assertEquals(2, result.path("threads").asInt());
        assertTrue(result.path("spikesPerToken").asDouble() > 0);
        assertTrue(result.path("silentShare").asDouble() > 0 && result.path("silentShare").asDouble() < 1);
        var people = ok("run", spiking, "--prompt", "Once", "-n", 4).out();
        assertTrue(people.startsWith("Once"), people);
        assertTrue(people.lines().reduce((_, last) -> last).orElse("").matches(
                "prompt .* tokens/s, generation .* tokens/s, .* threads, .* spikes/token, .* % of codes silent"), people);
    }

    @Test
    void aFlippedWeightChangesTheHashAndIsFound() throws IOException {
        var tensors = json(ok("inspect", spiking, "--json")).path("tensors");
        var bytes = Files.readAllBytes(spiking);
        // The weights' sizes are known: find one by its hash, wherever it lies.
        var weight = tensors.valueStream().filter(t -> t.path("name").asString().equals("layers.0.ffn_down.weight")).findFirst().orElseThrow();
        int size = weight.path("bytes").asInt();
        int at = find(bytes, size, weight.path("sha256").asString());
        bytes[at] ^= 0x08;
        var flipped = Files.write(dir.resolve("flipped.s4j"), bytes);
        assertNotEquals(run(spiking).path("logitsHash"), run(flipped).path("logitsHash"));
        Cli.run("verify", flipped).fails(1, "flipped.s4j", "layers.0.ffn_down.weight");
        Cli.run("run", "--verify", flipped, "--prompt", "x").fails(1, "layers.0.ffn_down.weight");
    }

    private static int find(byte[] bytes, int size, String sha256) {
        for (int at = 0; at + size <= bytes.length; at += 64) {
            if (hash(bytes, at, size).equals(sha256)) {
                return at;
            }
        }
        throw new AssertionError("no data with SHA-256 " + sha256);
    }

    private static String hash(byte[] bytes, int at, int size) {
        try {
            var digest = MessageDigest.getInstance("SHA-256");
            digest.update(bytes, at, size);
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void perplexityIsTheSameEverywhereAndEvenlySpread() throws IOException {
        var text = dir.resolve("text.txt");
        Files.writeString(text, "Once upon a time, there was a little girl named Lily. She loved to play outside in the park.\n".repeat(30));
        var all = json(ok("perplexity", dense, "--text", text, "--seq", 64, "--json"));
        assertEquals(63L * all.path("segments").asInt(), all.path("tokens").asLong());
        assertEquals(Math.exp(all.path("meanNll").asDouble()), all.path("perplexity").asDouble());
        assertTrue(all.path("perplexity").asDouble() > 1 && all.path("perplexity").asDouble() < 20, all.toString());
        assertEquals(all.path("meanNll"), json(ok("perplexity", dense, "--text", text, "--seq", 64, "--json", "--backend", "scalar"))
                .path("meanNll"));
        assertEquals(2, json(ok("perplexity", dense, "--text", text, "--seq", 64, "--segments", 2, "--json")).path("segments").asInt());
        assertNotEquals(all.path("meanNll"), json(ok("perplexity", dense, "--text", text, "--seq", 64, "--bos", "off", "--json"))
                .path("meanNll"));
        Cli.run("perplexity", dense, "--text", text, "--seq", 100000).fails(2, "--seq");
        Cli.run("perplexity", dense, "--text", text, "--seq", 64, "--segments", 100000).fails(2, "--segments");
        var brief = Files.writeString(dir.resolve("short.txt"), "Once");
        Cli.run("perplexity", dense, "--text", brief, "--seq", 64).fails(1, "short.txt");
    }

    @Test
    void whatCannotBeConverted() throws IOException {
        var bin = STORIES.resolve("stories260K.bin");
        var out = dir.resolve("never.s4j");
        var text = SHARED.resolve("text/calibration.txt");
        Cli.run("convert", dir.resolve("absent"), "-o", out, "--recipe", "f32").fails(1, "absent", "no such file");
        Cli.run("convert", bin, "-o", out, "--recipe", "w9a9").fails(2, "w9a9");
        Cli.run("convert", bin, "-o", out, "--recipe", dir.resolve("absent.json")).fails(2, "absent.json", "no such file");
        Cli.run("convert", bin, "-o", out, "--recipe", "w4a4-t2").fails(2, "--calibration");
        Cli.run("convert", bin, "-o", out, "--recipe", "w4a4-t2", "--calibration", dir.resolve("absent.txt")).fails(1, "absent.txt");
        Cli.run("convert", bin, "-o", out, "--recipe", "w4a4-t2", "--calibration", text, "--clip", 2).fails(2, "clip");
        Cli.run("convert", bin, "-o", out, "--recipe", "w4a4-t2", "--calibration", text, "--saliency", "luck").fails(2, "luck");
        Cli.run("convert", bin, "-o", out, "--recipe", "w4a4-t2", "--calibration", text, "--weight-group", 17).fails(2, "weightGroup");
        Cli.run("convert", bin, "--recipe", "f32").fails(2, "--output");
        Cli.run("convert", bin, "-o", out).fails(2, "--recipe");
        var bytes = Files.readAllBytes(bin);
        var half = Files.write(dir.resolve("half.bin"), Arrays.copyOf(bytes, bytes.length / 2));
        Cli.run("convert", half, "-o", out, "--recipe", "f32").fails(1, "half.bin");
        var wrong = Files.writeString(dir.resolve("wrong.bin"), "no checkpoint");
        Cli.run("convert", wrong, "-o", out, "--recipe", "f32").fails(1, "wrong.bin");
        var folder = Files.createDirectories(dir.resolve("folder"));
        Files.writeString(folder.resolve("config.json"), "{\"architectures\": [\"MambaForCausalLM\"], \"model_type\": \"mamba\"}");
        Cli.run("convert", folder, "-o", out, "--recipe", "f32").fails(1, "config.json", "MambaForCausalLM");
        assertTrue(Files.notExists(out));
    }

    @Test
    void aPromptThatDoesNotFit() {
        Cli.run("run", dense, "--prompt", "once upon a time ".repeat(500)).fails(1, "context");
    }
}
