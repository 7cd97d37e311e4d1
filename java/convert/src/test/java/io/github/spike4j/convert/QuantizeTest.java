package io.github.spike4j.convert;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Random;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import io.github.spike4j.convert.importer.Matrix;
import io.github.spike4j.format.Encoding;
import io.github.spike4j.format.Layout;
import io.github.spike4j.format.Layouts;
import io.github.spike4j.format.Segment;

class QuantizeTest {
    private record Values(int rows, int columns, float[] data) implements Matrix {
        @Override
        public void read(int r, float[] out, int at) {
            System.arraycopy(data, r * columns, out, at, columns);
        }
    }

    private static Values random(Random random, int rows, int columns) {
        var data = new float[rows * columns];
        for (int i = 0; i < data.length; i++) {
            data[i] = (float) (random.nextGaussian() * (i % 23 == 5 ? 4 : 1) * (i / columns == 2 ? 1e-7 : 1));
        }
        // one-sided, all zero, constant
        for (int c = 0; c < columns && rows > 5; c++) {
            data[3 * columns + c] = Math.abs(data[3 * columns + c]);
            data[4 * columns + c] = 0;
            data[5 * columns + c] = -.25f;
        }
        return new Values(rows, columns, data);
    }

    @ParameterizedTest
    @CsvSource({"2,8,19", "4,4,19", "4,8,33", "8,8,16", "4,5,1"})
    void rows(int bits, int activationBits, int rows) {
        var random = new Random(bits * 100 + activationBits);
        int k = 70;
        var w = random(random, rows, k);
        var channels = Channels.of(random.doubles(k).toArray(), .2);
        var h = random.doubles(k).toArray();
        var segments = new Segment[] {new Segment(channels.ordinary(), activationBits, 0, 0, 1, 0),
            new Segment(channels.salient(), Math.min(8, activationBits + 1), 1, 0, 1, 0)};
        int[] sizes = {channels.ordinary(), channels.salient()};
        try (var workers = new Workers(2); var arena = Arena.ofShared()) {
            var q = SpikeLinear.quantize("x", w, channels, segments, new SpikeLinear.Weights(bits, 0, true, false), channels.permute(h), workers, arena);
            assertEquals(1, q.weightGroups());
            assertNull(q.mult());
            assertEquals(activationBits + 1 < 8, q.sum() == null);
            var worst = new long[2];
            for (int r = 0; r < rows; r++) {
                var row = permuted(w, r, channels);
                var expected = Oracle.clipped(row, channels.permute(h), bits);
                assertEquals(expected.scale(), q.scale()[r]);
                assertEquals(expected.zero(), q.zero()[r] & 0xff);
                assertArrayEquals(expected.codes(), codes(q, bits, rows, sizes, r, k));
                int first = 0;
                for (int s = 0; s < 2; s++) {
                    var d = Arrays.stream(expected.codes(), first, first + sizes[s]).map(c -> c - expected.zero()).toArray();
                    if (q.sum() != null) {
                        assertEquals(Arrays.stream(d).sum(), q.sum()[(r / 16 * 2 + s) * 16 + r % 16]);
                    }
                    worst[s] = Math.max(worst[s], Math.max(Arrays.stream(d).filter(v -> v > 0).sum(), -Arrays.stream(d).filter(v -> v < 0).sum()));
                    first += sizes[s];
                }
            }
            assertArrayEquals(worst, q.worst());
            for (int pad = rows; pad < Layouts.pad(rows, 16); pad++) {
                assertEquals(0, q.scale()[pad]);
                assertEquals(0, q.zero()[pad]);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"4,32,0", "4,16,32", "8,32,16", "2,64,64"})
    void groups(int bits, int weightGroup, int actGroup) {
        var random = new Random(weightGroup + actGroup);
        int k = 150;
        int rows = 21;
        var w = random(random, rows, k);
        var channels = Channels.of(random.doubles(k).toArray(), .3);
        var h = channels.permute(random.doubles(k).toArray());
        int[] sizes = {channels.ordinary(), channels.salient()};
        int group = actGroup == 0 ? weightGroup : Math.min(weightGroup, actGroup);
        var segments = new Segment[] {new Segment(sizes[0], 4, 0, actGroup, 1, group), new Segment(sizes[1], 5, 1, actGroup, 1, group)};
        int g = segments[0].groups() + segments[1].groups();
        try (var workers = new Workers(1); var arena = Arena.ofShared()) {
            var q = SpikeLinear.quantize("x", w, channels, segments, new SpikeLinear.Weights(bits, weightGroup, true, false), h, workers, arena);
            assertEquals(g, q.weightGroups());
            for (int r = 0; r < rows; r++) {
                var row = permuted(w, r, channels);
                var parts = new ArrayList<float[]>();
                var weights = new ArrayList<double[]>();
                var starts = new ArrayList<Integer>();
                for (int s = 0, first = 0; s < 2; first += sizes[s++]) {
                    for (int at = first; at < first + sizes[s]; at += weightGroup) {
                        int end = Math.min(first + sizes[s], at + weightGroup);
                        parts.add(Arrays.copyOfRange(row, at, end));
                        weights.add(Arrays.copyOfRange(h, at, end));
                        starts.add(at);
                    }
                }
                var expected = Oracle.grouped(parts, weights, bits, 63);
                assertEquals(expected.base(), q.scale()[r]);
                var codes = codes(q, bits, rows, sizes, r, k);
                int fine = 0;
                for (int i = 0; i < parts.size(); i++) {
                    assertArrayEquals(expected.groups().get(i).codes(), Arrays.copyOfRange(codes, starts.get(i), starts.get(i) + parts.get(i).length));
                    for (int sub = 0; sub < parts.get(i).length; sub += group, fine++) {
                        int at = (r / 16 * g + fine) * 16 + r % 16;
                        assertEquals(expected.mult().get(i), q.mult()[at] & 0xff);
                        assertEquals(expected.groups().get(i).zero(), q.zero()[at] & 0xff);
                    }
                }
                assertEquals(g, fine);
            }
        }
    }

    @Test
    void head() {
        var w = random(new Random(3), 20, 33);
        var segments = new Segment[] {new Segment(33, 8, 0, 0, 1, 0)};
        try (var workers = new Workers(1); var arena = Arena.ofShared()) {
            var q = SpikeLinear.quantize("x", w, Channels.plain(33), segments, new SpikeLinear.Weights(8, 0, false, true), new double[33], workers, arena);
            for (int r = 0; r < 20; r++) {
                var row = permuted(w, r, Channels.plain(33));
                float s = Math.min(Math.max(Math.max(Oracle.high(row), -Oracle.low(row)) / 127, 1e-5f), 1e4f);
                assertEquals(s, q.scale()[r]);
                assertEquals(128, q.zero()[r] & 0xff);
                var codes = codes(q, 8, 20, new int[] {33}, r, 33);
                for (int c = 0; c < 33; c++) {
                    assertEquals((int) Math.rint((double) (row[c] / s)) + 128, codes[c]);
                }
            }
        }
    }

    @Test
    void limits() {
        assertEquals(255, SpikeLinear.maxMultiplier(4, 0));
        assertEquals(255, SpikeLinear.maxMultiplier(4, 1));
        assertEquals(17, SpikeLinear.maxMultiplier(4, Integer.MAX_VALUE / 15 / 17));
        assertEquals(1, SpikeLinear.maxMultiplier(8, Integer.MAX_VALUE / 255));
        assertEquals(0, SpikeLinear.maxMultiplier(8, Integer.MAX_VALUE / 255 + 1));
        assertEquals(255, SpikeLinear.maxMultiplier(16, Integer.MAX_VALUE));
        // one group of 40000 weights of 8 bits on one side: mw up to 15 would fit 8-bit activations only with 8421504 / (40000 * 255)
        int k = 32000;
        var data = new float[k];
        Arrays.fill(data, 1);
        data[0] = .01f;
        var plain = new Segment[] {new Segment(k, 8, 0, 0, 1, 0)};
        var grouped = new Segment[] {new Segment(k, 8, 0, 0, 1, 16000)};
        try (var workers = new Workers(1); var arena = Arena.ofShared()) {
            var w = new Values(1, k, data);
            var h = new double[k];
            var fits = SpikeLinear.quantize("x", w, Channels.plain(k), plain, new SpikeLinear.Weights(8, 0, false, false), h, workers, arena);
            assertEquals(1, SpikeLinear.maxMultiplier(8, fits.worst()[0]));
            var lowered = SpikeLinear.quantize("x", w, Channels.plain(k), grouped, new SpikeLinear.Weights(8, 16000, false, false), h, workers, arena);
            assertEquals(1, lowered.mult()[0]);
            assertTrue(SpikeLinear.maxMultiplier(8, lowered.worst()[0]) >= 1);
            var tooMany = new float[34000];
            Arrays.fill(tooMany, 1);
            var segments = new Segment[] {new Segment(34000, 8, 0, 0, 1, 0)};
            assertThrows(ConversionException.class, () -> SpikeLinear.quantize("layer x", new Values(1, 34000, tooMany), Channels.plain(34000), segments,
                    new SpikeLinear.Weights(8, 0, false, false), new double[34000], workers, arena));
        }
    }

    @Test
    void notFinite() {
        var w = new Values(1, 2, new float[] {1, Float.NaN});
        var segments = new Segment[] {new Segment(2, 4, 0, 0, 1, 0)};
        try (var workers = new Workers(1); var arena = Arena.ofShared()) {
            var message = assertThrows(ConversionException.class, () -> SpikeLinear.quantize("x", w, Channels.plain(2), segments,
                    new SpikeLinear.Weights(4, 0, true, false), new double[2], workers, arena)).getMessage();
            assertTrue(message.contains("not finite"), message);
        }
    }

    @Test
    void masks() {
        var random = new Random(1);
        for (int n : new int[] {1, 2, 10, 57, 64, 172}) {
            for (double share : new double[] {0, .05, .1, .5, .99, 1}) {
                var score = random.doubles(n).map(s -> Math.floor(s * 40)).toArray();
                assertArrayEquals(Oracle.mask(score, share), Channels.isSalient(score, share), n + " " + share);
                var c = Channels.of(score, share);
                for (int i = 0; i < n; i++) {
                    assertEquals(i >= c.ordinary(), Oracle.mask(score, share)[c.permutation()[i]]);
                    assertTrue(i == 0 || i == c.ordinary() || c.permutation()[i] > c.permutation()[i - 1]);
                }
            }
        }
        // the paper's 64 channels at low_p 0.9: int(57.6) ordinary
        assertEquals(57, Channels.quota(64, .1));
        assertThrows(ConversionException.class, () -> Channels.of(new double[] {1, Double.NaN}, .5));
    }

    private static float[] permuted(Values w, int r, Channels channels) {
        var row = new float[w.columns];
        for (int c = 0; c < row.length; c++) {
            row[c] = w.data[r * w.columns + channels.permutation()[c]];
        }
        return row;
    }

    private static int[] codes(SpikeLinear q, int bits, int rows, int[] sizes, int r, int k) {
        var codes = new int[k];
        for (int c = 0; c < k; c++) {
            codes[c] = Layouts.codeAt(q.data(), Layout.R16, Encoding.ofCodes(bits).bits(), rows, sizes, r, c);
        }
        return codes;
    }
}
