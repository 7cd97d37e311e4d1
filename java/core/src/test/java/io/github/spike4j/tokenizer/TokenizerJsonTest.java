package io.github.spike4j.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.Arrays;
import java.util.SplittableRandom;
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

    @Test
    void randomDamage() throws IOException {
        byte[] good = SharedData.bytes(SharedData.NOVELWIKI);
        SplittableRandom random = new SplittableRandom(6);
        for (int i = 0; i < 300; i++) {
            byte[] bad = good.clone();
            for (int n = random.nextInt(1, 4); n > 0; n--) {
                // the head, with the components, and everywhere
                int at = random.nextBoolean() ? random.nextInt(4000) : random.nextInt(bad.length);
                bad[at] = random.nextBoolean() ? (byte) random.nextInt(256) : (byte) "{}[]\",:\\0-ntf".charAt(random.nextInt(13));
            }
            if (random.nextInt(4) == 0) bad = Arrays.copyOf(bad, random.nextInt(bad.length));
            try {
                Tokenizer.fromJson(bad).encode("The history, 12345 \uD83E\uDD99 'S\n\n  end<|end_of_text|>", true);
            } catch (TokenizerException e) {
                assertTrue(e.getMessage().length() < 400 && !e.getMessage().contains("\n"), e.getMessage());
            }
        }
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
