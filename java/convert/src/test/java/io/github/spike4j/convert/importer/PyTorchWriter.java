package io.github.spike4j.convert.importer;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** Writes what {@code torch.save(state_dict, file)} does: the same opcodes, memo numbers included, in the same kind of ZIP. */
final class PyTorchWriter {
    /**
     * A tensor in a storage.
     *
     * @param storage its key: tensors of one key share the storage
     * @param values  of the whole storage
     */
    record Tensor(String storage, float[] values, long offset, long[] shape, long[] strides) {
        static Tensor of(String storage, float[] values, int... shape) {
            var sizes = new long[shape.length];
            var strides = new long[shape.length];
            long n = 1;
            for (int i = shape.length - 1; i >= 0; i--) {
                sizes[i] = shape[i];
                strides[i] = n;
                n *= shape[i];
            }
            return new Tensor(storage, values, 0, sizes, strides);
        }
    }

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final Map<String, Integer> memo = new LinkedHashMap<>();
    private final Map<String, byte[]> storages = new LinkedHashMap<>();
    private final String dtype;
    private int memos;

    private PyTorchWriter(String dtype) {
        this.dtype = dtype;
    }

    /** @param dtype F64, F32, F16 or BF16 */
    static void write(Path file, String dtype, Map<String, Tensor> tensors) throws IOException {
        var w = new PyTorchWriter(dtype);
        w.op(0x80, 2);
        w.dictionary(tensors);
        w.op('.');
        var entries = new LinkedHashMap<String, byte[]>();
        entries.put("data.pkl", w.out.toByteArray());
        entries.put("byteorder", "little".getBytes(StandardCharsets.US_ASCII));
        w.storages.forEach((key, data) -> entries.put("data/" + key, data));
        entries.put("version", "3\n".getBytes(StandardCharsets.US_ASCII));
        zip(file, "archive/", entries, ZipEntry.STORED);
    }

    static void zip(Path file, String folder, Map<String, byte[]> entries, int method) throws IOException {
        try (var zip = new ZipOutputStream(Files.newOutputStream(file))) {
            zip.setMethod(method);
            for (var e : entries.entrySet()) {
                var entry = new ZipEntry(folder + e.getKey());
                if (method == ZipEntry.STORED) {
                    var crc = new CRC32();
                    crc.update(e.getValue());
                    entry.setSize(e.getValue().length);
                    entry.setCrc(crc.getValue());
                }
                zip.putNextEntry(entry);
                zip.write(e.getValue());
            }
        }
    }

    private void dictionary(Map<String, Tensor> tensors) {
        global("collections", "OrderedDict");
        op(')', 'R');
        put();
        op('(');
        tensors.forEach((name, t) -> {
            text(name);
            tensor(t);
        });
        op('u', '}');
        put();
        text("_metadata");
        global("collections", "OrderedDict");
        op(')', 'R');
        put();
        op('s', 'b');
    }

    private void tensor(Tensor t) {
        global("torch._utils", "_rebuild_tensor_v2");
        op('(', '(');
        text("storage");
        global("torch", switch (dtype) {
            case "F64" -> "DoubleStorage";
            case "F32" -> "FloatStorage";
            case "F16" -> "HalfStorage";
            default -> "BFloat16Storage";
        });
        text(t.storage);
        text("cpu");
        integer(t.values.length);
        op('t');
        put();
        op('Q');
        integer(t.offset);
        sizes(t.shape);
        sizes(t.strides);
        op(0x89);
        global("collections", "OrderedDict");
        op(')', 'R');
        put();
        op('t');
        put();
        op('R');
        put();
        storages.computeIfAbsent(t.storage, _ -> bytes(dtype, t.values));
    }

    static byte[] bytes(String dtype, float[] values) {
        var b = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        for (float v : values) {
            switch (dtype) {
                case "F64" -> b.putDouble(v);
                case "F32" -> b.putFloat(v);
                case "F16" -> b.putShort(Float.floatToFloat16(v));
                default -> b.putShort((short) (Float.floatToIntBits(v) >>> 16));
            }
        }
        return java.util.Arrays.copyOf(b.array(), b.position());
    }

    private void sizes(long[] n) {
        if (n.length > 2) {
            op('(');
        }
        for (long v : n) {
            integer(v);
        }
        op(n.length == 1 ? 0x85 : n.length == 2 ? 0x86 : 't');
        put();
    }

    private void op(int... bytes) {
        for (int b : bytes) {
            out.write(b);
        }
    }

    private void integer(long n) {
        if (n >= 0 && n < 256) {
            op('K', (int) n);
        } else if (n >= 0 && n < 65536) {
            op('M', (int) n & 255, (int) n >> 8);
        } else {
            op('J', (int) n & 255, (int) n >> 8 & 255, (int) n >> 16 & 255, (int) (n >> 24));
        }
    }

    /** Memoizes what was pushed. */
    private int put() {
        if (memos < 256) {
            op('q', memos);
        } else {
            op('r', memos & 255, memos >> 8 & 255, memos >> 16, 0);
        }
        return memos++;
    }

    private void get(int index) {
        if (index < 256) {
            op('h', index);
        } else {
            op('j', index & 255, index >> 8 & 255, index >> 16, 0);
        }
    }

    private void text(String s) {
        var known = memo.get("X" + s);
        if (known != null) {
            get(known);
            return;
        }
        var utf8 = s.getBytes(StandardCharsets.UTF_8);
        op('X', utf8.length & 255, utf8.length >> 8, 0, 0);
        out.writeBytes(utf8);
        memo.put("X" + s, put());
    }

    private void global(String module, String name) {
        var known = memo.get("c" + module + " " + name);
        if (known != null) {
            get(known);
            return;
        }
        op('c');
        out.writeBytes((module + "\n" + name + "\n").getBytes(StandardCharsets.US_ASCII));
        memo.put("c" + module + " " + name, put());
    }
}
