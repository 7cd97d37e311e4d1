package io.github.spike4j.convert;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Stream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import io.github.spike4j.SpikeModel;
import io.github.spike4j.convert.importer.Checkpoint;
import io.github.spike4j.format.Layouts;
import io.github.spike4j.format.S4jFile;

class SyntheticModelTest {
    @TempDir
    Path dir;

    static Stream<Recipe> recipes() {
        return Stream.concat(Recipes.names().stream().map(Recipes::named), Stream.of(
                Recipes.change(Recipes.named("w4a8"), Map.of("name", "g", "weightGroup", 16, "actGroup", 32, "activationBits", 16, "k", "frozen", "v", "frozen"))));
    }

    @ParameterizedTest
    @MethodSource("recipes")
    void runs(Recipe recipe) throws IOException {
        // widths and rows that are no multiples of 16
        var shape = SyntheticModel.shape("90,154,2,9,3,301", 4096);
        var file = dir.resolve("a.s4j");
        new SyntheticModel(shape, recipe, 5).write(file, ProgressListener.none());
        new SyntheticModel(shape, recipe, 5).write(dir.resolve("b.s4j"), ProgressListener.none());
        assertEquals(-1, Files.mismatch(file, dir.resolve("b.s4j")));
        try (var m = SpikeModel.open(file); var session = m.newSession()) {
            session.append(m.encode("Any bytes: \u00e9\n"));
            for (float v : session.logits()) {
                assertTrue(Float.isFinite(v));
            }
        }
        try (var f = S4jFile.open(file)) {
            f.verify((name, bytes) -> { });
            for (var linear : f.manifest().linears().entrySet()) {
                pads(f, linear.getKey());
            }
        }
    }

    /** What lies between and behind the real elements is zero, and the sums are those of the codes. */
    private static void pads(S4jFile f, String name) {
        var linear = f.manifest().linears().get(name);
        var data = f.tensor(linear.weight());
        var encoding = f.info(linear.weight()).encoding();
        int rows = linear.rows();
        int k = linear.channels();
        if (encoding.isFloat()) {
            var values = new float[rows * k];
            for (int i = 0; i < values.length; i++) {
                values[i] = Layouts.floatAt(data, encoding, i / k, i % k, k);
                assertTrue(Math.abs(values[i]) > .01 && Math.abs(values[i]) < 1);
            }
            var again = java.lang.foreign.MemorySegment.ofArray(new byte[(int) data.byteSize()]);
            Layouts.packR16(values, 0, rows, rows, k, encoding, again);
            assertEquals(-1, again.mismatch(data), name);
            return;
        }
        int bits = encoding.bits();
        int[] segments = f.manifest().segmentsOf(linear);
        var codes = Layouts.unpackR16(data, rows, segments, bits);
        var again = java.lang.foreign.MemorySegment.ofArray(new byte[(int) data.byteSize()]);
        Layouts.packR16(codes, rows, segments, bits, again);
        assertEquals(-1, again.mismatch(data), name);
        if (linear.sum() == null) {
            return;
        }
        var group = f.manifest().inputGroups().get(linear.input());
        var sums = f.tensor(linear.sum()).toArray(ValueLayout.JAVA_INT_UNALIGNED);
        for (int r = 0; r < rows; r++) {
            int g = 0;
            int first = 0;
            for (var s : group.segments()) {
                int step = s.group() == 0 ? Math.max(1, s.channels()) : s.group();
                for (int at = 0; at < s.channels(); at += step, g++) {
                    int sum = 0;
                    for (int c = at; c < Math.min(s.channels(), at + step); c++) {
                        sum += (codes[r * k + first + c] & 0xff) - (1 << bits - 1);
                    }
                    assertEquals(sum, sums[(r / 16 * group.groups() + g) * 16 + r % 16], name);
                }
                first += s.channels();
            }
        }
    }

    @Test
    void shapes() {
        var tiny = SyntheticModel.shape("tinyllama-1.1b", 4096);
        assertEquals(1_100_048_384L, Checkpoint.parameters(tiny));
        assertEquals(6_738_415_616L, Checkpoint.parameters(SyntheticModel.shape("llama2-7b", 4096)));
        assertEquals(13_015_864_320L, Checkpoint.parameters(SyntheticModel.shape("llama2-13b", 4096)));
        assertEquals(68_976_648_192L, Checkpoint.parameters(SyntheticModel.shape("llama2-70b", 4096)));
        for (var bad : Arrays.asList("llama3", "1,2,3", "64,128,2,5,1,300", "64,128,2,4,3,300", "64,128,0,4,4,300", "a,b,c,d,e,f")) {
            var message = assertThrows(RecipeException.class, () -> SyntheticModel.shape(bad, 4096)).getMessage();
            assertTrue(message.contains(bad) && message.lines().count() == 1, message);
        }
    }
}
