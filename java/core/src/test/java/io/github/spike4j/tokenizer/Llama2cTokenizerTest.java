package io.github.spike4j.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class Llama2cTokenizerTest {
    private static final String FILE = "models/stories260k/tok512.bin";

    @Test
    void goldenTextBothWays() throws IOException {
        Tokenizer t = tokenizer(SharedData.bytes(FILE), 512);
        String golden = SharedData.text("models/stories260k/golden_greedy.txt");
        int[] ids = t.encode(golden, true);
        assertEquals(1, ids[0]);
        assertArrayEquals(new Reference(SharedData.bytes(FILE)).encode(golden), Arrays.copyOfRange(ids, 1, ids.length));
        assertEquals(golden, t.decode(ids, true));
        assertEquals(512, t.vocabularySize());
        assertEquals(1, t.bos());
        assertEquals(2, t.eos());
    }

    @Test
    void equalsTheDoubleLoop() throws IOException {
        for (String file : List.of(FILE, "tokenizers/llama2/tokenizer.bin")) {
            byte[] bytes = SharedData.bytes(file);
            Tokenizer t = tokenizer(bytes, -1);
            Reference reference = new Reference(bytes);
            SplittableRandom random = new SplittableRandom(260);
            String novel = SharedData.text(SharedData.NOVEL);
            for (int i = 0; i < 20_000; i++) {
                String s = switch (i % 3) {
                    case 0 -> RandomText.next(random);
                    case 1 -> reference.join(random);
                    default -> {
                        int from = random.nextInt(novel.length() - 100);
                        yield novel.substring(from, from + random.nextInt(100));
                    }
                };
                int[] ids = t.encode(s, false, false);
                assertArrayEquals(reference.encode(s), ids, s);
                assertEquals(s, t.decode(ids, false));
            }
        }
    }

    @Test
    void damagedFiles() throws IOException {
        byte[] good = SharedData.bytes(FILE);
        assertFails("2 bytes are left", Arrays.copyOf(good, 4 + 8 + 2));
        assertFails("the file ends too early", Arrays.copyOf(good, good.length + 3));
        assertFails("at least 259", Arrays.copyOf(good, 4));
        assertFails("empty", new byte[0]);
        byte[] bad = good.clone();
        bad[12] = (byte) 0xFF;
        assertFails("token 0: it is not UTF-8", bad);
        assertThrows(TokenizerException.class, () -> Llama2cTokenizer.toJson(good, 32000));
    }

    private static void assertFails(String message, byte[] file) {
        TokenizerException e = assertThrows(TokenizerException.class, () -> Llama2cTokenizer.toJson(file, -1));
        assertTrue(e.getMessage().contains(message), e.getMessage());
    }

    private static Tokenizer tokenizer(byte[] file, int size) {
        return Tokenizer.fromJson(Llama2cTokenizer.toJson(file, size).getBytes(StandardCharsets.UTF_8));
    }

    /** llama2.c's encoder from its description: again and again over all pairs for the one whose joint text has the highest score. */
    private static final class Reference {
        final List<String> texts = new ArrayList<>();
        final List<Float> scores = new ArrayList<>();
        final Map<String, Integer> ids = new HashMap<>();

        Reference(byte[] file) {
            ByteBuffer in = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
            in.getInt();
            while (in.hasRemaining()) {
                scores.add(in.getFloat());
                byte[] text = new byte[in.getInt()];
                in.get(text);
                ids.put(new String(text, StandardCharsets.UTF_8), texts.size());
                texts.add(new String(text, StandardCharsets.UTF_8));
            }
        }

        int[] encode(String text) {
            List<Integer> tokens = new ArrayList<>();
            if (!text.isEmpty()) tokens.add(ids.get(" "));
            text.codePoints().mapToObj(Character::toString).forEach(c -> {
                Integer id = ids.get(c);
                if (id != null) tokens.add(id);
                else for (byte b : c.getBytes(StandardCharsets.UTF_8)) tokens.add((b & 0xFF) + 3);
            });
            while (true) {
                float best = -1e10f;
                int at = -1;
                int merged = -1;
                for (int i = 0; i + 1 < tokens.size(); i++) {
                    Integer id = ids.get(texts.get(tokens.get(i)) + texts.get(tokens.get(i + 1)));
                    if (id != null && scores.get(id) > best) {
                        best = scores.get(id);
                        at = i;
                        merged = id;
                    }
                }
                if (at < 0) break;
                tokens.set(at, merged);
                tokens.remove(at + 1);
            }
            return tokens.stream().mapToInt(i -> i).toArray();
        }

        String join(SplittableRandom random) {
            StringBuilder s = new StringBuilder();
            for (int n = random.nextInt(12); n > 0; n--) s.append(texts.get(random.nextInt(259, texts.size())));
            return s.toString();
        }
    }
}
