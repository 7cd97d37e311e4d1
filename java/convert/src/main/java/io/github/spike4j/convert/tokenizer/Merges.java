package io.github.spike4j.convert.tokenizer;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/**
 * Byte pair encoding told by the rank of the result (SentencePiece, tiktoken), told by merges (Hugging Face): every split of a piece into
 * two pieces is a merge of the piece's rank. Which of a piece's splits comes first is of no consequence for a piece that its own text
 * encodes to: within the text that becomes the piece the same merges happen as in that text alone, so that only one split is ever met.
 */
final class Merges {
    /** Real pieces are much shorter; the work for one grows with the square. */
    static final int MAX_PIECE = 1024;

    private Merges() { }

    /**
     * All merges, in order.
     *
     * @param pieces in the order of rank, what is merged first in front; none longer than {@link #MAX_PIECE}
     * @param ids    of these pieces
     */
    static List<List<String>> of(List<String> pieces, Map<String, Integer> ids) {
        var merges = new ArrayList<List<String>>();
        for (var piece : pieces) {
            int first = merges.size();
            for (int i = piece.offsetByCodePoints(0, 1); i < piece.length(); i = piece.offsetByCodePoints(i, 1)) {
                var left = piece.substring(0, i);
                if (ids.containsKey(left) && ids.containsKey(piece.substring(i))) {
                    merges.add(List.of(left, piece.substring(i)));
                }
            }
            merges.subList(first, merges.size()).sort(Comparator.comparing((List<String> m) -> ids.get(m.get(0))).thenComparing(m -> ids.get(m.get(1))));
        }
        return merges;
    }
}
