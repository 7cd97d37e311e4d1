package io.github.spike4j.convert.importer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.spike4j.convert.ConversionException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The format on its own: element types, and what is refused. */
class SafeTensorsTest {
    private static final String W = "\"w\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}";

    @TempDir
    Path dir;

    private float[] values(String dtype, byte[] data, int n) throws IOException {
        var file = dir.resolve(dtype);
        Files.write(file, SafeTensorsWriter.file("{\"w\":{\"dtype\":\"%s\",\"shape\":[%d],\"data_offsets\":[0,%d]}}".formatted(dtype, n, data.length), data));
        try (var arena = Arena.ofConfined()) {
            return SafeTensors.read(file, arena).get("w").matrix(1, n, "the test").values();
        }
    }

    @Test
    void types() throws IOException {
        float[] some = {0, -0f, 1, -1.5f, .0625f, 240, Float.POSITIVE_INFINITY};
        for (var dtype : new String[] {"F64", "F32", "F16", "BF16"}) {
            assertArrayEquals(some, values(dtype, PyTorchWriter.bytes(dtype, some), some.length), dtype);
        }
        var doubles = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putDouble(.1).putDouble(1 + 0x1p-24 + 0x1p-50).array();
        assertArrayEquals(new float[] {.1f, Math.nextUp(1f)}, values("F64", doubles, 2));
    }

    /** Every byte, from the definitions of the OCP types. */
    @Test
    void eightBits() throws IOException {
        var all = new byte[256];
        var e4m3 = new float[256];
        var e5m2 = new float[256];
        for (int b = 0; b < 256; b++) {
            all[b] = (byte) b;
            int sign = b < 128 ? 1 : -1;
            int e = b >> 3 & 15;
            int m = b & 7;
            e4m3[b] = (b & 127) == 127 ? Float.NaN : (float) (sign * (e == 0 ? m / 8. * Math.pow(2, -6) : (1 + m / 8.) * Math.pow(2, e - 7)));
            e = b >> 2 & 31;
            m = b & 3;
            e5m2[b] = e == 31 ? m == 0 ? sign * Float.POSITIVE_INFINITY : Float.NaN
                    : (float) (sign * (e == 0 ? m / 4. * Math.pow(2, -14) : (1 + m / 4.) * Math.pow(2, e - 15)));
        }
        e4m3[128] = -0f;
        e5m2[128] = -0f;
        assertArrayEquals(e4m3, values("F8_E4M3", all, 256));
        assertArrayEquals(e5m2, values("F8_E5M2", all, 256));
    }

    private void refused(byte[] file, String... words) throws IOException {
        var path = dir.resolve("x.safetensors");
        Files.write(path, file);
        try (var arena = Arena.ofConfined()) {
            var message = assertThrows(ConversionException.class, () -> SafeTensors.read(path, arena).get("w").matrix(2, 3, "the test")).getMessage();
            assertEquals(1, message.lines().count(), message);
            assertTrue(message.startsWith(path.toString()), message);
            for (var w : words) {
                assertTrue(message.contains(w), "\"" + w + "\" is not in: " + message);
            }
        }
    }

    private void refused(String header, String... words) throws IOException {
        refused(SafeTensorsWriter.file(header, new byte[24]), words);
    }

    private static String w(String dtype, String shape, String offsets) {
        return "{\"w\":{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}}";
    }

    @Test
    void oneMessageForWhatIsWrong() throws IOException {
        var good = SafeTensorsWriter.file("{" + W + "}", new byte[24]);
        refused(new byte[0], "0 bytes do not hold a header");
        refused(new byte[7], "7 bytes do not hold");
        refused(Arrays.copyOf(good, good.length - 1), "truncated: tensor w ends at byte 24 of 23");
        refused(Arrays.copyOf(good, 20), "do not hold a header of");
        refused(Arrays.copyOf(good, good.length + 3), "3 bytes behind the last tensor");
        var huge = good.clone();
        huge[7] = 0x7f;
        refused(huge, "do not hold a header");
        huge[7] = (byte) 0xff;
        refused(huge, "do not hold a header");
        refused("[]", "its header is not a JSON object");
        refused("{ ", "not valid JSON");
        refused("{" + W + "} x", "not valid JSON");
        refused("{" + W + "} {}", "something follows");
        refused("{" + W + "," + W + "}", "tensor w is there twice");
        refused("{\"w\":3}", "tensor w has no dtype");
        refused("{\"w\":{\"shape\":[2,3],\"data_offsets\":[0,24]}}", "no dtype");
        refused(w("7", "[2,3]", "[0,24]"), "no dtype");
        refused(w("\"F32\"", "6", "[0,24]"), "no shape");
        refused(w("\"F32\"", "[2,\"3\"]", "[0,24]"), "no shape");
        refused(w("\"F32\"", "[2,3.0]", "[0,24]"), "no shape");
        refused(w("\"F32\"", "[1,1,1,1,1,1,1,2,3]", "[0,24]"), "no shape");
        refused(w("\"F32\"", "[2,3]", "[0,24,24]"), "offsets");
        refused(w("\"F32\"", "[2,3]", "[24,0]"), "bytes [24, 0]");
        refused(w("\"F32\"", "[2,3]", "[-24,0]"), "bytes [-24, 0]");
        refused(w("\"F32\"", "[2,3]", "[0,99999999999999999999]"), "header");
        refused(w("\"F32\"", "[-2,-3]", "[0,24]"), "shape [-2, -3]");
        refused(w("\"F32\"", "[4294967296,4294967296,4294967296]", "[0,24]"), "has shape");
        refused(w("\"F32\"", "[2,4]", "[0,24]"), "shape [2, 4] but 24 bytes");
        refused(w("\"I64\"", "[1,3]", "[0,24]"), "has shape [1, 3]; the test asks for [2, 3]");
        refused(w("\"F4\"", "[2,3]", "[0,24]"), "is of type F4; supported are F64, F32, F16, BF16");
        refused(w("\"F32\\n\"", "[2,3]", "[0,24]"), "is of type F32?;");
        refused("{\"a\\nb\":3}", "tensor a?b has no dtype");
        refused("{\"v\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"w\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[8,24]}}",
                "tensor w starts at byte 8, behind a gap");
        refused("{\"v\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},\"w\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[8,24]}}",
                "tensor w starts at byte 8, inside of another one");
        refused("{\"w\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[4,24]}}", "tensor w starts at byte 4, behind a gap");
        refused("{\"__metadata__\":" + "[".repeat(5000), "header");
        refused("{\"" + "x".repeat(10000) + "\":3}", "xxx... has no dtype");
    }

    @Test
    void mutations() {
        var random = new Random(9);
        var header = "{\"__metadata__\":{\"format\":\"pt\"}," + W + ",\"b\":{\"dtype\":\"BF16\",\"shape\":[2,2,2],\"data_offsets\":[24,40]}}  ";
        var good = SafeTensorsWriter.file(header, new byte[40]);
        var pieces = "{}[]\",:0123456789-eE.nulltrue\\u0000".getBytes(StandardCharsets.US_ASCII);
        int refused = 0;
        var path = Path.of("x.safetensors");
        for (int i = 0; i < 10000; i++) {
            var damaged = i % 8 == 0 ? Arrays.copyOf(good, random.nextInt(good.length)) : good.clone();
            for (int n = random.nextInt(3); n >= 0 && damaged.length > 0; n--) {
                damaged[random.nextInt(damaged.length)] = random.nextInt(3) == 0 ? (byte) random.nextInt() : pieces[random.nextInt(pieces.length)];
            }
            try {
                for (var t : SafeTensors.read(path, MemorySegment.ofArray(damaged)).values()) {
                    if (t.is(2, 3) && ElementType.of(t.type()) != null) {
                        t.matrix(2, 3, "the test").values();
                    }
                }
            } catch (ConversionException e) {
                assertEquals(1, e.getMessage().lines().count(), e.getMessage());
                refused++;
            }
        }
        assertTrue(refused > 5000, "" + refused);
    }
}
