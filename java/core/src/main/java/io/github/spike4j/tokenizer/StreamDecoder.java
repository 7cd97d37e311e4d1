package io.github.spike4j.tokenizer;

/**
 * Decodes tokens as they are generated. Only complete characters come out; the bytes of an unfinished one wait for the next token. The
 * texts of all calls, {@link #flush} at the end, make exactly what {@link Tokenizer#decode} gives for all the ids. For one thread.
 */
public final class StreamDecoder {
    private final Tokenizer tokenizer;
    private final Decoder.Plan plan;
    private final boolean skipSpecial;
    private final Decoder.Piece piece = new Decoder.Piece();
    private final Utf8.Decoder utf8 = new Utf8.Decoder();
    private final StringBuilder text = new StringBuilder();
    private boolean first = true;
    private int toStrip;

    StreamDecoder(Tokenizer tokenizer, Decoder.Plan plan, boolean skipSpecial) {
        this.tokenizer = tokenizer;
        this.plan = plan;
        this.skipSpecial = skipSpecial;
        toStrip = plan.stripCount();
    }

    /** The characters that this token completes; often one word, maybe none. */
    public String push(int id) {
        text.setLength(0);
        push(id, text);
        return text.toString();
    }

    /** Appends the characters that this token completes. An id that is no token (padding of a model's vocabulary) has none. Allocates nothing. */
    public void push(int id, StringBuilder out) {
        if (skipSpecial && tokenizer.isSpecial(id) || !tokenizer.decode(id, first, piece)) return;
        first = false;
        for (int i = 0; i < piece.bytes.length; i++) {
            int from = out.length();
            utf8.accept(piece.bytes.array[i] & 0xFF, out);
            if (toStrip > 0 && out.length() > from) strip(out, from);
        }
    }

    /** Takes a token of the prompt, whose text is not wanted: what is generated then continues it (spaces at the joint are kept). */
    public void skip(int id) {
        text.setLength(0);
        push(id, text);
    }

    /** The end of the text: U+FFFD if a character is unfinished, else nothing. The decoder is as new afterwards. */
    public String flush() {
        text.setLength(0);
        utf8.flush(text);
        first = true;
        toStrip = plan.stripCount();
        return text.toString();
    }

    private void strip(StringBuilder out, int from) {
        for (int i = from; i < out.length() && toStrip > 0; ) {
            if (out.charAt(i) == plan.stripped()) {
                out.deleteCharAt(i);
                toStrip--;
            } else {
                toStrip = 0;
            }
        }
    }
}
