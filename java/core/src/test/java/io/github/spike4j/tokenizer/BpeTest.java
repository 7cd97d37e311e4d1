package io.github.spike4j.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeout;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BpeTest {
    /** Random merges over a small alphabet, short words (scan, cached) and long ones (heap), against the definition. */
    @Test
    void equalsTheDefinition() {
        SplittableRandom random = new SplittableRandom(7);
        for (int round = 0; round < 40; round++) {
            List<String> tokens = new ArrayList<>(List.of("a", "b", "c"));
            List<String[]> merges = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                String l = tokens.get(random.nextInt(tokens.size()));
                String r = tokens.get(random.nextInt(tokens.size()));
                if (merges.stream().anyMatch(m -> m[0].equals(l) && m[1].equals(r)) || l.length() + r.length() > 12) continue;
                merges.add(new String[] {l, r});
                if (!tokens.contains(l + r)) tokens.add(l + r);
            }
            StringBuilder json = new StringBuilder("{\"model\":{\"type\":\"BPE\",\"vocab\":{");
            for (int i = 0; i < tokens.size(); i++) json.append(i == 0 ? "" : ",").append('"').append(tokens.get(i)).append("\":").append(i);
            json.append("},\"merges\":[");
            for (int i = 0; i < merges.size(); i++) json.append(i == 0 ? "\"" : ",\"").append(String.join(" ", merges.get(i))).append('"');
            Tokenizer t = SharedData.parse(json.append("]}}").toString());
            for (int i = 0; i < 50; i++) {
                StringBuilder word = new StringBuilder();
                for (int n = random.nextInt(1, i % 5 == 0 ? 400 : 40); n > 0; n--) word.append((char) ('a' + random.nextInt(3)));
                assertArrayEquals(definition(word.toString(), tokens, merges), t.encode(word.toString(), false), word.toString());
            }
        }
    }

    /** A word of a million letters: quadratic merging would take hours. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 26})
    void longWords(int letters) {
        SplittableRandom random = new SplittableRandom(9);
        Set<String> tokens = new LinkedHashSet<>();
        for (char c = 'a'; c <= 'z'; c++) tokens.add(String.valueOf(c));
        List<String> merges = new ArrayList<>();
        for (int i = 0; merges.size() < 400; i++) {
            List<String> all = List.copyOf(tokens);
            String l = i < 16 ? "a".repeat(1 << i % 5) : all.get(random.nextInt(all.size()));
            String r = i < 16 ? l : all.get(random.nextInt(all.size()));
            if (l.length() + r.length() > 32 || !tokens.contains(l) || !tokens.add(l + r)) continue;
            merges.add("[\"" + l + "\",\"" + r + "\"]");
        }
        Tokenizer t = SharedData.parse("{\"model\":{\"type\":\"BPE\",\"vocab\":" + TinyVocabulary.ids(tokens) + ",\"merges\":[" + String.join(",", merges) + "]},\"decoder\":{\"type\":\"Fuse\"}}");
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 1_000_000; i++) text.append((char) ('a' + random.nextInt(letters)));
        assertTimeout(Duration.ofSeconds(30), () -> assertEquals(text.toString(), t.decode(t.encode(text.toString(), false), false)));
    }

    private static int[] definition(String word, List<String> tokens, List<String[]> merges) {
        Map<String, Integer> ranks = new HashMap<>();
        for (int i = 0; i < merges.size(); i++) ranks.put(String.join(" ", merges.get(i)), i);
        List<String> symbols = new ArrayList<>(List.of(word.split("")));
        while (true) {
            int best = Integer.MAX_VALUE;
            int at = -1;
            for (int i = 0; i + 1 < symbols.size(); i++) {
                int rank = ranks.getOrDefault(symbols.get(i) + " " + symbols.get(i + 1), Integer.MAX_VALUE);
                if (rank < best) {
                    best = rank;
                    at = i;
                }
            }
            if (at < 0) return symbols.stream().mapToInt(tokens::indexOf).toArray();
            symbols.set(at, symbols.get(at) + symbols.remove(at + 1));
        }
    }
}
