package io.github.spike4j.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.abort;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;

/** A file read by this library and by Hugging Face's own (through DJL): all they do must be equal. */
final class HuggingFace implements AutoCloseable {
    final Tokenizer ours;
    private final HuggingFaceTokenizer theirs;

    static {
        try {
            Path cache = Files.createTempDirectory("spike4j-djl");
            Runtime.getRuntime().addShutdownHook(new Thread(() -> delete(cache)));
            System.setProperty("DJL_CACHE_DIR", cache.toString());
            System.setProperty("ENGINE_CACHE_DIR", cache.toString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        System.setProperty("OPT_OUT_TRACKING", "true");
        System.setProperty("ai.djl.offline", "true");
    }

    HuggingFace(String json) throws IOException {
        this(json.getBytes(StandardCharsets.UTF_8));
    }

    HuggingFace(byte[] json) throws IOException {
        ours = Tokenizer.fromJson(json);
        try {
            theirs = HuggingFaceTokenizer.newInstance(new ByteArrayInputStream(json), Map.of("truncation", "false", "padding", "false"));
        } catch (UnsatisfiedLinkError | ExceptionInInitializerError | NoClassDefFoundError e) {
            abort("the native library of Hugging Face's tokenizers does not load here: " + e);
            throw new AssertionError(e);
        }
    }

    /** The text's ids, and the text that these ids are. */
    void same(String text) {
        long[] expected = theirs.encode(text, true, false).getIds();
        int[] ids = ours.encode(text, true);
        if (!Arrays.equals(expected, Arrays.stream(ids).asLongStream().toArray())) {
            assertArrayEquals(expected, Arrays.stream(ids).asLongStream().toArray(), text.length() < 500 ? escaped(text) : "a long text");
        }
        sameText(ids);
    }

    void sameText(int[] ids) {
        long[] longs = Arrays.stream(ids).asLongStream().toArray();
        assertEquals(theirs.decode(longs, false), ours.decode(ids, false), () -> Arrays.toString(ids));
        assertEquals(theirs.decode(longs, true), ours.decode(ids, true), () -> Arrays.toString(ids));
    }

    void sameOfRandom(int strings, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        for (int i = 0; i < strings; i++) same(RandomText.next(random));
    }

    @Override
    public void close() {
        theirs.close();
    }

    private static String escaped(String s) {
        StringBuilder out = new StringBuilder();
        s.codePoints().forEach(c -> out.append(c >= 0x20 && c < 0x7F ? Character.toString(c) : String.format("{%X}", c)));
        return out.toString();
    }

    private static void delete(Path directory) {
        try (var files = Files.walk(directory)) {
            files.sorted((a, b) -> b.compareTo(a)).forEach(f -> f.toFile().delete());
        } catch (IOException e) {
            // a temporary directory stays
        }
    }
}
