package io.github.spike4j.convert.importer;

import io.github.spike4j.convert.ConversionException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;

import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/**
 * A {@code .safetensors} file: u64 header size, header JSON ({@code name: {dtype, shape, data_offsets}}), data. Tensors fill the data
 * without gaps and overlaps. The header is read as a stream, so that a hostile one costs no more than its own size.
 */
final class SafeTensors {
    private static final long MAX_HEADER = 100L << 20;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Path file;
    private final Map<String, Entry> entries = new LinkedHashMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();

    private record Entry(String name, String type, long[] shape, long begin, long end) { }

    private SafeTensors(Path file) {
        this.file = file;
    }

    /** The tensors of a file, mapped as long as {@code arena} lives. */
    static Map<String, StoredTensor> read(Path file, Arena arena) {
        return read(file, Sources.map(file, arena));
    }

    /** The tensors of what {@code file} holds. */
    static Map<String, StoredTensor> read(Path file, MemorySegment content) {
        return new SafeTensors(file).read(content);
    }

    /** What a file says about itself. */
    static Map<String, String> metadata(Path file, Arena arena) {
        var reader = new SafeTensors(file);
        reader.read(Sources.map(file, arena));
        return reader.metadata;
    }

    private Map<String, StoredTensor> read(MemorySegment map) {
        long header = map.byteSize() < 8 ? -1 : map.get(LONG, 0);
        if (header < 2 || header > MAX_HEADER || header > map.byteSize() - 8) {
            throw new ConversionException(file + ": not a safetensors file, or truncated: its " + map.byteSize() + " bytes do not hold a header of "
                    + header);
        }
        try (var parser = Sources.parser(map.asSlice(8, header).toArray(ValueLayout.JAVA_BYTE))) {
            header(parser);
        } catch (JacksonException e) {
            throw bad("header: " + Sources.reason(e));
        }
        var data = map.asSlice(8 + header);
        var sorted = entries.values().stream().sorted(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end)).toList();
        long at = 0;
        for (var e : sorted) {
            if (e.end > data.byteSize()) {
                throw bad("truncated: tensor " + e.name + " ends at byte " + e.end + " of " + data.byteSize());
            }
            if (e.begin != at) {
                throw bad("tensor " + e.name + " starts at byte " + e.begin + (e.begin < at ? ", inside of another one" : ", behind a gap")
                        + "; the file is damaged");
            }
            at = e.end;
        }
        if (at != data.byteSize()) {
            throw bad((data.byteSize() - at) + " bytes behind the last tensor; the file is damaged");
        }
        var tensors = new LinkedHashMap<String, StoredTensor>();
        for (var e : entries.values()) {
            tensors.put(e.name, StoredTensor.contiguous(file + ": tensor " + e.name, e.type, e.shape, data.asSlice(e.begin, e.end - e.begin)));
        }
        return tensors;
    }

    private void header(JsonParser p) {
        if (p.nextToken() != JsonToken.START_OBJECT) {
            throw bad("its header is not a JSON object");
        }
        while (p.nextToken() == JsonToken.PROPERTY_NAME) {
            var name = Sources.printable(p.currentName());
            p.nextToken();
            if (name.equals("__metadata__")) {
                metadata(p);
                continue;
            }
            var entry = entry(name, p);
            if (entries.put(name, entry) != null) {
                throw bad("tensor " + name + " is there twice");
            }
        }
        if (p.nextToken() != null) {
            throw bad("something follows its header's JSON object");
        }
    }

    /** Strings by key, which is all that the format allows; other values are passed over. */
    private void metadata(JsonParser p) {
        if (p.currentToken() != JsonToken.START_OBJECT) {
            p.skipChildren();
            return;
        }
        while (p.nextToken() == JsonToken.PROPERTY_NAME) {
            var key = p.currentName();
            if (p.nextToken() == JsonToken.VALUE_STRING) {
                metadata.put(key, p.getString());
            } else {
                p.skipChildren();
            }
        }
    }

    private Entry entry(String name, JsonParser p) {
        String type = null;
        long[] shape = null;
        long[] offsets = null;
        boolean object = p.currentToken() == JsonToken.START_OBJECT;
        while (object && p.nextToken() == JsonToken.PROPERTY_NAME) {
            var field = p.currentName();
            p.nextToken();
            switch (field) {
                case "dtype" -> type = p.currentToken() == JsonToken.VALUE_STRING ? Sources.printable(p.getString()) : null;
                case "shape" -> shape = numbers(name, p);
                case "data_offsets" -> offsets = numbers(name, p);
                default -> p.skipChildren();
            }
        }
        if (type == null || shape == null || offsets == null || offsets.length != 2) {
            throw bad("tensor " + name + " has no dtype, shape or offsets");
        }
        long elements = StoredTensor.elements(shape);
        if (elements < 0 || offsets[0] < 0 || offsets[1] < offsets[0]) {
            throw bad("tensor " + name + " has shape " + Arrays.toString(shape) + " and bytes " + Arrays.toString(offsets));
        }
        var element = ElementType.of(type);
        if (element != null && elements * element.bytes != offsets[1] - offsets[0]) {
            throw bad("tensor " + name + " has shape " + Arrays.toString(shape) + " but " + (offsets[1] - offsets[0]) + " bytes");
        }
        return new Entry(name, type, shape, offsets[0], offsets[1]);
    }

    /** An array of a few integers. */
    private long[] numbers(String name, JsonParser p) {
        var all = new long[StoredTensor.MAX_DIMENSIONS];
        int n = 0;
        if (p.currentToken() == JsonToken.START_ARRAY) {
            while (p.nextToken() == JsonToken.VALUE_NUMBER_INT && n < all.length) {
                all[n++] = p.getLongValue();
            }
        }
        if (p.currentToken() != JsonToken.END_ARRAY) {
            throw bad("tensor " + name + " has no shape or offsets of up to " + all.length + " integers");
        }
        return Arrays.copyOf(all, n);
    }

    private ConversionException bad(String what) {
        return new ConversionException(file + ": " + what);
    }
}
