package io.github.spike4j.bench;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import io.github.spike4j.tokenizer.Tokenizer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.zip.ZipFile;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Encoding of text by one thread, this library's and Hugging Face's. An operation is 10^6 bytes of UTF-8, so operations a second are MB/s.
 * The text is WikiText-2's test split of {@code -Dspike4j.shared.dir}, or made words where that is absent.
 *
 * <p>Hugging Face's library is called below DJL's classes: the text goes in and the ids come back as one array; no tokens, offsets or other
 * Java objects are made of its result. (Both call for the same text again: the caches of both are warm.)
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
public class TokenizerBenchmark {
    private static final int BYTES = 1_000_000;

    /** The demo model's tokenizer, or a file below the directory of test data. */
    @Param({"demo", "tokenizers/llama2-hf", "tokenizers/llama3", "tokenizers/qwen3"})
    public String tokenizer;

    /** What one call is given. */
    @Param({"whole", "lines"})
    public String text;

    private Tokenizer ours;
    private HuggingFaceTokenizer theirs;
    private String[] parts;

    /** Reads tokenizer and text. */
    @Setup(Level.Trial)
    public void open() throws IOException {
        var home = Path.of(System.getProperty("spike4j.home", "."));
        var shared = Path.of(System.getProperty("spike4j.shared.dir", home.resolve("../shared").toString()));
        byte[] json;
        if (tokenizer.equals("demo")) {
            try (var demo = new ZipFile(home.resolve("demo/novelwiki-29m.s4j").toFile()); var in = demo.getInputStream(demo.getEntry("tokenizer.json"))) {
                json = in.readAllBytes();
            }
        } else {
            json = Files.readAllBytes(shared.resolve(tokenizer).resolve("tokenizer.json"));
        }
        ours = Tokenizer.fromJson(json);
        System.setProperty("OPT_OUT_TRACKING", "true");
        System.setProperty("ai.djl.offline", "true");
        theirs = HuggingFaceTokenizer.newInstance(new ByteArrayInputStream(json), Map.of("truncation", "false", "padding", "false"));

        var wiki = shared.resolve("text/wikitext-2/wiki.test.raw");
        var bytes = Files.exists(wiki) ? Files.readAllBytes(wiki) : words();
        var all = new String(bytes, 0, BYTES, StandardCharsets.UTF_8);
        parts = text.equals("whole") ? new String[] {all} : all.split("(?<=\n)");
        for (var part : parts) {
            var expected = hfIds(part);
            if (!Arrays.equals(expected, Arrays.stream(ours.encode(part, true)).asLongStream().toArray())) throw new IllegalStateException("the ids differ");
        }
    }

    private static byte[] words() {
        var random = new Random(1);
        var out = new StringBuilder();
        while (out.length() < BYTES) {
            // of a few thousand words, some often and most rarely
            var word = new Random((long) Math.pow(8, random.nextDouble() * 4));
            for (int n = 1 + word.nextInt(9); n > 0; n--) out.append((char) ('a' + word.nextInt(26)));
            out.append(random.nextInt(12) == 0 ? ".\n" : " ");
        }
        return out.toString().getBytes(StandardCharsets.UTF_8);
    }

    /** Closes their tokenizer. */
    @TearDown(Level.Trial)
    public void close() {
        theirs.close();
    }

    /** This library. */
    @Benchmark
    public int spike4j() {
        int n = 0;
        for (var part : parts) n += ours.encode(part, true).length;
        return n;
    }

    /** Hugging Face's tokenizers, in Rust. */
    @Benchmark
    public int huggingFace() {
        int n = 0;
        for (var part : parts) n += hfIds(part).length;
        return n;
    }

    private long[] hfIds(String part) {
        var library = TokenizersLibrary.LIB;
        long encoding = library.encode(theirs.getHandle(), part, true);
        try {
            return library.getTokenIds(encoding);
        } finally {
            library.deleteEncoding(encoding);
        }
    }
}
