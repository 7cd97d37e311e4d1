package io.github.spike4j.convert.importer;

import java.util.List;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.IntStream;

/** Rows of floats of a checkpoint, read on demand; any number of threads. */
public interface Matrix {
    int rows();

    int columns();

    /** Whether all values are bfloat16. */
    default boolean isBf16() {
        return false;
    }

    /** Copies row {@code r} to {@code out[at .. at + columns)}. */
    void read(int r, float[] out, int at);

    /** All values of a small matrix, row by row. */
    default float[] values() {
        var all = new float[Math.multiplyExact(rows(), columns())];
        for (int r = 0; r < rows(); r++) {
            read(r, all, r * columns());
        }
        return all;
    }

    /** Rows are columns; for matrices that fit an array. */
    default Matrix transposed() {
        int rows = columns();
        int columns = rows();
        var all = values();
        return new Matrix() {
            @Override
            public int rows() {
                return rows;
            }

            @Override
            public int columns() {
                return columns;
            }

            @Override
            public void read(int r, float[] out, int at) {
                for (int c = 0; c < columns; c++) {
                    out[at + c] = all[c * rows + r];
                }
            }
        };
    }

    /** Row {@code i} is row {@code source[i]} of this. */
    default Matrix rows(int[] source) {
        var from = this;
        return new Matrix() {
            @Override
            public int rows() {
                return source.length;
            }

            @Override
            public int columns() {
                return from.columns();
            }

            @Override
            public boolean isBf16() {
                return from.isBf16();
            }

            @Override
            public void read(int r, float[] out, int at) {
                from.read(source[r], out, at);
            }
        };
    }

    /** Rows {@code first} to {@code first + count}. */
    default Matrix slice(int first, int count) {
        return rows(IntStream.range(first, first + count).toArray());
    }

    /** Every value through {@code f}, rounded once. */
    default Matrix map(DoubleUnaryOperator f) {
        var from = this;
        return new Matrix() {
            @Override
            public int rows() {
                return from.rows();
            }

            @Override
            public int columns() {
                return from.columns();
            }

            @Override
            public void read(int r, float[] out, int at) {
                from.read(r, out, at);
                for (int c = at; c < at + from.columns(); c++) {
                    out[c] = (float) f.applyAsDouble(out[c]);
                }
            }
        };
    }

    /** The rows of several, one after the other. */
    static Matrix concat(List<Matrix> parts) {
        if (parts.size() == 1) {
            return parts.getFirst();
        }
        return new Matrix() {
            @Override
            public int rows() {
                return parts.stream().mapToInt(Matrix::rows).sum();
            }

            @Override
            public int columns() {
                return parts.getFirst().columns();
            }

            @Override
            public boolean isBf16() {
                return parts.stream().allMatch(Matrix::isBf16);
            }

            @Override
            public void read(int r, float[] out, int at) {
                for (var p : parts) {
                    if (r < p.rows()) {
                        p.read(r, out, at);
                        return;
                    }
                    r -= p.rows();
                }
                throw new IndexOutOfBoundsException(r);
            }
        };
    }

    /** The columns of several, row by row one after the other. */
    static Matrix concatColumns(List<Matrix> parts) {
        if (parts.size() == 1) {
            return parts.getFirst();
        }
        return new Matrix() {
            @Override
            public int rows() {
                return parts.getFirst().rows();
            }

            @Override
            public int columns() {
                return parts.stream().mapToInt(Matrix::columns).sum();
            }

            @Override
            public boolean isBf16() {
                return parts.stream().allMatch(Matrix::isBf16);
            }

            @Override
            public void read(int r, float[] out, int at) {
                for (var p : parts) {
                    p.read(r, out, at);
                    at += p.columns();
                }
            }
        };
    }
}
