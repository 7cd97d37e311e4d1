package io.github.spike4j.convert.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import io.github.spike4j.convert.ConversionException;

/**
 * Small models: of random pieces, against SentencePiece's rules written down naively; and made to show what is special, against what
 * SentencePiece itself (0.1.97) does with the same files.
 */
class SentencePieceTest {
    private static final String SPACE = "▁";
    private static final String ALPHABET = "abcé日" + SPACE;

    @TempDir
    static Path cache;

    @TempDir
    Path folder;

    /** A model as the test knows it. */
    private record Model(ModelBytes file, List<String> pieces, Map<String, Integer> ids, Map<String, Float> scores, boolean bytes) {
        static Model of(int type, boolean bytes) {
            var m = new Model(new ModelBytes(type), new ArrayList<>(), new HashMap<>(), new HashMap<>(), bytes);
            m.special("<unk>", ModelBytes.UNKNOWN).special("<s>", ModelBytes.CONTROL).special("</s>", ModelBytes.CONTROL);
            if (bytes) {
                m.file.byteFallback();
                for (int b = 0; b < 256; b++) {
                    m.pieces.add("<0x%02X>".formatted(b));
                }
            }
            return m;
        }

        Model special(String text, int type) {
            file.piece(text, 0, type);
            pieces.add(text);
            return this;
        }

        Model normal(String text, float score) {
            file.piece(text, score, ModelBytes.NORMAL);
            ids.put(text, pieces.size());
            scores.put(text, score);
            pieces.add(text);
            return this;
        }

        /** What SentencePiece makes of a character that no piece covers: its bytes, or one unknown token for a run. */
        void unknown(String text, List<Integer> out) {
            if (bytes) {
                for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
                    out.add(3 + (b & 0xFF));
                }
            } else if (out.isEmpty() || out.getLast() != 0) {
                out.add(0);
            }
        }

        /** bpe_model: the adjacent pair with the best joint piece is merged, the leftmost of equals, as long as there is one. */
        int[] bpe(String normalized) {
            var symbols = new ArrayList<String>();
            normalized.codePoints().forEach(c -> symbols.add(Character.toString(c)));
            while (true) {
                int best = -1;
                for (int i = 0; i + 1 < symbols.size(); i++) {
                    var score = scores.get(symbols.get(i) + symbols.get(i + 1));
                    if (score != null && (best < 0 || score > scores.get(symbols.get(best) + symbols.get(best + 1)))) {
                        best = i;
                    }
                }
                if (best < 0) {
                    break;
                }
                symbols.set(best, symbols.get(best) + symbols.remove(best + 1));
            }
            var out = new ArrayList<Integer>();
            for (var s : symbols) {
                if (ids.containsKey(s)) {
                    out.add(ids.get(s));
                } else {
                    unknown(s, out);
                }
            }
            return out.stream().mapToInt(i -> i).toArray();
        }

        /** unigram_model: the path of the best sum of scores; an uncovered character costs 10 more than the worst piece. */
        int[] unigram(String normalized) {
            int n = normalized.length();
            float unknown = (float) scores.values().stream().mapToDouble(s -> s).min().orElseThrow() - 10;
            var best = new float[n + 1];
            var from = new int[n + 1];
            Arrays.fill(best, Float.NEGATIVE_INFINITY);
            best[0] = 0;
            for (int i = 0; i < n; i += Character.charCount(normalized.codePointAt(i))) {
                int one = i + Character.charCount(normalized.codePointAt(i));
                for (int j = one; j <= n; j++) {
                    var score = scores.get(normalized.substring(i, j));
                    double path = score != null ? (double) best[i] + score : j == one ? best[i] + unknown : Double.NEGATIVE_INFINITY;
                    if (path > best[j]) {
                        best[j] = (float) path;
                        from[j] = i;
                    }
                }
            }
            var words = new ArrayList<String>();
            for (int j = n; j > 0; j = from[j]) {
                words.addFirst(normalized.substring(from[j], j));
            }
            var out = new ArrayList<Integer>();
            for (var w : words) {
                if (ids.containsKey(w)) {
                    out.add(ids.get(w));
                } else {
                    unknown(w, out);
                }
            }
            return out.stream().mapToInt(i -> i).toArray();
        }
    }

    /** normalizer: spaces collapsed, a space in front, spaces escaped. */
    private static String normalize(String text, boolean prefix, boolean collapses) {
        if (collapses) {
            text = text.replaceAll("^ +", "").replaceAll(" +", " ");
        }
        if (text.isEmpty()) {
            return text;
        }
        text = ((prefix ? " " : "") + text).replace(" ", SPACE);
        return collapses ? text.replaceAll(SPACE + "+\\z", "") : text;
    }

    private static String text(SplittableRandom random) {
        var characters = "abcabcé日  ▁xё😀\n".codePoints().toArray();
        var out = new StringBuilder();
        for (int n = random.nextInt(1, 30); n > 0; n--) {
            out.appendCodePoint(characters[random.nextInt(characters.length)]);
        }
        return out.toString();
    }

    /** Pieces as training makes them: each joins two, and its own text encodes to it. */
    private static Model trained(SplittableRandom random, boolean bytes) {
        var m = Model.of(ModelBytes.BPE, bytes);
        float score = -1000;
        for (var c : ALPHABET.split("")) {
            m.normal(c, score--);
        }
        var parts = new ArrayList<>(List.of(ALPHABET.split("")));
        score = 0;
        for (int i = 0; i < 60; i++) {
            var joint = parts.get(random.nextInt(parts.size())) + parts.get(random.nextInt(parts.size()));
            if (m.ids.containsKey(joint)) {
                continue;
            }
            m.scores.put(joint, score);
            m.ids.put(joint, -1);
            boolean reached = m.bpe(joint).length == 1;
            m.scores.remove(joint);
            m.ids.remove(joint);
            if (reached) {
                m.normal(joint, score--);
                parts.add(joint);
            }
        }
        return m;
    }

    @ParameterizedTest
    @CsvSource({"true, true, false", "true, false, false", "false, true, false", "true, true, true", "false, false, true"})
    void bpe(boolean bytes, boolean prefix, boolean collapses) throws IOException {
        var random = new SplittableRandom(11);
        for (int round = 0; round < 20; round++) {
            var m = trained(random, bytes);
            var source = open(m.file.rules(prefix, collapses, true).bytes());
            try (var library = bytes && !collapses ? HuggingFace.open(source.json(), cache) : null) {
                for (int i = 0; i < 300; i++) {
                    var text = text(random);
                    int[] ids = m.bpe(normalize(text, prefix, collapses));
                    assertArrayEquals(ids, source.encode(text, false, true), "[" + text + "]");
                    if (library != null) {
                        assertArrayEquals(Arrays.stream(ids).asLongStream().toArray(), library.encode(text, false, false).getIds(), "[" + text + "]");
                        assertEquals(library.decode(library.encode(text, false, false).getIds(), false), source.decode(ids), "[" + text + "]");
                    }
                }
            }
        }
    }

    /** Where Hugging Face's components would give other ids, the form has SentencePiece's own. */
    @Test
    void theFormIsHuggingFacesWhereThatSaysTheSame() throws IOException {
        assertTrue(form(file -> { }).contains("\"type\":\"BPE\""));
        assertTrue(form(file -> file.piece("xy", -70, ModelBytes.NORMAL)).contains("\"type\":\"SentencePiece\""), "x is no piece");
        assertTrue(form(file -> file.piece("ab", -1, ModelBytes.NORMAL)).contains("\"type\":\"SentencePiece\""), "two of one score");
        assertTrue(form(file -> file.piece("▁▁", -70, ModelBytes.NORMAL).piece("▁▁▁▁", -70, ModelBytes.NORMAL).piece("▁▁▁", -70, ModelBytes.NORMAL))
                .contains("\"type\":\"BPE\""), "spaces as in Llama 2");
        assertTrue(form(file -> file.piece("▁▁", -70, ModelBytes.NORMAL).piece("▁▁▁", -70, ModelBytes.NORMAL)).contains("\"type\":\"SentencePiece\""),
                "of four spaces SentencePiece makes three and one, ranks two and two");
        assertTrue(form(file -> file.piece("ab", -70, ModelBytes.USER_DEFINED)).contains("\"type\":\"SentencePiece\""));
        assertTrue(form(file -> file.piece("\u2047", 0, ModelBytes.UNKNOWN)).contains("\"type\":\"SentencePiece\""),
                "the character is bytes, to merges it is the unknown piece");
        assertTrue(form(file -> file.piece("ab", -70, ModelBytes.UNUSED)).contains("\"type\":\"SentencePiece\""));
    }

    /** A hostile file's runs of one score are not tried out: the time for them grows with the third power of their length. */
    @Test
    void longRunsOfOneScore() {
        assertTimeoutPreemptively(Duration.ofSeconds(20), () -> form(file -> IntStream.range(1, 11).forEach(i -> file.piece(SPACE.repeat(1 << i), -70, ModelBytes.NORMAL))));
    }

    /** Words are cut where no piece goes on behind a space, and not where one does, be it after line feeds. */
    @ParameterizedTest
    @ValueSource(strings = {"\n\n", "\n\n▁", "a\n▁"})
    void words(String longest) throws IOException {
        var random = new SplittableRandom(19);
        var m = Model.of(ModelBytes.BPE, true).normal("\n\n", -1).normal("▁a", -2).normal("a\n", -3);
        if (!m.ids.containsKey(longest)) {
            m.normal(longest, -4);
        }
        for (var c : "a▁\n".split("")) {
            m.normal(c, -10 - c.charAt(0));
        }
        var source = open(m.file.rules(false, false, true).bytes());
        for (int i = 0; i < 300; i++) {
            var text = random.ints(random.nextInt(1, 30), 0, 3).mapToObj(c -> "a \n".substring(c, c + 1)).collect(Collectors.joining());
            assertArrayEquals(m.bpe(normalize(text, false, false)), source.encode(text, false, true), "[" + text + "]");
        }
    }

    private String form(Consumer<ModelBytes> more) throws IOException {
        var m = Model.of(ModelBytes.BPE, true);
        for (int i = 0; i < ALPHABET.length(); i++) {
            m.normal(ALPHABET.substring(i, i + 1), -1 - i);
        }
        more.accept(m.file);
        return new String(open(m.file.rules(true, false, true).bytes()).json(), StandardCharsets.UTF_8);
    }

    @ParameterizedTest
    @CsvSource({"false, true, true, false", "false, true, false, true", "true, true, false, true", "true, false, false, false", "false, true, true, true"})
    void unigram(boolean bytes, boolean prefix, boolean collapses, boolean overSpaces) throws IOException {
        var random = new SplittableRandom(13);
        for (int round = 0; round < 20; round++) {
            var m = Model.of(ModelBytes.UNIGRAM, bytes);
            for (var c : ALPHABET.split("")) {
                if (round % 3 != 0 || c.equals(SPACE) || random.nextInt(3) > 0) {
                    m.normal(c, -8 - (float) random.nextDouble() * 4);
                }
            }
            for (int i = 0; i < 60; i++) {
                var piece = new StringBuilder();
                for (int k = random.nextInt(2, 6); k > 0; k--) {
                    piece.appendCodePoint(ALPHABET.codePoints().toArray()[random.nextInt(6)]);
                }
                if (!m.ids.containsKey(piece.toString()) && (overSpaces || piece.indexOf(SPACE, 1) < 0)) {
                    m.normal(piece.toString(), -3 - (float) random.nextDouble() * 9);
                }
            }
            var source = open(m.file.rules(prefix, collapses, true).bytes());
            for (int i = 0; i < 300; i++) {
                var text = text(random);
                assertArrayEquals(m.unigram(normalize(text, prefix, collapses)), source.encode(text, false, true), "[" + text + "]");
            }
        }
    }

    /** User-defined symbols win over every merge, the longest first; with a prefix of its own the text has no room for those with a space. */
    @Test
    void userDefined() throws IOException {
        var file = new ModelBytes(ModelBytes.BPE).piece("<unk>", 0, ModelBytes.UNKNOWN).piece("<s>", 0, ModelBytes.CONTROL)
                .piece("ab", 0, ModelBytes.USER_DEFINED).piece("▁▁", 0, ModelBytes.USER_DEFINED).piece("▁▁▁", 0, ModelBytes.USER_DEFINED)
                .piece("bc", -1, ModelBytes.NORMAL).piece("▁c", -2, ModelBytes.NORMAL);
        for (var c : ALPHABET.split("")) {
            file.piece(c, -10, ModelBytes.NORMAL);
        }
        var source = open(file.rules(false, false, true).bytes());
        assertEquals(List.of("ab", "c"), tokens(source, "abc"));
        assertEquals(List.of("▁▁▁", "▁▁", "c"), tokens(source, "     c"));
        assertEquals(List.of("▁▁▁", "▁c", "▁▁"), tokens(source, "    c  "));
        assertEquals("    c  ", source.decode(source.encode("    c  ", false, true)));
        assertFalse(source.policy().addEos());
    }

    private static List<String> tokens(TokenizerSource source, String text) {
        return Arrays.stream(source.encode(text, false, true)).mapToObj(source::token).toList();
    }

    /** Control symbols written in a text are no tokens where special tokens are not parsed. */
    @Test
    void special() throws IOException {
        var random = new SplittableRandom(17);
        var m = trained(random, true);
        var source = open(m.file.rules(true, false, true).bytes());
        assertArrayEquals(new int[] {1, m.ids.get(SPACE), m.ids.get("a"), 2}, source.encode("a</s>", true, true));
        assertArrayEquals(m.bpe(normalize("a</s><unk><0x0A>", true, false)), source.encode("a</s><unk><0x0A>", false, false));
        assertEquals(1, source.policy().bos());
        assertArrayEquals(new int[] {2}, source.policy().eos());
        assertTrue(source.policy().addBos());

        var u = Model.of(ModelBytes.UNIGRAM, false).normal("a", -1).normal(SPACE, -2).normal("s", -3);
        source = open(u.file.rules(true, false, true).bytes());
        assertArrayEquals(new int[] {1, u.ids.get(SPACE), u.ids.get("a"), 2}, source.encode("a</s>", true, true));
        assertArrayEquals(u.unigram(normalize("a</s><unk>", true, false)), source.encode("a</s><unk>", false, false));
    }

    /** A model without BOS (T5) adds EOS, unless a file beside it says otherwise; added tokens of such files count. */
    @Test
    void filesBeside() throws IOException {
        var file = new ModelBytes(ModelBytes.BPE).piece("<pad>", 0, ModelBytes.CONTROL).piece("</s>", 0, ModelBytes.CONTROL)
                .piece("<unk>", 0, ModelBytes.UNKNOWN).piece("a", -1, ModelBytes.NORMAL).piece("▁", -2, ModelBytes.NORMAL).rules(true, true, true);
        var source = open(file.bytes());
        assertArrayEquals(new int[] {4, 3, 1}, source.encode("a", true, true));
        assertEquals(0, source.policy().pad());
        assertEquals(-1, source.policy().bos());

        Files.writeString(folder.resolve("tokenizer_config.json"), """
                {"add_bos_token": true, "add_eos_token": false, "bos_token": {"content": "<start>"}, "eos_token": "<end>", "legacy": false,
                 "added_tokens_decoder": {"5": {"content": "<start>", "special": true}, "6": {"content": "<end>", "special": true, "rstrip": true},
                   "7": {"content": "word", "special": false}}, "chat_template": [{"name": "tool_use", "template": "no"}, {"name": "default", "template": "yes"}]}""");
        source = open(file.bytes());
        assertArrayEquals(new int[] {5, 4, 3, 6, 3, 7, 4, 3}, source.encode("a<end>  aword a", true, true));
        assertArrayEquals(new int[] {6}, source.policy().eos());
        assertEquals(Map.of("default", "yes", "tool_use", "no"), source.chatTemplates());
        // the forerunners of that file
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"eos_token\": \"<end>\"}");
        Files.writeString(folder.resolve("added_tokens.json"), "{\"<end>\": 5, \"<x>\": 6, \"word\": 7}");
        Files.writeString(folder.resolve("special_tokens_map.json"), "{\"additional_special_tokens\": [\"<x>\"]}");
        source = open(file.bytes());
        assertArrayEquals(new int[] {4, 3, 5, 6, 7, 5}, source.encode("a<end><x>word", true, true));
        // plain text: only the word is cut out; with this vocabulary the rest is unknown
        assertArrayEquals(new int[] {4, 3, 2, 7, 5}, source.encode("a<end><x>word", true, false));
        Files.writeString(folder.resolve("chat_template.jinja"), "own");
        assertEquals(Map.of("default", "own"), open(file.bytes()).chatTemplates());
        Files.createDirectories(folder.resolve("additional_chat_templates"));
        Files.writeString(folder.resolve("additional_chat_templates/rag.jinja"), "docs");
        assertEquals(Map.of("default", "own", "rag", "docs"), open(file.bytes()).chatTemplates());
    }

    /** Models that show what is special; what SentencePiece makes of texts is in {@link #VECTORS}. */
    private static Map<String, ModelBytes> models() {
        var models = new LinkedHashMap<String, ModelBytes>();
        models.put("unigram", base(ModelBytes.UNIGRAM).piece("<x>", 0, ModelBytes.USER_DEFINED).piece("▁▁", 0, ModelBytes.USER_DEFINED)
                .piece("a b", 0, ModelBytes.USER_DEFINED).piece("Ab", 0, ModelBytes.USER_DEFINED).piece("<0x61>", -3, ModelBytes.NORMAL).piece("ba", 0, ModelBytes.UNUSED)
                .charsmap(CHARSMAP).rules(true, true, true));
        models.put("unigram, spaces kept", base(ModelBytes.UNIGRAM).piece("▁▁", 0, ModelBytes.USER_DEFINED).byteFallback().charsmap(CHARSMAP).rules(true, false, true));
        models.put("unigram, raw", base(ModelBytes.UNIGRAM).piece(" a", -1, ModelBytes.NORMAL).unkSurface("<?>").rules(false, true, false));
        models.put("bpe", base(ModelBytes.BPE).piece("<x>", 0, ModelBytes.USER_DEFINED).piece("▁▁", 0, ModelBytes.USER_DEFINED)
                .piece("▁b", 0, ModelBytes.USER_DEFINED).piece("xy", -1, ModelBytes.NORMAL).piece("xyz", -2, ModelBytes.NORMAL).byteFallback().rules(true, true, true));
        models.put("bpe, equal scores", base(ModelBytes.BPE).piece("ba", -3, ModelBytes.NORMAL).piece("aa", -3, ModelBytes.NORMAL).piece("bb", -3, ModelBytes.NORMAL)
                .rules(true, false, true));
        models.put("bpe, unused", base(ModelBytes.BPE).piece("aba", -1, ModelBytes.UNUSED).piece("ba", -2, ModelBytes.UNUSED).rules(true, false, true));
        models.put("suffix", base(ModelBytes.BPE).piece("a▁", -1, ModelBytes.NORMAL).trainer(24, 1).rules(true, true, true));
        models.put("word", base(ModelBytes.WORD).rules(true, true, true));
        models.put("char", base(ModelBytes.CHAR).piece("ba", 0, ModelBytes.USER_DEFINED).rules(true, true, true));
        return models;
    }

    /** Keys of one character and of two, one of which starts the other; a space, and nothing. */
    private static final Map<String, String> CHARSMAP = new TreeMap<>(Map.of("A", "a", "e", "b", "e\u0301", "ab", "\u3000", " ", "\u200b", "", "ﬁ", "a b"));

    private static ModelBytes base(int type) {
        return new ModelBytes(type).piece("<unk>", 0, ModelBytes.UNKNOWN).piece("<s>", 0, ModelBytes.CONTROL).piece("▁", -4, ModelBytes.NORMAL)
                .piece("a", -4.5f, ModelBytes.NORMAL).piece("b", -5, ModelBytes.NORMAL).piece("▁a", -3, ModelBytes.NORMAL).piece("ab", -3, ModelBytes.NORMAL);
    }

    /** A text (or -), its ids, and the text that these are; what is not printable is as \\u0000. */
    private static final String VECTORS = """
            unigram:
              [  a  b ] = 5 2 4 = [a b]
              [ <x>  a] = 2 7 5 = [<x> a]
              [a▁▁b] = 5 8 4 = [a  b]
              [ ▁▁ a] = 8 8 3 = [   a]
              [a b] = 5 2 4 = [a b]
              [xa bx] = 2 0 3 2 4 0 = [ ⁇ a b ⁇ ]
              [Ab] = 2 10 = [Ab]
              [Aba] = 2 10 3 = [Aba]
              [e\\u0301ea] = 2 6 4 3 = [abba]
              [\\u3000\\u3000a\\u3000 b\\u3000] = 5 2 4 = [a b]
              [\\u200b a] = 5 = [a]
              [aﬁb] = 5 3 2 4 4 = [aa bb]
              [zz<0x61>z] = 2 0 11 0 = [ ⁇ <0x61> ⁇ ]
              [baba] = 2 4 6 3 = [baba]
              [<s>a<unk>] = 2 0 3 0 = [ ⁇ a ⁇ ]
              [   ] =  = []
              [\\u3000] =  = []
              - = 3 7 11 0 2 = [a<x><0x61> ⁇  ]
              - = 2 6 10 0 9 4 0 = [abAb ⁇ a bb ⁇ ]
              - = 7 7 2 = [<x><x> ]
            unigram, spaces kept:
              [  a  b ] = 7 5 7 4 2 = [  a  b ]
              [\\u3000\\u3000a] = 7 5 = [  a]
              [é🙂a] = 2 203 177 248 167 161 138 3 = [é🙂a]
              [e\\u0301\\u0301] = 2 6 212 137 = [ab\\u0301]
              - = 134 52 168 87 = [~,\\ufffdO]
              - = 211 209 39 = [\\ufffd\\ufffd\\u001f]
              - = 65 164 243 = [9\\ufffd\\ufffd]
              - = 3 234 158 137 73 3 2 = [a▁Aa ]
              - = 3 235 137 3 2 = [a\\ufffd\\ufffda ]
              - = 3 235 137 138 263 203 177 3 2 = [a\\u3042\\ufffdéa ]
              - = 3 40 248 167 161 3 2 = [a \\ufffd\\ufffd\\ufffda ]
              - = 3 245 168 136 3 2 = [a\\ufffd\\ufffd\\ufffda ]
              - = 3 234 138 234 138 180 3 2 = [a\\ufffd\\ufffd\\u20aca ]
            unigram, raw:
              [  a  ab ] = 3 7 4 = [a ab]
              [z a z] = 0 7 0 = [<?> a<?>]
              - = 3 6 5 6 3 2 = [aab aaba ]
              - = 0 3 4 3 6 7 = [<?>abaab a]
              - = 6 7 5 2 5 0 = [ab a a  a<?>]
            bpe:
              [  a  b ] = 5 9 = [a b]
              [ <x>  b] = 2 7 9 = [<x> b]
              [xyz] = 2 11 = [xyz]
              [xya] = 2 10 3 = [xya]
              [z xy z] = 2 134 2 10 2 134 = [z xy z]
              [▁▁ a] = 8 8 3 = [   a]
              - = 67 190 243 34 = [7\\ufffd\\ufffd\\u0016]
              - = 7 241 133 120 99 241 244 = [<x>\\ufffdylW\\ufffd\\ufffd]
              - = 78 119 78 200 8 33 = [BkB\\ufffd  \\u0015]
              - = 3 238 162 141 77 3 2 = [a▁Aa ]
              - = 3 239 141 3 2 = [a\\ufffd\\ufffda ]
              - = 3 239 141 142 267 207 181 3 2 = [a\\u3042\\ufffdéa ]
              - = 3 44 252 171 165 3 2 = [a \\ufffd\\ufffd\\ufffda ]
              - = 3 249 172 140 3 2 = [a\\ufffd\\ufffd\\ufffda ]
              - = 3 238 142 238 142 184 3 2 = [a\\ufffd\\ufffd\\u20aca ]
            bpe, equal scores:
              [aabba] = 5 6 7 = [aabba]
              [bab] = 2 7 4 = [bab]
              [abab] = 5 7 4 = [abab]
              [aaabbb] = 5 8 9 4 = [aaabbb]
              - = 7 5 6 5 3 9 5 = [ba aab aabb a]
              - = 0 4 7 = [ ⁇ bba]
              - = 5 9 6 7 3 9 = [abbabbaabb]
            bpe, unused:
              [aba] = 2 3 4 3 = [aba]
              [abaab] = 2 3 4 3 6 = [abaab]
              [baba] = 2 4 3 4 3 = [baba]
              - = 8 8 4 3 8 3 = [babababaa]
              - = 8 5 3 = [ba aa]
              - = 0 7 8 = [ ⁇ ababa]
            suffix:
              [  a  b ] = 7 4 2 = [a b ]
              [ab a] = 6 2 7 = [ab a ]
              [a] = 7 = [a ]
              - = 7 0 4 7 3 0 0 = [a  ⁇ ba a ⁇  ⁇ ]
              - = 6 5 4 7 = [ab aba ]
              - = 3 7 0 3 4 = [aa  ⁇ ab]
            word:
              [a ab  b] = 5 0 = [a ⁇ ]
              [ab a a x y] = 0 5 5 0 = [ ⁇  a a ⁇ ]
              [x y] = 0 = [ ⁇ ]
              - = 3 0 6 4 = [a ⁇ abb]
              - = 2 0 0 0 4 5 = [ ⁇  ⁇  ⁇ b a]
              - = 0 2 5 5 3 = [ ⁇   a aa]
            char:
              [abab a] = 2 3 7 4 2 3 = [abab a]
              [bab  xya] = 2 7 4 2 0 3 = [bab  ⁇ a]
              - = 3 0 6 4 = [a ⁇ abb]
              - = 2 0 0 0 4 5 = [ ⁇  ⁇  ⁇ b a]
              - = 7 7 0 2 5 = [baba ⁇   a]
            """;

    @Test
    void vectors() throws IOException {
        TokenizerSource source = null;
        int compared = 0;
        for (var line : VECTORS.lines().toList()) {
            if (!line.startsWith(" ")) {
                source = open(models().get(line.substring(0, line.length() - 1)).bytes());
                continue;
            }
            var parts = Arrays.stream(line.strip().split(" = ", -1)).map(part -> UNICODE.matcher(part).replaceAll(m -> Character.toString(Integer.parseInt(m.group(1), 16)))).toList();
            int[] ids = Arrays.stream(parts.get(1).split(" ")).filter(id -> !id.isEmpty()).mapToInt(Integer::parseInt).toArray();
            if (!parts.get(0).equals("-")) {
                assertArrayEquals(ids, source.encode(unquoted(parts.get(0)), false, false), line);
            }
            assertEquals(unquoted(parts.get(2)), source.decode(ids), line);
            compared++;
        }
        assertEquals(83, compared);
    }

    private static final Pattern UNICODE = Pattern.compile("\\\\u(\\p{XDigit}{4})");

    /** Without the brackets. */
    private static String unquoted(String text) {
        return text.substring(1, text.length() - 1);
    }

    @Test
    void refused() throws IOException {
        fails(new byte[] {'\n'}, "damaged");
        fails(new byte[] {'\n', 5, 1, 2}, "a length of 5 with 2 bytes left");
        fails(new byte[] {'\n', (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, 1}, "a length of");
        fails(new ModelBytes(5).piece("a", 0, ModelBytes.NORMAL).bytes(), "model type 5", "unigram (1), BPE (2), word (3) and char (4)");
        fails(new ModelBytes(ModelBytes.BPE).piece("a", 0, ModelBytes.NORMAL).piece("a", 0, ModelBytes.NORMAL).bytes(), "piece 1 is the same as piece 0");
        fails(new ModelBytes(ModelBytes.BPE).piece("a", 0, 9).bytes(), "token type 9");
        fails(new ModelBytes(ModelBytes.BPE).piece("", 0, ModelBytes.NORMAL).bytes(), "piece 0 has 0 characters");
        fails(new ModelBytes(ModelBytes.BPE).piece("a".repeat(1025), 0, ModelBytes.NORMAL).bytes(), "1025 characters");
        fails(new ModelBytes(ModelBytes.BPE).piece("a", Float.NaN, ModelBytes.NORMAL).bytes(), "not a number");
        fails(new ModelBytes(ModelBytes.UNIGRAM).piece("a", 0, ModelBytes.NORMAL).bytes(), "unknown");
    }

    private void fails(byte[] model, String... words) throws IOException {
        var e = assertThrows(ConversionException.class, () -> open(model));
        assertTrue(Arrays.stream(words).allMatch(e.getMessage()::contains), e.getMessage());
        assertTrue(e.getMessage().startsWith(folder.resolve("tokenizer.model") + ": ") && e.getMessage().lines().count() == 1, e.getMessage());
    }

    private TokenizerSource open(byte[] model) throws IOException {
        return TokenizerSource.open(Files.write(folder.resolve("tokenizer.model"), model));
    }
}
