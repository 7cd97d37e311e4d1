package io.github.spike4j.convert.importer;

import io.github.spike4j.convert.ConversionException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * A tensor of a mapped file.
 *
 * @param where   file and name, for messages
 * @param type    element type as its file names it; not necessarily an {@link ElementType}
 * @param shape   sizes
 * @param strides elements from one index to the next, by dimension
 * @param first   its first element in {@code data}
 * @param data    what it lies in; its elements are known to lie inside if the type is an {@link ElementType}
 */
record StoredTensor(String where, String type, long[] shape, long[] strides, long first, MemorySegment data) {
    static final int MAX_DIMENSIONS = 8;

    /** A tensor without gaps, rows first, that fills {@code data}. */
    static StoredTensor contiguous(String where, String type, long[] shape, MemorySegment data) {
        var strides = new long[shape.length];
        long n = 1;
        for (int i = shape.length - 1; i >= 0; i--) {
            strides[i] = n;
            n *= Math.max(1, shape[i]);
        }
        return new StoredTensor(where, type, shape, strides, 0, data);
    }

    /** Number of elements, or -1 if the shape is none or the number is absurd. */
    static long elements(long[] shape) {
        if (shape.length > MAX_DIMENSIONS) {
            return -1;
        }
        long n = 1;
        for (long s : shape) {
            if (s < 0 || s > 1L << 44) {
                return -1;
            }
            n = s > 0 && n > (1L << 44) / s ? Long.MAX_VALUE : n * s;
            if (n == Long.MAX_VALUE) {
                return -1;
            }
        }
        return n;
    }

    /** Whether this is a vector, or a matrix, of that shape. */
    boolean is(int rows, int columns) {
        return shape.length == 2 ? shape[0] == rows && shape[1] == columns : shape.length == 1 && rows == 1 && shape[0] == columns;
    }

    /** The tensor as a matrix of the shape that the model needs (a vector has one row). */
    Matrix matrix(int rows, int columns, String asked) {
        if (!is(rows, columns)) {
            throw new ConversionException(where + " has shape " + Arrays.toString(shape) + "; " + asked + " asks for ["
                    + (rows == 1 ? "" : rows + ", ") + columns + "]");
        }
        var element = ElementType.of(type);
        if (element == null) {
            throw new ConversionException(where + " is of type " + type + "; supported are " + String.join(", ",
                    Arrays.stream(ElementType.values()).map(Enum::name).toList()));
        }
        return new Rows(element, rows, columns, shape.length == 2 ? strides[0] : 0, strides[shape.length - 1], first, data);
    }

    private record Rows(ElementType type, int rows, int columns, long rowStride, long columnStride, long first, MemorySegment data)
            implements Matrix {
        @Override
        public boolean isBf16() {
            return type == ElementType.BF16;
        }

        @Override
        public void read(int r, float[] out, int at) {
            long start = first + r * rowStride;
            if (columnStride == 1) {
                type.read(data, start, out, at, columns);
                return;
            }
            for (int c = 0; c < columns; c++) {
                out[at + c] = type.get(data, start + c * columnStride);
            }
        }
    }
}
