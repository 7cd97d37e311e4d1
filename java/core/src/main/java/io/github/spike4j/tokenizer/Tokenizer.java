package io.github.spike4j.tokenizer;

import java.io.IOException;
import java.io.InputStream;
import java.util.BitSet;
import java.util.List;

/**
 * A text's way to token ids and back, as a Hugging Face {@code tokenizer.json} describes it: the file's normalizer, pre-tokenizer, model,
 * post-processor and decoder are interpreted, no model family is known by name. Immutable; any number of threads.
 *
 * <p>Encoding: added tokens are cut out of the raw text; the pieces between are normalized and cut at those added tokens that look at
 * normalized text; the rest is pre-tokenized into words, each of which the model encodes; the post-processor's template adds BOS and the
 * like. The file's truncation and padding are not applied. An unpaired surrogate is read as U+FFFD.
 *
 * <p>Decoding: the texts of the tokens pass the file's decoders. Ill-formed UTF-8 is read as Hugging Face's library does: after
 * {@code ByteLevel} there is one U+FFFD for each maximal ill-formed subpart, and a run of {@code ByteFallback} bytes that is not UTF-8 as a
 * whole is one U+FFFD a byte.
 *
 * <p>Characters are classified as Hugging Face's library does it, which has tables of several versions of Unicode ({@link LibraryUnicode}); only
 * {@code UnicodeScripts} has those of the Java runtime, and with them knows newer characters.
 */
public final class Tokenizer {
    /** A noncharacter of Unicode that marks the character before it; see {@link #guard}. */
    private static final char GUARD = '\uFDD0';

    private final AddedTokens added;
    private final Normalizer normalizer;
    private final PreTokenizer preTokenizer;
    private final Model model;
    private final PostProcessor postProcessor;
    private final List<Decoder> decoders;
    private final int bos;
    private final int eos;

    Tokenizer(AddedTokens added, Normalizer normalizer, PreTokenizer preTokenizer, Model model, PostProcessor postProcessor, List<Decoder> decoders) {
        this.added = added;
        this.normalizer = normalizer;
        this.preTokenizer = preTokenizer;
        this.model = model;
        this.postProcessor = postProcessor;
        this.decoders = decoders;
        bos = postProcessor.before().length > 0 ? postProcessor.before()[0]
                : named("<s>", "<|begin_of_text|>", "<bos>", "<|startoftext|>", "<|begin▁of▁sentence|>");
        eos = postProcessor.after().length > 0 ? postProcessor.after()[postProcessor.after().length - 1]
                : named("</s>", "<|end_of_text|>", "<eos>", "<|endoftext|>", "<|end▁of▁sentence|>", "<|im_end|>");
    }

    /**
     * Reads a {@code tokenizer.json}.
     *
     * @throws TokenizerException if it is damaged or has a component that is not supported
     */
    public static Tokenizer fromJson(byte[] json) {
        return TokenizerJson.read(json);
    }

    /** As {@link #fromJson(byte[])}; reads to the end and does not close. */
    public static Tokenizer fromJson(InputStream json) throws IOException {
        return fromJson(json.readAllBytes());
    }

    /** Encodes; special tokens written in the text are recognized. */
    public int[] encode(String text, boolean addSpecial) {
        return encode(text, addSpecial, true);
    }

    /**
     * Encodes a text.
     *
     * @param addSpecial adds what the file's template adds, such as BOS
     * @param parseSpecial whether the text {@code <s>} is the special token or plain text; text from outside should not be parsed
     */
    public int[] encode(String text, boolean addSpecial, boolean parseSpecial) {
        return encode(text, addSpecial, parseSpecial, null);
    }

    /**
     * Marks where a text from outside spells a special token, or the beginning of one at its end, so that {@link #encodeGuarded} reads it as
     * plain text. What spells none is unchanged.
     */
    public String guard(String text) {
        String plain = text.replace(String.valueOf(GUARD), ""); // no text needs a noncharacter
        StringBuilder out = new StringBuilder(plain.length() + 8);
        for (int i = 0; i < plain.length(); i++) {
            out.append(plain.charAt(i));
            if (added.maySpell(plain, i)) out.append(GUARD);
        }
        return out.toString();
    }

    /** Encodes a text in which special tokens are recognized, but for those that {@link #guard} marked. No template is added. */
    public int[] encodeGuarded(String text) {
        if (text.indexOf(GUARD) < 0) return encode(text, false, true, null);
        StringBuilder plain = new StringBuilder(text.length());
        BitSet literal = new BitSet();
        for (int i = 0; i < text.length(); i++) {
            if (text.charAt(i) != GUARD) plain.append(text.charAt(i));
            else if (!plain.isEmpty()) literal.set(plain.length() - 1);
        }
        return encode(plain.toString(), false, true, literal);
    }

    private int[] encode(String text, boolean addSpecial, boolean parseSpecial, BitSet literal) {
        Ints ids = new Ints(text.length() / 3 + 8);
        if (addSpecial) ids.addAll(postProcessor.before(), postProcessor.before().length);
        PreTokenizer.Sink words = preTokenizer.before(model.encoder(ids));
        String whole = Utf8.wellFormed(text);
        added.split(whole, false, parseSpecial, literal, (start, end) -> {
            String piece = whole.substring(start, end);
            String normal = normalizer == null ? piece : normalizer.apply(piece);
            BitSet places = literal == null || !added.anyNormalized() ? null : moved(literal, start, piece, normal);
            added.split(normal, true, parseSpecial, places, (s, e) -> words.word(normal, s, e, start == 0 && s == 0), ids);
        }, ids);
        if (addSpecial) ids.addAll(postProcessor.after(), postProcessor.after().length);
        return ids.toArray();
    }

    /** Places of a text as places of a normalized piece of it; all of them if it cannot be told. */
    private BitSet moved(BitSet places, int start, String piece, String normal) {
        BitSet moved = new BitSet();
        for (int i = places.nextSetBit(start); i >= 0 && i < start + piece.length(); i = places.nextSetBit(i + 1)) {
            String before = piece.substring(0, i - start);
            before = normalizer == null ? before : normalizer.apply(before);
            if (normal.startsWith(before)) moved.set(before.length());
            else moved.set(0, normal.length());
        }
        return moved;
    }

    /** The text of some tokens; {@code skipSpecial} leaves special tokens out. Ids that are no tokens have no text. */
    public String decode(int[] ids, boolean skipSpecial) {
        StreamDecoder stream = streamDecoder(skipSpecial);
        StringBuilder out = new StringBuilder(ids.length * 4);
        for (int id : ids) stream.push(id, out);
        return out.append(stream.flush()).toString();
    }

    /** A decoder for tokens that come one by one. */
    public StreamDecoder streamDecoder(boolean skipSpecial) {
        return new StreamDecoder(this, decoders, skipSpecial);
    }

    /** Appends a token as the file writes it; false if no token has this id. */
    boolean text(int id, StringBuilder out) {
        AddedTokens.AddedToken token = added.find(id);
        if (token != null) out.append(token.content());
        else if (model.vocabulary().has(id)) model.vocabulary().text(id, out);
        else return false;
        return true;
    }

    /** One more than the highest token id; a model may have more rows. */
    public int vocabularySize() {
        return Math.max(model.vocabulary().size(), added.size());
    }

    /** A token as the file writes it, such as {@code Ġthe} or {@code ▁the}; null if no token has this id. */
    public String token(int id) {
        AddedTokens.AddedToken token = added.find(id);
        return token != null ? token.content() : model.vocabulary().text(id);
    }

    /** The id of a token as the file writes it, or -1. */
    public int id(String token) {
        AddedTokens.AddedToken t = added.find(token);
        return t != null ? t.id() : model.vocabulary().find(token);
    }

    /** Whether a token is a control token, such as BOS, and not a part of the text. */
    public boolean isSpecial(int id) {
        AddedTokens.AddedToken token = added.find(id);
        return token != null && token.special();
    }

    /**
     * The token that starts a text: the template's first, else a special token with one of the customary names, else -1. A model's own
     * configuration knows better.
     */
    public int bos() {
        return bos;
    }

    /** The token that ends a text, found like {@link #bos}. */
    public int eos() {
        return eos;
    }

    /** Whether encoding with special tokens puts {@link #bos} first. */
    public boolean addsBos() {
        return postProcessor.before().length > 0;
    }

    private int named(String... names) {
        for (String name : names) {
            AddedTokens.AddedToken token = added.find(name);
            if (token != null && token.special()) return token.id();
        }
        return -1;
    }
}
