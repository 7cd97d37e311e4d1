package io.github.spike4j.convert.importer;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.importer.GgufValue.Type;
import io.github.spike4j.convert.tokenizer.GgufMetadata;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * A mapped GGUF file, versions 1 to 3, little-endian, with all its parts if it is split: magic, version, counts, metadata (key, type,
 * value), tensors (name, shape, type, offset), data. Everything is checked against the file's size before it is used; no tensor is read
 * before it is asked for.
 */
public final class GgufFile implements GgufMetadata {
    private static final byte[] MAGIC = {'G', 'G', 'U', 'F'};
    private static final int MAX_KEYS = 1 << 16;
    private static final int MAX_TENSORS = 1 << 17;
    private static final int MAX_DIMENSIONS = 4;
    private static final int DEFAULT_ALIGNMENT = 32;
    private static final Pattern PART_NAME = Pattern.compile("(.*)-([0-9]{5})-of-([0-9]{5})\\.gguf");

    /**
     * @param shape the length of a row first, as in the file
     * @param data  the rows, one after the other
     */
    record Tensor(String name, GgufType type, long[] shape, MemorySegment data) { }

    private final Path file;
    private final Map<String, GgufValue> metadata = new LinkedHashMap<>();
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private int version;
    private long bytes;

    /** Maps the file, and those that it is a part with, into the arena. */
    public GgufFile(Path file, Arena arena) {
        this(file, Sources.map(file, arena), arena);
    }

    /** Reads a file that is mapped already. */
    GgufFile(Path file, MemorySegment map, Arena arena) {
        this.file = file;
        var given = new Part(file, map);
        int parts = given.number("split.count", 1);
        if (parts == 1) {
            add(given);
            return;
        }
        var name = PART_NAME.matcher(file.getFileName().toString());
        var ending = "-%05d-of-%05d.gguf";
        int own = given.number("split.no", 0) + 1;
        if (!name.matches() || !file.getFileName().toString().equals(name.group(1) + ending.formatted(own, parts))) {
            throw new ConversionException(file + ": is part " + own + " of " + parts + "; its name must end with " + ending.formatted(own, parts));
        }
        for (int i = 1; i <= parts; i++) {
            var path = file.resolveSibling(name.group(1) + ending.formatted(i, parts));
            if (!Files.exists(path)) {
                throw new ConversionException(path + ": no such file; it is part " + i + " of the " + parts + " of " + file.getFileName());
            }
            var part = i == own ? given : new Part(path, Sources.map(path, arena));
            if (part.number("split.count", 1) != parts || part.number("split.no", 0) != i - 1) {
                throw new ConversionException(path + ": is not part " + i + " of " + parts + ", as its name says");
            }
            add(part);
        }
        int expected = given.number("split.tensors.count", tensors.size());
        if (expected != tensors.size()) {
            throw new ConversionException(file + ": its parts have " + tensors.size() + " tensors, not " + expected);
        }
    }

    /** Metadata counts where it is first: later parts have only their number. */
    private void add(Part part) {
        version = part.version;
        bytes += part.map.byteSize();
        part.metadata.forEach(metadata::putIfAbsent);
        for (var t : part.tensors) {
            if (tensors.put(t.name, t) != null) {
                throw new ConversionException(part.file + ": damaged: tensor " + t.name + " is there twice");
            }
        }
    }

    /** Whether the file begins as a GGUF file does. */
    static boolean is(Path file) {
        try (var in = Files.newInputStream(Sources.regular(file))) {
            return Arrays.equals(in.readNBytes(MAGIC.length), MAGIC);
        } catch (IOException _) {
            return false;
        }
    }

    @Override
    public String file() {
        return file.toString();
    }

    /** Without its folder. */
    String name() {
        return file.getFileName().toString();
    }

    int version() {
        return version;
    }

    /** Size of all parts. */
    long bytes() {
        return bytes;
    }

    /** In the file's order. */
    Map<String, GgufValue> metadata() {
        return Collections.unmodifiableMap(metadata);
    }

    /** In the file's order. */
    Collection<Tensor> tensors() {
        return Collections.unmodifiableCollection(tensors.values());
    }

    boolean has(String tensor) {
        return tensors.containsKey(tensor);
    }

    /** The length of a row first; null if there is no such tensor. */
    long[] shape(String tensor) {
        return has(tensor) ? tensors.get(tensor).shape : null;
    }

    boolean isArray(String key) {
        return metadata.containsKey(key) && metadata.get(key).isArray();
    }

    private <T> T value(String key, Class<T> type, String name) {
        var value = metadata.get(key);
        if (value == null) {
            return null;
        }
        if (value.isArray() || !type.isInstance(value.get())) {
            throw new ConversionException(file + ": " + key + " is not " + name);
        }
        return type.cast(value.get());
    }

    /** Null if there is no such key, as in all of these. */
    @Override
    public String string(String key) {
        return value(key, String.class, "a string");
    }

    @Override
    public Long integer(String key) {
        return value(key, Long.class, "an integer below 2^63");
    }

    /** Of any kind. */
    Double number(String key) {
        var n = value(key, Number.class, "a number");
        return n == null ? null : Double.valueOf(n.doubleValue());
    }

    @Override
    public Boolean bool(String key) {
        return value(key, Boolean.class, "a boolean");
    }

    boolean[] bools(String key) {
        var all = array(key, "booleans", Type.BOOL);
        if (all == null) {
            return null;
        }
        var values = new boolean[all.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (Boolean) all.get(i);
        }
        return values;
    }

    private List<Object> array(String key, String name, Type... types) {
        var value = metadata.get(key);
        if (value == null) {
            return null;
        }
        if (!value.isArray() || !List.of(types).contains(value.elementType())) {
            throw new ConversionException(file + ": " + key + " is not an array of " + name);
        }
        return value.first(value.count());
    }

    @Override
    public String[] strings(String key) {
        var all = array(key, "strings", Type.STRING);
        return all == null ? null : all.toArray(String[]::new);
    }

    @Override
    public float[] floats(String key) {
        var all = array(key, "32-bit floats", Type.FLOAT32);
        if (all == null) {
            return null;
        }
        var values = new float[all.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (Float) all.get(i);
        }
        return values;
    }

    @Override
    public int[] integers(String key) {
        var all = array(key, "integers of 32 bits", Type.UINT8, Type.INT8, Type.UINT16, Type.INT16, Type.UINT32, Type.INT32);
        return all == null ? null : all.stream().mapToInt(n -> ((Long) n).intValue()).toArray();
    }

    /** The tensor as a matrix of the shape that the model needs (a vector has one row). */
    Matrix matrix(String name, int rows, int columns) {
        var t = tensors.get(name);
        if (t == null) {
            throw new ConversionException(file + ": tensor " + name + " is missing; the metadata does not match the tensors, or a part is absent");
        }
        if (t.shape.length == 0 || t.shape[0] != columns || Arrays.stream(t.shape).skip(1).reduce(1, (a, b) -> a * b) != rows) {
            throw new ConversionException(file + ": tensor " + name + " has shape " + Arrays.toString(t.shape) + "; the metadata asks for [" + columns
                    + (rows == 1 ? "" : ", " + rows) + "]");
        }
        if (!t.type.isReadable()) {
            throw new ConversionException(file + ": tensor " + name + " is of type " + t.type + "; supported are "
                    + String.join(", ", Arrays.stream(GgufType.values()).filter(GgufType::isReadable).map(Enum::name).toList()));
        }
        return new Rows(t.type, rows, columns, t.data);
    }

    private record Rows(GgufType type, int rows, int columns, MemorySegment data) implements Matrix {
        @Override
        public boolean isBf16() {
            return type == GgufType.BF16;
        }

        @Override
        public void read(int r, float[] out, int at) {
            long size = columns / type.elements * (long) type.bytes;
            type.read(data.asSlice(r * size, size).toArray(ValueLayout.JAVA_BYTE), out, at);
        }
    }

    /** One file. */
    private static final class Part {
        final Path file;
        final MemorySegment map;
        final int version;
        final Map<String, GgufValue> metadata = new LinkedHashMap<>();
        final List<Tensor> tensors = new ArrayList<>();

        Part(Path file, MemorySegment map) {
            this.file = file;
            this.map = map;
            if (map.byteSize() < 8 || map.asSlice(0, 4).mismatch(MemorySegment.ofArray(MAGIC)) >= 0) {
                throw new ConversionException(file + ": not a GGUF file, or truncated");
            }
            version = new GgufCursor(file.toString(), map, true, 4).int32("version");
            if (version < 1 || version > 3) {
                throw new ConversionException(file + ": " + ((version & 0xffff) == 0 && version != 0 ? "big-endian GGUF is not supported"
                        : "GGUF version " + Integer.toUnsignedString(version) + " is not supported; supported are 1 to 3"));
            }
            var cursor = new GgufCursor(file.toString(), map, version == 1, 8);
            long tensorCount = limited("tensors", cursor.length("tensor count"), MAX_TENSORS);
            long keyCount = limited("metadata keys", cursor.length("metadata count"), MAX_KEYS);
            for (long i = 0; i < keyCount; i++) {
                var key = cursor.name("metadata key " + (i + 1) + " of " + keyCount);
                if (metadata.put(key, cursor.walk(key)) != null) {
                    throw new ConversionException(file + ": damaged: metadata key " + key + " is there twice");
                }
            }
            tensors(cursor, tensorCount);
        }

        private long limited(String what, long n, long limit) {
            if (n < 0 || n > limit) {
                throw new ConversionException(file + ": damaged: " + Long.toUnsignedString(n) + " " + what + "; the limit is " + limit);
            }
            return n;
        }

        /** A small number that every part may have. */
        int number(String key, int otherwise) {
            var value = metadata.get(key);
            if (value == null) {
                return otherwise;
            }
            if (value.isArray() || !(value.get() instanceof Long n) || n < 0 || n > Integer.MAX_VALUE) {
                throw new ConversionException(file + ": damaged: " + key + " is not an integer of 0 to 2^31 - 1");
            }
            return n.intValue();
        }

        private void tensors(GgufCursor cursor, long count) {
            record Info(String name, GgufType type, long[] shape, long offset) { }
            var infos = new ArrayList<Info>();
            for (long i = 0; i < count; i++) {
                var name = cursor.name("name of tensor " + (i + 1) + " of " + count);
                var what = "tensor " + name;
                int dimensions = cursor.int32(what);
                if (dimensions < 0 || dimensions > MAX_DIMENSIONS) {
                    throw new ConversionException(file + ": damaged: " + what + " has " + Integer.toUnsignedString(dimensions) + " dimensions; the limit is "
                            + MAX_DIMENSIONS);
                }
                var shape = new long[dimensions];
                for (int d = 0; d < dimensions; d++) {
                    shape[d] = cursor.length(what);
                }
                int id = cursor.int32(what);
                var type = GgufType.of(id);
                if (type == null) {
                    throw new ConversionException(file + ": " + what + " is of the unknown type " + Integer.toUnsignedString(id));
                }
                infos.add(new Info(name, type, shape, cursor.int64(what)));
            }
            int alignment = number("general.alignment", DEFAULT_ALIGNMENT);
            if (Integer.bitCount(alignment) != 1) {
                throw new ConversionException(file + ": damaged: general.alignment is " + alignment + ", not a power of two");
            }
            long begin = Math.ceilDiv(cursor.position(), (long) alignment) * alignment;
            long size = Math.max(0, map.byteSize() - begin);
            for (var t : infos) {
                long length = length(t.name, t.type, t.shape, size);
                if (t.offset % alignment != 0) {
                    throw new ConversionException(file + ": damaged: tensor " + t.name + " lies at " + Long.toUnsignedString(t.offset)
                            + ", no multiple of the alignment " + alignment);
                }
                if (t.offset < 0 || t.offset > size - length) {
                    throw new ConversionException(file + ": damaged or truncated: tensor " + t.name + " has " + length + " bytes at "
                            + Long.toUnsignedString(t.offset) + " of " + size);
                }
                tensors.add(new Tensor(t.name, t.type, t.shape, map.asSlice(begin + t.offset, length)));
            }
            var sorted = new ArrayList<>(tensors);
            sorted.sort(Comparator.comparingLong(t -> t.data.address()));
            for (int i = 1; i < sorted.size(); i++) {
                var before = sorted.get(i - 1);
                if (before.data.address() + before.data.byteSize() > sorted.get(i).data.address()) {
                    throw new ConversionException(file + ": damaged: tensors " + before.name + " and " + sorted.get(i).name + " overlap");
                }
            }
        }

        /** Bytes of a tensor, at most {@code size}. */
        private long length(String name, GgufType type, long[] shape, long size) {
            if (Arrays.stream(shape).anyMatch(d -> d < 1)) {
                throw new ConversionException(file + ": damaged: tensor " + name + " has shape " + Arrays.toString(shape));
            }
            long columns = shape.length == 0 ? 1 : shape[0];
            if (columns % type.elements != 0) {
                throw new ConversionException(file + ": damaged: tensor " + name + " has rows of " + columns + ", no multiple of the " + type.elements
                        + " of a block of " + type);
            }
            long length = columns / type.elements > size / type.bytes ? size + 1 : columns / type.elements * type.bytes;
            for (int d = 1; d < shape.length && length <= size; d++) {
                length = shape[d] > size / length ? size + 1 : shape[d] * length;
            }
            if (length > size) {
                throw new ConversionException(file + ": damaged or truncated: tensor " + name + " has shape " + Arrays.toString(shape) + " of " + type
                        + ", more than the " + size + " bytes of data");
            }
            return length;
        }
    }
}
