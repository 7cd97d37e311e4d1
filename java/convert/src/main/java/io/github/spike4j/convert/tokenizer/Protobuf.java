package io.github.spike4j.convert.tokenizer;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

import io.github.spike4j.convert.ConversionException;

/**
 * Reads one message of protocol buffers' wire format, field by field. Nothing is allocated that is not in the file, so its size bounds
 * everything.
 */
final class Protobuf {
    private static final int VARINT = 0;
    private static final int FIXED64 = 1;
    private static final int LENGTH = 2;
    private static final int FIXED32 = 5;

    private final String file;
    private final ByteBuffer in;
    private int wireType;

    Protobuf(String file, byte[] message) {
        this(file, ByteBuffer.wrap(message));
    }

    private Protobuf(String file, ByteBuffer in) {
        this.file = file;
        this.in = in.order(ByteOrder.LITTLE_ENDIAN);
    }

    /** The number of the next field, whose value must be read or {@linkplain #skip skipped}; 0 at the end. */
    int next() {
        if (!in.hasRemaining()) {
            return 0;
        }
        long tag = varint();
        wireType = (int) tag & 7;
        long field = tag >>> 3;
        if (field < 1 || field >= 1 << 29) {
            throw damaged("field number " + field);
        }
        return (int) field;
    }

    long integer() {
        expect(VARINT);
        return varint();
    }

    boolean bool() {
        return integer() != 0;
    }

    float real() {
        expect(FIXED32);
        need(4);
        return in.getFloat();
    }

    byte[] bytes() {
        var out = new byte[length()];
        in.get(out);
        return out;
    }

    String string() {
        int length = length();
        var slice = in.slice(in.position(), length);
        try {
            var text = StandardCharsets.UTF_8.newDecoder().decode(slice).toString();
            in.position(in.position() + length);
            return text;
        } catch (CharacterCodingException e) {
            throw damaged("a string that is not UTF-8");
        }
    }

    Protobuf message() {
        int length = length();
        var inner = new Protobuf(file, in.slice(in.position(), length));
        in.position(in.position() + length);
        return inner;
    }

    void skip() {
        switch (wireType) {
            case VARINT -> varint();
            case FIXED64 -> advance(8);
            case LENGTH -> advance(length());
            case FIXED32 -> advance(4);
            default -> throw damaged("wire type " + wireType);
        }
    }

    private int length() {
        expect(LENGTH);
        long length = varint();
        if (length < 0 || length > in.remaining()) {
            throw damaged("a length of " + Long.toUnsignedString(length) + " with " + in.remaining() + " bytes left");
        }
        return (int) length;
    }

    private long varint() {
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            need(1);
            byte b = in.get();
            value |= (long) (b & 0x7F) << shift;
            if (b >= 0) {
                return value;
            }
        }
        throw damaged("an integer of more than 10 bytes");
    }

    private void advance(int bytes) {
        need(bytes);
        in.position(in.position() + bytes);
    }

    private void need(int bytes) {
        if (in.remaining() < bytes) {
            throw damaged("the end within a field");
        }
    }

    private void expect(int type) {
        if (wireType != type) {
            throw damaged("wire type " + wireType + " where " + type + " is due");
        }
    }

    private ConversionException damaged(String what) {
        return new ConversionException(file + ": damaged, or no SentencePiece model: " + what);
    }
}
