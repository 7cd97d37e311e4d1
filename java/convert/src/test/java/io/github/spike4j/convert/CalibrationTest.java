package io.github.spike4j.convert;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.spike4j.convert.importer.Checkpoint;
import io.github.spike4j.convert.importer.Checkpoint.Weight;
import io.github.spike4j.convert.importer.Matrix;
import io.github.spike4j.convert.importer.NaiveModel;
import io.github.spike4j.format.Architecture;
import io.github.spike4j.format.Rope;
import io.github.spike4j.format.S4jWriter;
import io.github.spike4j.format.TokenizerInfo;
import io.github.spike4j.kernels.Kernels;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Calibration of an architecture with every feature: the mean squares of what enters each linear are those of a plain forward pass. */
class CalibrationTest {
    private static final int LENGTH = 48;

    @TempDir
    private Path dir;

    /** The tiny model, with everything that a LLaMA-like architecture can have. */
    private record Featured(Checkpoint source, Architecture architecture, Map<Weight, Matrix> norms) implements Checkpoint {
        static Featured of(Checkpoint source) {
            var a = source.architecture();
            var other = new Rope(List.of(1.0, 3.0, 0.0, 40.0, 0.0), 1.3);
            var architecture = a.withActivation("gelu_tanh", 2.5f).withScores(.4f, 3, 5).withNorms(true, true)
                    .withRopes(List.of(a.ropes().getFirst(), other), List.of(1, -1)).withWindows(List.of(7, 0));
            var norms = new EnumMap<Weight, Matrix>(Weight.class);
            var random = new Random(5);
            for (var w : List.of(Weight.Q_NORM, Weight.K_NORM, Weight.ATTENTION_POST_NORM, Weight.FFN_POST_NORM)) {
                int n = Checkpoint.shape(a, w)[1];
                var values = new float[n];
                for (int i = 0; i < n; i++) {
                    values[i] = random.nextFloat(.3f, 1.7f);
                }
                norms.put(w, vector(values));
            }
            return new Featured(source, architecture, norms);
        }

        private static Matrix vector(float[] values) {
            return new Matrix() {
                @Override
                public int rows() {
                    return 1;
                }

                @Override
                public int columns() {
                    return values.length;
                }

                @Override
                public void read(int row, float[] to, int at) {
                    System.arraycopy(values, 0, to, at, values.length);
                }
            };
        }

        @Override
        public Matrix weight(Weight weight, int layer) {
            return norms.containsKey(weight) ? norms.get(weight) : source.weight(weight, layer);
        }

        @Override
        public byte[] tokenizerJson() {
            return source.tokenizerJson();
        }

        @Override
        public TokenizerInfo tokenizer() {
            return source.tokenizer();
        }

        @Override
        public Map<String, String> provenance() {
            return source.provenance();
        }

        @Override
        public void close() {
            source.close();
        }
    }

    @ParameterizedTest
    @EnumSource(Recipe.Saliency.class)
    void followsEveryFeature(Recipe.Saliency saliency) throws IOException {
        int[] ids = new Random(9).ints(2 * LENGTH, 0, 256).toArray();
        int[] starts = {0, LENGTH};
        var recipe = Recipes.change(Recipes.named("w4a4-t2"), Map.of("saliency", saliency.toString()));
        try (var source = Featured.of(Checkpoint.open(new TinyModel(false, true).huggingFace(dir, "F32", 1)));
                var workers = new Workers(2);
                var work = S4jWriter.create(dir.resolve("x.s4j"));
                var calibration = new Calibration(source, recipe, ids, starts, LENGTH, Kernels.of("auto"), workers, work, null)) {
            var expected = new double[TinyModel.LAYERS][Site.values().length][];
            var naive = new NaiveModel(source, (linear, layer, x) -> {
                for (var site : Site.values()) {
                    if (site.members().getFirst() == linear) {
                        var sum = expected[layer][site.ordinal()];
                        sum = sum == null ? new double[x.length] : sum;
                        for (int c = 0; c < x.length; c++) {
                            sum[c] += x[c] * x[c] / ids.length;
                        }
                        expected[layer][site.ordinal()] = sum;
                    }
                }
            });
            for (int start : starts) {
                naive.logits(java.util.Arrays.copyOfRange(ids, start, start + LENGTH));
            }
            for (int layer = 0; layer < TinyModel.LAYERS; layer++) {
                var stats = calibration.layer(layer, _ -> { });
                for (var site : Site.values()) {
                    var actual = stats.sites().get(site).importance();
                    for (int c = 0; c < actual.length; c++) {
                        double e = expected[layer][site.ordinal()][c];
                        assertEquals(e, actual[c], 2e-5 * e, "layer " + layer + ", " + site + ", channel " + c);
                    }
                }
            }
        }
    }
}
