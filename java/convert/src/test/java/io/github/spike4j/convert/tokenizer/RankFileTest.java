package io.github.spike4j.convert.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import io.github.spike4j.convert.ConversionException;

/** Ranks without the rest: where tiktoken's families are told, and Mistral's file that has it all. */
class RankFileTest {
    /** All bytes, and tokens that show how numbers, contractions and capitals are cut. */
    private static final List<byte[]> RANKS = IntStream.range(0, 264).mapToObj(i -> i < 256 ? new byte[] {(byte) i}
            : List.of("12", "123", "'s", "xA", "xa", " a", "a\u0301", "á").get(i - 256).getBytes(StandardCharsets.UTF_8)).toList();

    @TempDir
    Path folder;

    private static String tiktoken() {
        return IntStream.range(0, RANKS.size()).mapToObj(i -> Base64.getEncoder().encodeToString(RANKS.get(i)) + " " + i).collect(Collectors.joining("\n"));
    }

    /** The words of a text, and the id of its end: special tokens follow the ranks. */
    @ParameterizedTest
    @CsvSource({"cl100k_base, 123 4 's xA á, 265", "llama3, 123 4 's xA á, 265", "o200k_base, 123 4 's x A á, 265", "o200k_harmony, 123 4 's x A á, 265",
        "r50k_base, 123 4 's xA á, 264", "p50k_base, 123 4 's xA á, 240", "qwen, 1 2 3 4 's xA á, 264"})
    void families(String family, String words, int end) throws IOException {
        for (boolean named : new boolean[] {true, false}) {
            var file = folder.resolve(named ? "my-" + family + "-v1.tiktoken" : "tokenizer.model");
            if (!named) {
                Files.writeString(folder.resolve("tokenizer_config.json"), "{\"tiktoken\": \"" + family + "\"}");
            }
            Files.writeString(file, tiktoken());
            var source = TokenizerSource.open(file);
            assertEquals(words, Arrays.stream(source.encode("1234'sxAá", false, true)).mapToObj(source::token).collect(Collectors.joining(" "))
                    .replace("Ã¡", "á"));
            assertArrayEquals(new int[] {end}, source.policy().eos());
            assertEquals(family.equals("llama3") ? 264 : -1, source.policy().bos());
        }
    }

    /** Qwen composes. */
    @Test
    void composed() throws IOException {
        Files.writeString(folder.resolve("qwen.tiktoken"), tiktoken());
        assertArrayEquals(new int[] {263}, TokenizerSource.open(folder).encode("a\u0301", false, true));
    }

    @Test
    void unknownFamily() throws IOException {
        Files.writeString(folder.resolve("ranks.tiktoken"), tiktoken());
        fails("a rank file of 264 tokens does not tell how words are cut; name the file after its family, or give \"tiktoken\" in a tokenizer_config.json beside it;"
                + " known are llama3 (128000), cl100k_base (100256), ");
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"tiktoken\": \"claude\"}");
        fails("the tiktoken family \"claude\" of tokenizer_config.json is not known; known are llama3 (128000), ");
    }

    private void fails(String message) {
        var e = assertThrows(ConversionException.class, () -> TokenizerSource.open(folder));
        assertTrue(e.getMessage().contains(message), e.getMessage());
    }

    private static String tekken(String config, String special) {
        var vocab = new ArrayList<String>();
        for (int i = 0; i < RANKS.size(); i++) {
            vocab.add("{\"rank\": %d, \"token_bytes\": \"%s\", \"token_str\": null}".formatted(i, Base64.getEncoder().encodeToString(RANKS.get(i))));
        }
        return "{\"config\": {" + config + "}, \"vocab\": [" + String.join(", ", vocab) + "]" + special + "}";
    }

    private static final String CONFIG = "\"pattern\": \"\\\\p{N}{1,2}|\\\\P{N}+\", \"num_vocab_tokens\": 264, \"default_vocab_size\": 287, \"default_num_special_tokens\": 25, \"version\": \"v3\"";

    /** Special tokens come first; the last two ranks are beyond the vocabulary. */
    @Test
    void tekken() throws IOException {
        Files.writeString(folder.resolve("tekken.json"), tekken(CONFIG, ""));
        var source = TokenizerSource.open(folder);
        assertEquals(TokenizerSource.Kind.TEKKEN, source.kind());
        assertEquals(287, source.vocabularySize());
        assertArrayEquals(new int[] {1, 25 + 256, 25 + '3', 25 + 260, 25 + 0xC3, 25 + 0xA1}, source.encode("123xaá", true, false));
        assertArrayEquals(new int[] {3, 24}, source.encode("[INST]<SPECIAL_24>", false, true));
        assertEquals("123xaá", source.decode(source.encode("123xaá", false, true)));
        assertArrayEquals(new int[] {2}, source.policy().eos());
        assertEquals(11, source.policy().pad());
        Files.writeString(folder.resolve("tekken.json"), tekken(CONFIG, ", \"special_tokens\": [{\"rank\": 0, \"token_str\": \"<unk>\", \"is_control\": true},"
                + "{\"rank\": 1, \"token_str\": \"<s>\"}, {\"rank\": 2, \"token_str\": \"</s>\"}, {\"rank\": 3, \"token_str\": \"[OWN]\"}]"));
        assertArrayEquals(new int[] {3, 4, 25 + 'x'}, TokenizerSource.open(folder).encode("[OWN]<SPECIAL_4>x", false, true));
    }

    @Test
    void damagedTekken() throws IOException {
        for (var bad : new String[][] {{CONFIG.replace("287", "300"), "", "a vocabulary of 300 with 25 special tokens, but 264 others"}, {CONFIG.replace("287", "9"), "", "a vocabulary of 9"},
            {CONFIG.replace("\"pattern\"", "\"x\""), "", "config has no pattern"}, {CONFIG.replace("\": 25", "\": -1"), "", "default_num_special_tokens -1"},
            {CONFIG.replace("\": 25", "\": 2000000000"), "", "default_num_special_tokens 2000000000"}, {CONFIG.replace("\": 25", "\": 5").replace("287", "266"), "", "special token 5 (\"[AVAILABLE_TOOLS]\", 5) is not one of 5"},
            {CONFIG.replace("{1,2}", "("), "", "cannot be used"}, {CONFIG, ", \"special_tokens\": [{\"rank\": 99, \"token_str\": \"a\"}]", "special token 0 (\"a\", 99)"},
            {CONFIG, ", \"vocab\": [1]", "Duplicate|but 1 others"}}) {
            Files.writeString(folder.resolve("tekken.json"), tekken(bad[0], bad[1]));
            var e = assertThrows(ConversionException.class, () -> TokenizerSource.open(folder), bad[2]);
            assertTrue(Arrays.stream(bad[2].split("\\|")).anyMatch(e.getMessage()::contains) && e.getMessage().lines().count() == 1, e.getMessage());
        }
        for (var bad : new String[][] {{"\"rank\": 7,", "\"rank\": 8,", "the token of rank 7 is not at its place"}, {"\"AQ==\"", "\"!\"", "the token of rank 1 is not base64"},
            {"\"AQ==\"", "\"AA==\"", "the ranks 0 and 1 are the same token"}, {"\"AQ==\"", "\"\"", "the token of rank 1 has 0 bytes"}}) {
            Files.writeString(folder.resolve("tekken.json"), tekken(CONFIG, "").replace(bad[0], bad[1]));
            fails(bad[2]);
        }
    }
}
