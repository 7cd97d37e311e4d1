package io.github.spike4j.convert.tokenizer;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;

/** Writes SentencePiece models by hand: protocol buffers' wire format and the field numbers of sentencepiece_model.proto. */
final class ModelBytes {
    static final int UNIGRAM = 1;
    static final int BPE = 2;
    static final int WORD = 3;
    static final int CHAR = 4;

    static final int NORMAL = 1;
    static final int UNKNOWN = 2;
    static final int CONTROL = 3;
    static final int USER_DEFINED = 4;
    static final int UNUSED = 5;
    static final int BYTE = 6;

    private final ByteArrayOutputStream pieces = new ByteArrayOutputStream();
    private final ByteArrayOutputStream trainer = new ByteArrayOutputStream();
    private final ByteArrayOutputStream normalizer = new ByteArrayOutputStream();

    ModelBytes(int type) {
        integer(trainer, 3, type);
    }

    ModelBytes piece(String text, float score, int type) {
        var piece = new ByteArrayOutputStream();
        bytes(piece, 1, text.getBytes(StandardCharsets.UTF_8));
        varint(piece, 2 << 3 | 5);
        piece.writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putFloat(score).array());
        if (type != NORMAL) {
            integer(piece, 3, type);
        }
        bytes(pieces, 1, piece.toByteArray());
        return this;
    }

    /** Field 35 of TrainerSpec, and the 256 pieces. */
    ModelBytes byteFallback() {
        integer(trainer, 35, 1);
        for (int b = 0; b < 256; b++) {
            piece("<0x%02X>".formatted(b), 0, BYTE);
        }
        return this;
    }

    ModelBytes trainer(int field, long value) {
        integer(trainer, field, value);
        return this;
    }

    /**
     * A character map in the layout of Darts-clone: the children of a node are in a block of 256 units of its own.
     *
     * @param replacements by text
     */
    ModelBytes charsmap(Map<String, String> replacements) {
        var nodes = new TreeMap<String, Integer>(Map.of("", 0)); // ISO-8859-1 of the bytes so far, to the block of the children
        var texts = new ByteArrayOutputStream();
        var values = new TreeMap<String, Integer>();
        replacements.forEach((from, to) -> {
            var key = new String(from.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
            for (int n = 1; n <= key.length(); n++) {
                nodes.putIfAbsent(key.substring(0, n), nodes.size());
            }
            values.put(key, texts.size());
            texts.writeBytes((to + "\0").getBytes(StandardCharsets.UTF_8));
        });
        int units = 256 * (nodes.size() + 1);
        var map = ByteBuffer.allocate(4 + 4 * units + texts.size()).order(ByteOrder.LITTLE_ENDIAN).putInt(4 * units);
        nodes.forEach((text, number) -> {
            int block = 256 * (number + 1);
            int label = text.isEmpty() ? 0 : text.charAt(text.length() - 1);
            int at = text.isEmpty() ? 0 : 256 * (nodes.get(text.substring(0, text.length() - 1)) + 1) ^ label;
            map.putInt(4 + 4 * at, label | (values.containsKey(text) ? 1 << 8 : 0) | (at ^ block) << 10);
            if (values.containsKey(text)) {
                map.putInt(4 + 4 * block, values.get(text) | 1 << 31);
            }
        });
        map.position(4 + 4 * units).put(texts.toByteArray());
        bytes(normalizer, 2, map.array());
        return this;
    }

    ModelBytes unkSurface(String text) {
        bytes(trainer, 44, text.getBytes(StandardCharsets.UTF_8));
        return this;
    }

    ModelBytes rules(boolean dummyPrefix, boolean collapses, boolean escapes) {
        integer(normalizer, 3, dummyPrefix ? 1 : 0);
        integer(normalizer, 4, collapses ? 1 : 0);
        integer(normalizer, 5, escapes ? 1 : 0);
        return this;
    }

    byte[] bytes() {
        var all = new ByteArrayOutputStream();
        all.writeBytes(pieces.toByteArray());
        bytes(all, 2, trainer.toByteArray());
        bytes(all, 3, normalizer.toByteArray());
        return all.toByteArray();
    }

    private static void integer(ByteArrayOutputStream out, int field, long value) {
        varint(out, (long) field << 3);
        varint(out, value);
    }

    private static void bytes(ByteArrayOutputStream out, int field, byte[] value) {
        varint(out, (long) field << 3 | 2);
        varint(out, value.length);
        out.writeBytes(value);
    }

    private static void varint(ByteArrayOutputStream out, long value) {
        for (; (value & ~0x7FL) != 0; value >>>= 7) {
            out.write((int) value & 0x7F | 0x80);
        }
        out.write((int) value);
    }
}
