package io.github.spike4j.format;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Sizes and index arithmetic of the weight layouts, and their packing and unpacking; SPEC.md, "Layouts".
 *
 * <p>Everywhere {@code segments} holds the real channels of each segment of the input group, and codes and floats are
 * row-major {@code [rows][channels]} with the channels in permuted order (segments one after the other, no padding).
 * Padding in the output is written as zero.
 */
public final class Layouts {
    /** Segments are padded to this many channels in R16 and P64. */
    public static final int SEGMENT = 64;
    /** Rows of a panel of R16, and of the panels of a linear's other arrays. */
    public static final int PANEL = 16;
    /** Rows of C1 are padded to this. */
    public static final int C1_ROWS = 32;
    /** Rows of a panel of P64. */
    public static final int P64_ROWS = 8;

    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Layouts() { }

    /** {@code n} rounded up to a multiple of {@code to}. */
    public static long pad(long n, int to) {
        return Math.ceilDiv(n, (long) to) * to;
    }

    /** Panels of 16 rows. */
    public static int panels(int rows) {
        return Math.ceilDiv(rows, PANEL);
    }

    /** Sum of the segments. */
    public static int channels(int... segments) {
        int sum = 0;
        for (int s : segments) {
            sum += s;
        }
        return sum;
    }

    /** Sum of the padded segments. */
    public static long padded(int... segments) {
        long sum = 0;
        for (int s : segments) {
            sum += pad(s, SEGMENT);
        }
        return sum;
    }

    /**
     * Bytes of a row-major array.
     *
     * @throws ArithmeticException if they exceed a long
     */
    public static long rowBytes(Encoding encoding, long... shape) {
        if (encoding.bits() < 8) {
            throw new IllegalArgumentException(encoding + " has no row-major form");
        }
        long n = encoding.bits() / 8;
        for (long d : shape) {
            n = Math.multiplyExact(n, d);
        }
        return n;
    }

    /**
     * Bytes of a weight {@code [rows][sum of segments]}.
     *
     * @throws IllegalArgumentException if the layout does not hold the encoding
     */
    public static long weightBytes(Layout layout, Encoding encoding, int rows, int... segments) {
        if (layout == Layout.ROW) {
            return rowBytes(encoding, rows, channels(segments));
        }
        if (layout == Layout.R16 && encoding == Encoding.I32 || layout == Layout.C1 && encoding != Encoding.U4
                || layout == Layout.P64 && encoding != Encoding.U2) {
            throw unfit(layout, encoding);
        }
        return layout == Layout.C1 ? pad(rows, C1_ROWS) / 2 * channels(segments)
                : pad(rows, PANEL) * (padded(segments) * encoding.bits() / 8);
    }

    private static IllegalArgumentException unfit(Layout layout, Encoding encoding) {
        return new IllegalArgumentException("layout " + layout + " does not hold " + encoding);
    }

    // ---- R16 -----------------------------------------------------------------------------------------------------------

    /** Byte of the code of row {@code r} (0 to 15) and channel {@code k} in a panel of a segment. */
    public static long r16Byte(long k, int r, int bits) {
        return k / (32 / bits) * 64 + 4L * r + k % 4;
    }

    /** Lowest bit of that code in its byte. */
    public static int r16Shift(long k, int bits) {
        return (int) (k % (32 / bits) / 4) * bits;
    }

    /** Bytes of one panel of a segment. */
    public static long r16Panel(int segment, int bits) {
        return pad(segment, SEGMENT) * PANEL * bits / 8;
    }

    /** Writes a whole tensor of codes; see {@link #packR16(byte[], int, int, int, int[], int, MemorySegment)}. */
    public static void packR16(byte[] codes, int rows, int[] segments, int bits, MemorySegment out) {
        packR16(codes, 0, rows, rows, segments, bits, out);
    }

    /**
     * Writes the panels of rows {@code [firstRow, firstRow + count)}.
     *
     * @param codes    {@code [count][channels]}, unsigned
     * @param firstRow a multiple of 16
     * @param count    a multiple of 16, or up to the last row
     * @param rows     rows of the whole tensor
     * @param bits     storage width: 2, 4 or 8
     * @param out      the whole tensor
     */
    public static void packR16(byte[] codes, int firstRow, int count, int rows, int[] segments, int bits,
            MemorySegment out) {
        checkCodes(codes, bits);
        int channels = checkRange(codes.length, firstRow, count, rows, PANEL, segments);
        checkSize(out, weightBytes(Layout.R16, Encoding.ofCodes(bits), rows, segments));
        int perVector = 32 / bits;
        long segmentAt = 0;
        int first = 0;
        for (int segment : segments) {
            byte[] panel = new byte[Math.toIntExact(r16Panel(segment, bits))];
            for (int row = 0; row < count; row += PANEL) {
                Arrays.fill(panel, (byte) 0);
                int live = Math.min(PANEL, count - row);
                for (int r = 0; r < live; r++) {
                    int source = (row + r) * channels + first;
                    for (int k = 0; k < segment; k++) {
                        int at = k / perVector * 64 + 4 * r + k % 4;
                        panel[at] |= (byte) (codes[source + k] << k % perVector / 4 * bits);
                    }
                }
                MemorySegment.copy(panel, 0, out, ValueLayout.JAVA_BYTE,
                        segmentAt + (long) (firstRow + row) / PANEL * panel.length, panel.length);
            }
            segmentAt += (long) panels(rows) * panel.length;
            first += segment;
        }
    }

    /** The codes {@code [rows][channels]} of an R16 tensor. */
    public static byte[] unpackR16(MemorySegment weight, int rows, int[] segments, int bits) {
        checkSize(weight, weightBytes(Layout.R16, Encoding.ofCodes(bits), rows, segments));
        byte[] codes = new byte[Math.multiplyExact(rows, channels(segments))];
        int channels = channels(segments);
        long segmentAt = 0;
        int first = 0;
        for (int segment : segments) {
            long stride = r16Panel(segment, bits);
            for (int row = 0; row < rows; row++) {
                long panel = segmentAt + row / PANEL * stride;
                for (int k = 0; k < segment; k++) {
                    int b = weight.get(ValueLayout.JAVA_BYTE, panel + r16Byte(k, row % PANEL, bits));
                    codes[row * channels + first + k] = (byte) (b >>> r16Shift(k, bits) & (1 << bits) - 1);
                }
            }
            segmentAt += panels(rows) * stride;
            first += segment;
        }
        return codes;
    }

    /** Byte of element {@code (row, k)} of an R16 tensor of floats of one segment. */
    public static long r16FloatByte(Encoding encoding, long row, long k, int channels) {
        long panel = row / PANEL * (pad(channels, SEGMENT) * PANEL * encoding.bits() / 8);
        return panel + (encoding == Encoding.F32 ? 64 * k + 4 * (row % PANEL)
                : k / 2 * 64 + 4 * (row % PANEL) + 2 * (k % 2));
    }

    /**
     * Writes the panels of rows {@code [firstRow, firstRow + count)} of a dense weight.
     *
     * @param values   {@code [count][channels]}; rounded to nearest even for BF16
     * @param encoding F32 or BF16
     * @param out      the whole tensor
     */
    public static void packR16(float[] values, int firstRow, int count, int rows, int channels, Encoding encoding,
            MemorySegment out) {
        if (!encoding.isFloat()) {
            throw unfit(Layout.R16, encoding);
        }
        checkRange(values.length, firstRow, count, rows, PANEL, channels);
        checkSize(out, weightBytes(Layout.R16, encoding, rows, channels));
        int width = encoding.bits() / 8;
        byte[] panel = new byte[Math.toIntExact(pad(channels, SEGMENT) * PANEL * width)];
        for (int row = 0; row < count; row += PANEL) {
            Arrays.fill(panel, (byte) 0);
            int live = Math.min(PANEL, count - row);
            for (int r = 0; r < live; r++) {
                for (int k = 0; k < channels; k++) {
                    float v = values[(row + r) * channels + k];
                    int bits = encoding == Encoding.F32 ? Float.floatToRawIntBits(v) : toBf16(v);
                    int at = (int) r16FloatByte(encoding, r, k, channels);
                    for (int b = 0; b < width; b++) {
                        panel[at + b] = (byte) (bits >>> 8 * b);
                    }
                }
            }
            MemorySegment.copy(panel, 0, out, ValueLayout.JAVA_BYTE, (long) (firstRow + row) / PANEL * panel.length,
                    panel.length);
        }
    }

    /** Element {@code (row, k)} of an R16 tensor of floats. */
    public static float floatAt(MemorySegment weight, Encoding encoding, int row, int k, int channels) {
        long at = r16FloatByte(encoding, row, k, channels);
        return encoding == Encoding.F32
                ? weight.get(ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), at)
                : fromBf16(weight.get(ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), at));
    }

    // ---- C1 ------------------------------------------------------------------------------------------------------------

    /**
     * Writes a K-major tensor of 4-bit codes.
     *
     * @param codes {@code [rows][channels]}
     */
    public static void packC1(byte[] codes, int rows, int[] segments, MemorySegment out) {
        checkCodes(codes, 4);
        int channels = checkRange(codes.length, 0, rows, rows, C1_ROWS, segments);
        checkSize(out, weightBytes(Layout.C1, Encoding.U4, rows, segments));
        byte[] column = new byte[(int) pad(rows, C1_ROWS) / 2];
        for (int k = 0; k < channels; k++) {
            Arrays.fill(column, (byte) 0);
            for (int row = 0; row < rows; row++) {
                column[row / 32 * 16 + row % 16] |= (byte) (codes[row * channels + k] << (row % 32 < 16 ? 0 : 4));
            }
            MemorySegment.copy(column, 0, out, ValueLayout.JAVA_BYTE, (long) k * column.length, column.length);
        }
    }

    // ---- P64 -----------------------------------------------------------------------------------------------------------

    /** Index, in 64-bit words from the segment's start, of a word of a P64 tensor; {@code words} a row and plane. */
    public static long p64Word(long row, long word, int plane, long words, int bits) {
        return ((row / P64_ROWS * words + word) * bits + plane) * P64_ROWS + row % P64_ROWS;
    }

    /**
     * Writes the bit planes of 2-bit codes.
     *
     * @param codes {@code [rows][channels]}
     */
    public static void packP64(byte[] codes, int rows, int[] segments, MemorySegment out) {
        int bits = 2;
        checkCodes(codes, bits);
        int channels = checkRange(codes.length, 0, rows, rows, PANEL, segments);
        checkSize(out, weightBytes(Layout.P64, Encoding.U2, rows, segments));
        out.fill((byte) 0);
        long segmentAt = 0;
        int first = 0;
        for (int segment : segments) {
            int words = Math.ceilDiv(segment, 64);
            for (int row = 0; row < rows; row++) {
                for (int word = 0; word < words; word++) {
                    for (int plane = 0; plane < bits; plane++) {
                        long value = 0;
                        for (int k = word * 64; k < Math.min(segment, word * 64 + 64); k++) {
                            value |= (codes[row * channels + first + k] >>> plane & 1L) << k % 64;
                        }
                        out.set(LONG, 8 * (segmentAt + p64Word(row, word, plane, words, bits)), value);
                    }
                }
            }
            segmentAt += pad(rows, PANEL) * words * bits;
            first += segment;
        }
    }

    // ---- any -----------------------------------------------------------------------------------------------------------

    /**
     * One code.
     *
     * @param bits    storage width
     * @param channel permuted channel, counted over all segments without padding
     */
    public static int codeAt(MemorySegment weight, Layout layout, int bits, int rows, int[] segments, int row, int channel) {
        if (layout == Layout.C1) {
            long at = channel * (pad(rows, C1_ROWS) / 2) + row / 32 * 16 + row % 16;
            return weight.get(ValueLayout.JAVA_BYTE, at) >>> (row % 32 < 16 ? 0 : 4) & 15;
        }
        long segmentAt = 0;
        int k = channel;
        int s = 0;
        while (k >= segments[s]) {
            k -= segments[s];
            segmentAt += pad(rows, PANEL) * (pad(segments[s], SEGMENT) * bits / 8);
            s++;
        }
        return switch (layout) {
            case R16 -> {
                long at = segmentAt + row / PANEL * r16Panel(segments[s], bits) + r16Byte(k, row % PANEL, bits);
                yield weight.get(ValueLayout.JAVA_BYTE, at) >>> r16Shift(k, bits) & (1 << bits) - 1;
            }
            case P64 -> {
                long words = Math.ceilDiv(segments[s], 64);
                int code = 0;
                for (int plane = 0; plane < bits; plane++) {
                    long w = weight.get(LONG, segmentAt + 8 * p64Word(row, k / 64, plane, words, bits));
                    code |= (int) (w >>> k % 64 & 1) << plane;
                }
                yield code;
            }
            default -> throw new IllegalArgumentException("no codes in layout " + layout);
        };
    }

    /**
     * The codes {@code [channels][16]} of a panel of 16 rows; those of rows past the last are 0.
     *
     * @param bits storage width
     */
    static void unpackPanel(MemorySegment weight, Layout layout, int bits, int rows, int[] segments, int panel, byte[] codes) {
        int live = Math.min(PANEL, rows - PANEL * panel);
        if (layout != Layout.R16) {
            int channels = channels(segments);
            for (int i = 0; i < PANEL * channels; i++) {
                codes[i] = i % PANEL < live
                        ? (byte) codeAt(weight, layout, bits, rows, segments, PANEL * panel + i % PANEL, i / PANEL) : 0;
            }
            return;
        }
        long segmentAt = 0;
        int at = 0;
        for (int segment : segments) {
            long size = r16Panel(segment, bits);
            byte[] stored = weight.asSlice(segmentAt + panel * size, size).toArray(ValueLayout.JAVA_BYTE);
            for (int k = 0; k < segment; k++) {
                int from = (int) r16Byte(k, 0, bits);
                int shift = r16Shift(k, bits);
                for (int r = 0; r < PANEL; r++) {
                    codes[at++] = r < live ? (byte) (stored[from + 4 * r] >>> shift & (1 << bits) - 1) : 0;
                }
            }
            segmentAt += panels(rows) * size;
        }
    }

    /** The upper half of a float, rounded to nearest even; a NaN stays a NaN. */
    public static short toBf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) (bits >>> 16 | 0x40);
        }
        return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }

    /** The float of its upper half. */
    public static float fromBf16(short value) {
        return Float.intBitsToFloat(value << 16);
    }

    private static void checkCodes(byte[] codes, int bits) {
        if (bits != 2 && bits != 4 && bits != 8) {
            throw new IllegalArgumentException("a storage width is 2, 4 or 8 bits, not " + bits);
        }
        int all = 0;
        for (byte c : codes) {
            all |= c;
        }
        if ((all & 0xff) >>> bits != 0) {
            throw new IllegalArgumentException("a code does not fit " + bits + " bits");
        }
    }

    /** Returns the channels. */
    private static int checkRange(int length, int firstRow, int count, int rows, int panel, int... segments) {
        int channels = channels(segments);
        if (firstRow < 0 || count < 0 || firstRow % panel != 0 || firstRow + count > rows
                || count % panel != 0 && firstRow + count != rows) {
            throw new IllegalArgumentException("rows " + firstRow + " to " + (firstRow + count) + " of " + rows
                    + " are no whole panels");
        }
        if (length != (long) count * channels) {
            throw new IllegalArgumentException(length + " values for " + count + " rows of " + channels + " channels");
        }
        return channels;
    }

    private static void checkSize(MemorySegment data, long bytes) {
        if (data.byteSize() != bytes) {
            throw new IllegalArgumentException("the tensor has " + bytes + " bytes, the memory " + data.byteSize());
        }
    }
}
