package io.github.spike4j.convert.importer;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Writes GGUF files, sound ones and others: nothing is checked. */
final class GgufBuilder {
    static final int U8 = 0;
    static final int I8 = 1;
    static final int U16 = 2;
    static final int I16 = 3;
    static final int U32 = 4;
    static final int I32 = 5;
    static final int F32 = 6;
    static final int BOOL = 7;
    static final int STRING = 8;
    static final int ARRAY = 9;
    static final int U64 = 10;
    static final int I64 = 11;
    static final int F64 = 12;

    /** A tensor's description and its data. */
    record Tensor(String name, int type, long[] shape, Long offset, byte[] data) { }

    private final int version;
    private final ByteArrayOutputStream metadata = new ByteArrayOutputStream();
    private final List<Tensor> tensors = new ArrayList<>();
    private int keys;
    private int alignment = 32;
    private Long tensorCount;
    private Long keyCount;

    GgufBuilder(int version) {
        this.version = version;
    }

    private static ByteBuffer little(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private byte[] length(long n) {
        return version == 1 ? little(4).putInt((int) n).array() : little(8).putLong(n).array();
    }

    private static byte[] int32(long n) {
        return little(4).putInt((int) n).array();
    }

    /** Bytes of a value without its type: a number of any kind, a String, an array as {@link #array} makes it. */
    byte[] value(int type, Object value) {
        return switch (type) {
            case U8, I8 -> new byte[] {((Number) value).byteValue()};
            case BOOL -> new byte[] {(byte) ((boolean) value ? 1 : 0)};
            case U16, I16 -> little(2).putShort(((Number) value).shortValue()).array();
            case U32, I32 -> int32(((Number) value).longValue());
            case U64, I64 -> little(8).putLong(((Number) value).longValue()).array();
            case F32 -> little(4).putFloat(((Number) value).floatValue()).array();
            case F64 -> little(8).putDouble(((Number) value).doubleValue()).array();
            case STRING -> {
                var text = ((String) value).getBytes(StandardCharsets.UTF_8);
                yield join(length(text.length), text);
            }
            default -> (byte[]) value;
        };
    }

    /** Bytes of an array. */
    byte[] array(int elementType, Object... elements) {
        var out = new ByteArrayOutputStream();
        out.writeBytes(join(int32(elementType), length(elements.length)));
        for (var e : elements) {
            out.writeBytes(value(elementType, e));
        }
        return out.toByteArray();
    }

    /** Bytes of an array's head alone. */
    byte[] arrayHead(int elementType, long count) {
        return join(int32(elementType), length(count));
    }

    static byte[] join(byte[]... parts) {
        var out = new ByteArrayOutputStream();
        for (var p : parts) {
            out.writeBytes(p);
        }
        return out.toByteArray();
    }

    GgufBuilder key(String name, int type, Object value) {
        return raw(join(value(STRING, name), int32(type), value(type, value)));
    }

    GgufBuilder strings(String name, String... values) {
        return key(name, ARRAY, array(STRING, (Object[]) values));
    }

    /** Bytes that count as a metadata entry. */
    GgufBuilder raw(byte[] entry) {
        metadata.writeBytes(entry);
        keys++;
        return this;
    }

    GgufBuilder alignment(int bytes) {
        alignment = bytes;
        return key("general.alignment", U32, bytes);
    }

    /** Counts of the header that are not true. */
    GgufBuilder counts(Long tensorCount, Long keyCount) {
        this.tensorCount = tensorCount;
        this.keyCount = keyCount;
        return this;
    }

    GgufBuilder tensor(String name, int type, byte[] data, long... shape) {
        return tensor(name, type, null, data, shape);
    }

    /** At an offset of its own. */
    GgufBuilder tensor(String name, int type, Long offset, byte[] data, long... shape) {
        tensors.add(new Tensor(name, type, shape, offset, data));
        return this;
    }

    GgufBuilder floats(String name, float[] values, long... shape) {
        var out = little(4 * values.length);
        out.asFloatBuffer().put(values);
        return tensor(name, 0, out.array(), shape);
    }

    byte[] bytes() {
        var out = new ByteArrayOutputStream();
        out.writeBytes(join("GGUF".getBytes(StandardCharsets.US_ASCII), int32(version), length(tensorCount == null ? tensors.size() : tensorCount),
                length(keyCount == null ? keys : keyCount), metadata.toByteArray()));
        long at = 0;
        var data = new ByteArrayOutputStream();
        for (var t : tensors) {
            out.writeBytes(join(value(STRING, t.name), int32(t.shape.length)));
            for (long d : t.shape) {
                out.writeBytes(length(d));
            }
            out.writeBytes(join(int32(t.type), little(8).putLong(t.offset == null ? at : t.offset).array()));
            data.writeBytes(t.data);
            while (data.size() % alignment != 0) {
                data.write(0);
            }
            at = data.size();
        }
        while (!tensors.isEmpty() && out.size() % alignment != 0) {
            out.write(0);
        }
        out.writeBytes(data.toByteArray());
        return out.toByteArray();
    }

    Path write(Path file) throws IOException {
        return Files.write(file, bytes());
    }
}
