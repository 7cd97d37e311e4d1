package io.github.spike4j.convert.importer;

import java.util.ArrayList;
import java.util.List;

/**
 * A metadata value of a GGUF file, decoded when it is asked for: until then it is a place in the mapped file, so that an array of a
 * vocabulary costs no memory. {@link GgufFile} has walked the whole value, so it lies in the file.
 *
 * @param type        {@link Type#ARRAY} for arrays
 * @param elementType of an array's elements; {@code type} for other values
 * @param count       elements of an array; 1 for other values
 * @param at          the first element
 */
record GgufValue(Type type, Type elementType, long count, GgufCursor at) {

    /** In the file's numbering. */
    enum Type {
        UINT8(1), INT8(1), UINT16(2), INT16(2), UINT32(4), INT32(4), FLOAT32(4), BOOL(1), STRING(0), ARRAY(0), UINT64(8), INT64(8), FLOAT64(8);

        /** 0: not fixed. */
        final int bytes;

        Type(int bytes) {
            this.bytes = bytes;
        }
    }

    boolean isArray() {
        return type == Type.ARRAY;
    }

    /** A Long (BigInteger above its range), Float, Double, Boolean or String; of an array, its first element. */
    Object get() {
        return at.copy().value(elementType);
    }

    /** At most {@code n} elements, each as {@link #get} says; arrays in an array are GgufValues. */
    List<Object> first(long n) {
        var cursor = at.copy();
        var list = new ArrayList<Object>();
        for (long i = 0; i < Math.min(n, count); i++) {
            list.add(cursor.value(elementType));
        }
        return list;
    }
}
