package io.github.spike4j.convert;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.spike4j.format.S4jFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What a conversion says beforehand, against what it does. */
class PlanTest {
    @TempDir
    Path dir;

    static Stream<Recipe> recipes() {
        return ConvertTest.recipes();
    }

    @ParameterizedTest
    @MethodSource("recipes")
    void theSizeIsThatOfTheFile(Recipe recipe) throws IOException {
        for (boolean tied : new boolean[] {false, true}) {
            var source = new TinyModel(tied, tied).huggingFace(dir.resolve("tiny" + tied), "BF16", 2);
            Files.writeString(source.resolve("README.md"), "---\nlicense: mit\n---\n");
            if (tied) {
                Files.writeString(source.resolve("chat_template.jinja"), "{{ messages }}");
                var more = Files.createDirectories(source.resolve("additional_chat_templates"));
                Files.writeString(more.resolve("tool_use.jinja"), "{{ tools }}");
                Files.writeString(more.resolve("No name.jinja"), "");
            }
            var out = dir.resolve(tied + ".s4j");
            var request = ConvertRequest.of(source, out, recipe);
            if (recipe.usesCalibration()) {
                request = request.calibration(Files.writeString(dir.resolve("text.txt"), TinyModel.TEXT));
            }
            var plan = Converter.plan(request);
            try (var files = Files.list(dir)) {
                assertTrue(files.noneMatch(f -> f.getFileName().toString().startsWith(out.getFileName().toString())), "nothing is written");
            }
            assertEquals(List.of(), plan.problems());
            var report = Converter.convert(request, ProgressListener.none());
            assertEquals(report.fileBytes(), plan.fileBytes(), 32, "numbers of the manifest have more digits or fewer");
            assertEquals(2 * plan.fileBytes(), plan.diskBytes());
            assertEquals(report.parameters(), plan.parameters());
            assertEquals(report.warnings(), plan.warnings());
            var left = "the chat template named \"No name\" is left out: in a .s4j file names are of [a-z0-9._-]";
            assertEquals(tied, report.warnings().contains(left), report.warnings().toString());
            try (var file = S4jFile.open(out)) {
                assertEquals(tied ? Set.of("additional_chat_templates/tool_use.jinja", "chat_template.jinja", "tokenizer.json") : Set.of("tokenizer.json"),
                        file.entries());
            }
            assertEquals(TinyModel.HIDDEN, plan.architecture().hidden());
            assertEquals(tied, plan.chatTemplate());
            assertEquals("mit", plan.license());
        }
    }

    @Test
    void problemsAreToldTogether() throws IOException {
        var source = new TinyModel(false).huggingFace(dir.resolve("tiny"), "F32", 1);
        var t2 = ConvertRequest.of(source, dir.resolve("x.s4j"), Recipes.named("w4a4-t2"));
        var plan = Converter.plan(t2);
        assertEquals(List.of("recipe w4a4-t2 chooses salient channels or ranges from text; add --calibration TEXT"), plan.problems());
        assertTrue(plan.fileBytes() > 10000);
        var brief = Files.writeString(dir.resolve("brief.txt"), "short");
        assertEquals(List.of(brief + ": 5 tokens; calibration needs at least 16"), Converter.plan(t2.calibration(brief)).problems());
        Files.writeString(source.resolve("tokenizer.json"), "{\"model\": {\"type\": \"Abacus\"}}");
        var text = Files.writeString(dir.resolve("text.txt"), TinyModel.TEXT);
        var problems = Converter.plan(t2.calibration(text)).problems();
        assertTrue(problems.size() == 1 && problems.getFirst().contains("tokenizer"), problems.toString());
        Files.writeString(source.resolve("config.json"), "{\"architectures\": [\"MambaForCausalLM\"]}");
        plan = Converter.plan(t2);
        assertNull(plan.architecture());
        assertTrue(plan.problems().size() == 1 && plan.problems().getFirst().contains("MambaForCausalLM"), plan.toString());
    }

    /** The model's context is the one asked for; one that its rotations are not made for is warned of. */
    @Test
    void context() throws IOException {
        var tiny = new TinyModel(false);
        for (var source : List.of(tiny.huggingFace(dir.resolve("tiny"), "F32", 1), tiny.llama2c(dir.resolve("llama2c")))) {
            var request = ConvertRequest.of(source, dir.resolve("x.s4j"), Recipes.named("f32"));
            int own = Converter.plan(request).architecture().context();
            for (int n : new int[] {1, own, own + 1, ConvertRequest.MAX_CONTEXT}) {
                var plan = Converter.plan(request.context(n));
                assertEquals(n, plan.architecture().context());
                assertEquals(n <= own ? List.of() : List.of("the source is made for " + own + " positions; beyond them, to the context of " + n
                        + ", expect worse text"), plan.warnings());
                assertEquals(plan.warnings(), Converter.convert(request.context(n).overwrite(true), ProgressListener.none()).warnings());
                try (var file = S4jFile.open(request.out())) {
                    assertEquals(plan.architecture(), file.manifest().architecture());
                }
            }
            assertThrows(IllegalArgumentException.class, () -> request.context(-1));
            assertThrows(IllegalArgumentException.class, () -> request.context(ConvertRequest.MAX_CONTEXT + 1));
        }
        var config = dir.resolve("tiny/config.json");
        Files.writeString(config, Files.readString(config).replaceFirst("\\{", "{\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2.0},"));
        assertEquals(List.of(), Converter.plan(ConvertRequest.of(dir.resolve("tiny"), dir.resolve("x.s4j"), Recipes.named("f32")).context(1000)).warnings(),
                "dynamic scaling is made for any");
    }

    /** The estimate grows with what takes memory. */
    @Test
    void memory() throws IOException {
        var source = new TinyModel(false).huggingFace(dir.resolve("tiny"), "F32", 1);
        var text = Files.writeString(dir.resolve("text.txt"), TinyModel.TEXT);
        var plain = ConvertRequest.of(source, dir.resolve("x.s4j"), Recipes.named("w4a4"));
        long without = Converter.plan(plain).memoryBytes();
        long with = Converter.plan(plain.calibration(text)).memoryBytes();
        var more = Recipes.change(Recipes.named("w4a4"), Map.of("calibrationSegments", 4));
        long fewer = Converter.plan(ConvertRequest.of(source, dir.resolve("x.s4j"), more).calibration(text)).memoryBytes();
        assertTrue(without < fewer && fewer < with, without + ", " + fewer + ", " + with);
    }
}
