package io.github.spike4j.tokenizer;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Every code point through each component that looks at classes, against Hugging Face's library (tokenizers 0.21.4, of DJL 0.38): this is
 * where {@link LibraryUnicode} comes from, and what its users must look like whatever Unicode the JDK has.
 */
class LibraryUnicodeTest {
    /** The model shows what is left of a text, byte for byte. */
    private static String json(String component) {
        StringBuilder bytes = new StringBuilder();
        for (int b = 0; b < 256; b++) {
            String c = String.valueOf(ByteAlphabet.charOf(b));
            bytes.append(b == 0 ? "" : ",").append('"').append(c.equals("\"") || c.equals("\\") ? "\\" : "").append(c).append("\":").append(b);
        }
        return "{" + component + "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":false}]},"
                + "\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":false,"
                + "\"byte_fallback\":false,\"vocab\":{" + bytes + "},\"merges\":[]}}";
    }

    private static String normalizer(String normalizer) {
        return json("\"normalizer\":{\"type\":" + normalizer + "},\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[");
    }

    private static String preTokenizer(String preTokenizer) {
        return json("\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":" + preTokenizer + "},");
    }

    /** All but the insides of large blocks in which all characters are alike. */
    private static int[] codePoints() {
        return IntStream.rangeClosed(0, 0x10FFFF).filter(c -> (c < 0xD800 || c > 0xDFFF) && Arrays.stream(ALIKE).noneMatch(r -> c > r[0] && c < r[1])).toArray();
    }

    private static final int[][] ALIKE = {{0x3410, 0x4DB0}, {0x4E10, 0x9FD0}, {0xAC10, 0xD790}, {0xE010, 0xF8F0}, {0x12010, 0x12380}, {0x13450, 0x14600}, {0x17010, 0x18AF0},
        {0x20010, 0x2A6D0}, {0x2A710, 0x2B730}, {0x2B750, 0x2B810}, {0x2B830, 0x2CE90}, {0x2CEC0, 0x2EBD0}, {0x30010, 0x31340}, {0x31360, 0x323A0}, {0x323C0, 0xE0000},
        {0xE0200, 0x10FFF0}};

    /** Each character alone, between marks that change places unless it keeps them apart, and its parts. */
    @ParameterizedTest
    @ValueSource(strings = {"'NFC'", "'NFD'", "'NFKC'", "'NFKD'", "'Lowercase'", "'StripAccents'", "'Nmt'",
        "'BertNormalizer','clean_text':true,'handle_chinese_chars':false,'strip_accents':false,'lowercase':false",
        "'BertNormalizer','clean_text':false,'handle_chinese_chars':true,'strip_accents':true,'lowercase':true"})
    void normalizers(String normalizer) throws IOException {
        try (HuggingFace both = new HuggingFace(normalizer(normalizer.replace('\'', '"')))) {
            StringBuilder text = new StringBuilder();
            for (int c : codePoints()) {
                String s = Character.toString(c);
                text.append(s).append('x').append('\u0301').append(s).append("\u0316x");
                String parts = java.text.Normalizer.normalize(s, java.text.Normalizer.Form.NFD);
                if (!parts.equals(s)) text.append(parts).append('x');
                if (text.length() > 1_000) {
                    both.same(text.toString());
                    text.setLength(0);
                }
            }
            both.same(text.toString());
        }
    }

    /** Single characters are taken out: what is left shows the class. */
    @ParameterizedTest
    @ValueSource(strings = {"'Punctuation','behavior':'Removed'", "'WhitespaceSplit'", "\\p{L}", "\\p{Lu}", "\\p{Ll}", "\\p{Lt}", "\\p{Lm}", "\\p{Lo}", "\\p{M}", "\\p{N}",
        "\\p{P}", "\\p{S}", "\\p{Sm}", "\\p{Z}", "\\p{C}", "\\s", "\\w", "\\d", "[\\w]", "[[:alpha:]]", "[[:punct:]]", "[[:alnum:]]", "\\p{Han}", "\\p{Hiragana}", "\\p{Arabic}",
        "\\p{Emoji}"})
    void classes(String pattern) throws IOException {
        String split = pattern.startsWith("'") ? pattern.replace('\'', '"')
                : "\"Split\",\"pattern\":{\"Regex\":\"" + pattern.replace("\\", "\\\\") + "\"},\"behavior\":\"Removed\",\"invert\":false";
        try (HuggingFace both = new HuggingFace(preTokenizer(split))) {
            int[] all = codePoints();
            for (int i = 0; i < all.length; i += 512) both.same(new String(all, i, Math.min(512, all.length - i)));
        }
    }

    /** A digit is cut from a letter beside it, and a word that is cut is two unknown ones. */
    @Test
    void digits() throws IOException {
        try (HuggingFace both = new HuggingFace("{\"pre_tokenizer\":{\"type\":\"Digits\",\"individual_digits\":true},"
                + "\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\" \":1}}}")) {
            int[] all = codePoints();
            for (int i = 0; i < all.length; i += 64) {
                StringBuilder text = new StringBuilder();
                for (int k = i; k < Math.min(i + 64, all.length); k++) text.append('a').appendCodePoint(all[k]);
                both.same(text.toString());
            }
        }
    }

    /** Clusters around characters that Java does not know: a character map looks at a cluster as a whole. */
    @Test
    void clustersOfUnassigned() throws IOException {
        String map = TinyVocabulary.charsMap(Map.of("\u0344", "\u0308\u0301", "A", "a"));
        try (HuggingFace both = new HuggingFace(normalizer("\"Precompiled\",\"precompiled_charsmap\":\"" + map + "\""))) {
            both.same("\u09d6\u0344\u0344A");
            both.same("\u0344\u0344");
            SplittableRandom random = new SplittableRandom(5);
            int[] characters = {0x09D6, 0x0378, 0x2065, 0xFFF0, 0xE0002, 0xE1000, 0x1FFFF, 0x344, 0x301, 0x200D, 'A', 0x1F600, 0x600, 0x0915, 0x094D, '\r', '\n', 0x2FE0, 0x11F02};
            for (int i = 0; i < 5_000; i++) {
                StringBuilder text = new StringBuilder();
                for (int n = random.nextInt(1, 7); n > 0; n--) text.appendCodePoint(characters[random.nextInt(characters.length)]);
                both.same(text.toString());
            }
        }
    }

    @Test
    void lowerCaseOfUnicode17() {
        assertEquals("\uA7CF\uD81B\uDEBB", new Normalizer.Lowercase().apply("\uA7CE\uD81B\uDEA0"));
    }
}
