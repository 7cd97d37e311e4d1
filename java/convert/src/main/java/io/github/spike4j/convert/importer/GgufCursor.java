package io.github.spike4j.convert.importer;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.importer.GgufValue.Type;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** A place in a mapped GGUF file. Whatever would go beyond the file's end is refused before anything is allocated. */
final class GgufCursor {
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    /** Elements of an array: the largest vocabularies have some 300 000 tokens, and not twice as many merges. */
    private static final long MAX_ELEMENTS = 1 << 22;
    /** Bytes of a string: room for any tokenizer.json. */
    private static final long MAX_STRING = 64 << 20;
    /** Bytes of a key or a name. */
    private static final int MAX_NAME = 1 << 16;
    /** Arrays in arrays. */
    private static final int MAX_DEPTH = 8;

    private final String file;
    private final MemorySegment map;
    private final boolean shortLengths;
    private long at;

    /**
     * @param file         for messages
     * @param shortLengths whether counts, lengths and shapes have 4 bytes (version 1), not 8
     */
    GgufCursor(String file, MemorySegment map, boolean shortLengths, long at) {
        this.file = file;
        this.map = map;
        this.shortLengths = shortLengths;
        this.at = at;
    }

    GgufCursor copy() {
        return new GgufCursor(file, map, shortLengths, at);
    }

    long position() {
        return at;
    }

    /** Moves over {@code bytes}, and says where they begin. */
    private long next(long bytes, String what) {
        if (bytes < 0 || bytes > map.byteSize() - at) {
            throw new ConversionException(file + ": damaged or truncated: " + what + " of " + Long.toUnsignedString(bytes) + " bytes at byte " + at
                    + ", the file has " + map.byteSize());
        }
        at += bytes;
        return at - bytes;
    }

    int int32(String what) {
        return map.get(INT, next(4, what));
    }

    long int64(String what) {
        return map.get(LONG, next(8, what));
    }

    /** A count, length or dimension; as an unsigned number it may be negative here. */
    long length(String what) {
        return shortLengths ? Integer.toUnsignedLong(int32(what)) : int64(what);
    }

    /** A key or a tensor's name. */
    String name(String what) {
        long n = length("length of " + what);
        if (n < 1 || n > MAX_NAME) {
            throw new ConversionException(file + ": damaged: " + what + " at byte " + at + " has " + Long.toUnsignedString(n) + " bytes, not 1 to " + MAX_NAME);
        }
        var name = text(next(n, what), n);
        if (name.chars().anyMatch(c -> Character.isISOControl(c) || c == 0x2028 || c == 0x2029)) {
            throw new ConversionException(file + ": damaged: " + what + " has characters that cannot be printed");
        }
        return name;
    }

    private String text(long from, long n) {
        return new String(map.asSlice(from, n).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
    }

    private String string(String what) {
        long n = length("length of " + what);
        long from = next(n, what);
        if (n > MAX_STRING) {
            throw new ConversionException(file + ": " + what + " has " + n + " bytes; the limit is " + MAX_STRING);
        }
        return text(from, n);
    }

    private Type type(String key) {
        int id = int32("type of " + key);
        if (id < 0 || id >= Type.values().length) {
            throw new ConversionException(file + ": damaged: " + key + " is of the unknown type " + Integer.toUnsignedString(id));
        }
        return Type.values()[id];
    }

    /** Walks over the value of {@code key}. */
    GgufValue walk(String key) {
        var type = type(key);
        if (type == Type.ARRAY) {
            return walkArray(key, 1);
        }
        var value = new GgufValue(type, type, 1, copy());
        skip(type, key, 0);
        return value;
    }

    private GgufValue walkArray(String key, int depth) {
        if (depth > MAX_DEPTH) {
            throw new ConversionException(file + ": " + key + " has more than " + MAX_DEPTH + " arrays in each other");
        }
        var element = type(key);
        long count = length("count of " + key);
        int lengthBytes = shortLengths ? 4 : 8;
        // The smallest elements of no fixed size are an empty string and an empty array.
        int least = element.bytes > 0 ? element.bytes : element == Type.STRING ? lengthBytes : 4 + lengthBytes;
        if (count < 0 || count > (map.byteSize() - at) / least) {
            throw new ConversionException(file + ": damaged or truncated: " + key + " has " + Long.toUnsignedString(count)
                    + " elements at byte " + at + ", the file has " + map.byteSize());
        }
        if (count > MAX_ELEMENTS) {
            throw new ConversionException(file + ": " + key + " has " + count + " elements; the limit is " + MAX_ELEMENTS);
        }
        var value = new GgufValue(Type.ARRAY, element, count, copy());
        if (element.bytes > 0) {
            next(count * element.bytes, key);
        } else {
            for (long i = 0; i < count; i++) {
                skip(element, key, depth);
            }
        }
        return value;
    }

    private void skip(Type type, String key, int depth) {
        switch (type) {
            case STRING -> {
                long n = length("length of " + key);
                next(n, key);
            }
            case ARRAY -> walkArray(key, depth + 1);
            default -> next(type.bytes, key);
        }
    }

    /** The value here, of a type that is already read; it has been walked. */
    Object value(Type type) {
        int bytes = type.bytes;
        return switch (type) {
            case UINT8 -> map.get(ValueLayout.JAVA_BYTE, next(bytes, "value")) & 0xffL;
            case INT8 -> (long) map.get(ValueLayout.JAVA_BYTE, next(bytes, "value"));
            case UINT16 -> map.get(SHORT, next(bytes, "value")) & 0xffffL;
            case INT16 -> (long) map.get(SHORT, next(bytes, "value"));
            case UINT32 -> Integer.toUnsignedLong(int32("value"));
            case INT32 -> (long) int32("value");
            case INT64 -> int64("value");
            case UINT64 -> unsigned(int64("value"));
            case FLOAT32 -> Float.intBitsToFloat(int32("value"));
            case FLOAT64 -> Double.longBitsToDouble(int64("value"));
            case BOOL -> map.get(ValueLayout.JAVA_BYTE, next(bytes, "value")) != 0;
            case STRING -> string("value");
            case ARRAY -> walkArray("value", 1);
        };
    }

    private static Number unsigned(long bits) {
        return bits >= 0 ? (Number) bits : new BigInteger(Long.toUnsignedString(bits));
    }
}
