package io.github.spike4j.convert;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

import io.github.spike4j.SpikeModel;
import io.github.spike4j.format.Encoding;
import io.github.spike4j.format.Layout;
import io.github.spike4j.format.Layouts;
import io.github.spike4j.format.S4jFile;

/** Whole conversions of a small random model. */
class ConvertTest {
    @TempDir
    Path dir;
    private Path source;
    private Path text;
    private TinyModel model;

    @BeforeEach
    void write() throws IOException {
        model = new TinyModel(false);
        source = model.huggingFace(dir.resolve("tiny"), "F32", 2);
        text = dir.resolve("text.txt");
        Files.writeString(text, TinyModel.TEXT);
    }

    private Path convert(String name, Recipe recipe, int threads) {
        var out = dir.resolve(name + ".s4j");
        var request = ConvertRequest.of(source, out, recipe).threads(threads).overwrite(true);
        var report = Converter.convert(recipe.usesCalibration() ? request.calibration(text) : request, ProgressListener.none());
        assertEquals(out, report.file());
        return out;
    }

    static Stream<Recipe> recipes() {
        var t2 = Recipes.named("w4a4-t2");
        return Stream.concat(Recipes.names().stream().map(Recipes::named), Stream.of(
                Recipes.change(t2, Map.of("name", "own", "masks", "own", "saliency", "gain")),
                Recipes.change(t2, Map.of("name", "frozen", "k", "frozen", "weightGroup", 16, "actGroup", 32)),
                Recipes.change(t2, Map.of("name", "random", "saliency", "random", "seed", 3, "ranges", "shared")),
                Recipes.change(t2, Map.of("name", "all", "salientShare", 1, "kvSalientShare", 1)),
                Recipes.change(Recipes.named("w4a8"), Map.of("name", "w4a16", "activationBits", 16, "v", "frozen")),
                Recipes.change(Recipes.named("w4a8"), Map.of("name", "w4a16-g32", "activationBits", 16, "weightGroup", 32, "actGroup", 16))));
    }

    @ParameterizedTest
    @MethodSource("recipes")
    void sameBytesForAnyThreads(Recipe recipe) throws IOException {
        var one = convert("one", recipe, 1);
        var three = convert("three", recipe, 3);
        assertEquals(-1, Files.mismatch(one, three));
        try (var file = S4jFile.open(one)) {
            file.verify((name, bytes) -> { });
            assertEquals(recipe.name(), file.manifest().recipe().get("name"));
        }
        try (var files = Files.list(dir)) {
            assertEquals(List.of("one.s4j", "text.txt", "three.s4j", "tiny"), files.map(p -> p.getFileName().toString()).sorted().toList());
        }
    }

    /** Whatever is permuted, folded, grouped or split: with many bits the logits stay those of the float model. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void logitsSurvive(boolean biased) throws IOException {
        new TinyModel(false, biased).huggingFace(source, "F32", 2);
        var reference = logits(convert("f32", Recipes.named("f32"), 2));
        var fine = Recipes.change(Recipes.named("w8a8"), Map.of("activationBits", 7, "addBits", 1, "salientShare", .2, "kvSalientShare", .3,
                "kBits", 7, "vBits", 7));
        for (var recipe : List.of(Recipes.named("w8a8"), fine, Recipes.change(fine, Map.of("masks", "own", "saliency", "paper")),
                Recipes.change(fine, Map.of("ranges", "shared", "saliency", "gain")), Recipes.change(fine, Map.of("k", "frozen", "saliency", "random")),
                Recipes.change(fine, Map.of("weightGroup", 16)), Recipes.change(fine, Map.of("actGroup", 16, "weightGroup", 32)),
                Recipes.change(fine, Map.of("v", "frozen", "kRanges", "shared")), Recipes.change(Recipes.named("w8a8"), Map.of("activationBits", 16)),
                Recipes.change(Recipes.named("w8a8"), Map.of("activationBits", 16, "weightGroup", 16, "actGroup", 64, "k", "frozen")))) {
            var actual = logits(convert("fine", recipe, 2));
            double error = 0;
            double size = 0;
            for (int i = 0; i < actual.length; i++) {
                error += Math.pow(actual[i] - reference[i], 2);
                size += Math.pow(reference[i], 2);
            }
            // a wrong order of channels gives 1 and more
            assertTrue(Math.sqrt(error / size) < .2, recipe + ": relative error " + Math.sqrt(error / size));
        }
    }

    private static float[] logits(Path file) {
        try (var m = SpikeModel.open(file); var session = m.newSession()) {
            session.append('T', 'h', 'e', ' ', 'q', 'u', 'i', 'c', 'k', ' ');
            return session.logits();
        }
    }

    @Test
    void floatsAreTheSource() throws IOException {
        try (var file = S4jFile.open(convert("f32", Recipes.named("f32"), 2))) {
            var down = file.tensor("layers.1.ffn_down.weight");
            var expected = model.weights.get("model.layers.1.mlp.down_proj.weight");
            for (int r = 0; r < TinyModel.HIDDEN; r++) {
                for (int c = 0; c < TinyModel.INNER; c++) {
                    assertEquals(expected[r * TinyModel.INNER + c], Layouts.floatAt(down, Encoding.F32, r, c, TinyModel.INNER));
                }
            }
            var qkv = file.tensor("layers.0.attn_qkv.weight");
            var k = model.weights.get("model.layers.0.self_attn.k_proj.weight");
            assertEquals(k[5 * TinyModel.HIDDEN + 9], Layouts.floatAt(qkv, Encoding.F32, TinyModel.HEADS * TinyModel.D + 5, 9, TinyModel.HIDDEN));
            assertArrayEquals(model.weights.get("model.embed_tokens.weight"), file.tensor("embedding").toArray(ValueLayout.JAVA_FLOAT_UNALIGNED));
        }
    }

    /** Masks, permutations, codes and scales of a file against the oracle on the source's weights. */
    @ParameterizedTest
    @MethodSource("recipes")
    void codesAreTheOracles(Recipe recipe) throws IOException {
        assumeTrue(recipe.compute() == Recipe.Compute.SPIKING && recipe.weightGroup() == 0 && recipe.saliency() != Recipe.Saliency.RANDOM);
        boolean own = recipe.masks() == Recipe.Masks.OWN && recipe.salientShare() > 0;
        var naive = new NaiveCalibration(model, recipe, TinyModel.TEXT);
        try (var file = S4jFile.open(convert("x", recipe, 2))) {
            // later blocks have other inputs with the paper's saliency: see PaperStreamTest
            for (int layer = 0; layer < (recipe.saliency() == Recipe.Saliency.PAPER ? 1 : TinyModel.LAYERS); layer++) {
                var prefix = "layers." + layer + ".";
                var sites = naive.layers.get(layer);
                var hidden = order(mask(recipe, sites.get("ffn_hidden"), -1));
                check(file, recipe, "attn_out", prefix + "attn_o", -1, sites, null);
                check(file, recipe, "ffn_hidden", prefix + "ffn_down", -1, sites, null);
                for (int member = own ? 0 : -1; member < (own ? 3 : 0); member++) {
                    check(file, recipe, "attn_in", prefix + "attn_" + List.of("qkv", "q", "k", "v").get(member + 1), member, sites, null);
                }
                for (int member = own ? 0 : -1; member < (own ? 2 : 0); member++) {
                    check(file, recipe, "ffn_in", prefix + "ffn_" + List.of("gate_up", "gate", "up").get(member + 1), member, sites, hidden);
                }
            }
        }
    }

    private static boolean[] mask(Recipe recipe, NaiveCalibration.Site site, int member) {
        if (recipe.salientShare() == 0) {
            return new boolean[site.inputs().getFirst().length];
        }
        return Oracle.mask(member < 0 ? site.shared(recipe) : site.score(recipe, member), recipe.salientShare());
    }

    private static int[] order(boolean[] mask) {
        return IntStream.concat(IntStream.range(0, mask.length).filter(c -> !mask[c]), IntStream.range(0, mask.length).filter(c -> mask[c])).toArray();
    }

    /** @param hidden permutation of the rows of gate and up, or null */
    private static void check(S4jFile file, Recipe recipe, String siteName, String name, int member,
            Map<String, NaiveCalibration.Site> sites, int[] hidden) {
        var site = sites.get(siteName);
        var mask = mask(recipe, site, member);
        var permutation = order(mask);
        var linear = file.manifest().linears().get(name);
        var group = file.manifest().inputGroups().get(linear.input());
        assertEquals((int) IntStream.range(0, mask.length).filter(c -> !mask[c]).count(), group.segments().getFirst().channels(), name);
        if (siteName.equals("ffn_hidden")) {
            assertNull(group.permutation());
        } else {
            assertArrayEquals(permutation, group.permutation() == null ? IntStream.range(0, permutation.length).toArray()
                    : ints(file, group.permutation()), name);
        }
        var rows = new ArrayList<double[]>();
        for (var w : member < 0 ? site.weights() : site.weights().subList(member, member + 1)) {
            for (int r = 0; r < w.length; r++) {
                rows.add(w[hidden == null ? r : hidden[r]]);
            }
        }
        assertEquals(rows.size(), linear.rows());
        var scale = file.tensor(linear.scale()).toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
        var zero = file.tensor(linear.zero()).toArray(ValueLayout.JAVA_BYTE);
        var square = site.meanSquare();
        var h = Arrays.stream(permutation).mapToDouble(c -> square[c]).toArray();
        for (int r = 0; r < rows.size(); r++) {
            var row = new float[permutation.length];
            for (int c = 0; c < row.length; c++) {
                row[c] = (float) rows.get(r)[permutation[c]];
            }
            var expected = Oracle.clipped(row, h, recipe.weightBits());
            assertEquals(expected.scale(), scale[r], name + " row " + r);
            assertEquals(expected.zero(), zero[r] & 0xff, name + " row " + r);
            for (int c = 0; c < row.length; c++) {
                assertEquals(expected.codes()[c], Layouts.codeAt(file.tensor(linear.weight()), Layout.R16,
                        Encoding.ofCodes(recipe.weightBits()).bits(), linear.rows(), group.segmentChannels(), r, c), name + " row " + r);
            }
        }
    }

    private static int[] ints(S4jFile file, String name) {
        return file.tensor(name).toArray(ValueLayout.JAVA_INT_UNALIGNED);
    }

    @Test
    void frozenRanges() throws IOException {
        var recipe = Recipes.change(Recipes.named("w4a4-t2"), Map.of("k", "frozen", "v", "frozen"));
        var stats = new NaiveCalibration(model, recipe, TinyModel.TEXT);
        try (var file = S4jFile.open(convert("x", recipe, 2))) {
            assertEquals(List.of("frozen", "frozen"), List.of(file.manifest().attention().kMode(), file.manifest().attention().vMode()));
            for (int layer = 0; layer < TinyModel.LAYERS; layer++) {
                var at = file.manifest().attention().layers().get(layer);
                frozen(file, at.kPermutation(), at.kScale(), at.kZero(), at.kSalient(), stats.keys.get(layer));
                frozen(file, at.vPermutation(), at.vScale(), at.vZero(), at.vSalient(), stats.values.get(layer));
            }
        }
    }

    private static void frozen(S4jFile file, String order, String scales, String zeros, int[] salientChannels, NaiveCalibration.Range range) {
        var permutation = ints(file, order);
        var scale = file.tensor(scales).toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
        var zero = file.tensor(zeros).toArray(ValueLayout.JAVA_BYTE);
        var mask = Oracle.mask(range.max(), .1);
        for (int i = 0; i < scale.length; i++) {
            int head = i / TinyModel.D;
            int source = head * TinyModel.D + permutation[i];
            boolean salient = i % TinyModel.D >= TinyModel.D - salientChannels[head];
            assertEquals(mask[source], salient);
            int levels = salient ? 31 : 15;
            double expected = Math.max((range.high()[source] - range.low()[source]) / levels, 1e-5);
            assertEquals(expected, scale[i], 1e-5 * expected);
            assertEquals(Math.rint(-range.low()[source] / expected), zero[i], 0);
        }
    }

    @Test
    void thePaperHasOneRangeOfK() throws IOException {
        try (var file = S4jFile.open(convert("x", Recipes.named("paper-w4a4-t2"), 2))) {
            assertEquals("shared", file.manifest().attention().kRanges());
        }
        try (var file = S4jFile.open(convert("y", Recipes.named("w4a4-t2"), 2))) {
            assertEquals("separate", file.manifest().attention().kRanges());
        }
    }

    @Test
    void seedsDraw() throws IOException {
        var random = Recipes.change(Recipes.named("w4a4-t2"), Map.of("saliency", "random"));
        var a = convert("a", random, 2);
        var b = convert("b", Recipes.change(random, Map.of("seed", 1)), 2);
        try (var x = S4jFile.open(a); var y = S4jFile.open(b)) {
            assertFalse(Arrays.equals(ints(x, "layers.0.attn_in.permutation"), ints(y, "layers.0.attn_in.permutation")));
        }
        assertNotEquals(-1, Files.mismatch(a, b));
    }

    @Test
    void calibrationIsAskedFor() throws IOException {
        var out = dir.resolve("x.s4j");
        var t2 = ConvertRequest.of(source, out, Recipes.named("w4a4-t2"));
        assertTrue(assertThrows(RecipeException.class, () -> Converter.convert(t2, ProgressListener.none())).getMessage().contains("--calibration"));
        Files.writeString(text, "short");
        fails(t2.calibration(text), "5 tokens", "at least 16");
        Files.write(text, new byte[] {(byte) 0xff, (byte) 0xfe});
        fails(t2.calibration(text), "not UTF-8");
        fails(t2.calibration(dir.resolve("absent")), "absent", "no such file");
        Files.writeString(text, "A hundred tokens of text are one segment of sixty-four, the model's context, and the rest is left.");
        assertEquals(List.of("the calibration text holds 1 of 16 segments of 64 tokens"),
                Converter.convert(t2.calibration(text), ProgressListener.none()).warnings());
        fails(t2.calibration(text), "exists already");
        fails(ConvertRequest.of(source, dir, Recipes.named("w4a4")).overwrite(true), "a folder");
        Files.delete(out);
        var plain = Converter.convert(ConvertRequest.of(source, out, Recipes.named("w4a4")), ProgressListener.none());
        assertEquals(1, plain.warnings().size());
        assertTrue(plain.warnings().getFirst().contains("--calibration"));
        assertTrue(plain.parameters() > 30000);
    }

    @Test
    void itsOwnInputIsNotReplaced() throws IOException {
        var config = source.resolve("config.json");
        var before = Files.readString(config);
        fails(ConvertRequest.of(source, config, Recipes.named("w4a4")).overwrite(true), "may read this file");
        fails(ConvertRequest.of(source, text, Recipes.named("w4a4")).calibration(text).overwrite(true), "may read this file");
        assertEquals(List.of(config + ": the conversion may read this file; choose another name for what it writes"),
                Converter.plan(ConvertRequest.of(source, config, Recipes.named("w4a4")).overwrite(true)).problems());
        assertEquals(before, Files.readString(config));
        var out = Files.writeString(source.resolve("old.s4j"), "old");
        Converter.convert(ConvertRequest.of(source, out, Recipes.named("w4a4")).overwrite(true), ProgressListener.none());
    }

    /** As root a rename would put the file in place of /dev/null, for the whole machine. */
    @Test
    void noDeviceOrPipeIsReplaced() throws IOException, InterruptedException {
        var pipe = dir.resolve("pipe");
        assumeTrue(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor() == 0, "no mkfifo here");
        var request = ConvertRequest.of(source, pipe, Recipes.named("w4a4")).overwrite(true);
        fails(request, "pipe: no regular file, and not to be replaced by one");
        assertEquals(List.of(pipe + ": no regular file, and not to be replaced by one; choose another name"), Converter.plan(request).problems());
        assertTrue(Files.readAttributes(pipe, BasicFileAttributes.class).isOther());
        var blocked = dir.resolve("y.s4j");
        Files.writeString(dir.resolve("y.s4j.work"), "");
        fails(ConvertRequest.of(source, blocked, Recipes.named("w4a4")), "y.s4j: cannot be written: ", "y.s4j.work exists already");
    }

    @Test
    void aFailureLeavesNothing() throws IOException {
        Arrays.fill(model.weights.get("model.layers.1.mlp.down_proj.weight"), 3, 4, Float.POSITIVE_INFINITY);
        model.huggingFace(source, "F32", 2);
        fails(ConvertRequest.of(source, dir.resolve("x.s4j"), Recipes.named("w4a4")), "not finite", "ffn_down");
        try (var files = Files.list(dir)) {
            assertEquals(List.of("text.txt", "tiny"), files.map(p -> p.getFileName().toString()).sorted().toList());
        }
    }

    /** A reader refuses such floats, so no recipe writes them; the largest of binary32 are infinite in bfloat16. */
    @ParameterizedTest
    @ValueSource(strings = {"model.layers.1.mlp.down_proj.weight", "model.embed_tokens.weight", "model.layers.0.input_layernorm.weight"})
    void notFinite(String weight) throws IOException {
        for (float value : new float[] {Float.NaN, Float.NEGATIVE_INFINITY}) {
            model.weights.get(weight)[5] = value;
            model.huggingFace(source, "F32", 2);
            for (var recipe : List.of("f32", "bf16", "w4a4")) {
                fails(ConvertRequest.of(source, dir.resolve("x.s4j"), Recipes.named(recipe)), "not finite");
            }
        }
        model.weights.get(weight)[5] = Float.MAX_VALUE;
        model.huggingFace(source, "F32", 2);
        if (!weight.endsWith("norm.weight")) {
            fails(ConvertRequest.of(source, dir.resolve("x.s4j"), Recipes.named("bf16")), "not finite");
        }
        convert("large", Recipes.named("f32"), 1);
    }

    @Test
    void aFailureDeletesOnlyWhatItWrote() throws IOException {
        Arrays.fill(model.weights.get("model.layers.1.mlp.down_proj.weight"), 3, 4, Float.POSITIVE_INFINITY);
        model.huggingFace(source, "F32", 2);
        var blocks = Files.createDirectories(dir.resolve("x.s4j.work/blocks"));
        Files.writeString(dir.resolve("x.s4j.work/notes"), "mine");
        Files.writeString(blocks.resolve("7th"), "mine too");
        fails(ConvertRequest.of(source, dir.resolve("x.s4j"), Recipes.named("w4a4")), "not finite");
        try (var files = Files.walk(dir.resolve("x.s4j.work"))) {
            assertEquals(List.of("7th", "blocks", "notes", "x.s4j.work"), files.map(p -> p.getFileName().toString()).sorted().toList());
        }
    }

    @Test
    void theLicenseIsThatOfTheModelCardOrOfTheRequest() throws IOException {
        var request = ConvertRequest.of(source, dir.resolve("x.s4j"), Recipes.named("bf16")).overwrite(true);
        assertEquals(null, license(request));
        Files.writeString(source.resolve("MODEL_CARD.md"), "---\nlanguage: en\nlicense: mit\n---\n# Model\n");
        assertEquals("mit", license(request));
        Files.writeString(source.resolve("README.md"), "---\r\nlicense: \"apache-2.0\"\r\n---\r\n");
        assertEquals("apache-2.0", license(request));
        assertEquals("LicenseRef-mine", license(request.license("LicenseRef-mine")));
        Files.writeString(source.resolve("README.md"), "# Model\nlicense: gpl\n");
        assertEquals("mit", license(request));
    }

    private static String license(ConvertRequest request) throws IOException {
        Converter.convert(request, ProgressListener.none());
        try (var file = S4jFile.open(request.out())) {
            return file.manifest().license();
        }
    }

    private static void fails(ConvertRequest request, String... words) {
        var message = assertThrows(ConversionException.class, () -> Converter.convert(request, ProgressListener.none())).getMessage();
        assertEquals(1, message.lines().count(), message);
        for (var w : words) {
            assertTrue(message.contains(w), "\"" + w + "\" is not in: " + message);
        }
    }
}
