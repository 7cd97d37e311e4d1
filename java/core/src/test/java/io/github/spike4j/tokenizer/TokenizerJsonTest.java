package io.github.spike4j.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Files that are wrong or hostile: one exception with a clear message, nothing else. */
class TokenizerJsonTest {
    private static final String MODEL = "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}";

    @Test
    void smallest() {
        Tokenizer t = SharedData.parse("{" + MODEL + "}");
        assertArrayEquals(new int[] {2, 0}, t.encode("abxa", true));
        assertEquals(-1, t.bos());
        assertEquals(3, t.vocabularySize());
    }

    @Test
    void whatIsNotSupportedIsNamed() {
        assertFails("normalizer \"Unknown\" is not supported; supported: Sequence, NFC", "{\"normalizer\":{\"type\":\"Unknown\"}," + MODEL + "}");
        assertFails("pre-tokenizer \"Unknown\" is not supported; supported: Sequence, Split", "{\"pre_tokenizer\":{\"type\":\"Unknown\"}," + MODEL + "}");
        assertFails("decoder \"Unknown\" is not supported; supported: Sequence, ByteLevel", "{\"decoder\":{\"type\":\"Unknown\"}," + MODEL + "}");
        assertFails("post-processor \"Unknown\" is not supported; supported: Sequence, ByteLevel", "{\"post_processor\":{\"type\":\"Unknown\"}," + MODEL + "}");
        assertFails("model \"Unknown\" is not supported; supported: BPE, Unigram, WordPiece, WordLevel", "{\"model\":{\"type\":\"Unknown\",\"vocab\":{}}}");
        assertFails("no \"model\"", "{}");
    }

    @Test
    void whatIsDamagedIsSaid() {
        assertFails("at byte 0 of 0", "");
        assertFails("an object is expected", "[]");
        assertFails("nested deeper than 64", "{\"x\":" + "[".repeat(100_000));
        assertFails("nested deeper than 64", "{\"normalizer\":" + "{\"type\":\"Sequence\",\"normalizers\":[".repeat(50_000));
        assertFails("out of range", "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":2000000000},\"merges\":[]}}");
        assertFails("out of range", "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}");
        assertFails("not in the vocabulary", "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}");
        assertFails("a merge has two parts", "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[[\"a\"]]}}");
        assertFails("unpaired surrogate", "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"\\ud800\":0},\"merges\":[]}}");
        assertFails("cannot be used", "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},\"behavior\":\"Isolated\"}," + MODEL + "}");
        assertFails("text after the end", "{" + MODEL + "}}");
        TokenizerException e = assertThrows(TokenizerException.class, () -> Tokenizer.fromJson(new byte[] {'{', '"', (byte) 0xC3, '"'}));
        assertTrue(e.getMessage().contains("not UTF-8"), e.getMessage());
    }

    @Test
    void anExplodingExpressionIsStopped() {
        Tokenizer t = SharedData.parse("{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a+)+(b+)+\\\\d\"},\"behavior\":\"Isolated\"}," + MODEL + "}");
        assertEquals(0, t.encode("xyz", false).length);
        assertThrows(TokenizerException.class, () -> t.encode("a".repeat(5000) + "b".repeat(5000), false));
        Tokenizer deep = SharedData.parse("{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a|b|ab)*c\"},\"behavior\":\"Isolated\"}," + MODEL + "}");
        assertThrows(TokenizerException.class, () -> deep.encode("ab".repeat(200_000), false));
    }

    /** Bytes changed, cut out, doubled, and whole parts exchanged in files of all families; -Dspike4j.mutations=100000 is the long round. */
    @Test
    void randomDamage() {
        byte[][] seeds = Stream.concat(FamiliesTest.families().map(f -> (String) f.get()[1]), Stream.of("UNIGRAM", "BPE", "WORD", "CHAR").map(TokenizerJsonTest::sentencePiece))
                .map(f -> f.getBytes(StandardCharsets.UTF_8)).toArray(byte[][]::new);
        SplittableRandom random = new SplittableRandom(6);
        int read = 0;
        int rounds = Integer.getInteger("spike4j.mutations", 2_000);
        for (int i = 0; i < rounds; i++) {
            byte[] bad = seeds[random.nextInt(seeds.length)].clone();
            for (int n = random.nextInt(1, 3); n > 0 && bad.length > 0; n--) bad = mutate(bad, seeds, random);
            byte[] file = bad;
            try {
                Tokenizer t = Tokenizer.fromJson(file);
                int[] ids = t.encode("The history, 12345 \uD83E\uDD99 'S\n\n  end<|end|></s> e\u0301\u3000\uFB01\u6211\u304B\u3099 naïve", true);
                t.decode(ids, false);
                t.decode(random.ints(20, 0, t.vocabularySize() + 1).toArray(), true);
                read++;
            } catch (TokenizerException e) {
                assertTrue(e.getMessage().length() < 500 && !e.getMessage().contains("\n"), e.getMessage());
            } catch (Throwable e) {
                throw new AssertionError("round " + i + ": " + new String(file, StandardCharsets.UTF_8).replaceAll("\"(vocab|merges|precompiled_charsmap)\":.{300}.*?(?=[\"}]|$)", "\"$1\":..."), e);
            }
        }
        assertTrue(read > rounds / 20, read + " were read: the changes are too coarse");
    }

    /** All of SentencePiece's components; what they do, the tests of the module convert show. */
    private static String sentencePiece(String algorithm) {
        // the root's child A, its value, and the text
        ByteBuffer map = ByteBuffer.allocate(18).order(ByteOrder.LITTLE_ENDIAN).putInt(12).putInt(64 << 10).putInt('A' | 1 << 8 | 3 << 10).putInt(1 << 31).put((byte) 'e');
        return """
                {"normalizer":{"type":"SentencePiece","precompiled_charsmap":"%s","add_dummy_prefix":true,"treat_whitespace_as_suffix":false,
                "remove_extra_whitespaces":true,"escape_whitespaces":true,"continues":false,"user_defined":["naïve","\u2581\u2581"]},
                "pre_tokenizer":{"type":"Metaspace","replacement":"\u2581","prepend_scheme":"first","split":false},
                "decoder":{"type":"Sequence","decoders":[{"type":"SentencePiece","unk_piece":"<unk>","unk_surface":" ? ","byte_fallback":true},
                {"type":"Denormalize","add_dummy_prefix":false,"remove_extra_whitespaces":false,"escape_whitespaces":false}]},"added_tokens":[{"id":0,"content":"<unk>","normalized":false,"special":true}],
                "model":{"type":"SentencePiece","algorithm":"%s","byte_fallback":false,"vocab":[["<unk>",0,"UNKNOWN"],["\u2581",-3.5],["t",-3],["h",-3],["th",-1],
                ["he",-1,"UNUSED"],["e",-2],["\u2581the",-0.5],["naïve",0,"USER_DEFINED"],["\u2581\u2581",0,"USER_DEFINED"],["<0x41>",0,"BYTE"],["hi",-2.5,"UNUSED"]]}}"""
                .formatted(Base64.getEncoder().encodeToString(map.array()), algorithm);
    }

    @Test
    void sentencePieceIsRead() {
        Tokenizer t = SharedData.parse(sentencePiece("BPE"));
        assertEquals("the the", t.decode(t.encode("the  thA", false), false));
        assertFails("[\"text\", score, \"type\"]", "{\"model\":{\"type\":\"SentencePiece\",\"vocab\":[[\"a\"]]}}");
        assertFails("[\"text\", score, \"type\"]", "{\"model\":{\"type\":\"SentencePiece\",\"vocab\":[[\"\",1]]}}");
        assertFails("ODD is not supported; supported: [NORMAL, ", "{\"model\":{\"type\":\"SentencePiece\",\"vocab\":[[\"a\",0,\"ODD\"]]}}");
        assertFails("ODD is not supported; supported: [UNIGRAM, BPE, WORD, CHAR]", "{\"model\":{\"type\":\"SentencePiece\",\"algorithm\":\"ODD\",\"vocab\":[[\"a\",0]]}}");
        assertFails("a piece that is no text", "{\"normalizer\":{\"type\":\"SentencePiece\",\"user_defined\":[\"\"]}," + MODEL + "}");
        TokenizerException e = assertThrows(TokenizerException.class, () -> SharedData.parse("{\"model\":{\"type\":\"SentencePiece\",\"vocab\":[[\"a\",0]]}}").encode("b", false));
        assertTrue(e.getMessage().contains("no unknown piece"), e.getMessage());
    }

    private static byte[] mutate(byte[] file, byte[][] seeds, SplittableRandom random) {
        // mostly in the components, which come first
        int at = random.nextInt(random.nextInt(4) == 0 ? file.length : Math.min(file.length, 1500));
        int end = Math.min(file.length, at + random.nextInt(1, 40));
        switch (random.nextInt(8)) {
            case 0 -> file[at] = (byte) random.nextInt(256);
            case 1, 2, 3 -> file[at] = (byte) "{}[]\",:\\0-19ntf.+*?(|)".charAt(random.nextInt(22));
            case 4 -> {
                return splice(file, at, end, new byte[0]);
            }
            case 5 -> {
                return splice(file, at, at, Arrays.copyOfRange(file, at, end));
            }
            case 6 -> {
                byte[] other = seeds[random.nextInt(seeds.length)];
                int from = random.nextInt(Math.min(other.length, 1500));
                return splice(file, at, end, Arrays.copyOfRange(other, from, Math.min(other.length, from + end - at)));
            }
            default -> {
                // a number becomes another
                int digit = at;
                while (digit < file.length && !Character.isDigit(file[digit])) digit++;
                if (digit < file.length) return splice(file, digit, digit + 1, String.valueOf(random.nextLong() >> random.nextInt(64)).getBytes(StandardCharsets.UTF_8));
            }
        }
        return file;
    }

    private static byte[] splice(byte[] file, int from, int to, byte[] with) {
        byte[] out = Arrays.copyOf(file, file.length - (to - from) + with.length);
        System.arraycopy(with, 0, out, from, with.length);
        System.arraycopy(file, to, out, from + with.length, file.length - to);
        return out;
    }

    /** Tries of random units: no way through them ends in anything but a text or one exception. */
    @Test
    void hostileCharacterMaps() {
        SplittableRandom random = new SplittableRandom(10);
        String text = "Aé\u3000ﬁ漢\uD83D\uDE00e\u0301\r\n\0".repeat(20);
        for (int i = 0; i < 20_000; i++) {
            int units = random.nextInt(1, 300);
            ByteBuffer map = ByteBuffer.allocate(4 + units * 4 + 40).order(ByteOrder.LITTLE_ENDIAN).putInt(units * 4);
            for (int k = 0; k < units; k++) {
                // labels that fit, offsets near, some leaves
                map.putInt(random.nextInt(4) == 0 ? random.nextInt() : random.nextInt(512) << 10 | random.nextInt(2) << 8 | random.nextInt(256));
            }
            map.put("abc\0漢字\0".getBytes(StandardCharsets.UTF_8));
            try {
                Precompiled charsMap = new Precompiled(map.array());
                new SentencePieceNormalizer(new SentencePieceNormalizer.Rules(true, false, true, false, true), charsMap, List.of("ﬁ")).apply(text);
                charsMap.apply(text);
            } catch (TokenizerException e) {
                assertTrue(e.getMessage().contains("precompiled_charsmap") || e.getMessage().contains("normalizer makes more"), e.getMessage());
            }
        }
        for (byte[] map : new byte[][] {{}, {4, 0, 0}, {0, 0, 0, 0}, {8, 0, 0, 0, 1, 1, 1, 1}, {-1, -1, -1, -1, 0, 0, 0, 0}, {4, 0, 0, 0, 1, 1, 1, 1, (byte) 0xC3}}) {
            assertThrows(TokenizerException.class, () -> new Precompiled(map));
        }
    }

    /** What is looked for at each place of a text, and what it becomes there, is short. */
    @Test
    void timeIsBounded() {
        // an a leads from the sixth unit to itself
        ByteBuffer circle = ByteBuffer.allocate(4 + 6 * 4).order(ByteOrder.LITTLE_ENDIAN).putInt(6 * 4).putInt(('a' ^ 5) << 10).putInt(24, 'a' | 'a' << 10);
        SentencePieceNormalizer.Rules rules = new SentencePieceNormalizer.Rules(false, false, true, false, true);
        String text = "a".repeat(1 << 19);
        assertTimeoutPreemptively(Duration.ofSeconds(20), () -> assertEquals(text, new SentencePieceNormalizer(rules, new Precompiled(circle.array()), List.of()).apply(text)));
        // an a is spaces, all but one of which vanish
        ByteBuffer spaces = ByteBuffer.allocate(4 + 3 * 4 + (1 << 20)).order(ByteOrder.LITTLE_ENDIAN).putInt(12).putInt(('a' ^ 1) << 10).putInt('a' | 1 << 8 | 3 << 10).putInt(1 << 31);
        Arrays.fill(spaces.array(), 16, spaces.capacity(), (byte) ' ');
        TokenizerException e = assertThrows(TokenizerException.class, () -> new Precompiled(spaces.array()));
        assertTrue(e.getMessage().contains("a replacement of more than 1024 bytes"), e.getMessage());
        assertFails("a token of more than 4096 bytes", "{\"normalizer\":{\"type\":\"SentencePiece\",\"user_defined\":[\"" + "a".repeat(4097) + "\"]}," + MODEL + "}");
        assertFails("a token of more than 4096 bytes", "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"" + "a".repeat(4097) + "\",0]]}}");
    }

    /** A user who writes many special tokens waits for none of them. */
    @Test
    void manyGuardedTokens() {
        Tokenizer t = SharedData.parse("{\"normalizer\":{\"type\":\"NFC\"},\"added_tokens\":[{\"id\":3,\"content\":\"<s>\",\"normalized\":false,\"special\":true}]," + MODEL + "}");
        String text = "ab<s>".repeat(100_000);
        assertTimeoutPreemptively(Duration.ofSeconds(20), () -> assertEquals(100_000, t.encodeGuarded(t.guard(text)).length));
        assertArrayEquals(new int[] {2, 3, 2}, t.encodeGuarded("ab<s>" + t.guard("ab<s>")));
    }

    /** What a file asks for stays within what its size and the text allow. */
    @Test
    void growthIsBounded() {
        String twice = "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"aa\"}";
        String steps = String.join(",", Collections.nCopies(60, twice));
        Tokenizer normalizing = SharedData.parse("{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[" + steps + "]}," + MODEL + "}");
        assertThrows(TokenizerException.class, () -> normalizing.encode("aaaa", false));
        Tokenizer decoding = SharedData.parse("{\"decoder\":{\"type\":\"Sequence\",\"decoders\":[" + steps + "]}," + MODEL + "}");
        assertThrows(TokenizerException.class, () -> decoding.decode(new int[] {0}, false));
        String bytes = "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}";
        assertFails("the limit is 4", "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[" + String.join(",", Collections.nCopies(40, bytes)) + "]}," + MODEL + "}");
        assertFails("the limit is 256", "{\"normalizer\":{\"type\":\"Prepend\",\"prepend\":\"" + "x".repeat(1000) + "\"}," + MODEL + "}");
        assertFails("unk_id is 1, but", "{\"model\":{\"type\":\"Unigram\",\"unk_id\":1,\"vocab\":[[\"a\",0]]}}");
        assertFails("is [\"text\", score]", "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\"]]}}");
        assertFails("out of range", "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",1e999]]}}");
        assertFails("not Base64", "{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"*\"}," + MODEL + "}");
    }

    @Test
    void unpairedSurrogatesAreReplaced() throws IOException {
        Tokenizer t = SharedData.tokenizer(SharedData.NOVELWIKI);
        assertEquals("a\uFFFDb\uFFFD", t.decode(t.encode("a\uD800b\uDC00", false), false));
    }

    private static void assertFails(String message, String json) {
        TokenizerException e = assertThrows(TokenizerException.class, () -> SharedData.parse(json));
        assertTrue(e.getMessage().contains(message), e.getMessage());
    }
}
