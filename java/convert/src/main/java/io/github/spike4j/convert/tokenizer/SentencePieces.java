package io.github.spike4j.convert.tokenizer;

import static io.github.spike4j.convert.tokenizer.JsonForm.object;

import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

import io.github.spike4j.convert.ConversionException;

/**
 * A SentencePiece vocabulary and the rules around it, from {@code tokenizer.model} or from a GGUF file, on their way to
 * {@code tokenizer.json}. A plain BPE vocabulary (Llama 2, Mistral) becomes Hugging Face's components. Of all others these are not
 * SentencePiece's to the last id (they add doubles, look at grapheme clusters, cut user-defined pieces out of the raw text, know merges
 * only), so the form has three of its own, all named {@code SentencePiece}.
 *
 * @param file        for messages
 * @param pieces      by id
 * @param model       how a text becomes pieces
 * @param unkSurface  what the unknown piece is in a text; null if it is left as it is
 */
record SentencePieces(String file, List<Piece> pieces, Model model, boolean byteFallback, Rules rules, String unkSurface) {
    /** What SentencePiece writes a space as. */
    private static final String SPACE = "▁";
    private static final Pattern INNER_SPACE = Pattern.compile("[^▁]▁");
    /** Of equal scores, of which Hugging Face's components are tried; the work grows with the third power. */
    private static final int MAX_RUN = 32;

    /** In the order of their numbers in SentencePiece's files, from 1. */
    enum Model { UNIGRAM, BPE, WORD, CHAR }

    /** In the order of their numbers in SentencePiece's and GGUF's files, from 1. */
    enum Type {
        NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE;

        static Type of(String file, long number) {
            if (number < 1 || number > values().length) {
                throw new ConversionException(file + ": token type " + number + "; it must be 1 to " + values().length);
            }
            return values()[(int) number - 1];
        }
    }

    record Piece(String text, float score, Type type) { }

    /** Where a space is put in front of the text. */
    enum Prefix {
        NONE,
        /** Of each part between special tokens. */
        PARTS,
        /** Of the whole text only, and not if it begins with one. */
        TEXT
    }

    /**
     * From a text to what the model sees, and back.
     *
     * @param charsmap      SentencePiece's precompiled map of characters, empty for none
     * @param suffix        the space of {@code prefix} is put behind
     * @param collapses     spaces at the ends are dropped, inner runs become one
     * @param escapesSpaces spaces become {@code ▁}
     * @param denormalizer  a map of characters for decoded text, empty for none
     */
    record Rules(byte[] charsmap, Prefix prefix, boolean suffix, boolean collapses, boolean escapesSpaces, byte[] denormalizer) { }

    /**
     * The translation.
     *
     * @param added the tokens that are cut out of the text: control pieces, and those of files beside it
     */
    TokenizerSource translate(TokenizerSource.Kind kind, TokenizerPolicy policy, Collection<AddedToken> added, Map<String, String> chatTemplates) {
        check();
        var form = new JsonForm().with(added, policy).with("pre_tokenizer", JsonForm.sequence("pretokenizers", preTokenizers()));
        if (isPlain()) {
            huggingFace(form);
        } else {
            form.with("normalizer", normalizer(rules.charsmap, rules.prefix == Prefix.PARTS, rules.collapses, rules.escapesSpaces, userDefined()))
                    .with("decoder", JsonForm.sequence("decoders", decoders()))
                    .with("model", object("type", "SentencePiece", "algorithm", model.name(), "byte_fallback", byteFallback, "vocab", vocabulary()));
        }
        return TokenizerSource.of(file, kind, form.bytes(), policy, chatTemplates);
    }

    private void check() {
        var ids = new HashMap<String, Integer>();
        for (var p : pieces) {
            if (p.text.isEmpty() || p.text.length() > Merges.MAX_PIECE) {
                throw new ConversionException(file + ": piece " + ids.size() + " has " + p.text.length() + " characters; it must be 1 to " + Merges.MAX_PIECE);
            }
            if (Float.isNaN(p.score)) {
                throw new ConversionException(file + ": piece " + ids.size() + " has a score that is not a number");
            }
            var same = ids.putIfAbsent(p.text, ids.size());
            if (same != null) {
                throw new ConversionException(file + ": piece " + ids.size() + " is the same as piece " + same);
            }
        }
        if (model == Model.UNIGRAM && id(null, Type.UNKNOWN) < 0) {
            throw new ConversionException(file + ": no piece is of type \"unknown\"; a unigram model needs one");
        }
    }

    /** Id of the first piece of this type, and, unless it is null, with this text; -1 if there is none. */
    int id(String text, Type type) {
        for (int id = 0; id < pieces.size(); id++) {
            if (pieces.get(id).type == type && (text == null || pieces.get(id).text.equals(text))) {
                return id;
            }
        }
        return -1;
    }

    /** The pieces that are no text: they are found before the model sees it. */
    List<AddedToken> control() {
        var tokens = new ArrayList<AddedToken>();
        for (int id = 0; id < pieces.size(); id++) {
            if (pieces.get(id).type == Type.CONTROL || pieces.get(id).type == Type.UNKNOWN) {
                tokens.add(AddedToken.control(id, pieces.get(id).text));
            }
        }
        return tokens;
    }

    /**
     * Whether Hugging Face's components say the same: BPE over spaces as {@code ▁} with no other rules, every character a piece or bytes,
     * nothing unused or user-defined, and the order of merges does not matter where scores are equal. A merge's parts are pieces then.
     */
    private boolean isPlain() {
        if (model != Model.BPE || !byteFallback || rules.charsmap.length > 0 || rules.denormalizer.length > 0 || rules.suffix || rules.collapses
                || !rules.escapesSpaces || pieces.stream().filter(p -> p.type == Type.BYTE).count() != 256
                || id(null, Type.USER_DEFINED) >= 0 || id(null, Type.UNUSED) >= 0
                // a character that is the unknown piece is bytes, too
                || pieces.stream().anyMatch(p -> p.type == Type.UNKNOWN && p.text.codePointCount(0, p.text.length()) == 1)) {
            return false;
        }
        var normal = normal();
        var byScore = new HashMap<Float, List<String>>();
        normal.forEach((text, id) -> byScore.computeIfAbsent(pieces.get(id).score + 0.0f, _ -> new ArrayList<>()).add(text)); // minus zero is zero
        var equals = byScore.values().stream().filter(texts -> texts.size() > 1).toList();
        return normal.keySet().stream().allMatch(t -> t.codePoints().mapToObj(Character::toString).allMatch(normal::containsKey))
                && (equals.isEmpty() || equals.size() == 1 && isOrderless(equals.getFirst(), normal));
    }

    /**
     * Whether pieces of one score are joined alike by SentencePiece, the leftmost pair first, and by ranks. Told of runs of one character that
     * no other piece has twice in a row (spaces, in Llama 2), by trying runs up to four times the longest.
     */
    private static boolean isOrderless(List<String> texts, Map<String, Integer> normal) {
        var character = Character.toString(texts.getFirst().codePointAt(0));
        int longest = texts.stream().mapToInt(String::length).max().orElseThrow() / character.length();
        if (longest > MAX_RUN || texts.stream().anyMatch(t -> !t.equals(character.repeat(t.length() / character.length())))
                || normal.keySet().stream().anyMatch(t -> t.contains(character + character) && !texts.contains(t))) {
            return false;
        }
        var ranks = new HashMap<List<Integer>, Integer>();
        for (var merge : Merges.of(texts, normal)) {
            ranks.put(merge.stream().map(part -> part.length() / character.length()).toList(), ranks.size());
        }
        var leftmost = new HashMap<>(ranks);
        leftmost.replaceAll((_, _) -> 0);
        return IntStream.rangeClosed(1, 4 * longest).allMatch(n -> joined(n, leftmost).equals(joined(n, ranks)));
    }

    /** Lengths that a run of n becomes: the two neighbours of the lowest rank are joined, the leftmost of equals, again and again. */
    private static List<Integer> joined(int n, Map<List<Integer>, Integer> ranks) {
        var run = new ArrayList<>(Collections.nCopies(n, 1));
        while (true) {
            int best = -1;
            int lowest = Integer.MAX_VALUE;
            for (int i = 0; i + 1 < run.size(); i++) {
                int rank = ranks.getOrDefault(run.subList(i, i + 2), Integer.MAX_VALUE);
                if (rank < lowest) {
                    lowest = rank;
                    best = i;
                }
            }
            if (best < 0) {
                return run;
            }
            run.set(best, run.get(best) + run.remove(best + 1));
        }
    }

    /** Normal pieces and their ids. */
    private Map<String, Integer> normal() {
        var ids = new LinkedHashMap<String, Integer>();
        for (int id = 0; id < pieces.size(); id++) {
            if (pieces.get(id).type == Type.NORMAL) {
                ids.put(pieces.get(id).text, id);
            }
        }
        return ids;
    }

    /** Normalizer, decoder and model of a {@linkplain #isPlain() plain} vocabulary. */
    private void huggingFace(JsonForm form) {
        var ids = new LinkedHashMap<String, Integer>();
        pieces.forEach(p -> ids.put(p.text, ids.size()));
        var normal = normal();
        // the pair with the highest score first; minus zero is zero
        var ranked = normal.keySet().stream().sorted(Comparator.comparing(text -> 0.0f - pieces.get(normal.get(text)).score)).toList();
        int unknown = id(null, Type.UNKNOWN);
        var normalizers = new ArrayList<Map<String, Object>>();
        var decoders = new ArrayList<>(List.of(JsonForm.replace(SPACE, " "), object("type", "ByteFallback"), object("type", "Fuse")));
        if (rules.prefix == Prefix.PARTS) {
            normalizers.add(object("type", "Prepend", "prepend", SPACE));
        }
        normalizers.add(JsonForm.replace(" ", SPACE));
        if (rules.prefix != Prefix.NONE) {
            decoders.add(object("type", "Strip", "content", " ", "start", 1, "stop", 0));
        }
        form.with("normalizer", JsonForm.sequence("normalizers", normalizers)).with("decoder", JsonForm.sequence("decoders", decoders))
                .with("model", JsonForm.bpe(ids, Merges.of(ranked, normal), unknown < 0 ? null : pieces.get(unknown).text, true, false));
    }

    private List<String> userDefined() {
        return pieces.stream().filter(p -> p.type == Type.USER_DEFINED).map(Piece::text).toList();
    }

    private Map<String, Object> normalizer(byte[] charsmap, boolean dummyPrefix, boolean collapses, boolean escapes, List<String> userDefined) {
        return object("type", "SentencePiece", "precompiled_charsmap", charsmap.length == 0 ? null : Base64.getEncoder().encodeToString(charsmap),
                "add_dummy_prefix", dummyPrefix, "treat_whitespace_as_suffix", rules.suffix, "remove_extra_whitespaces", collapses,
                // a first space that is not put there again is kept: it may follow a special token
                "continues", rules.prefix == Prefix.TEXT, "escape_whitespaces", escapes, "user_defined", userDefined);
    }

    private List<Map<String, Object>> preTokenizers() {
        var steps = new ArrayList<Map<String, Object>>();
        if (rules.prefix == Prefix.TEXT) {
            steps.add(object("type", "Metaspace", "replacement", SPACE, "prepend_scheme", "first", "split", false));
        }
        if (cutsWords()) {
            steps.add(object("type", "Split", "pattern", object("Regex", "(?<!" + SPACE + ")" + SPACE), "behavior", "MergedWithNext", "invert", false));
        }
        return steps;
    }

    /**
     * Whether BPE can be told word by word, which then are cached: no piece has a {@code ▁} behind something else, none is unused (those are
     * taken apart as they were made the last time in the text), and {@code ▁} is known (unknown characters beside it would be one).
     */
    private boolean cutsWords() {
        return model == Model.BPE && rules.escapesSpaces && id(SPACE, Type.NORMAL) >= 0 && id(null, Type.UNUSED) < 0
                && pieces.stream().filter(p -> p.type == Type.NORMAL || p.type == Type.USER_DEFINED).noneMatch(p -> INNER_SPACE.matcher(p.text).find());
    }

    private List<Map<String, Object>> decoders() {
        var steps = new ArrayList<Map<String, Object>>();
        int unknown = id(null, Type.UNKNOWN);
        boolean surface = unkSurface != null && unknown >= 0;
        steps.add(object("type", "SentencePiece", "unk_piece", surface ? pieces.get(unknown).text : null, "unk_surface", surface ? unkSurface : null,
                "add_dummy_prefix", rules.prefix != Prefix.NONE, "remove_extra_whitespaces", rules.collapses, "byte_fallback", byteFallback));
        if (rules.denormalizer.length > 0) {
            var map = normalizer(rules.denormalizer, false, false, false, List.of());
            map.put("type", "Denormalize");
            steps.add(map);
        }
        return steps;
    }

    private List<List<Object>> vocabulary() {
        return pieces.stream().map(p -> p.type == Type.NORMAL ? List.<Object>of(p.text, (double) p.score) : List.<Object>of(p.text, (double) p.score, p.type.name()))
                .toList();
    }
}
