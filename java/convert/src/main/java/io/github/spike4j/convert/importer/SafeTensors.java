package io.github.spike4j.convert.importer;

import io.github.spike4j.convert.ConversionException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A mapped {@code .safetensors} file: u64 header size, header JSON ({@code name: {dtype, shape, data_offsets}}), data. Everything is
 * checked against the file's size before it is used.
 */
final class SafeTensors {
    private static final long MAX_HEADER = 100L << 20;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private record Tensor(String dtype, long[] shape, MemorySegment data) { }

    private final Path file;
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();

    SafeTensors(Path file, Arena arena) {
        this.file = file;
        MemorySegment map;
        try (var channel = FileChannel.open(file, StandardOpenOption.READ)) {
            map = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
        } catch (IOException e) {
            throw new ConversionException(file + ": cannot be read: " + Sources.reason(e), e);
        }
        long header = map.byteSize() < 8 ? -1 : map.get(LONG, 0);
        if (header < 2 || header > MAX_HEADER || header > map.byteSize() - 8) {
            throw new ConversionException(file + ": not a safetensors file, or truncated: its " + map.byteSize() + " bytes do not hold a header of "
                    + header);
        }
        var json = Sources.json(file + " header", map.asSlice(8, header).toArray(ValueLayout.JAVA_BYTE));
        var data = map.asSlice(8 + header);
        for (var e : json.properties()) {
            if (e.getKey().equals("__metadata__")) {
                continue;
            }
            var t = e.getValue();
            var dims = t.path("shape");
            var offsets = t.path("data_offsets");
            var dtype = t.path("dtype").asString("");
            if (!dims.isArray() || dims.size() > 8 || !offsets.isArray() || offsets.size() != 2) {
                throw new ConversionException(file + ": tensor " + e.getKey() + " has no shape or offsets");
            }
            long begin = offsets.get(0).asLong(-1);
            long end = offsets.get(1).asLong(-1);
            if (begin < 0 || end < begin || end > data.byteSize()) {
                throw new ConversionException(file + ": truncated: tensor " + e.getKey() + " ends at byte " + end + " of " + data.byteSize());
            }
            var shape = new long[dims.size()];
            long elements = 1;
            for (int i = 0; i < shape.length; i++) {
                shape[i] = dims.get(i).asLong(-1);
                if (shape[i] < 0 || shape[i] > 0 && elements > Long.MAX_VALUE / 8 / shape[i]) {
                    throw new ConversionException(file + ": tensor " + e.getKey() + " has shape " + dims);
                }
                elements *= shape[i];
            }
            int width = switch (dtype) {
                case "F32" -> 4;
                case "BF16", "F16" -> 2;
                default -> 0;
            };
            if (width != 0 && elements * width != end - begin) {
                throw new ConversionException(file + ": tensor " + e.getKey() + " has shape " + dims + " but " + (end - begin) + " bytes");
            }
            tensors.put(e.getKey(), new Tensor(dtype, shape, data.asSlice(begin, end - begin)));
        }
    }

    boolean has(String name) {
        return tensors.containsKey(name);
    }

    Iterable<String> names() {
        return tensors.keySet();
    }

    /** The tensor as a matrix of the shape that the model needs (a vector has one row). */
    Matrix matrix(String name, int rows, int columns) {
        var t = tensors.get(name);
        boolean fits = t.shape.length == 2 ? t.shape[0] == rows && t.shape[1] == columns
                : t.shape.length == 1 && rows == 1 && t.shape[0] == columns;
        if (!fits) {
            throw new ConversionException(file + ": tensor " + name + " has shape " + java.util.Arrays.toString(t.shape) + "; config.json asks for ["
                    + (rows == 1 ? "" : rows + ", ") + columns + "]");
        }
        return switch (t.dtype) {
            case "F32", "BF16", "F16" -> new Rows(t.dtype, rows, columns, t.data);
            default -> throw new ConversionException(file + ": tensor " + name + " is of type " + t.dtype + "; supported are F32, BF16, F16");
        };
    }

    private record Rows(String dtype, int rows, int columns, MemorySegment data) implements Matrix {
        @Override
        public boolean isBf16() {
            return dtype.equals("BF16");
        }

        @Override
        public void read(int r, float[] out, int at) {
            long first = (long) r * columns;
            switch (dtype) {
                case "F32" -> MemorySegment.copy(data, FLOAT, first * 4, out, at, columns);
                case "BF16" -> {
                    for (int c = 0; c < columns; c++) {
                        out[at + c] = Float.intBitsToFloat(data.get(SHORT, 2 * (first + c)) << 16);
                    }
                }
                default -> {
                    for (int c = 0; c < columns; c++) {
                        out[at + c] = Float.float16ToFloat(data.get(SHORT, 2 * (first + c)));
                    }
                }
            }
        }
    }
}
