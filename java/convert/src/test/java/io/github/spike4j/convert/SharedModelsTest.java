package io.github.spike4j.convert;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.github.spike4j.Sampling;
import io.github.spike4j.SpikeModel;
import io.github.spike4j.format.S4jFile;

/** The two real models. */
class SharedModelsTest {
    @TempDir
    Path dir;

    private Path convert(Path source, Recipe recipe) {
        var request = ConvertRequest.of(source, dir.resolve(recipe.name() + ".s4j"), recipe);
        return Converter.convert(recipe.usesCalibration() ? request.calibration(SharedData.path("text/calibration.txt")) : request,
                ProgressListener.none()).file();
    }

    @Test
    void stories() throws IOException {
        var golden = Files.readString(SharedData.path("models/stories260k/golden_greedy.txt")).strip();
        try (var model = SpikeModel.open(convert(SharedData.path("models/stories260k/stories260K.bin"), Recipes.named("f32")))) {
            var text = "Once upon a time" + model.generate("Once upon a time", 256);
            assertTrue(text.startsWith(golden), text);
        }
    }

    @Test
    void novelwiki() {
        var source = SharedData.path("models/novelwiki-29m");
        try (var model = SpikeModel.open(convert(source, Recipes.named("bf16"))); var session = model.newSession()) {
            session.append("The history of the city");
            // the model card's, after the prompt
            assertEquals(List.of(353, 367, 260, 1888, 281, 7514, 13, 430, 338, 353, 260, 1888, 281, 7514, 15, 381, 1448, 353, 260, 3966, 281, 262,
                    1448, 370, 5721, 283, 3403, 832, 13, 283, 262, 1448, 353, 260, 3966, 281, 262, 908, 370, 3403),
                    session.generate(Sampling.greedy(40)).result().join().ids());
        }
    }

    /** Spiking from the real calibration text; a small share of it, for time. */
    @Test
    void spikes() throws IOException {
        var recipe = Recipes.change(Recipes.named("w4a4-t2"), Map.of("calibrationSegments", 2, "calibrationLength", 256));
        var file = convert(SharedData.path("models/novelwiki-29m"), recipe);
        try (var f = S4jFile.open(file)) {
            f.verify((name, bytes) -> { });
            var groups = f.manifest().inputGroups();
            // trunc(0.9 * 512) and trunc(0.9 * 1536)
            assertEquals(List.of(460, 52), groups.get("layers.3.attn_in").segments().stream().map(s -> s.channels()).toList());
            assertEquals(List.of(1382, 154), groups.get("layers.3.ffn_hidden").segments().stream().map(s -> s.channels()).toList());
            assertEquals(.85f, groups.get("layers.3.ffn_in").clip().getFirst());
            assertEquals("2 x 256", f.manifest().provenance().get("calibrationTokens"));
        }
        assertTrue(Files.size(file) < 32_000_000);
        try (var model = SpikeModel.open(file)) {
            assertTrue(model.generate("The history of the city", 20).strip().length() > 20);
        }
    }
}
