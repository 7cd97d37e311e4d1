package io.github.spike4j.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;

import org.junit.jupiter.api.Test;

class LayoutsTest {
    private static final int[][] SEGMENTS = {{1}, {64}, {65}, {130, 6}, {7, 0, 64, 3}};
    private static final int[] ROWS = {1, 15, 16, 17, 40};

    @Test
    void everyCodeIsWhereTheSpecificationSays() {
        var random = new SplittableRandom(1);
        for (int rows : ROWS) {
            for (int[] segments : SEGMENTS) {
                for (Layout layout : new Layout[] {Layout.R16, Layout.C1, Layout.P64}) {
                    for (int bits : layout == Layout.R16 ? new int[] {2, 4, 8} : new int[] {layout == Layout.C1 ? 4 : 2}) {
                        check(layout, bits, rows, segments, random);
                    }
                }
            }
        }
    }

    private static void check(Layout layout, int bits, int rows, int[] segments, SplittableRandom random) {
        int channels = Layouts.channels(segments);
        byte[] codes = new byte[rows * channels];
        random.nextBytes(codes);
        long ones = 0;
        for (int i = 0; i < codes.length; i++) {
            codes[i] &= (byte) ((1 << bits) - 1);
            ones += Integer.bitCount(codes[i] & 255);
        }
        byte[] weight = new byte[(int) Layouts.weightBytes(layout, Encoding.ofCodes(bits), rows, segments)];
        Arrays.fill(weight, (byte) -1);
        MemorySegment out = MemorySegment.ofArray(weight);
        switch (layout) {
            case R16 -> Layouts.packR16(codes, rows, segments, bits, out);
            case C1 -> Layouts.packC1(codes, rows, segments, out);
            default -> Layouts.packP64(codes, rows, segments, out);
        }
        byte[] panel = new byte[16 * channels];
        for (int p = 0; p < Layouts.panels(rows); p++) {
            Layouts.unpackPanel(out, layout, bits, rows, segments, p, panel);
            for (int i = 0; i < panel.length; i++) {
                int row = 16 * p + i % 16;
                assertEquals(row < rows ? codes[row * channels + i / 16] : 0, panel[i], layout + " panel " + p + " element " + i);
            }
        }
        for (int row = 0; row < rows; row++) {
            int channel = 0;
            for (int s = 0; s < segments.length; s++) {
                for (int k = 0; k < segments[s]; k++, channel++) {
                    int expected = codes[row * channels + channel] & 255;
                    String where = "%s %d bits, %d rows of %s, row %d channel %d".formatted(layout, bits, rows,
                            Arrays.toString(segments), row, channel);
                    assertEquals(expected, PlainReader.code(weight, layout.name(), bits, rows, segments, s, row, k), where);
                    assertEquals(expected, Layouts.codeAt(out, layout, bits, rows, segments, row, channel), where);
                }
            }
        }
        for (byte b : weight) {
            ones -= Integer.bitCount(b & 255);
        }
        assertEquals(0, ones, "pads are zero");
        if (layout == Layout.R16) {
            assertArrayEquals(codes, Layouts.unpackR16(out, rows, segments, bits));
            // panel by panel
            byte[] pieces = new byte[weight.length];
            for (int row = 0; row < rows; row += 16) {
                int count = Math.min(16, rows - row);
                Layouts.packR16(Arrays.copyOfRange(codes, row * channels, (row + count) * channels), row, count, rows, segments,
                        bits, MemorySegment.ofArray(pieces));
            }
            assertArrayEquals(weight, pieces);
        }
    }

    @Test
    void floatsAreWhereTheSpecificationSays() {
        int rows = 18;
        int channels = 70;
        float[] values = new float[rows * channels];
        for (int i = 0; i < values.length; i++) {
            values[i] = i + 1;
        }
        for (Encoding e : new Encoding[] {Encoding.F32, Encoding.BF16}) {
            byte[] weight = new byte[(int) Layouts.weightBytes(Layout.R16, e, rows, channels)];
            assertEquals(32 * 128 * e.bits() / 8, weight.length);
            MemorySegment out = MemorySegment.ofArray(weight);
            Layouts.packR16(values, 0, rows, rows, channels, e, out);
            for (int row = 0; row < rows; row++) {
                for (int k = 0; k < channels; k++) {
                    float v = values[row * channels + k];
                    float expected = e == Encoding.F32 ? v : Layouts.fromBf16(Layouts.toBf16(v));
                    assertEquals(expected, Layouts.floatAt(out, e, row, k, channels));
                    int dword = row / 16 * (128 * 16 * e.bits() / 8) + (e == Encoding.F32 ? k : k / 2) * 64 + row % 16 * 4;
                    int bits = 0;
                    for (int b = 0; b < 4; b++) {
                        bits |= (weight[dword + b] & 255) << 8 * b;
                    }
                    assertEquals(expected, Float.intBitsToFloat(e == Encoding.F32 ? bits : bits >>> 16 * (k % 2) << 16));
                }
            }
        }
    }

    @Test
    void bf16RoundsToNearestEven() {
        assertEquals(0x3f80, Layouts.toBf16(1f));
        assertEquals(0x3f80, Layouts.toBf16(Float.intBitsToFloat(0x3f808000)), "tie to even, down");
        assertEquals(0x3f82, Layouts.toBf16(Float.intBitsToFloat(0x3f818000)), "tie to even, up");
        assertEquals(0x3f81, Layouts.toBf16(Float.intBitsToFloat(0x3f808001)));
        assertEquals(0x7f80, Layouts.toBf16(Float.MAX_VALUE), "rounds to infinity");
        assertEquals(true, Float.isNaN(Layouts.fromBf16(Layouts.toBf16(Float.intBitsToFloat(0x7f800001)))));
        for (int i = 0; i < 65536; i++) {
            float f = Layouts.fromBf16((short) i);
            if (!Float.isNaN(f)) {
                assertEquals((short) i, Layouts.toBf16(f));
            }
        }
    }

    @Test
    void refusesWhatDoesNotFit() {
        byte[] four = {1, 2, 3, 4};
        int[] segments = {2};
        MemorySegment out = MemorySegment.ofArray(new byte[16 * 64 / 2]);
        assertThrows(IllegalArgumentException.class, () -> Layouts.packR16(new byte[] {16, 0, 0, 0}, 2, segments, 4, out));
        assertThrows(IllegalArgumentException.class, () -> Layouts.packR16(new byte[] {-1, 0, 0, 0}, 2, segments, 4, out));
        assertThrows(IllegalArgumentException.class, () -> Layouts.packR16(four, 3, segments, 4, out));
        assertThrows(IllegalArgumentException.class, () -> Layouts.packR16(four, 2, segments, 3, out));
        assertThrows(IllegalArgumentException.class, () -> Layouts.packR16(four, 2, segments, 8, out));
        assertThrows(IllegalArgumentException.class, () -> Layouts.packR16(four, 8, 2, 40, segments, 4, out));
        assertThrows(IllegalArgumentException.class, () -> Layouts.weightBytes(Layout.C1, Encoding.U8, 1, 1));
        assertThrows(IllegalArgumentException.class, () -> Layouts.rowBytes(Encoding.U4, 1));
    }
}
