package io.github.spike4j.convert.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

import io.github.spike4j.convert.ConversionException;

/** Keys of GGUF files that the real ones at hand do not have. */
class GgufTokenizerTest {

    @TempDir
    Path cache;

    /** Keys without their prefix, as a file would give them. */
    private record Keys(Map<String, Object> keys) implements GgufMetadata {
        static Keys of(Object... namesAndValues) {
            var keys = new HashMap<String, Object>();
            for (int i = 0; i < namesAndValues.length; i += 2) {
                keys.put((String) namesAndValues[i], namesAndValues[i + 1]);
            }
            return new Keys(keys);
        }

        Keys with(Object... namesAndValues) {
            var all = new HashMap<>(keys);
            all.putAll(of(namesAndValues).keys);
            return new Keys(all);
        }

        Keys without(String name) {
            var all = new HashMap<>(keys);
            all.remove(name);
            return new Keys(all);
        }

        private Object get(String key) {
            return keys.get(key.replace("tokenizer.ggml.", ""));
        }

        @Override
        public String file() {
            return "m.gguf";
        }

        @Override
        public String string(String key) {
            return (String) get(key);
        }

        @Override
        public Long integer(String key) {
            return get(key) instanceof Integer i ? Long.valueOf(i) : (Long) get(key);
        }

        @Override
        public Boolean bool(String key) {
            return (Boolean) get(key);
        }

        @Override
        public String[] strings(String key) {
            return (String[]) get(key);
        }

        @Override
        public float[] floats(String key) {
            return (float[]) get(key);
        }

        @Override
        public int[] integers(String key) {
            return (int[]) get(key);
        }
    }

    /** All bytes, some merges, and a control token at the end. */
    private static Keys byteLevel(String pre) {
        var tokens = new ArrayList<String>();
        for (int b = 0; b < 256; b++) {
            tokens.add(ByteLevelBpe.write(new byte[] {(byte) b}));
        }
        var merges = new ArrayList<String>();
        for (var m : "t h,th e,Ġ t,i n,. .,1 2,12 3,Ġ Ġ,ĠĠ ĠĠ,Ġ 1,Ċ Ċ,' s,a b,Ã ©,e ĠĠ,c Ã©".split(",")) {
            merges.add(m);
            tokens.add(m.replace(" ", ""));
        }
        tokens.add("<|end|>");
        var types = new int[tokens.size()];
        Arrays.fill(types, 1);
        types[types.length - 1] = 3;
        return Keys.of("model", "gpt2", "pre", pre, "tokens", tokens.toArray(String[]::new), "merges", merges.toArray(String[]::new), "token_type", types,
                "bos_token_id", types.length - 1, "eos_token_id", types.length - 1);
    }

    static List<String> names() {
        var e = assertThrows(ConversionException.class, () -> GgufTokenizer.read(byteLevel("nonsense")));
        assertTrue(e.getMessage().startsWith("m.gguf: the pre-tokenizer \"nonsense\" is not supported; supported are "), e.getMessage());
        return List.of(e.getMessage().substring(e.getMessage().lastIndexOf("are ") + 4).split(", "));
    }

    /** Every expression, run by Hugging Face's library too. */
    @ParameterizedTest
    @MethodSource("names")
    void preTokenizers(String name) throws IOException {
        var source = GgufTokenizer.read(byteLevel(name));
        var random = new SplittableRandom(name.hashCode());
        try (var theirs = HuggingFace.open(source.json(), cache)) {
            for (int i = 0; i < 400; i++) {
                var text = TestTexts.random(random);
                assertArrayEquals(theirs.encode(text, true, false).getIds(), Arrays.stream(source.encode(text, true, true)).asLongStream().toArray(),
                        () -> name + ": " + text);
                assertEquals(theirs.decode(theirs.encode(text, true, false).getIds(), false), source.decode(source.encode(text, true, true)), name);
            }
        }
    }

    /** What each name does to one text; the words are separated by bars. */
    @ParameterizedTest
    @CsvSource(quoteCharacter = '"', value = {
        "gpt-2, \"I|'|LL|-| 12345|x|,|ab\"",
        "llama-bpe, \"I|'LL|-| |123|45|x|,ab\"",
        "qwen2, \"I|'LL|-| |1|2|3|4|5|x|,ab\"",
        "smollm, \"I|'|LL|-| |1|2|3|4|5|x|,|ab\"",
        "gpt-4o, \"I'LL|-| |123|45|x|,ab\"",
        "tekken, \"I|'LL|-| |1|2|3|4|5|x|,ab\"",
        "deepseek-coder, \"I|'|LL|-| |1|2|3|4|5|x|,|ab\"",
        "deepseek-v3, \"I|'LL|-| |123|45|x|,ab\"",
        "bloom, \"I'LL-| 12345x|,|ab\"",
    })
    void words(String name, String words) {
        // every part of the text is a token, and any two that adjoin merge: what is one token is one word
        var expected = words.replace(' ', 'Ġ').split("\\|");
        var text = String.join("", expected);
        var tokens = new ArrayList<>(List.of(byteLevel(name).strings("tokens")).subList(0, 256));
        var merges = new ArrayList<String>();
        for (int length = 2; length <= text.length(); length++) {
            for (int i = 0; i + length <= text.length(); i++) {
                var token = text.substring(i, i + length);
                if (!tokens.contains(token)) {
                    tokens.add(token);
                    for (int k = 1; k < length; k++) {
                        merges.add(token.substring(0, k) + " " + token.substring(k));
                    }
                }
            }
        }
        var source = GgufTokenizer.read(Keys.of("model", "gpt2", "pre", name, "tokens", tokens.toArray(String[]::new), "merges",
                merges.toArray(String[]::new), "bos_token_id", 0));
        assertEquals(List.of(expected), Arrays.stream(source.encode(text.replace('Ġ', ' '), false, true)).mapToObj(source::token).toList());
    }

    @Test
    void byteLevelPolicies() {
        var keys = byteLevel("gpt-2");
        int end = keys.strings("tokens").length - 1;
        var source = GgufTokenizer.read(keys);
        assertFalse(source.policy().addBos());
        assertArrayEquals(new int[] {end}, source.policy().eos());
        assertEquals(-1, source.policy().unknown());
        assertArrayEquals(new int[] {end, 'a'}, GgufTokenizer.read(byteLevel("llama-bpe")).encode("a", true, true));
        assertArrayEquals(new int[] {'a', end}, GgufTokenizer.read(keys.with("add_eos_token", true)).encode("a", true, true));
        assertArrayEquals(new int[] {end, 'a'}, GgufTokenizer.read(keys.with("add_bos_token", true)).encode("a", true, true));
        assertEquals(-1, GgufTokenizer.read(keys.with("bos_token_id", 0xFFFFFFFFL)).policy().bos());
        assertEquals(Map.of("default", "T"), GgufTokenizer.read(keys.with("tokenizer.chat_template", "T")).chatTemplates());
        assertEquals(Map.of("default", "T", "tool_use", "U"), GgufTokenizer.read(keys.with("tokenizer.chat_template", "T",
                "tokenizer.chat_templates", new String[] {"tool_use", "lost"}, "tokenizer.chat_template.tool_use", "U")).chatTemplates());
        assertEquals(Map.of(), source.chatTemplates());
        // a token of each kind of end
        assertArrayEquals(new int[] {end, 5, 6}, GgufTokenizer.read(keys.with("eot_token_id", 5, "eom_token_id", 6)).policy().eos());
    }

    /** Types: 4 is text that is always cut out, 5 is never found, an empty token gets a name. */
    @Test
    void types() {
        var keys = byteLevel("gpt-2");
        var tokens = new ArrayList<>(List.of(keys.strings("tokens")));
        tokens.addAll(List.of("two words", "[PAD7]", ""));
        var types = Arrays.copyOf(keys.integers("token_type"), tokens.size());
        types[tokens.size() - 3] = 4;
        types[tokens.size() - 2] = 5;
        types[tokens.size() - 1] = 5;
        var source = GgufTokenizer.read(keys.with("tokens", tokens.toArray(String[]::new), "token_type", types));
        assertEquals("two words", source.token(source.encode("two words", true, false)[0]));
        assertEquals(1, source.encode("two words", true, false).length);
        assertEquals(6, source.encode("[PAD7]", true, true).length);
        assertEquals("[EMPTY_" + (tokens.size() - 1) + "]", source.token(tokens.size() - 1));
    }

    private static Keys pieces(String model) {
        return Keys.of("model", model, "tokens", new String[] {"<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "▁a", "  ", "<|x|>"},
                "scores", new float[] {0, 0, 0, -6, -4, -5, -1, -2, 0, 0}, "token_type", new int[] {2, 3, 3, 1, 1, 1, 1, 1, 4, 3});
    }

    @Test
    void llama() {
        var keys = pieces("llama");
        assertArrayEquals(new int[] {1, 3, 6}, GgufTokenizer.read(keys).encode("ab", true, true));
        assertArrayEquals(new int[] {6}, GgufTokenizer.read(keys.with("add_space_prefix", false, "add_bos_token", false)).encode("ab", true, true));
        assertArrayEquals(new int[] {7, 8, 7, 0}, GgufTokenizer.read(keys).encode("a  ac", false, true));
        // the first converters wrote no types
        assertArrayEquals(new int[] {1, 3, 6, 2}, GgufTokenizer.read(keys.without("token_type")).encode("ab</s>", true, true));
        // special tokens of Phi-3 take white space
        assertArrayEquals(new int[] {3, 6, 9, 3, 3, 6}, GgufTokenizer.read(keys).encode("ab<|x|> ab", false, true));
        assertArrayEquals(new int[] {3, 6, 9, 3, 6}, GgufTokenizer.read(keys.with("general.name", "Phi-3 mini")).encode("ab<|x|> ab", false, true));
        assertEquals(0, GgufTokenizer.read(keys).policy().unknown());
    }

    /** Unigram adds EOS, and no BOS. */
    @Test
    void t5() {
        var source = GgufTokenizer.read(pieces("t5").with("eos_token_id", 2, "unknown_token_id", 0));
        assertArrayEquals(new int[] {3, 6, 2}, source.encode("ab", true, true));
        assertEquals(-1, source.policy().bos());
        assertArrayEquals(new int[] {3, 6}, GgufTokenizer.read(pieces("t5").with("remove_extra_whitespaces", true)).encode(" ab ", false, true));
    }

    @Test
    void refused() {
        fails(pieces("bert"), "tokenizer model \"bert\"", "llama, gpt2, t5");
        fails(pieces("llama").without("model"), "tokenizer.ggml.model");
        fails(pieces("llama").without("tokens"), "no tokenizer");
        fails(pieces("llama").without("scores"), "10 tokenizer.ggml.tokens but 0 tokenizer.ggml.scores");
        fails(pieces("llama").with("scores", new float[3]), "but 3 tokenizer.ggml.scores");
        fails(pieces("llama").with("token_type", new int[3]), "but 3 tokenizer.ggml.token_type");
        fails(pieces("llama").with("token_type", new int[] {2, 3, 3, 1, 1, 1, 1, 1, 4, 77}), "token type 77");
        fails(pieces("llama").with("bos_token_id", 10), "bos_token_id is 10, not one of the 10 tokens");
        fails(byteLevel("gpt-2").without("merges"), "merges");
        fails(byteLevel("gpt-2").with("merges", new String[] {"ab"}), "merge 0");
        fails(byteLevel("gpt-2").with("merges", new String[] {"a zz"}), "not in the vocabulary");
        fails(byteLevel("gpt-2").with("tokens", new String[] {"a", "a"}, "token_type", new int[] {1, 1}), "0 and 1 are the same");
    }

    private static void fails(Keys keys, String... words) {
        var e = assertThrows(ConversionException.class, () -> GgufTokenizer.read(keys));
        assertTrue(e.getMessage().startsWith("m.gguf: ") && Arrays.stream(words).allMatch(e.getMessage()::contains), e.getMessage());
    }
}
