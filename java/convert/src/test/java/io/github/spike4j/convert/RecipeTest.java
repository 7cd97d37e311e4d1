package io.github.spike4j.convert;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecipeTest {
    @TempDir
    Path dir;

    @Test
    void builtIn() {
        assertEquals(List.of("bf16", "f32", "w8a8", "w4a8", "w4a5", "w4a4", "w4a4-t2", "w4a4-t4", "w4a4-g64", "w4a4-t2-g128", "w2a8",
                "paper-w4a4-t2", "paper-w4a4-t4"), Recipes.names());
        var t4 = Recipes.named("w4a4-t4");
        assertEquals(List.of(4, 6, .05, .85), List.of(t4.activationBits(), t4.salientBits(), t4.salientShare(), t4.clip()));
        assertEquals(64, Recipes.named("w4a4-g64").actGroup());
        assertEquals(List.of(8, 8, 8), List.of(Recipes.named("w4a8").qBits(), Recipes.named("w4a8").kSalientBits(), Recipes.named("w4a8").vBits()));
        var paper = Recipes.named("paper-w4a4-t2");
        assertEquals(List.of("shared", "shared", "own", "paper", "1.0"), List.of(paper.ranges().toString(), paper.kRanges().toString(),
                paper.masks().toString(), paper.saliency().toString(), "" + paper.clip()));
        assertEquals(Recipe.Ranges.SEPARATE, Recipes.change(paper, Map.of("k", "frozen")).kRanges());
    }

    @Test
    void json() throws IOException {
        for (var name : Recipes.names()) {
            var file = dir.resolve(name + "-copy.json");
            Files.writeString(file, Recipes.toJson(Recipes.named(name)).toString());
            assertEquals(Recipes.named(name), Recipes.resolve(file.toString()));
        }
        var file = dir.resolve("mine.json");
        Files.writeString(file, "{\"base\": \"w4a4-t2\", \"clip\": 0.9, \"saliency\": \"random\", \"seed\": 5}");
        var mine = Recipes.load(file);
        Files.writeString(file, "{\"base\": \"w4a4-t2\", \"k\": \"frozen\"}");
        assertEquals(8, Recipes.load(file).qBits());
        Files.writeString(file, "{\"base\": \"w4a8\", \"activationBits\": 16, \"v\": \"frozen\"}");
        var wide = Recipes.load(file);
        assertEquals(List.of(4, 16, 8, 8, Recipe.KvMode.FROZEN), List.of(wide.weightBits(), wide.activationBits(), wide.qBits(), wide.vBits(), wide.v()));
        assertTrue(wide.needsCalibration());
        assertEquals("mine", mine.name());
        assertEquals(List.of(.9, 5L, Recipe.Saliency.RANDOM, 1), List.of(mine.clip(), mine.seed(), mine.saliency(), mine.addBits()));
    }

    @Test
    void changes() {
        var changes = new HashMap<String, Object>(Map.of("weightGroup", 128, "ranges", "shared", "k", "frozen"));
        changes.put("clip", null);
        var r = Recipes.change(Recipes.named("w4a4-t2"), changes);
        assertEquals(List.of(128, Recipe.Ranges.SHARED, 8, .85), List.of(r.weightGroup(), r.ranges(), r.qBits(), r.clip()));
        assertEquals(64, Recipes.change(r, Map.of("weightGroup", "64")).weightGroup());
    }

    @Test
    void oneMessageForWhatIsWrong() throws IOException {
        fails(() -> Recipes.named("w5a5"), "w5a5", "w4a4-t2");
        fails(() -> Recipes.load(dir.resolve("absent.json")), "absent.json", "no such file");
        var file = dir.resolve("bad.json");
        for (var e : Map.of("{", "not valid JSON", "[]", "not a JSON object", "{\"name\": \"x\"}", "is missing",
                "{\"base\": \"w4a4\", \"colour\": 1}", "colour", "{\"base\": \"w4a4\", \"clip\": 2}", "clip is 2.0",
                "{\"base\": \"w4a4\", \"ranges\": \"both\"}", "ranges", "{\"base\": \"w4a4\", \"actGroup\": 1.5}", "actGroup").entrySet()) {
            Files.writeString(file, e.getKey());
            fails(() -> Recipes.load(file), "bad", e.getValue());
        }
        for (var e : Map.of("\"ranges\": 1", "ranges is 1; it must be shared or separate", "\"seed\": 1.0", "seed is 1.0; it must be an integer",
                "\"addBits\": true", "addBits is true; it must be an integer", "\"clip\": \"much\"", "clip is much; it must be a number",
                "\"weightClipSearch\": \"yes\"", "weightClipSearch is yes; it must be true or false", "\"weightBits\": null",
                "weightBits is null; it must be an integer", "\"clip\": 1, \"clip\": 0.9", "Duplicate", "\"colour\": 1", "unknown field \"colour\"; there are name, ")
                .entrySet()) {
            Files.writeString(file, "{\"base\": \"w4a4\", " + e.getKey() + "}");
            fails(() -> Recipes.load(file), "bad.json", e.getValue());
        }
        Files.writeString(file, "{\"base\":\n  [1");
        var message = assertThrows(RecipeException.class, () -> Recipes.load(file)).getMessage();
        assertTrue(message.contains("(line 2, column 5)") && !message.contains("Source"), message);
        var t2 = Recipes.named("w4a4-t2");
        fails(() -> Recipes.change(t2, Map.of("weightGroup", 48, "actGroup", 64)), "weightGroup is 48");
        fails(() -> Recipes.change(t2, Map.of("actGroup", 8)), "actGroup is 8");
        fails(() -> Recipes.change(t2, Map.of("qBits", 4, "k", "frozen")), "qBits is 4");
        fails(() -> Recipes.change(t2, Map.of("addBits", 5)), "addBits is 5");
        fails(() -> Recipes.change(t2, Map.of("activationBits", 9)), "activationBits is 9", "16");
        fails(() -> Recipes.change(t2, Map.of("activationBits", 16)), "salientShare is 0.1");
        fails(() -> Recipes.change(t2, Map.of("kRanges", "shared", "k", "frozen")), "kRanges is shared");
        fails(() -> Recipes.change(t2, Map.of("activationBits", 8)), "addBits is 1");
        fails(() -> Recipes.change(t2, Map.of("ranges", "both")), "ranges is both; it must be shared or separate");
        fails(() -> Recipes.change(t2, Map.of("saliency", "best")), "saliency is best; it must be paper or max or gain or random");
        fails(() -> Recipes.change(Recipes.named("bf16"), Map.of("weightGroup", 64, "weightBits", 32)), "bf16 is dense", "weightGroup");
    }

    private static void fails(org.junit.jupiter.api.function.Executable call, String... words) {
        var message = assertThrows(RecipeException.class, call).getMessage();
        assertEquals(1, message.lines().count(), message);
        for (var w : words) {
            assertTrue(message.contains(w), "\"" + w + "\" is not in: " + message);
        }
    }
}
