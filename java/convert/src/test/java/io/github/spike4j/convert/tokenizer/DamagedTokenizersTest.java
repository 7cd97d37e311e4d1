package io.github.spike4j.convert.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import io.github.spike4j.convert.ConversionException;

/** Small sound files with bytes changed, cut out, put in: each opens and works, or is refused in one line that names it. */
class DamagedTokenizersTest {
    private static final int MUTATIONS = Integer.getInteger("spike4j.tokenizer.mutations", 1_200);
    private static final String TEXT = "ab <s> aab\n é 12";

    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"tokenizer.model", "unigram.model", "ranks.tiktoken", "tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "tok512.bin",
            "m.gguf"})
    void mutated(String name) throws IOException {
        var sound = sound(name);
        var random = new SplittableRandom(name.hashCode());
        var file = folder.resolve(name);
        if (name.equals("tokenizer_config.json")) {
            Files.write(folder.resolve("tokenizer.json"), sound("tokenizer.json"));
        } else if (name.equals("vocab.json") || name.equals("merges.txt")) {
            Files.write(folder.resolve("vocab.json"), sound("vocab.json"));
            Files.write(folder.resolve("merges.txt"), sound("merges.txt"));
        }
        var opened = name.equals("tokenizer_config.json") ? folder.resolve("tokenizer.json") : file;
        int refused = 0;
        for (int i = 0; i < MUTATIONS; i++) {
            var bytes = i == 0 ? sound : mutate(sound, random);
            Files.write(file, bytes);
            try {
                var source = TokenizerSource.open(opened);
                source.decode(source.encode(TEXT, true, true));
            } catch (ConversionException e) {
                assertTrue(i > 0 || name.equals("ranks.tiktoken"), e.getMessage());
                assertTrue(e.getMessage().startsWith(folder.toString()) && e.getMessage().lines().count() == 1 && e.getMessage().length() < 2000, e.getMessage());
                refused++;
            } catch (Throwable e) {
                throw new AssertionError("mutation " + i + ": " + Base64.getEncoder().encodeToString(bytes), e);
            }
        }
        assertTrue(refused > MUTATIONS / 20 && refused <= MUTATIONS, refused + " refused");
    }

    private static byte[] mutate(byte[] sound, SplittableRandom random) {
        var bytes = sound.clone();
        for (int n = random.nextInt(1, 4); n > 0 && bytes.length > 0; n--) {
            int at = random.nextInt(bytes.length);
            int length = Math.min(random.nextInt(1, 9), bytes.length - at);
            switch (random.nextInt(6)) {
                case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                case 1 -> bytes[at] = (byte) random.nextInt(256);
                case 2 -> Arrays.fill(bytes, at, at + length, (byte) (random.nextBoolean() ? 0xFF : 0));
                case 3 -> bytes = Arrays.copyOf(bytes, at);
                case 4 -> bytes = joined(Arrays.copyOf(bytes, at), Arrays.copyOfRange(bytes, at + length, bytes.length));
                default -> bytes = joined(Arrays.copyOf(bytes, at + length), Arrays.copyOfRange(bytes, at, bytes.length));
            }
        }
        return bytes;
    }

    private static byte[] joined(byte[] a, byte[] b) {
        var out = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, out, a.length, b.length);
        return out;
    }

    private static byte[] sound(String name) {
        return switch (name) {
            case "tokenizer.model" -> new ModelBytes(ModelBytes.BPE).piece("<unk>", 0, ModelBytes.UNKNOWN).piece("<s>", 0, ModelBytes.CONTROL)
                    .byteFallback().piece("a", -3, ModelBytes.NORMAL).piece("b", -4, ModelBytes.NORMAL).piece("ab", -1, ModelBytes.NORMAL)
                    .piece("▁", -5, ModelBytes.NORMAL).piece("\n\n", 0, ModelBytes.USER_DEFINED).rules(true, false, true).bytes();
            case "unigram.model" -> new ModelBytes(ModelBytes.UNIGRAM).piece("<unk>", 0, ModelBytes.UNKNOWN).piece("</s>", 0, ModelBytes.CONTROL)
                    .piece("a", -3, ModelBytes.NORMAL).piece("▁ab", -1, ModelBytes.NORMAL).piece("▁", -5, ModelBytes.NORMAL)
                    .piece("unused", 0, ModelBytes.UNUSED).charsmap(Map.of("A", "a")).rules(true, true, true).bytes();
            case "ranks.tiktoken" -> ranks().getBytes(StandardCharsets.US_ASCII);
            case "tokenizer.json" -> """
                    {"added_tokens": [{"id": 4, "content": "<s>", "special": true, "normalized": false}], "normalizer": {"type": "NFC"},
                     "pre_tokenizer": {"type": "Split", "pattern": {"Regex": " ?\\\\p{L}+"}, "behavior": "Isolated", "invert": false},
                     "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                       "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [4], "tokens": ["<s>"]}}},
                     "decoder": {"type": "Fuse"},
                     "model": {"type": "BPE", "unk_token": "?", "vocab": {"?": 0, "a": 1, "b": 2, "ab": 3, " ": 5}, "merges": [["a", "b"]]}}"""
                    .getBytes(StandardCharsets.UTF_8);
            case "tokenizer_config.json" -> """
                    {"add_bos_token": false, "bos_token": {"content": "<s>"}, "eos_token": "b", "pad_token": null, "chat_template": [{"name": "default", "template": "x"}],
                     "added_tokens_decoder": {"4": {"content": "<s>", "special": true}}}""".getBytes(StandardCharsets.UTF_8);
            case "vocab.json" -> "{\"a\": 0, \"b\": 1, \"ab\": 2, \"Ġ\": 3, \"<|endoftext|>\": 4}".getBytes(StandardCharsets.UTF_8);
            case "merges.txt" -> "#version: 0.2\na b\nab b\n".replace("ab b\n", "").getBytes(StandardCharsets.UTF_8);
            case "tok512.bin" -> llama2c();
            case "m.gguf" -> gguf();
            default -> throw new AssertionError(name);
        };
    }

    /** All bytes and two more: of no known family, so every one of them is refused, late. */
    private static String ranks() {
        return IntStream.range(0, 258).mapToObj(i -> Base64.getEncoder().encodeToString(i < 256 ? new byte[] {(byte) i} : new byte[] {'a', (byte) (i - 160)}) + " " + i)
                .collect(Collectors.joining("\n"));
    }

    private static byte[] llama2c() {
        var out = ByteBuffer.allocate(1 << 14).order(ByteOrder.LITTLE_ENDIAN).putInt(8);
        for (int id = 0; id < 264; id++) {
            var text = (id < 3 ? List.of("<unk>", "<s>", "</s>").get(id) : id < 259 ? "<0x%02X>".formatted(id - 3) : List.of(" ", "a", "b", "ab", " ab").get(id - 259))
                    .getBytes(StandardCharsets.UTF_8);
            out.putFloat(-id).putInt(text.length).put(text);
        }
        return Arrays.copyOf(out.array(), out.position());
    }

    private static byte[] gguf() {
        var out = new ByteArrayOutputStream();
        out.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
        number(out, 3, 4);
        number(out, 0, 8);
        number(out, 6, 8);
        string(out, "tokenizer.ggml.model");
        number(out, 8, 4);
        string(out, "gpt2");
        string(out, "tokenizer.ggml.pre");
        number(out, 8, 4);
        string(out, "qwen2");
        strings(out, "tokenizer.ggml.tokens", "a", "b", "ab", "Ġ", "<s>");
        strings(out, "tokenizer.ggml.merges", "a b");
        string(out, "tokenizer.ggml.token_type");
        number(out, 9, 4);
        number(out, 5, 4);
        number(out, 5, 8);
        IntStream.of(1, 1, 1, 1, 3).forEach(t -> number(out, t, 4));
        string(out, "tokenizer.ggml.bos_token_id");
        number(out, 4, 4);
        number(out, 4, 4);
        return out.toByteArray();
    }

    private static void strings(ByteArrayOutputStream out, String key, String... values) {
        string(out, key);
        number(out, 9, 4);
        number(out, 8, 4);
        number(out, values.length, 8);
        for (var v : values) {
            string(out, v);
        }
    }

    private static void string(ByteArrayOutputStream out, String s) {
        var bytes = s.getBytes(StandardCharsets.UTF_8);
        number(out, bytes.length, 8);
        out.writeBytes(bytes);
    }

    private static void number(ByteArrayOutputStream out, long value, int bytes) {
        for (int i = 0; i < bytes; i++) {
            out.write((int) (value >>> 8 * i));
        }
    }

    @Test
    void rankFiles() throws IOException {
        refused("r.tiktoken", ranks(), "a rank file of 258 tokens does not tell how words are cut", "llama3 (128000)");
        refused("r.tiktoken", "YQ== 0\n", "the byte 0 is no token");
        refused("r.tiktoken", "YQ== 0\nYg== 0\n", "line 2: the rank 0 is there twice");
        refused("r.tiktoken", "YQ== 0\nYQ== 1\n", "the ranks 0 and 1 are the same token");
        refused("r.tiktoken", "YQ== 0\nYQ==1\n", "line 2: a rank file has");
        refused("r.tiktoken", "YQ== 0\nY 1\n", "line 2: not a token in base64");
        refused("r.tiktoken", "YQ== 0\nYg== 99999999999\n", "line 2: not a token in base64 and its rank");
        refused("r.tiktoken", "YQ== 0\n" + Base64.getEncoder().encodeToString(new byte[1025]) + " 1\n", "line 2: a token of 1025 bytes");
    }

    @Test
    void vocabularies() throws IOException {
        refused("vocab.json", "{\"a\": 0}", "no merges.txt");
        Files.writeString(folder.resolve("merges.txt"), "a  b\n");
        refused("vocab.json", "{\"a\": -1}", "the id of \"a\" is -1");
        refused("vocab.json", "{\"a\": 1e99}", "the id of \"a\" is");
        refused("vocab.json", "{\"a\": 0}", "merges.txt: line 1: a merge is two tokens");
        Files.writeString(folder.resolve("merges.txt"), "a b\n");
        refused("vocab.json", "{\"a\": 0}", "a merge's part or result is not in the vocabulary");
        refused("vocab.json", "{\"a\": 999999999}", "out of range");
        refused("vocab.json", "[]", "not a JSON object");
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"tokenizer_class\": \"BartTokenizer\"}");
        refused("vocab.json", "{\"a\": 0, \"b\": 1, \"ab\": 2}", "BartTokenizer", "GPT2Tokenizer");
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"tokenizer_class\": \"Qwen2TokenizerFast\"}");
        Files.writeString(folder.resolve("vocab.json"), "{\"1\": 0, \"2\": 1, \"12\": 2}");
        Files.writeString(folder.resolve("merges.txt"), "1 2\n");
        assertArrayEquals(new int[] {0, 1}, TokenizerSource.open(folder).encode("12", true, true));
    }

    @Test
    void unknown() throws IOException {
        assertEquals(1, assertThrows(ConversionException.class, () -> TokenizerSource.open(folder)).getMessage().lines().count());
        refused("a.txt", "text", "unknown kind of tokenizer; supported are tokenizer.json");
        refused("empty", "", "unknown kind of tokenizer");
        Files.writeString(folder.resolve("a.gguf"), "GGUF");
        Files.writeString(folder.resolve("b.gguf"), "GGUF");
        var e = assertThrows(ConversionException.class, () -> TokenizerSource.open(folder));
        assertTrue(e.getMessage().contains("2 files *.gguf"), e.getMessage());
    }

    private void refused(String name, String content, String... words) throws IOException {
        var file = Files.writeString(folder.resolve(name), content);
        var e = assertThrows(ConversionException.class, () -> TokenizerSource.open(file));
        assertTrue(e.getMessage().startsWith(folder.toString()) && e.getMessage().lines().count() == 1 && Arrays.stream(words).allMatch(e.getMessage()::contains),
                e.getMessage());
    }
}
