package io.github.spike4j.convert.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
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

import io.github.spike4j.convert.ConversionException;

/**
 * Small models of random pieces: the ids of the translation against SentencePiece's own rules, written down naively, and against Hugging
 * Face's library reading the translation.
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
            double unknown = scores.values().stream().mapToDouble(s -> s).min().orElseThrow() - 10;
            var best = new double[n + 1];
            var from = new int[n + 1];
            Arrays.fill(best, Double.NEGATIVE_INFINITY);
            best[0] = 0;
            for (int i = 0; i < n; i += Character.charCount(normalized.codePointAt(i))) {
                int one = i + Character.charCount(normalized.codePointAt(i));
                for (int j = one; j <= n; j++) {
                    var score = scores.get(normalized.substring(i, j));
                    double path = best[i] + (score != null ? score : j == one ? unknown : Double.NEGATIVE_INFINITY);
                    if (path > best[j]) {
                        best[j] = path;
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
            try (var theirs = HuggingFace.open(source.json(), cache)) {
                for (int i = 0; i < 300; i++) {
                    var text = text(random);
                    var expected = m.bpe(normalize(text, prefix, collapses));
                    assertArrayEquals(expected, source.encode(text, false, true), "[" + text + "]");
                    assertArrayEquals(Arrays.stream(expected).asLongStream().toArray(), theirs.encode(text, false, false).getIds(), "[" + text + "]");
                }
            }
        }
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
            try (var theirs = HuggingFace.open(source.json(), cache)) {
                for (int i = 0; i < 300; i++) {
                    var text = text(random);
                    var expected = m.unigram(normalize(text, prefix, collapses));
                    assertArrayEquals(expected, source.encode(text, false, true), "[" + text + "]");
                    assertArrayEquals(Arrays.stream(expected).asLongStream().toArray(), theirs.encode(text, false, false).getIds(), "[" + text + "]");
                }
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

    /** A map that makes A an a: one key in a double array, as SentencePiece writes it. */
    @Test
    void charsmap() throws IOException {
        var map = ByteBuffer.allocate(4 + 4 * 512 + 2).order(ByteOrder.LITTLE_ENDIAN);
        map.putInt(4 * 512);
        map.putInt(4, 256 << 10); // the root's children are at 256 ^ label
        map.putInt(4 + 4 * (256 ^ 'A'), 'A' | 1 << 8 | 1 << 10); // a leaf, its value at its own place ^ 1
        map.putInt(4 + 4 * (256 ^ 'A' ^ 1), 0); // the text at offset 0
        map.put(4 + 4 * 512, (byte) 'a');
        var m = Model.of(ModelBytes.UNIGRAM, false).normal("a", -1).normal("▁", -2).normal("▁a", -2.5f);
        var source = open(m.file.charsmap(map.array()).rules(true, false, true).bytes());
        assertEquals(List.of("▁a", "a", "▁a"), tokens(source, "Aa A"));
        try (var theirs = HuggingFace.open(source.json(), cache)) {
            assertArrayEquals(new long[] {5, 3, 5}, theirs.encode("Aa A", false, false).getIds());
        }
    }

    /** Unused pieces of a unigram model are passed over; in BPE they would have to be taken apart again. */
    @Test
    void unused() throws IOException {
        var unigram = Model.of(ModelBytes.UNIGRAM, false).normal("a", -1).normal("b", -2).normal("▁", -3);
        unigram.special("ab", ModelBytes.UNUSED);
        assertEquals(List.of("▁", "a", "b"), tokens(open(unigram.file.rules(true, false, true).bytes()), "ab"));
        var bpe = Model.of(ModelBytes.BPE, false).normal("a", -1).normal("b", -2);
        bpe.special("ab", ModelBytes.UNUSED);
        fails(bpe.file.bytes(), "\"ab\" is unused");
    }

    @Test
    void refused() throws IOException {
        fails(new byte[] {'\n'}, "damaged");
        fails(new byte[] {'\n', 5, 1, 2}, "a length of 5 with 2 bytes left");
        fails(new byte[] {'\n', (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, 1}, "a length of");
        fails(new ModelBytes(3).piece("a", 0, ModelBytes.NORMAL).bytes(), "model type 3", "unigram (1) and BPE (2)");
        fails(new ModelBytes(ModelBytes.BPE).piece("a", 0, ModelBytes.NORMAL).piece("a", 0, ModelBytes.NORMAL).bytes(), "piece 1 is the same as piece 0");
        fails(new ModelBytes(ModelBytes.BPE).piece("a", 0, 9).bytes(), "token type 9");
        fails(new ModelBytes(ModelBytes.BPE).piece("", 0, ModelBytes.NORMAL).bytes(), "piece 0 has 0 characters");
        fails(new ModelBytes(ModelBytes.BPE).piece("a".repeat(1025), 0, ModelBytes.NORMAL).bytes(), "1025 characters");
        fails(new ModelBytes(ModelBytes.BPE).piece("a", Float.NaN, ModelBytes.NORMAL).bytes(), "not a number");
        fails(new ModelBytes(ModelBytes.UNIGRAM).piece("a", 0, ModelBytes.NORMAL).bytes(), "unknown");
        fails(new ModelBytes(ModelBytes.BPE).piece("a", 0, ModelBytes.NORMAL).trainer(24, 1).bytes(), "treat_whitespace_as_suffix");
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
