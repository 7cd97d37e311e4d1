package io.github.spike4j.convert.tokenizer;

import static io.github.spike4j.convert.tokenizer.JsonForm.object;

import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import io.github.spike4j.convert.ConversionException;

/**
 * A SentencePiece vocabulary and the rules around it, from {@code tokenizer.model} or from a GGUF file, on their way to
 * {@code tokenizer.json}.
 *
 * @param file   for messages
 * @param pieces by id
 * @param model  how a text becomes pieces
 */
record SentencePieces(String file, List<Piece> pieces, Model model, boolean byteFallback, Rules rules) {
    /** What SentencePiece writes a space as. */
    private static final String SPACE = "▁";

    enum Model { UNIGRAM, BPE }

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
     * From a text to what the model sees.
     *
     * @param charsmap      SentencePiece's precompiled map of characters, empty for none
     * @param collapses     spaces at the ends are dropped, inner runs become one
     * @param escapesSpaces spaces become {@code ▁}
     */
    record Rules(byte[] charsmap, Prefix prefix, boolean collapses, boolean escapesSpaces) { }

    /**
     * The translation.
     *
     * @param added its {@linkplain #added() own added tokens}, and those of files beside it
     */
    TokenizerSource translate(TokenizerSource.Kind kind, TokenizerPolicy policy, Collection<AddedToken> added, Map<String, String> chatTemplates) {
        var ids = new LinkedHashMap<String, Integer>();
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
        var form = new JsonForm().with(added, policy)
                .with("normalizer", JsonForm.sequence("normalizers", normalizers()))
                .with("pre_tokenizer", preTokenizer(ids))
                .with("decoder", JsonForm.sequence("decoders", decoders()))
                .with("model", model == Model.BPE ? bpe(kind, ids) : unigram());
        return TokenizerSource.of(file, kind, form.bytes(), policy, chatTemplates);
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

    /** The pieces that are found before the model sees a text. */
    List<AddedToken> added() {
        var tokens = new ArrayList<AddedToken>();
        for (int id = 0; id < pieces.size(); id++) {
            var p = pieces.get(id);
            switch (p.type) {
                case CONTROL, UNKNOWN -> tokens.add(AddedToken.control(id, p.text));
                case USER_DEFINED -> tokens.add(AddedToken.text(id, p.text, p.text.contains(SPACE) && !isMerged(p)));
                case NORMAL, UNUSED, BYTE -> { }
            }
        }
        return tokens;
    }

    /**
     * User-defined pieces are cut out of the text first. One with a {@code ▁} is in the normalized text only, and where that has a prefix
     * of its own the form cannot say so; such a piece is merged before all others, as in Hugging Face's translation.
     */
    private boolean isMerged(Piece p) {
        return p.type == Type.USER_DEFINED && p.text.contains(SPACE) && rules.prefix == Prefix.PARTS;
    }

    private List<Map<String, Object>> normalizers() {
        var steps = new ArrayList<Map<String, Object>>();
        if (rules.charsmap.length > 0) {
            steps.add(object("type", "Precompiled", "precompiled_charsmap", Base64.getEncoder().encodeToString(rules.charsmap)));
        }
        if (rules.collapses) {
            // a first space that is not put there again is kept: it may follow a special token
            steps.add(JsonForm.replaceRegex((rules.prefix == Prefix.TEXT ? "" : "\\A +|") + "[ " + SPACE + "]+\\z", ""));
            steps.add(JsonForm.replaceRegex(" {2,}", " "));
        }
        var space = rules.escapesSpaces ? SPACE : " ";
        if (rules.prefix == Prefix.PARTS) {
            steps.add(object("type", "Prepend", "prepend", space));
        }
        if (rules.escapesSpaces) {
            steps.add(JsonForm.replace(" ", SPACE));
        }
        return steps;
    }

    /** The text is cut before each {@code ▁} where no piece reaches over one: the result is the same, and words can be cached. */
    private Map<String, Object> preTokenizer(Map<String, Integer> ids) {
        boolean cuts = rules.escapesSpaces && ids.containsKey(SPACE)
                && pieces.stream().filter(p -> p.type != Type.CONTROL && p.type != Type.UNKNOWN).noneMatch(p -> p.text.indexOf(SPACE, 1) > 0);
        if (rules.prefix == Prefix.TEXT) {
            return object("type", "Metaspace", "replacement", SPACE, "prepend_scheme", "first", "split", cuts);
        }
        return cuts ? object("type", "Split", "pattern", object("String", SPACE), "behavior", "MergedWithNext", "invert", false) : null;
    }

    private List<Map<String, Object>> decoders() {
        var steps = new ArrayList<Map<String, Object>>();
        if (rules.escapesSpaces) {
            steps.add(JsonForm.replace(SPACE, " "));
        }
        if (byteFallback) {
            steps.add(object("type", "ByteFallback"));
        }
        steps.add(object("type", "Fuse"));
        if (rules.prefix != Prefix.NONE) {
            steps.add(object("type", "Strip", "content", " ", "start", 1, "stop", 0));
        }
        return steps;
    }

    private Map<String, Object> bpe(TokenizerSource.Kind kind, Map<String, Integer> ids) {
        var merged = new LinkedHashMap<String, Integer>();
        for (int id = 0; id < pieces.size(); id++) {
            var p = pieces.get(id);
            if (p.type == Type.NORMAL || p.type == Type.UNUSED || isMerged(p)) {
                merged.put(p.text, id);
            }
        }
        // the pair with the highest score first; minus zero is zero
        var ranked = merged.keySet().stream().sorted(Comparator.comparingDouble(text -> 0.0 - pieces.get(merged.get(text)).score)).toList();
        var merges = Merges.of(ranked, merged);
        if (kind == TokenizerSource.Kind.SENTENCE_PIECE) {
            for (var m : merges) {
                if (pieces.get(merged.get(m.get(0) + m.get(1))).type == Type.UNUSED) {
                    throw new ConversionException(file + ": the vocabulary is restricted: \"" + m.get(0) + m.get(1)
                            + "\" is unused, and would have to be taken apart again; give the tokenizer with the whole vocabulary");
                }
            }
        }
        int unknown = id(null, Type.UNKNOWN);
        return JsonForm.bpe(ids, merges, unknown < 0 ? null : pieces.get(unknown).text, byteFallback, false);
    }

    private Map<String, Object> unigram() {
        int unknown = id(null, Type.UNKNOWN);
        if (unknown < 0) {
            throw new ConversionException(file + ": no piece is of type \"unknown\"; a unigram model needs one");
        }
        var vocabulary = new ArrayList<List<Object>>();
        for (var p : pieces) {
            // an unused piece is never chosen: no text has spaces then
            boolean hidden = p.type == Type.UNUSED;
            if (hidden && !rules.escapesSpaces) {
                throw new ConversionException(file + ": \"" + p.text + "\" is unused, in a model that keeps spaces; that cannot be told in tokenizer.json");
            }
            vocabulary.add(List.of(hidden ? " " + p.text : p.text, hidden ? 0.0 : (double) p.score));
        }
        return object("type", "Unigram", "unk_id", unknown, "vocab", vocabulary, "byte_fallback", byteFallback);
    }
}
