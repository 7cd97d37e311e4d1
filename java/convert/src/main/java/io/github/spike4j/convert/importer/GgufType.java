package io.github.spike4j.convert.importer;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Types of GGUF tensors. A row is a whole number of blocks. The float values are those of ggml's reference (ggml-quants.c), operation by
 * operation in binary32, so bit for bit; no product is fused into a sum.
 */
enum GgufType {
    F32(0, 4, GgufType::f32), F16(1, 2, GgufType::f16), BF16(30, 2, GgufType::bf16),
    Q4_0(2, 32, 18, GgufType::q4_0), Q4_1(3, 32, 20, GgufType::q4_1), Q5_0(6, 32, 22, GgufType::q5_0), Q5_1(7, 32, 24, GgufType::q5_1),
    Q8_0(8, 32, 34, GgufType::q8_0), Q2_K(10, 256, 84, GgufType::q2k), Q3_K(11, 256, 110, GgufType::q3k), Q4_K(12, 256, 144, GgufType::q4k),
    Q5_K(13, 256, 176, GgufType::q5k), Q6_K(14, 256, 210, GgufType::q6k), IQ4_NL(20, 32, 18, GgufType::iq4nl),
    IQ4_XS(23, 256, 136, GgufType::iq4xs), TQ1_0(34, 256, 54, GgufType::tq1), TQ2_0(35, 256, 66, GgufType::tq2),
    MXFP4(39, 32, 17, GgufType::mxfp4),
    // Known by size and name only.
    Q8_1(9, 32, 36), Q8_K(15, 256, 292), IQ2_XXS(16, 256, 66), IQ2_XS(17, 256, 74), IQ3_XXS(18, 256, 98), IQ1_S(19, 256, 50),
    IQ3_S(21, 256, 110), IQ2_S(22, 256, 82), I8(24, 1, 1), I16(25, 1, 2), I32(26, 1, 4), I64(27, 1, 8), F64(28, 1, 8), IQ1_M(29, 256, 56),
    NVFP4(40, 64, 36), Q1_0(41, 128, 18);

    /** Values of a row. */
    private interface Row {
        /** Reads all of {@code b} to {@code out[to ..)}. */
        void read(byte[] b, float[] out, int to);
    }

    /** Values of a block. */
    private interface Block {
        /** Reads the block at {@code b[at]} to {@code out[to ..)}. */
        void read(byte[] b, int at, float[] out, int to);
    }

    private static final VarHandle SHORT = MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle FLOAT = MethodHandles.byteArrayViewVarHandle(float[].class, ByteOrder.LITTLE_ENDIAN);
    /** The 16 levels of IQ4_NL and IQ4_XS. */
    private static final byte[] IQ4_LEVELS = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    /** Twice the values of E2M1. */
    private static final byte[] E2M1_DOUBLED = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

    final int id;
    /** Elements of a block. */
    final int elements;
    /** Bytes of a block. */
    final int bytes;
    private final Row row;

    GgufType(int id, int elements, int bytes, Row row) {
        this.id = id;
        this.elements = elements;
        this.bytes = bytes;
        this.row = row;
    }

    GgufType(int id, int elements, int bytes) {
        this(id, elements, bytes, (Row) null);
    }

    GgufType(int id, int bytes, Row row) {
        this(id, 1, bytes, row);
    }

    GgufType(int id, int elements, int bytes, Block block) {
        this(id, elements, bytes, (Row) (b, out, to) -> {
            for (int at = 0; at < b.length; at += bytes, to += elements) {
                block.read(b, at, out, to);
            }
        });
    }

    /** The type of this number, or null. */
    static GgufType of(int id) {
        for (var t : values()) {
            if (t.id == id) {
                return t;
            }
        }
        return null;
    }

    boolean isReadable() {
        return row != null;
    }

    /** Values of the whole blocks {@code b}, to {@code out[to ..)}. */
    void read(byte[] b, float[] out, int to) {
        row.read(b, out, to);
    }

    private static float half(byte[] b, int at) {
        return Float.float16ToFloat((short) SHORT.get(b, at));
    }

    private static void f32(byte[] b, float[] out, int to) {
        for (int at = 0; at < b.length; at += 4) {
            out[to++] = (float) FLOAT.get(b, at);
        }
    }

    private static void f16(byte[] b, float[] out, int to) {
        for (int at = 0; at < b.length; at += 2) {
            out[to++] = half(b, at);
        }
    }

    private static void bf16(byte[] b, float[] out, int to) {
        for (int at = 0; at < b.length; at += 2) {
            out[to++] = Float.intBitsToFloat((short) SHORT.get(b, at) << 16);
        }
    }

    /** d, 16 bytes: element j is the low nibble of byte j, element j + 16 its high one. */
    private static void q4_0(byte[] b, int at, float[] out, int to) {
        float d = half(b, at);
        for (int j = 0; j < 16; j++) {
            int q = b[at + 2 + j];
            out[to + j] = ((q & 15) - 8) * d;
            out[to + j + 16] = ((q >> 4 & 15) - 8) * d;
        }
    }

    /** d, m, nibbles as in Q4_0. */
    private static void q4_1(byte[] b, int at, float[] out, int to) {
        float d = half(b, at);
        float m = half(b, at + 2);
        for (int j = 0; j < 16; j++) {
            int q = b[at + 4 + j];
            out[to + j] = (q & 15) * d + m;
            out[to + j + 16] = (q >> 4 & 15) * d + m;
        }
    }

    /** d, the fifth bits by element, nibbles as in Q4_0. */
    private static void q5_0(byte[] b, int at, float[] out, int to) {
        float d = half(b, at);
        int high = (int) INT.get(b, at + 2);
        for (int j = 0; j < 16; j++) {
            int q = b[at + 6 + j];
            out[to + j] = ((q & 15 | (high >>> j & 1) << 4) - 16) * d;
            out[to + j + 16] = ((q >> 4 & 15 | (high >>> j + 16 & 1) << 4) - 16) * d;
        }
    }

    /** d, m, the fifth bits by element, nibbles as in Q4_0. */
    private static void q5_1(byte[] b, int at, float[] out, int to) {
        float d = half(b, at);
        float m = half(b, at + 2);
        int high = (int) INT.get(b, at + 4);
        for (int j = 0; j < 16; j++) {
            int q = b[at + 8 + j];
            out[to + j] = (q & 15 | (high >>> j & 1) << 4) * d + m;
            out[to + j + 16] = (q >> 4 & 15 | (high >>> j + 16 & 1) << 4) * d + m;
        }
    }

    /** d, 32 signed bytes. */
    private static void q8_0(byte[] b, int at, float[] out, int to) {
        float d = half(b, at);
        for (int j = 0; j < 32; j++) {
            out[to + j] = b[at + 2 + j] * d;
        }
    }

    /**
     * 16 bytes (scale, min) by group of 16, 64 bytes, d, dmin. Of each 128 elements, group g of 32 is bits 2g, 2g + 1 of 32 bytes.
     */
    private static void q2k(byte[] b, int at, float[] out, int to) {
        float d = half(b, at + 80);
        float min = half(b, at + 82);
        for (int i = 0; i < 256; i++) {
            int scale = b[at + i / 16];
            int q = b[at + 16 + i / 128 * 32 + i % 32] >> i / 32 % 4 * 2 & 3;
            out[to + i] = d * (scale & 15) * q - min * (scale >> 4 & 15);
        }
    }

    /** 32 bytes of third bits (bit g for group g of 32), 64 bytes as in Q2_K, 12 bytes of 16 6-bit scales, d. */
    private static void q3k(byte[] b, int at, float[] out, int to) {
        float d = half(b, at + 108);
        for (int s = 0; s < 16; s++) {
            int low = b[at + 96 + s % 8] >> s / 8 * 4 & 15;
            int high = b[at + 104 + s % 4] >> s / 4 * 2 & 3;
            float scale = d * ((low | high << 4) - 32);
            for (int i = 16 * s; i < 16 * s + 16; i++) {
                int q = b[at + 32 + i / 128 * 32 + i % 32] >> i / 32 % 4 * 2 & 3;
                int third = b[at + i % 32] >> i / 32 & 1;
                out[to + i] = scale * (q - (third == 0 ? 4 : 0));
            }
        }
    }

    /** Scale {@code j} of the 12 bytes at {@code at} that hold 8 6-bit scales and 8 6-bit mins. */
    private static int scale(byte[] b, int at, int j) {
        return j < 4 ? b[at + j] & 63 : b[at + j + 4] & 15 | (b[at + j - 4] >> 6 & 3) << 4;
    }

    /** Min {@code j} beside {@link #scale}. */
    private static int min(byte[] b, int at, int j) {
        return j < 4 ? b[at + j + 4] & 63 : b[at + j + 4] >> 4 & 15 | (b[at + j] >> 6 & 3) << 4;
    }

    /** d, dmin, scales and mins by group of 32, 128 bytes: of each 64 elements the first 32 are low nibbles, the others high ones. */
    private static void q4k(byte[] b, int at, float[] out, int to) {
        float d = half(b, at);
        float dmin = half(b, at + 2);
        for (int g = 0; g < 8; g++) {
            float scale = d * scale(b, at + 4, g);
            float min = dmin * min(b, at + 4, g);
            for (int l = 0; l < 32; l++) {
                int q = b[at + 16 + g / 2 * 32 + l] >> g % 2 * 4 & 15;
                out[to + 32 * g + l] = scale * q - min;
            }
        }
    }

    /** As Q4_K, with 32 bytes of fifth bits (bit g for group g) before the nibbles. */
    private static void q5k(byte[] b, int at, float[] out, int to) {
        float d = half(b, at);
        float dmin = half(b, at + 2);
        for (int g = 0; g < 8; g++) {
            float scale = d * scale(b, at + 4, g);
            float min = dmin * min(b, at + 4, g);
            for (int l = 0; l < 32; l++) {
                int q = b[at + 48 + g / 2 * 32 + l] >> g % 2 * 4 & 15 | (b[at + 16 + l] >> g & 1) << 4;
                out[to + 32 * g + l] = scale * q - min;
            }
        }
    }

    /**
     * 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 signed scales by group of 16, d. Of each 128 elements, the first 64 are the
     * low nibbles of 64 bytes and the others the high ones; group g of 32 has bits 2g, 2g + 1 of 32 bytes on top.
     */
    private static void q6k(byte[] b, int at, float[] out, int to) {
        float d = half(b, at + 208);
        for (int i = 0; i < 256; i++) {
            int low = b[at + i / 128 * 64 + i % 64] >> i / 64 % 2 * 4 & 15;
            int high = b[at + 128 + i / 128 * 32 + i % 32] >> i / 32 % 4 * 2 & 3;
            out[to + i] = d * b[at + 192 + i / 16] * ((low | high << 4) - 32);
        }
    }

    /** d, nibbles as in Q4_0 that choose a level. */
    private static void iq4nl(byte[] b, int at, float[] out, int to) {
        levels(IQ4_LEVELS, half(b, at), b, at + 2, out, to);
    }

    /** d, 16 bits of high scale bits, 4 bytes of low ones, then 8 times 16 nibble bytes as in IQ4_NL. */
    private static void iq4xs(byte[] b, int at, float[] out, int to) {
        float d = half(b, at);
        int high = (short) SHORT.get(b, at + 2);
        for (int g = 0; g < 8; g++) {
            int scale = b[at + 4 + g / 2] >> g % 2 * 4 & 15 | (high >> 2 * g & 3) << 4;
            levels(IQ4_LEVELS, d * (scale - 32), b, at + 8 + 16 * g, out, to + 32 * g);
        }
    }

    /** An E8M0 scale, nibbles as in Q4_0 that choose an E2M1 value. */
    private static void mxfp4(byte[] b, int at, float[] out, int to) {
        int e = b[at] & 255;
        // Half of 2^(e - 127), which is subnormal for e < 2.
        levels(E2M1_DOUBLED, Float.intBitsToFloat(e < 2 ? 0x00200000 << e : e - 1 << 23), b, at + 1, out, to);
    }

    private static void levels(byte[] levels, float d, byte[] b, int at, float[] out, int to) {
        for (int j = 0; j < 16; j++) {
            out[to + j] = d * levels[b[at + j] & 15];
            out[to + j + 16] = d * levels[b[at + j] >> 4 & 15];
        }
    }

    /**
     * 48 bytes of five ternary digits, 4 bytes of four, d. Digit n of byte q is {@code (q 3^n mod 256) 3 / 256}; runs of 32, 16 and 4 bytes
     * give digit 0 of all, then digit 1 of all, and so on.
     */
    private static void tq1(byte[] b, int at, float[] out, int to) {
        float d = half(b, at + 52);
        digits(b, at, 32, 5, d, out, to);
        digits(b, at + 32, 16, 5, d, out, to + 160);
        digits(b, at + 48, 4, 4, d, out, to + 240);
    }

    private static void digits(byte[] b, int at, int run, int digits, float d, float[] out, int to) {
        for (int n = 0, power = 1; n < digits; n++, power *= 3) {
            for (int j = 0; j < run; j++) {
                out[to++] = (((b[at + j] & 255) * power & 255) * 3 / 256 - 1) * d;
            }
        }
    }

    /** 64 bytes, d. Of each 128 elements, group g of 32 is bits 2g, 2g + 1 of 32 bytes, less one. */
    private static void tq2(byte[] b, int at, float[] out, int to) {
        float d = half(b, at + 64);
        for (int i = 0; i < 256; i++) {
            int q = b[at + i / 128 * 32 + i % 32] >> i / 32 % 4 * 2 & 3;
            out[to + i] = (q - 1) * d;
        }
    }
}
