package io.github.spike4j.tokenizer;

import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Tokens that are found in the text before the model sees it: those that match the raw text, and those that match the normalized one. */
final class AddedTokens {
    private final Map<String, AddedToken> byText = new HashMap<>();
    /** In ascending order of {@link #ids}. */
    private final AddedToken[] byId;
    private final int[] ids;
    private final Matcher raw = new Matcher();
    private final Matcher normalized = new Matcher();

    /**
     * @param singleWord only where no word character is beside it
     * @param lstrip takes the white space on its left with it
     * @param rstrip takes the white space on its right with it
     * @param normalized is looked for in the normalized text, in its own normalized form
     * @param special such as BOS: left out of decoded text
     */
    record AddedToken(int id, String content, boolean singleWord, boolean lstrip, boolean rstrip, boolean normalized, boolean special) {}

    @FunctionalInterface
    interface Text {
        void accept(int start, int end);
    }

    AddedTokens(List<AddedToken> tokens, Normalizer normalizer) {
        TreeMap<Integer, AddedToken> sorted = new TreeMap<>();
        for (AddedToken token : tokens) {
            byText.put(token.content, token);
            sorted.put(token.id, token);
        }
        // of equal patterns the first counts, special ones before the others
        for (boolean special : new boolean[] {true, false}) {
            for (AddedToken token : tokens) {
                if (token.special != special) continue;
                if (!token.normalized) raw.add(token.content, token);
                else normalized.add(normalizer == null ? token.content : normalizer.apply(token.content), token);
            }
        }
        byId = sorted.values().toArray(AddedToken[]::new);
        ids = sorted.keySet().stream().mapToInt(id -> id).toArray();
    }

    AddedToken find(String text) {
        return byText.get(text);
    }

    AddedToken find(int id) {
        int i = Arrays.binarySearch(ids, id);
        return i >= 0 ? byId[i] : null;
    }

    int size() {
        return ids.length == 0 ? 0 : ids[ids.length - 1] + 1;
    }

    /**
     * Cuts a text at the tokens of one of the two kinds; {@code special} false leaves special tokens as text, {@code literal}, which may be
     * null, those that start at its positions.
     */
    void split(String text, boolean ofNormalized, boolean special, BitSet literal, Text between, Ints ids) {
        Matcher matcher = ofNormalized ? normalized : raw;
        int from = 0;
        for (int i = matcher.starts.isEmpty() ? text.length() : 0; i < text.length(); ) {
            AddedToken t = matcher.starts.get(text.charAt(i)) ? matcher.longest(text, i) : null;
            if (t == null) {
                i++;
                continue;
            }
            int start = i;
            int end = i += matcher.length;
            if (t.special && (!special || literal != null && literal.get(start))) continue;
            if (t.singleWord && (start > 0 && Characters.isWord(text.codePointBefore(start)) || end < text.length() && Characters.isWord(text.codePointAt(end)))) continue;
            if (t.lstrip) while (start > from && Characters.isSpace(text.charAt(start - 1))) start--;
            if (t.rstrip) while (end < text.length() && Characters.isSpace(text.charAt(end))) end++;
            if (from < start) between.accept(from, start);
            ids.add(t.id);
            // a token within the space that another took is found all the same, as in Hugging Face's library
            from = end;
        }
        if (from < text.length()) between.accept(from, text.length());
    }

    /** Whether there are tokens that match the normalized text. */
    boolean anyNormalized() {
        return !normalized.starts.isEmpty();
    }

    /** Whether a special token starts at a place, or would if the text went on after its end. */
    boolean maySpell(String text, int start) {
        return raw.maySpell(text, start) || normalized.maySpell(text, start);
    }

    /** A trie over chars: the longest token at a place. */
    private static final class Matcher {
        private final PairMap edges = new PairMap(16);
        private final Map<Integer, AddedToken> ends = new HashMap<>();
        /** A bit for each char that starts a token: most chars of a text do not. */
        private final BitSet starts = new BitSet();
        private int nodes = 1;
        private int length;

        void add(String text, AddedToken token) {
            if (text.isEmpty()) return;
            starts.set(text.charAt(0));
            int node = 0;
            for (int i = 0; i < text.length(); i++) {
                long next = edges.get(node, text.charAt(i));
                if (next == PairMap.ABSENT) edges.put(node, text.charAt(i), next = nodes++);
                node = (int) next;
            }
            ends.putIfAbsent(node, token);
        }

        boolean maySpell(String text, int start) {
            if (!starts.get(text.charAt(start))) return false;
            long node = edges.get(0, text.charAt(start));
            for (int i = start + 1; node != PairMap.ABSENT; i++) {
                AddedToken t = ends.get((int) node);
                if (t != null && t.special || i == text.length()) return true;
                node = edges.get((int) node, text.charAt(i));
            }
            return false;
        }

        AddedToken longest(String text, int start) {
            AddedToken found = null;
            long node = edges.get(0, text.charAt(start));
            for (int i = start + 1; node != PairMap.ABSENT; i++) {
                AddedToken t = ends.get((int) node);
                if (t != null) {
                    found = t;
                    length = i - start;
                }
                if (i == text.length()) break;
                node = edges.get((int) node, text.charAt(i));
            }
            return found;
        }
    }
}
