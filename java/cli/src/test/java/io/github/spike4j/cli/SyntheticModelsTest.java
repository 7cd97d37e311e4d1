package io.github.spike4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.spike4j.SpikeEngine;
import io.github.spike4j.convert.ProgressListener;
import io.github.spike4j.convert.RecipeException;
import io.github.spike4j.convert.Recipes;
import io.github.spike4j.convert.SyntheticModel;
import io.github.spike4j.format.Manifest;
import io.github.spike4j.format.S4jFile;
import io.github.spike4j.format.S4jWriter;
import io.github.spike4j.format.TokenizerInfo;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class SyntheticModelsTest {

    private static final String SHAPE = "64,96,2,4,2,80";

    @TempDir
    Path dir;

    private Path model(String recipe) throws IOException {
        var file = dir.resolve(recipe + ".s4j");
        new SyntheticModel(SyntheticModel.shape(SHAPE, 64), Recipes.named(recipe), 1).write(file, ProgressListener.none());
        return file;
    }

    static List<String> recipes() {
        return Recipes.names();
    }

    @ParameterizedTest
    @MethodSource("recipes")
    void isAFileThatVerifiesAndRuns(String recipe) throws IOException {
        var file = model(recipe);
        assertEquals(0, Cli.run("verify", file).code());
        assertEquals(0, Cli.run("inspect", file, "--tensors").code());
        var hashes = new HashSet<String>();
        for (var backend : List.of("java", "native")) {
            try (var engine = SpikeEngine.builder().threads(2).backend(backend).build(); var opened = engine.open(file);
                    var session = opened.newSession()) {
                var hash = new LogitsHash();
                session.evaluate(new int[] {1, 2, 3, 5, 8, 13, 21, 34}, hash);
                hashes.add(hash.hex());
            }
        }
        assertEquals(1, hashes.size());
    }

    @Test
    void equalArgumentsGiveEqualBytes() throws IOException {
        var first = Files.readAllBytes(model("w4a4-t2"));
        assertTrue(Arrays.equals(first, Files.readAllBytes(model("w4a4-t2"))));
    }

    @Test
    void damageIsFound() throws IOException {
        var file = model("w4a4-t2");
        var bytes = Files.readAllBytes(file);
        var flipped = bytes.clone();
        // In the middle lie tensors, and between them padding, which belongs to the header.
        flipped[bytes.length / 2] ^= 1;
        var damaged = Files.write(dir.resolve("flipped.s4j"), flipped);
        Cli.run("verify", damaged).fails(1, "flipped.s4j", "damaged");
        Cli.run("run", "--verify", damaged, "--prompt", "x").fails(1, "flipped.s4j", "damaged");
        var half = Files.write(dir.resolve("half.s4j"), Arrays.copyOf(bytes, bytes.length / 2));
        for (var command : List.of("inspect", "verify")) {
            Cli.run(command, half).fails(1, "half.s4j", "truncated");
        }
        Cli.run("run", half, "--prompt", "x").fails(1, "half.s4j", "truncated");
        Cli.run("perplexity", half, "--text", file, "--seq", 4).fails(1);
    }

    @Test
    void theHashCoversTheLastPromptPositionAndEachToken() throws IOException {
        var endless = model("w4a4-t2");
        var ending = dir.resolve("ending.s4j");
        try (var from = S4jFile.open(endless); var to = S4jWriter.create(ending)) {
            copyTensors(from, to);
            to.entry("tokenizer.json", from.entry("tokenizer.json"));
            var m = from.manifest();
            to.finish(new Manifest(m.formatVersion(), m.architecture(), m.compute(), m.recipe(), m.inputGroups(), m.linears(), m.attention(),
                    m.tensors(), new TokenizerInfo(-1, IntStream.range(0, 20).toArray(), false), m.provenance(), m.license()));
        }
        var reasons = new HashSet<String>();
        // A prompt of 4 tokens in a context of 64: the last one left free, none left free, no room for all; then until the model ends it.
        for (var options : List.of("-n 5", "-n 59", "-n 60", "-n 61", "-n 60 --temp 20 --seed 1", "-n 60 --temp 20 --seed 2")) {
            var file = options.contains("--seed") ? ending : endless;
            var arguments = new ArrayList<Object>(List.of("run", file, "--prompt", "ABCD", "--json"));
            arguments.addAll(List.of(options.split(" ")));
            var run = Cli.run(arguments.toArray());
            assertEquals(0, run.code(), run.toString());
            var json = JsonMapper.shared().readTree(run.out());
            reasons.add(json.path("finishReason").asString());
            var prompt = json.path("promptTokens").valueStream().mapToInt(JsonNode::asInt).toArray();
            var ids = IntStream.concat(IntStream.of(prompt), json.path("tokens").valueStream().mapToInt(JsonNode::asInt)).toArray();
            try (var engine = SpikeEngine.builder().build(); var opened = engine.open(file); var session = opened.newSession()) {
                var hash = new LogitsHash();
                session.evaluate(ids, (position, logits) -> {
                    if (position >= prompt.length - 1) {
                        hash.accept(position, logits);
                    }
                });
                assertEquals(hash.hex(), json.path("logitsHash").asString(), options);
            }
        }
        assertEquals(Set.of("max_tokens", "context_full", "eos"), reasons);
    }

    private static void copyTensors(S4jFile from, S4jWriter to) throws IOException {
        for (var tensor : from.manifest().tensors()) {
            to.tensor(tensor, from.tensor(tensor.name()));
        }
    }

    @Test
    void aModelWithoutTokenizerSaysSo() throws IOException {
        var file = dir.resolve("mute.s4j");
        try (var from = S4jFile.open(model("w4a4")); var to = S4jWriter.create(file)) {
            copyTensors(from, to);
            to.finish(from.manifest());
        }
        Cli.run("run", file, "--prompt", "x").fails(1, "tokenizer");
    }

    @ParameterizedTest
    @ValueSource(strings = {"w4a4-t2", "bf16"})
    void benchMeasures(String recipe) throws IOException {
        var run = Cli.run("bench", "--shape", SHAPE, "--recipe", recipe, "--pp", 16, "--tg", 4, "--threads", 1, "--json");
        assertEquals(0, run.code(), run.toString());
        var json = JsonMapper.shared().readTree(run.out());
        for (var field : List.of("promptTokensPerSecond", "tokensPerSecond", "readGBps", "weightBytesPerToken", "gemmGmacPerSecond",
                "peakRssBytes", "fileBytes")) {
            assertTrue(json.path(field).asDouble(0) > 0, field + " in " + run);
        }
        assertTrue(json.has("peakGmacPerSecond"));
        assertTrue(json.path("weightBytesPerToken").asLong() < json.path("fileBytes").asLong());
    }

    @Test
    void benchDeletesItsWeightsWhenItIsEnded() throws IOException, InterruptedException {
        var scratch = Files.createDirectory(dir.resolve("scratch"));
        var process = Cli.jvm("bench", "--shape", "tinyllama-1.1b", "--recipe", "w4a4", "--dir", scratch).inheritIO().start();
        try {
            while (process.isAlive() && size(scratch) < 1 << 20) {
                Thread.sleep(20);
            }
            assertTrue(process.isAlive(), "bench ended by itself");
            process.destroy(); // as ctrl-C does
            assertTrue(process.waitFor(60, TimeUnit.SECONDS));
            try (var left = Files.list(scratch)) {
                assertEquals(List.of(), left.toList());
            }
        } finally {
            process.destroyForcibly();
        }
    }

    @Test
    void benchRunsTheSmallestShape() {
        assertEquals(0, Cli.run("bench", "--shape", "2,1,1,1,1,1", "--recipe", "w4a4", "--pp", 2, "--tg", 2).code());
    }

    @Test
    void benchRefusesWhatIsImpossible() {
        Cli.run("bench", "--shape", "tinyllama", "--recipe", "w4a4").fails(2, "--shape", "tinyllama-1.1b");
        Cli.run("bench", "--shape", "64,96,2,5,2,80", "--recipe", "w4a4").fails(2, "multiple of H");
        Cli.run("bench", "--shape", "64,96,2,4,3,80", "--recipe", "w4a4").fails(2, "multiple of KV");
        Cli.run("bench", "--shape", SHAPE, "--recipe", "w9a9").fails(2, "w9a9");
        Cli.run("bench", "--shape", SHAPE, "--recipe", "w4a4", "--pp", 0).fails(2, "--pp");
        Cli.run("bench", "--shape", SHAPE, "--recipe", "w4a4", "--repeat", 0).fails(2, "--repeat");
        Cli.run("bench", "--recipe", "w4a4").fails(2, "--shape");
    }

    @Test
    void namedShapes() {
        assertEquals(128, SyntheticModel.shape("llama2-70b", 1).headDim());
        assertEquals(64, SyntheticModel.shape("tinyllama-1.1b", 1).headDim());
        assertThrows(RecipeException.class, () -> SyntheticModel.shape("0,1,1,1,1,1", 1));
        assertFalse(SyntheticModel.shape(SHAPE, 1).tiedEmbeddings());
    }

    private static long size(Path folder) throws IOException {
        try (var files = Files.walk(folder)) {
            return files.map(Path::toFile).mapToLong(File::length).sum();
        } catch (UncheckedIOException e) {
            return 0; // a file went away meanwhile
        }
    }
}
