package io.github.spike4j.convert;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.spike4j.SpikeModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.stream.Stream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What block 1 sees in calibration, against what the engine makes of the text in a file of block 0 alone, whose final norm is that of block
 * 1's input and whose head is the identity: its logits are that input, but for the head's 8 bits.
 */
class PaperStreamTest {
    private static final int SEGMENT = TinyModel.CONTEXT;

    @TempDir
    Path dir;

    private static final class Stopped extends Error {
        private static final long serialVersionUID = 1L;
    }

    static Stream<Recipe> recipes() {
        var t2 = Recipes.change(Recipes.named("w4a4-t2"), Map.of("saliency", "paper"));
        return Stream.of(Recipes.named("paper-w4a4-t2"), Recipes.named("paper-w4a4-t4"), t2,
                Recipes.change(t2, Map.of("name", "grouped", "weightGroup", 16, "actGroup", 32, "k", "frozen", "v", "frozen")));
    }

    @ParameterizedTest
    @MethodSource("recipes")
    void blocksSeeWhatQuantizedOnesMake(Recipe recipe) throws IOException {
        var seen = seenByTheEngine(recipe);
        var unquantized = new NaiveCalibration(new TinyModel(false), recipe, TinyModel.TEXT).layers.get(1).get("attn_in").meanSquare();
        var actual = calibrated(recipe);
        double apart = 0;
        for (int c = 0; c < actual.length; c++) {
            assertEquals(seen[c], actual[c], .01 * seen[c], "channel " + c);
            apart = Math.max(apart, Math.abs(unquantized[c] / actual[c] - 1));
        }
        assertTrue(apart > .1, "the unquantized model's input is " + apart + " apart");
    }

    /** Other masks are those of the unquantized model. */
    @Test
    void otherRecipesFollowTheUnquantizedModel() throws IOException {
        var recipe = Recipes.named("w4a4-t2");
        var expected = new NaiveCalibration(new TinyModel(false), recipe, TinyModel.TEXT).layers.get(1).get("attn_in").meanSquare();
        var actual = calibrated(recipe);
        for (int c = 0; c < actual.length; c++) {
            assertEquals(expected[c], actual[c], 1e-4 * expected[c], "channel " + c);
        }
    }

    private ConvertRequest request(Path source, String out, Recipe recipe) throws IOException {
        return ConvertRequest.of(source, dir.resolve(out), recipe).calibration(Files.writeString(dir.resolve("text.txt"), TinyModel.TEXT));
    }

    /** Mean squares of the input of block 1's q, k and v, from the work of a conversion that ended after it was calibrated. */
    private double[] calibrated(Recipe recipe) throws IOException {
        var request = request(new TinyModel(false).huggingFace(dir.resolve("two"), "F32", 1), "two.s4j", recipe);
        assertThrows(Stopped.class, () -> Converter.convert(request, (phase, _, _) -> {
            if (phase.startsWith("layers.1.attn_q")) {
                throw new Stopped();
            }
        }));
        var a = Converter.plan(request).architecture();
        var sites = new EnumMap<Site, SiteStats>(Site.class);
        for (var site : Site.values()) {
            sites.put(site, new SiteStats(recipe, site.channels(a), site.members().size()));
        }
        var saved = Files.readAllBytes(dir.resolve("two.s4j.work/state/layers.1.statistics"));
        StatsBytes.read(Arrays.copyOfRange(saved, 32, saved.length), new LayerStats(sites, new KvStats(a.kvHeads() * a.headDim())));
        return sites.get(Site.ATTENTION_IN).importance();
    }

    private double[] seenByTheEngine(Recipe recipe) throws IOException {
        var one = new TinyModel(false);
        one.weights.put("model.norm.weight", one.weights.get("model.layers.1.input_layernorm.weight"));
        one.weights.keySet().removeIf(name -> name.startsWith("model.layers.1."));
        var head = one.weights.get("lm_head.weight");
        Arrays.fill(head, 0);
        for (int c = 0; c < TinyModel.HIDDEN; c++) {
            head[c * TinyModel.HIDDEN + c] = 1;
        }
        var source = one.huggingFace(dir.resolve("one"), "F32", 1);
        var config = source.resolve("config.json");
        Files.writeString(config, Files.readString(config).replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1"));
        var request = request(source, "one.s4j", recipe);
        Converter.convert(request, ProgressListener.none());
        int[] ids = TinyModel.TEXT.chars().toArray();
        int count = Math.min(recipe.calibrationSegments(), ids.length / SEGMENT);
        var square = new double[TinyModel.HIDDEN];
        try (var model = SpikeModel.open(request.out())) {
            for (int s = 0; s < count; s++) {
                int start = s * (ids.length - SEGMENT) / (count - 1);
                try (var session = model.newSession()) {
                    session.evaluate(Arrays.copyOfRange(ids, start, start + SEGMENT), (_, logits) -> {
                        for (int c = 0; c < square.length; c++) {
                            square[c] += (double) logits[c] * logits[c] / (count * SEGMENT);
                        }
                    });
                }
            }
        }
        return square;
    }
}
