package io.github.spike4j.format;

/**
 * One row of the tensor table. The data is the ZIP entry {@code tensors/NAME}.
 *
 * @param name     {@code [a-z0-9._-]}, 1 to 128 characters
 * @param shape    dimensions; of a linear's weight the logical {@code [rows, channels]}, without the padding of its layout;
 *                 of all others the array as it lies in the file
 * @param encoding element type
 * @param layout   order of the elements
 * @param bytes    size of the data, padding included
 * @param sha256   64 lower-case hexadecimal digits; null before it is written
 */
public record TensorInfo(String name, long[] shape, Encoding encoding, Layout layout, long bytes, String sha256) {
    /** A plain row-major array. */
    public static TensorInfo row(String name, Encoding encoding, long... shape) {
        return new TensorInfo(name, shape, encoding, Layout.ROW, Layouts.rowBytes(encoding, shape), null);
    }

    /**
     * The weight of a linear.
     *
     * @param segments real channels of each segment of the input group; one segment for float weights
     */
    public static TensorInfo weight(String name, Layout layout, Encoding encoding, int rows, int... segments) {
        return new TensorInfo(name, new long[] {rows, Layouts.channels(segments)}, encoding, layout,
                Layouts.weightBytes(layout, encoding, rows, segments), null);
    }

    /** This row with its hash. */
    TensorInfo withSha256(String hash) {
        return new TensorInfo(name, shape, encoding, layout, bytes, hash);
    }
}
