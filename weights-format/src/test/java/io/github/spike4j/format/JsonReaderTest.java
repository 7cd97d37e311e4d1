package io.github.spike4j.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.ThrowingSupplier;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.DeserializationFeature;

class JsonReaderTest {
    private static JsonReader of(String text) {
        return new JsonReader(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String refused(ThrowingSupplier<?> read) {
        return assertThrows(JsonException.class, read::get).getMessage();
    }

    @Test
    void values() throws Exception {
        var json = of(" [ 0, -7 ,2147483647,-2147483648, 9007199254740993, -0, 1.5, 1e3, -2.5E-1, 3, true, false, null, \"a\", null ] ");
        json.array();
        for (int expected : new int[] {0, -7, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
            assertTrue(json.element());
            assertEquals(expected, json.int32());
        }
        assertTrue(json.element());
        assertEquals(9007199254740993L, json.int64());
        assertTrue(json.element());
        assertEquals(0, json.int64());
        for (double expected : new double[] {1.5, 1000, -0.25, 3}) {
            assertTrue(json.element());
            assertEquals(expected, json.float64());
        }
        assertTrue(json.element() && json.flag());
        assertTrue(json.element());
        assertFalse(json.flag());
        assertTrue(json.element() && json.isNull());
        assertTrue(json.element());
        assertFalse(json.isNull());
        assertEquals("a", json.text());
        assertTrue(json.element());
        assertNull(json.text());
        assertFalse(json.element());
        json.end();
        assertEquals(0.1f, of("0.1").float32());
        assertEquals(16777216f, of("16777217").float32());
        assertArrayEquals(new int[] {1, 2, 3, 4, 5}, of("[1,2,3,4,5]").int32s());
        assertArrayEquals(new long[] {}, of("[]").int64s());
        assertEquals(Layout.C1, of("\"C1\"").constant(Layout.values()));
    }

    @Test
    void strings() throws Exception {
        assertEquals("\"\\/\b\f\n\r\t\u00e9\ud83d\ude00 \u20ac", of("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\u00e9\\ud83d\\uDE00 \u20ac\"").text());
        for (String bad : List.of("\"", "\"a", "\"\\", "\"\\\"", "\"a\nb\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\\u0001\"")) {
            refused(() -> of(bad).text());
        }
        for (byte[] bad : List.of(new byte[] {'"', (byte) 0xc3, '"'}, new byte[] {'"', (byte) 0xff, '"'},
                new byte[] {'"', (byte) 0xed, (byte) 0xa0, (byte) 0x80, '"'})) {
            assertTrue(refused(() -> new JsonReader(bad).text()).contains("not UTF-8"));
        }
    }

    @Test
    void whatIsNotThereIsNamedWithItsPlace() {
        assertEquals("is null, not an integer of 32 bits", refused(() -> of("null").int32()));
        assertEquals("is 2147483648, not an integer of 32 bits", refused(() -> of("2147483648").int32()));
        assertEquals("is 1.0, not an integer of 64 bits", refused(() -> of("1.0").int64()));
        assertEquals("is 1.0E99, not a number of 32 bits", refused(() -> of("1e99").float32()));
        assertEquals("is the text '1', not a number", refused(() -> of("\"1\"").float64()));
        assertEquals("is an array, not text", refused(() -> of("[]").text()));
        assertEquals("is an object, not true or false", refused(() -> of("{}").flag()));
        assertEquals("is the text 'X', not Layout, one of [ROW, R16, C1, P64]", refused(() -> of("\"X\"").constant(Layout.values())));
        assertEquals("is true, not an integer of 32 bits (at a[1].b)", refused(() -> {
            var f = of("{\"a\": [{\"b\": 1}, {\"b\": true}]}").fields();
            var json = f.get("a");
            for (json.array(); json.element(); ) {
                var g = json.fields();
                g.all(g.get("b").int32());
            }
            return null;
        }));
        assertEquals("is not valid JSON: ',' or ']' is expected, at byte 4 in line 2", refused(() -> of("[1\n 2]").value()));
    }

    /** The fields are exactly those that are asked for, in any order. */
    @Test
    void fields() throws Exception {
        for (String text : List.of("{\"a\": 1, \"b\": 2, \"c\": 3}", "{\"c\": 3, \"b\": 2, \"a\": 1}", "{\"b\":2,\"\\u0061\":1,\"c\":3}")) {
            var json = of(text);
            var f = json.fields();
            assertEquals(List.of(1, 2, 3), f.all(List.of(f.get("a").int32(), f.get("b").int32(), f.get("c").int32())), text);
            json.end();
        }
        for (var e : Map.of("{}", "has no field a", "{\"a\": 1}", "has no field b", "{\"b\": [{\"x\": \"}\"}], \"c\": 1}", "has no field a",
                "{\"a\": 1, \"b\": 2, \"c\": 3}", "has an unknown field 'c'", "{\"\u00e9\": 1, \"b\": 2, \"a\": 3}", "has an unknown field '?'",
                "{\"a\": 1, \"b\": 2, \"a\": 3}", "'a' is there twice", "{\"b\": 1, \"a\": 2, \"b\": 3}", "there twice|unknown field 'b'",
                "{\"a\": 1, \"b\": 2, }", "a name is expected", "{\"a\" 1}", "':' is expected").entrySet()) {
            String message = refused(() -> {
                var f = of(e.getKey()).fields();
                return f.all(f.get("a").int32() + f.get("b").int32());
            });
            assertTrue(Arrays.stream(e.getValue().split("\\|")).anyMatch(message::contains), e.getKey() + ": " + message);
        }
        var many = new StringBuilder("{");
        for (int i = 0; i < 100; i++) {
            many.append("\"x").append(i).append("\": ").append(i).append(", ");
        }
        assertTrue(refused(() -> {
            var f = of(many + "\"a\": 1}").fields();
            return f.all(f.get("a").int32());
        }).contains("field"));
        assertTrue(refused(() -> {
            var f = of("{\"a\": 1, " + many.substring(1) + "\"b\": 1}").fields();
            return f.all(f.get("a").int32());
        }).contains("unknown field 'x0'"));
    }

    @Test
    void nestingIsLimited() throws Exception {
        of("[".repeat(64) + "]".repeat(64)).value();
        assertTrue(refused(() -> of("[".repeat(65) + "]".repeat(65)).value()).contains("nested deeper than 64"));
        assertTrue(refused(() -> of("{\"x\":" + "[".repeat(100_000)).fields().get("a")).contains("nested deeper than 64"));
    }

    /** Trees are Jackson's, and what it refuses is refused: sound texts with some characters changed. */
    @Test
    void agreesWithJackson() throws Exception {
        var random = new SplittableRandom(Long.getLong("spike4j.seed", 7));
        String sound = "{\"a\": [1, -2.5e3, true, false, null, \"x\\n\\u0041\\\\\"], \"b\": {\"c\": {}, \"d\": [], \"e\": 12345678901234567}, \"f\": 0.1}";
        int good = 0;
        var jackson = Trees.MAPPER.rebuild().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();
        for (int round = 0; round < 50_000; round++) {
            var text = new StringBuilder(sound);
            for (int n = random.nextInt(3); n > 0; n--) {
                int at = random.nextInt(text.length());
                switch (random.nextInt(3)) {
                    case 0 -> text.deleteCharAt(at);
                    case 1 -> text.insert(at, sound.charAt(random.nextInt(sound.length())));
                    default -> text.setCharAt(at, "{}[]\",:\\ 01eE+-.tfnu".charAt(random.nextInt(20)));
                }
            }
            Object expected;
            try {
                expected = jackson.readValue(text.toString(), Object.class);
            } catch (JacksonException e) {
                refused(() -> {
                    var json = of(text.toString());
                    json.value();
                    json.end();
                    return text;
                });
                continue;
            }
            var json = of(text.toString());
            Object value;
            try {
                value = json.value();
                json.end();
            } catch (JsonException e) {
                assertTrue(e.getMessage().contains("too large"), text + ": " + e.getMessage()); // Jackson reads 1e999 as infinity
                continue;
            }
            assertEquals(plain(expected), plain(value), text.toString());
            good++;
        }
        assertTrue(good > 5_000, good + " texts are JSON");
    }

    /** Numbers as doubles: the two libraries choose different types for them. */
    private static Object plain(Object tree) {
        return switch (tree) {
            case Number n -> n.doubleValue();
            case List<?> list -> list.stream().map(JsonReaderTest::plain).toList();
            case Map<?, ?> map -> {
                var copy = new HashMap<Object, Object>();
                map.forEach((k, v) -> copy.put(k, v == null ? "null" : plain(v)));
                yield copy;
            }
            case null -> "null";
            default -> tree;
        };
    }
}
