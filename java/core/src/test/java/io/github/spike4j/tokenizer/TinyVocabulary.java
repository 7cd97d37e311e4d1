package io.github.spike4j.tokenizer;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;

/** Small vocabularies learned from a few lines of text, in the form that a model's part of {@code tokenizer.json} has. */
final class TinyVocabulary {
    static final String TEXT = """
            The history of the city is a subject of debate; it's the centre of the region's economic life, and they've said "don't" 1234 times.
            The the there then than that this those these. It isn't what I'd do, we'll see; you're right!  Two  spaces,   three.
            Łódź, Ærøskøbing, naïve café, Straße, İstanbul, ﬁne ﬂow ½ ² Ⅷ ①, 10,000.50 € or £3; x² + y² = z² (π ≈ 3.14159).
            История города является предметом споров. Η ιστορία της πόλης. 這座城市的歷史是一個有爭議的話題。都市の歴史は議論の対象です。カタカナ ｶﾀｶﾅ.
            도시의 역사는 논쟁의 대상이다. تاريخ المدينة موضوع نقاش. ההיסטוריה של העיר. शहर का इतिहास बहस का विषय है। ประวัติศาสตร์ 😀😃👍🏽
            def f(x):\n    return x ** 2  # comment\n\n\n	tab	tab <s> </s> ... --- ### $$$ %%% @@@ {[()]} \\ / | ~ ^ `code`
            """;

    private TinyVocabulary() {}

    /** "vocab" and "merges" of byte pair encoding over GPT-2's alphabet of bytes. */
    static String bytePairs(int merges, String suffix) {
        Set<String> alphabet = new LinkedHashSet<>();
        for (int b = 0; b < 256; b++) alphabet.add(String.valueOf(ByteAlphabet.charOf(b)));
        if (!suffix.isEmpty()) for (int b = 0; b < 256; b++) alphabet.add(ByteAlphabet.charOf(b) + suffix);
        List<List<String>> words = new ArrayList<>();
        for (String word : TEXT.split("(?=[ \n])")) words.add(symbols(ByteAlphabet.map(word, 0, word.length()), suffix));
        return pairs(alphabet, words, merges);
    }

    /** "vocab" and "merges" over characters, spaces written as {@code ▁}, with {@code <unk> <s> </s>} and the bytes first. */
    static String characterPairs(int merges, boolean bytes) {
        Set<String> alphabet = new LinkedHashSet<>(List.of("<unk>", "<s>", "</s>"));
        if (bytes) for (int b = 0; b < 256; b++) alphabet.add(String.format("<0x%02X>", b));
        List<List<String>> words = new ArrayList<>();
        for (String word : TEXT.lines().limit(3).reduce("", String::concat).replace(' ', '▁').split("(?=▁)")) words.add(symbols(word, ""));
        words.forEach(alphabet::addAll);
        alphabet.add("▁▁");
        return pairs(alphabet, words, merges);
    }

    private static List<String> symbols(String word, String suffix) {
        List<String> symbols = new ArrayList<>();
        word.codePoints().forEach(c -> symbols.add(Character.toString(c)));
        symbols.set(symbols.size() - 1, symbols.getLast() + suffix);
        return symbols;
    }

    private static String pairs(Set<String> tokens, List<List<String>> words, int merges) {
        List<String> made = new ArrayList<>();
        for (int n = 0; n < merges; n++) {
            Map<List<String>, Integer> counts = new LinkedHashMap<>();
            for (List<String> w : words) for (int i = 0; i + 1 < w.size(); i++) counts.merge(w.subList(i, i + 2).stream().toList(), 1, Integer::sum);
            List<String> best = counts.entrySet().stream().max(Map.Entry.comparingByValue()).orElseThrow().getKey();
            made.add("[" + quote(best.get(0)) + "," + quote(best.get(1)) + "]");
            tokens.add(best.get(0) + best.get(1));
            for (List<String> w : words) {
                for (int i = 0; i + 1 < w.size(); i++) {
                    if (w.get(i).equals(best.get(0)) && w.get(i + 1).equals(best.get(1))) w.set(i, w.get(i) + w.remove(i + 1));
                }
            }
        }
        return "\"vocab\":" + ids(tokens) + ",\"merges\":[" + String.join(",", made) + "]";
    }

    /** "vocab" of a unigram model: characters, frequent pieces of words; scores with many digits, some of them equal. */
    static String unigram(boolean bytes) {
        SplittableRandom random = new SplittableRandom(11);
        Map<String, Integer> counts = new TreeMap<>();
        String spaced = "▁" + TEXT.lines().limit(3).reduce("", String::concat).replace(" ", "▁").toLowerCase() + TEXT.replace(" ", "▁");
        for (int i = 0; i < spaced.length(); i++) {
            for (int k = i + 1; k <= Math.min(i + 6, spaced.length()); k++) {
                if (k > i + 1 && spaced.charAt(k - 1) == '▁' && spaced.charAt(k - 2) != '▁') break;
                String s = spaced.substring(i, k);
                if (s.equals(Utf8.wellFormed(s))) counts.merge(s, 1, Integer::sum);
            }
        }
        List<String> out = new ArrayList<>(List.of("[\"<pad>\",0.0]", "[\"</s>\",0]", "[\"<unk>\",0.0]"));
        if (bytes) for (int b = 0; b < 256; b++) out.add(String.format("[\"<0x%02X>\",-%d.5e0]", b, random.nextInt(20)));
        counts.entrySet().stream().filter(e -> e.getKey().length() == 1 || e.getValue() > 2).forEach(e -> {
            double score = Math.log(e.getValue() * (double) e.getKey().length() / spaced.length());
            out.add("[" + quote(e.getKey()) + "," + (random.nextInt(4) == 0 ? String.valueOf(-random.nextInt(1, 12)) : String.valueOf((double) (float) score)) + "]");
        });
        return "\"vocab\":[" + String.join(",", out) + "]";
    }

    /** "vocab" of a WordPiece model. */
    static String wordPieces() {
        Set<String> tokens = new LinkedHashSet<>(List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"));
        String text = TEXT + TEXT.toLowerCase();
        text.codePoints().filter(c -> !Character.isWhitespace(c)).forEach(c -> {
            tokens.add(Character.toString(c));
            tokens.add("##" + Character.toString(c));
        });
        for (String word : text.split("\\W+")) {
            for (int n = 2; n <= word.length(); n += 2) tokens.add(word.substring(0, n));
            for (int n = 2; n < word.length(); n += 3) tokens.add("##" + word.substring(n));
        }
        return "\"vocab\":" + ids(tokens);
    }

    static String ids(Iterable<String> tokens) {
        StringBuilder out = new StringBuilder("{");
        int id = 0;
        for (String t : tokens) out.append(id == 0 ? "" : ",").append(quote(t)).append(':').append(id++);
        return out.append('}').toString();
    }

    static String quote(String s) {
        return '"' + s.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n").replace("\t", "\\t") + '"';
    }

    /** A character map as SentencePiece compiles it, in Base64: a double array placed greedily. */
    static String charsMap(Map<String, String> map) {
        ByteArrayOutputStream replacements = new ByteArrayOutputStream();
        Map<String, Integer> places = new HashMap<>();
        // keys as Latin-1 strings of their bytes, so that they sort by bytes
        TreeMap<String, Integer> keys = new TreeMap<>();
        map.forEach((key, value) -> {
            keys.put(new String(key.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1), places.computeIfAbsent(value, v -> {
                int at = replacements.size();
                replacements.writeBytes(v.getBytes(StandardCharsets.UTF_8));
                replacements.write(0);
                return at;
            }));
        });
        int[] units = new int[1 << 16];
        boolean[] used = new boolean[units.length];
        used[0] = true;
        place(new ArrayList<>(keys.keySet()), keys, 0, 0, 0, units, used);
        ByteBuffer out = ByteBuffer.allocate(4 + units.length * 4 + replacements.size()).order(ByteOrder.LITTLE_ENDIAN).putInt(units.length * 4);
        for (int u : units) out.putInt(u);
        return Base64.getEncoder().encodeToString(out.put(replacements.toByteArray()).array());
    }

    /** Places the children of a node, of which {@code keys} are the keys below it. */
    private static void place(List<String> keys, Map<String, Integer> values, int depth, int node, int label, int[] units, boolean[] used) {
        Map<Integer, List<String>> children = new TreeMap<>(Comparator.naturalOrder());
        for (String k : keys) children.computeIfAbsent(k.length() == depth ? 0 : (int) k.charAt(depth), c -> new ArrayList<>()).add(k);
        int base = 1;
        while (true) {
            int b = base;
            if (children.keySet().stream().noneMatch(c -> used[b ^ c])) break;
            base++;
        }
        for (int c : children.keySet()) used[base ^ c] = true;
        units[node] = (node ^ base) << 10 | label | (children.containsKey(0) ? 1 << 8 : 0);
        for (var child : children.entrySet()) {
            int at = base ^ child.getKey();
            if (child.getKey() == 0) units[at] = values.get(child.getValue().getFirst()) | 1 << 31;
            else place(child.getValue(), values, depth + 1, at, child.getKey(), units, used);
        }
    }

    static List<String> words() {
        return Arrays.asList(TEXT.split("\\s+"));
    }
}
