package io.github.spike4j.bindings;

import io.github.spike4j.bindings.ffi.Spike4jH;

/** Element types of float weights. */
public enum DType {
    /** binary32. */
    F32,
    /** The upper half of binary32. */
    BF16;

    /** Bytes of an element. */
    public int bytes() {
        return this == F32 ? Float.BYTES : Short.BYTES;
    }

    int value() {
        return this == F32 ? Spike4jH.S4J_F32() : Spike4jH.S4J_BF16();
    }
}
