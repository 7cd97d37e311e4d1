package io.github.spike4j.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

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
