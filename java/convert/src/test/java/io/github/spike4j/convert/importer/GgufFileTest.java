package io.github.spike4j.convert.importer;

import static io.github.spike4j.convert.importer.GgufBuilder.ARRAY;
import static io.github.spike4j.convert.importer.GgufBuilder.STRING;
import static io.github.spike4j.convert.importer.GgufBuilder.U16;
import static io.github.spike4j.convert.importer.GgufBuilder.U32;
import static io.github.spike4j.convert.importer.GgufBuilder.join;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.SharedData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GgufFileTest {
    @TempDir
    Path dir;

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void metadata(int version) throws IOException {
        var b = new GgufBuilder(version);
        b.key("u8", GgufBuilder.U8, 200).key("i8", GgufBuilder.I8, -100).key("u16", U16, 60000).key("i16", GgufBuilder.I16, -30000)
                .key("u32", U32, 4000000000L).key("i32", GgufBuilder.I32, -2000000000).key("f32", GgufBuilder.F32, 1e-5f).key("yes", GgufBuilder.BOOL, true)
                .key("text", STRING, "grüße\n").key("u64", GgufBuilder.U64, -1L).key("i64", GgufBuilder.I64, Long.MIN_VALUE)
                .key("f64", GgufBuilder.F64, .1).strings("names", "a", "", "ccc").key("numbers", ARRAY, b.array(GgufBuilder.I32, 3, -1, 2))
                .key("empty", ARRAY, b.array(STRING))
                .key("nested", ARRAY, b.array(ARRAY, b.array(STRING, "x", "yy"), b.array(GgufBuilder.U8, 7)));
        try (var arena = Arena.ofConfined()) {
            var file = new GgufFile(b.write(dir.resolve("m.gguf")), arena);
            assertEquals(version, file.version());
            assertEquals(0, file.tensors().size());
            var read = new LinkedHashMap<String, Object>();
            file.metadata().forEach((key, value) -> read.put(key, plain(value)));
            var expected = new LinkedHashMap<String, Object>();
            expected.put("u8", 200L);
            expected.put("i8", -100L);
            expected.put("u16", 60000L);
            expected.put("i16", -30000L);
            expected.put("u32", 4000000000L);
            expected.put("i32", -2000000000L);
            expected.put("f32", 1e-5f);
            expected.put("yes", true);
            expected.put("text", "grüße\n");
            expected.put("u64", new BigInteger("18446744073709551615"));
            expected.put("i64", Long.MIN_VALUE);
            expected.put("f64", .1);
            expected.put("names", List.of("a", "", "ccc"));
            expected.put("numbers", List.of(3L, -1L, 2L));
            expected.put("empty", List.of());
            expected.put("nested", List.of(List.of("x", "yy"), List.of(7L)));
            assertEquals(expected, read);
            assertEquals(List.of("a", ""), file.metadata().get("names").first(2));
        }
    }

    private static Object plain(Object value) {
        return value instanceof GgufValue v ? v.isArray() ? v.first(v.count()).stream().map(GgufFileTest::plain).toList() : v.get() : value;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void tensors(int version) throws IOException {
        var q8 = new byte[4 * 34];
        for (int r = 0; r < 4; r++) {
            q8[34 * r + 1] = 0x3c;
            for (int c = 0; c < 32; c++) {
                q8[34 * r + 2 + c] = (byte) (32 * r + c - 64);
            }
        }
        var b = new GgufBuilder(version).alignment(64).floats("norm", new float[] {1, 2, 3}, 3).tensor("w", 8, q8, 64, 2)
                .tensor("b", 30, new byte[] {(byte) 0x80, 0x3f, 0, (byte) 0xc0}, 2, 1).tensor("odd", 16, new byte[66], 256);
        try (var arena = Arena.ofConfined()) {
            var file = new GgufFile(b.write(dir.resolve("m.gguf")), arena);
            assertEquals(List.of("norm", "w", "b", "odd"), file.tensors().stream().map(GgufFile.Tensor::name).toList());
            assertArrayEquals(new float[] {1, 2, 3}, file.matrix("norm", 1, 3).values());
            var w = file.matrix("w", 2, 64).values();
            for (int i = 0; i < w.length; i++) {
                assertEquals(i - 64, w[i]);
            }
            assertFalse(file.matrix("w", 2, 64).isBf16());
            assertTrue(file.matrix("b", 1, 2).isBf16());
            assertArrayEquals(new float[] {1, -2}, file.matrix("b", 1, 2).values());
            fails(() -> file.matrix("w", 64, 2), "tensor w has shape [64, 2]", "[2, 64]");
            fails(() -> file.matrix("x", 1, 2), "tensor x is missing");
            fails(() -> file.matrix("odd", 1, 256), "tensor odd is of type IQ2_XXS", "Q4_0");
        }
    }

    /** The file of llama2.c's model in version 1, and the vocabularies without tensors. */
    @Test
    void filesOfOthers() throws IOException {
        try (var arena = Arena.ofConfined()) {
            var stories = new GgufFile(SharedData.path("models/stories260k/stories260K-f32.gguf"), arena);
            assertEquals(1, stories.version());
            assertEquals(48, stories.tensors().size());
            assertEquals("llama", stories.metadata().get("general.architecture").get());
            assertEquals(512, stories.metadata().get("tokenizer.ggml.tokens").count());
            try (var files = Files.newDirectoryStream(SharedData.path("tokenizers/ggml-vocab"), "*.gguf")) {
                for (var file : files) {
                    var vocabulary = new GgufFile(file, arena);
                    assertEquals(0, vocabulary.tensors().size());
                    assertTrue(vocabulary.metadata().get("tokenizer.ggml.tokens").count() > 30000);
                }
            }
        }
    }

    // ---- parts ---------------------------------------------------------------------------------------------------------

    private Path part(String name, int no, int count, String tensor) throws IOException {
        var b = new GgufBuilder(3).key("split.no", U16, no).key("split.count", U16, count).key("split.tensors.count", GgufBuilder.I32, 3);
        if (no == 0) {
            b.key("general.architecture", STRING, "llama");
        }
        return b.floats(tensor, new float[] {no}, 1).write(dir.resolve(name));
    }

    @Test
    void parts() throws IOException {
        for (int i = 0; i < 3; i++) {
            part("m-0000" + (i + 1) + "-of-00003.gguf", i, 3, "t" + i);
        }
        for (int given = 1; given <= 3; given++) {
            try (var arena = Arena.ofConfined()) {
                var file = new GgufFile(dir.resolve("m-0000" + given + "-of-00003.gguf"), arena);
                assertEquals(List.of("t0", "t1", "t2"), file.tensors().stream().map(GgufFile.Tensor::name).toList());
                assertEquals("llama", file.metadata().get("general.architecture").get());
                assertArrayEquals(new float[] {2}, file.matrix("t2", 1, 1).values());
            }
        }
        failsToOpen(Files.copy(dir.resolve("m-00001-of-00003.gguf"), dir.resolve("other.gguf")), "is part 1 of 3", "-00001-of-00003.gguf");
        part("m-00003-of-00003.gguf", 2, 3, "t1");
        failsToOpen(dir.resolve("m-00001-of-00003.gguf"), "m-00003-of-00003.gguf", "tensor t1 is there twice");
        part("m-00003-of-00003.gguf", 1, 3, "t2");
        failsToOpen(dir.resolve("m-00001-of-00003.gguf"), "m-00003-of-00003.gguf", "is not part 3 of 3");
        Files.delete(dir.resolve("m-00003-of-00003.gguf"));
        failsToOpen(dir.resolve("m-00002-of-00003.gguf"), "m-00003-of-00003.gguf: no such file", "part 3");
        part("n-00001-of-00001.gguf", 0, 1, "t0");
        try (var arena = Arena.ofConfined()) {
            assertEquals(1, new GgufFile(dir.resolve("n-00001-of-00001.gguf"), arena).tensors().size());
        }
    }

    // ---- damaged files -------------------------------------------------------------------------------------------------

    private static void fails(Runnable action, String... words) {
        var message = assertThrows(ConversionException.class, action::run).getMessage();
        assertEquals(1, message.lines().count(), message);
        for (var word : words) {
            assertTrue(message.contains(word), message);
        }
    }

    private static void failsToOpen(Path file, String... words) {
        fails(() -> {
            try (var arena = Arena.ofConfined()) {
                new GgufFile(file, arena);
            }
        }, words);
    }

    private static GgufBuilder sound() {
        return new GgufBuilder(3).key("general.architecture", STRING, "llama").strings("tokenizer.ggml.tokens", "a", "bb")
                .floats("norm", new float[] {1, 2, 3, 4, 5, 6, 7, 8}, 8).tensor("w", 8, new byte[68], 32, 2);
    }

    private static byte[] entry(String key, long keyLength, int type, byte[] value) {
        var b = new GgufBuilder(3);
        var head = b.value(STRING, key);
        System.arraycopy(b.value(GgufBuilder.I64, keyLength), 0, head, 0, 8);
        return join(head, b.value(U32, type), value);
    }

    /** Each is refused with one line, which says where. */
    @Test
    void damaged() {
        var b = new GgufBuilder(3);
        var deep = new byte[12 * 100_000];
        for (int i = 0; i < deep.length; i += 12) {
            System.arraycopy(b.arrayHead(ARRAY, 1L), 0, deep, i, 12);
        }
        var floats = new byte[64];
        var cases = new LinkedHashMap<String, byte[]>();
        cases.put("not a GGUF file", new byte[0]);
        cases.put("not a GGUF file, or truncated", "GGUF".getBytes());
        cases.put("not a GGUF file, or tr", change(bytes -> {
            bytes[0] = 'X';
            return bytes;
        }));
        cases.put("version 99", new GgufBuilder(99).bytes());
        cases.put("version 0", new GgufBuilder(0).bytes());
        cases.put("big-endian", new GgufBuilder(3 << 24).bytes());
        cases.put("1152921504606846976 tensors", sound().counts(1L << 60, null).bytes());
        cases.put("1152921504606846976 metadata keys", sound().counts(null, 1L << 60).bytes());
        cases.put("18446744073709551615 tensors", sound().counts(-1L, null).bytes());
        cases.put("tensor 3 of 3", Arrays.copyOf(new GgufBuilder(3).floats("norm", new float[8], 8).floats("n", new float[0], 8).counts(3L, null).bytes(), 104));
        cases.put("metadata key 1 of 1", new GgufBuilder(3).counts(null, 1L).bytes());
        cases.put("key 1 of 1 at byte 32 has 9223372036854775808 bytes", new GgufBuilder(3).raw(entry("k", Long.MIN_VALUE, U32, floats)).bytes());
        cases.put("key 1 of 1 at byte 32 has 0 bytes", new GgufBuilder(3).raw(entry("k", 0, U32, floats)).bytes());
        cases.put("key 1 of 1 of 1000 bytes", new GgufBuilder(3).raw(entry("k", 1000, U32, floats)).bytes());
        cases.put("text of 9223372036854775808 bytes", new GgufBuilder(3).raw(entry("text", 4, STRING, b.value(GgufBuilder.I64, Long.MIN_VALUE))).bytes());
        cases.put("k is of the unknown type 77", new GgufBuilder(3).raw(entry("k", 1, 77, floats)).bytes());
        cases.put("list is of the unknown type 13", new GgufBuilder(3).key("list", ARRAY, b.arrayHead(13, 1L)).bytes());
        cases.put("list has 1152921504606846976 elements", new GgufBuilder(3).key("list", ARRAY, b.arrayHead(GgufBuilder.U8, 1L << 60)).bytes());
        cases.put("list has 18446744073709551615 elements", new GgufBuilder(3).key("list", ARRAY, b.arrayHead(STRING, -1L)).bytes());
        cases.put("list has 9 elements", new GgufBuilder(3).key("list", ARRAY, join(b.arrayHead(STRING, 9L), new byte[71])).bytes());
        cases.put("list has 5000000 elements; the limit", new GgufBuilder(3).key("list", ARRAY, join(b.arrayHead(GgufBuilder.BOOL, 5_000_000L), new byte[5_000_000])).bytes());
        cases.put("deep has more than 8 arrays in each other", new GgufBuilder(3).key("deep", ARRAY, deep).bytes());
        cases.put("metadata key 3 of 3 has characters that cannot be printed", sound().key("a\nb", U32, 1).bytes());
        cases.put("metadata key general.architecture is there twice", sound().key("general.architecture", STRING, "llama").bytes());
        cases.put("tensor norm is there twice", sound().floats("norm", new float[8], 8).bytes());
        cases.put("name of tensor 3 of 3 at byte", sound().floats("", new float[8], 8).bytes());
        cases.put("t has 5 dimensions", sound().floats("t", new float[8], 8, 1, 1, 1, 1).bytes());
        cases.put("t is of the unknown type 31", sound().tensor("t", 31, floats, 32).bytes());
        cases.put("t has shape [0]", sound().tensor("t", 0, floats, 0).bytes());
        cases.put("t has shape [-9223372036854775808]", sound().tensor("t", 0, floats, Long.MIN_VALUE).bytes());
        cases.put("t has shape [4294967296, 4294967296, 4294967296]", sound().tensor("t", 0, floats, 1L << 32, 1L << 32, 1L << 32).bytes());
        cases.put("t has rows of 48, no multiple of the 32", sound().tensor("t", 8, floats, 48).bytes());
        cases.put("t has shape [32, 5]", sound().tensor("t", 0, floats, 32, 5).bytes());
        cases.put("t lies at 40, no multiple of the alignment 32", sound().tensor("t", 0, 40L, floats, 1).bytes());
        cases.put("t has 64 bytes at 1152921504606846976", sound().tensor("t", 0, 1L << 60, floats, 16).bytes());
        cases.put("t has 64 bytes at 18446744073709551584", sound().tensor("t", 0, -32L, floats, 16).bytes());
        cases.put("tensors norm and t overlap", sound().tensor("t", 0, 0L, floats, 1).bytes());
        cases.put("tensors w and t overlap", sound().tensor("t", 0, 96L, floats, 1).bytes());
        cases.put("general.alignment is 48", sound().key("general.alignment", U32, 48).bytes());
        cases.put("general.alignment is 0", sound().key("general.alignment", U32, 0).bytes());
        cases.put("general.alignment is not an integer", sound().key("general.alignment", STRING, "32").bytes());
        cases.put("split.count is not an integer", sound().key("split.count", ARRAY, b.array(U32, 2L)).bytes());
        cases.put("-00001-of-00007.gguf", sound().key("split.count", U16, 7).bytes());
        cases.put("w has 68 bytes at 32 of 99", change(bytes -> Arrays.copyOf(bytes, bytes.length - 29)));
        cases.forEach((words, bytes) -> fails(() -> new GgufFile(Path.of("m.gguf"), MemorySegment.ofArray(bytes), null), "m.gguf: ", words));
        failsToOpen(dir.resolve("absent.gguf"), "absent.gguf: cannot be read: no such file");
    }

    private static byte[] change(UnaryOperator<byte[]> change) {
        return change.apply(sound().bytes());
    }

    /** Every length but the whole, without the padding at the end. */
    @Test
    void truncated() {
        var whole = sound().bytes();
        for (int n = 0; n <= whole.length; n++) {
            var part = MemorySegment.ofArray(Arrays.copyOf(whole, n));
            if (n < whole.length - 28) {
                fails(() -> new GgufFile(Path.of("m.gguf"), part, null), "m.gguf: ", "truncated");
            } else {
                assertEquals(2, new GgufFile(Path.of("m.gguf"), part, null).tensors().size());
            }
        }
    }

    /** 10 000 changes of a small file: it is read, or refused with one line. */
    @Test
    void mutations() {
        var b = new GgufBuilder(3);
        var whole = sound().key("nested", ARRAY, b.array(ARRAY, b.array(U32, 1, 2), b.array(STRING, "x"))).key("split.no", U16, 0).bytes();
        var interesting = new long[] {0, 1, -1, Long.MAX_VALUE, Long.MIN_VALUE, 1L << 32, 1L << 60, Integer.MAX_VALUE, 8, 9, 12, 31, 77};
        var random = new Random(1);
        int refused = 0;
        for (int i = 0; i < 10_000; i++) {
            var bytes = whole.clone();
            for (int n = random.nextInt(1, 4); n > 0; n--) {
                int at = random.nextInt(bytes.length);
                switch (random.nextInt(4)) {
                    case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                    case 1 -> bytes[at] = (byte) random.nextInt(256);
                    case 2 -> {
                        var value = b.value(GgufBuilder.I64, interesting[random.nextInt(interesting.length)]);
                        System.arraycopy(value, 0, bytes, at, Math.min(8, bytes.length - at));
                    }
                    default -> bytes = Arrays.copyOf(bytes, Math.max(1, at));
                }
            }
            try (var arena = Arena.ofConfined()) {
                var read = new GgufFile(dir.resolve("m.gguf"), MemorySegment.ofArray(bytes), arena);
                read.metadata().values().forEach(GgufFileTest::plain);
                for (var t : read.tensors()) {
                    if (t.type().isReadable() && t.shape().length == 2) {
                        read.matrix(t.name(), Math.toIntExact(t.shape()[1]), Math.toIntExact(t.shape()[0])).values();
                    }
                }
            } catch (ConversionException e) {
                assertEquals(1, e.getMessage().lines().count(), e.getMessage());
                refused++;
            }
        }
        assertTrue(refused > 5000 && refused < 10_000, refused + " refused");
    }

    /** Nothing is read that nobody asks for: a file of 64 GB without content opens at once. */
    @Test
    void sparse() throws IOException {
        var b = new GgufBuilder(3).tensor("w", 0, new byte[0], 1L << 17, 1L << 17);
        var file = b.write(dir.resolve("m.gguf"));
        try (var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.allocate(1), (1L << 36) + Files.size(file) - 1);
        }
        try (var arena = Arena.ofConfined()) {
            assertEquals(Map.of(), new GgufFile(file, arena).metadata());
        }
    }
}
