package io.github.spike4j.tokenizer;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeout;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Oniguruma's syntax and meaning on java.util.regex, against Oniguruma itself. */
class RegexesTest {
    private static final String ALPHABET = "aabbAc12 \n\t.-_][^&{},:'sStkK\u017f\u212a\u03c3\u03c2\u03a3\u00e9\u4e00\u3042\u00a0\u0085\u2028\ud83d\ude00\u0301\r\u00b2\u00bd\u200d";

    @ParameterizedTest
    @ValueSource(strings = {
        "a{1,2}+", "(?:ab|a){1,2}+", "a{2}+", "a{0,2}+b", "a{,2}", "a{2}?", "a{1,2}?b", "a{", "a{,}", "a{x}", "a**", "a+*", "a?+b", "a++b", "a*+", "(?:a|b)*+",
        "[]a]", "[^]a]", "[a-]", "[-a]", "[a-c-b]", "[a\\-c]", "[a-c&&[^b]]", "[^a-c&&b]", "[[a]b]", "[^[a]b]", "[[:alpha:]]+", "[[:^space:]]+", "[[:punct:][:digit:]]+", "[.&&.]", "[&]", "[{}]+", "[\\]\\[]", "[\\b]", "[#a b]",
        "^", "$", "^a", "a$", "\\s+$", "\\Aa", "a\\z", "a\\Z", "\\ba", "a\\B", "(?m:.+)", ".+", "(?i:'s|k)", "(?i)k(?-i)S", "(?i:[a-c])", "(?i:\u03c3)", "(?im-x:a.)", "(?#note)a", "(?x: a b )", "(?<=a)b", "(?<!a)b", "(?=b)a|b", "(?>a+)b", "(?<n>a)\\k<n>", "(a)\\1",
        "\\w", "\\W", "[\\w-]", "[^\\w]", "[\\W]", "[[:word:]]", "\\h", "\\H+", "\\v", "\\N+", "\\O", "\\R", "\\X", "\\x41", "\\x{e9}", "\\u4e00", "\\j", "\\_", "\\-", "\\ ", "\\p{^L}", "\\P{^L}", "\\p{Han}|\\p{hiragana}", "\\p{Lu}|\\p{ll}", "\\p{Uppercase_Letter}", "\\p{InBasicLatin}+", "\\p{Greek}", "\\p{Emoji}", "\\p{White Space}",
        "", "a*", "b|", "()|a", "(?=a)", "\\d{1,3}(?=(?:\\d{3})*\\b)", "]", "}", "a|b|", "(?:)", "[\\h\\s]", "[\\x{61}-\\x63]", "[^\\S\\n]", "[\\p{L}&&[^\\p{Lu}]]", "[a-z&&[^aeiou]&&[^b]]",
    })
    void equal(String regex) throws IOException {
        Set<String> alphabet = new LinkedHashSet<>();
        ALPHABET.codePoints().forEach(c -> alphabet.add(Character.toString(c)));
        alphabet.add("▁");
        // a ▁ before each word shows where the words start
        String json = "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[],\"normalizer\":null,\"post_processor\":null,\"decoder\":null,"
                + "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":" + TinyVocabulary.quote(regex) + "},\"behavior\":\"Isolated\",\"invert\":false},"
                + "{\"type\":\"Metaspace\",\"replacement\":\"▁\",\"prepend_scheme\":\"always\",\"split\":false}]},"
                + "\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":false,\"vocab\":"
                + TinyVocabulary.ids(alphabet).replace("\r", "\\r") + ",\"merges\":[]}}";
        try (HuggingFace both = new HuggingFace(json)) {
            int[] symbols = ALPHABET.codePoints().toArray();
            SplittableRandom random = new SplittableRandom(8);
            for (int i = 0; i < 1000; i++) {
                StringBuilder s = new StringBuilder();
                for (int n = random.nextInt(1, 12); n > 0; n--) s.appendCodePoint(symbols[random.nextInt(random.nextBoolean() ? 9 : symbols.length)]);
                both.same(s.toString());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"\\K", "\\g<a>", "(?~a)", "(?(a)b)", "(?W:a)", "\\p{Nonsense}", "\\p{}", "\\p{^}", "[a", "(", "*", "\\", "\\p", "[[:alpha:]", "(?#", "a)"})
    void refused(String regex) {
        TokenizerException e = assertThrows(TokenizerException.class, () -> Regexes.compile(regex));
        assertTrue(e.getMessage().contains("regular expression") && !e.getMessage().contains("\n"), e.getMessage());
    }

    @Test
    void nestingIsBounded() {
        assertThrows(TokenizerException.class, () -> Regexes.compile("[".repeat(10_000) + "a"));
        assertThrows(TokenizerException.class, () -> Regexes.compile("(".repeat(30_000) + ")".repeat(30_000)));
        assertThrows(TokenizerException.class, () -> Regexes.compile("a".repeat(100_000)));
    }

    /** The expressions of the families, and all else, take a word that never ends. */
    @ParameterizedTest
    @ValueSource(strings = {"a", " ", "\n", "1", ".", "漢", "aB", "a\u0301", "' ", "\ud83d\ude00"})
    void longRuns(String piece) {
        String text = piece.repeat(50_000);
        FamiliesTest.families().forEach(family -> assertTimeout(Duration.ofSeconds(20), () -> {
            Tokenizer t = SharedData.parse((String) family.get()[1]);
            t.decode(t.encode(text, false), false);
        }));
    }
}
