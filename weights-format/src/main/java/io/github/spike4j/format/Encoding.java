package io.github.spike4j.format;

/** How an element of a tensor is stored. The storage widths of weight codes are {@link #U2}, {@link #U4} and {@link #U8}. */
public enum Encoding {
    /** IEEE binary32, little-endian. */
    F32(32),
    /** The upper half of a binary32, little-endian. */
    BF16(16),
    /** Two's complement, little-endian. */
    I32(32),
    /** Unsigned byte. */
    U8(8),
    /** Unsigned, 2 bits; only in {@link Layout#R16} and {@link Layout#P64}. */
    U2(2),
    /** Unsigned, 4 bits; only in {@link Layout#R16} and {@link Layout#C1}. */
    U4(4);

    private final int bits;

    Encoding(int bits) {
        this.bits = bits;
    }

    /** Bits of an element. */
    public int bits() {
        return bits;
    }

    /** Whether elements are floats (F32, BF16). */
    public boolean isFloat() {
        return this == F32 || this == BF16;
    }

    /** The unsigned encoding of codes of {@code bits} bits: 1 and 2 are stored as 2, 3 and 4 as 4, 5 to 8 as 8. */
    public static Encoding ofCodes(int bits) {
        if (bits < 1 || bits > 8) {
            throw new IllegalArgumentException("weight codes have 1 to 8 bits, not " + bits);
        }
        return bits <= 2 ? U2 : bits <= 4 ? U4 : U8;
    }
}
