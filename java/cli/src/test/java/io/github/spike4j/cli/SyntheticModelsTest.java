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
import io.github.spike4j.format.S4jFile;
import io.github.spike4j.format.S4jWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
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
    void aModelWithoutTokenizerSaysSo() throws IOException {
        var file = dir.resolve("mute.s4j");
        try (var from = S4jFile.open(model("w4a4")); var to = S4jWriter.create(file)) {
            for (var tensor : from.manifest().tensors()) {
                to.tensor(tensor, from.tensor(tensor.name()));
            }
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
}
