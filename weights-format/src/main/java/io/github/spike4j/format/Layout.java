package io.github.spike4j.format;

/** The order of a tensor's elements in memory; SPEC.md, "Layouts". */
public enum Layout {
    /** Row-major, the last dimension fastest, no padding. */
    ROW,
    /** Panels of 16 rows in 64-byte vectors of 16 dwords. */
    R16,
    /** K-major columns of 4-bit codes, rows padded to 32. */
    C1,
    /** Bit planes in 64-bit words, panels of 8 rows, rows padded to 16. */
    P64
}
