package io.github.spike4j.convert.importer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.spike4j.convert.SharedData;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashSet;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class GgufTypeTest {
    /** Blocks of random bytes and the values that ggml's own reader gives them. */
    @Test
    void blocksOfGgml() {
        var types = Sources.json(SharedData.path("formats/gguf-blocks.json")).get("types");
        var readable = new TreeSet<>(Arrays.stream(GgufType.values()).filter(GgufType::isReadable).map(Enum::name).toList());
        assertEquals(readable, new TreeSet<>(union(types.propertyNames(), Set.of("F32", "F16"))));
        for (var e : types.properties()) {
            var type = GgufType.valueOf(e.getKey());
            var raw = Base64.getDecoder().decode(e.getValue().get("raw").asString());
            int blocks = e.getValue().get("blocks").asInt();
            assertEquals(e.getValue().get("blockElements").asInt(), type.elements, type.name());
            assertEquals(e.getValue().get("blockBytes").asInt(), type.bytes, type.name());
            assertEquals(blocks * type.bytes, raw.length, type.name());
            var expected = bits(Base64.getDecoder().decode(e.getValue().get("f32").asString()));
            // Three floats before and after must stay.
            var out = new float[expected.length + 6];
            Arrays.fill(out, 77);
            type.read(raw, out, 3);
            assertArrayEquals(new float[] {77, 77, 77}, Arrays.copyOf(out, 3), type.name());
            assertArrayEquals(new float[] {77, 77, 77}, Arrays.copyOfRange(out, out.length - 3, out.length), type.name());
            assertArrayEquals(expected, bits(Arrays.copyOfRange(out, 3, out.length - 3)), type.name());
        }
    }

    private static Set<String> union(Iterable<String> some, Set<String> others) {
        var all = new HashSet<>(others);
        some.forEach(all::add);
        return all;
    }

    private static int[] bits(byte[] floats) {
        var out = new int[floats.length / 4];
        ByteBuffer.wrap(floats).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(out);
        return out;
    }

    private static int[] bits(float[] values) {
        var out = new int[values.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = Float.floatToRawIntBits(values[i]);
        }
        return out;
    }

    /** Every finite half, from its sign, exponent and mantissa. */
    @Test
    void halves() {
        var b = ByteBuffer.allocate(2 << 16).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < 1 << 16; i++) {
            b.putShort((short) i);
        }
        var out = new float[1 << 16];
        GgufType.F16.read(b.array(), out, 0);
        for (int i = 0; i < 1 << 16; i++) {
            int exponent = i >> 10 & 31;
            int mantissa = i & 1023;
            double magnitude = exponent == 0 ? mantissa * 0x1p-24 : (1024 + mantissa) * Math.pow(2, exponent - 25);
            if (exponent < 31) {
                assertEquals((float) (i < 1 << 15 ? magnitude : -magnitude), out[i]);
            } else {
                assertEquals(mantissa != 0, Float.isNaN(out[i]));
            }
        }
    }

    @Test
    void floats() {
        var b = ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN).putInt(0x3f800001).putInt(0x80000000).putInt(0x00000001);
        var out = new float[3];
        GgufType.F32.read(b.array(), out, 0);
        assertArrayEquals(new int[] {0x3f800001, 0x80000000, 1}, bits(out));
    }
}
