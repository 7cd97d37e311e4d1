package io.github.spike4j.tokenizer;

import java.util.List;

/**
 * Decodes tokens as they are generated. Only complete characters come out, and only what later tokens cannot change: the bytes of an
 * unfinished character wait for the next token, and a run of {@code <0xNN>} tokens for its end. The texts of all calls, {@link #flush} at the
 * end, make exactly what {@link Tokenizer#decode} gives for all the ids. For one thread.
 */
public final class StreamDecoder {
    private final Tokenizer tokenizer;
    private final boolean skipSpecial;
    private final Decoder.Stage stages;
    private final StringBuilder token = new StringBuilder();
    private final StringBuilder text = new StringBuilder();
    /** Where the last stage appends. */
    private StringBuilder out;
    /** Whether the last call was {@link #skip}. */
    private boolean skipping;

    StreamDecoder(Tokenizer tokenizer, List<Decoder> decoders, boolean skipSpecial) {
        this.tokenizer = tokenizer;
        this.skipSpecial = skipSpecial;
        stages = Decoder.chain(decoders, new Decoder.Stage() {
            @Override
            public void token(StringBuilder text) {
                out.append(text);
            }

            @Override
            public void end() {}

            @Override
            public void forget() {}
        });
    }

    /** The characters that this token completes; often one word, maybe none. */
    public String push(int id) {
        text.setLength(0);
        push(id, text);
        return text.toString();
    }

    /** Appends the characters that this token completes. An id that is no token (padding of a model's vocabulary) has none. Allocates nothing. */
    public void push(int id, StringBuilder out) {
        endSkipping();
        accept(id, out);
    }

    /** Takes a token of the prompt, whose text is not wanted: what is generated then continues it (spaces at the joint are kept). */
    public void skip(int id) {
        skipping = true;
        text.setLength(0);
        accept(id, text);
    }

    /** The end of the text: what was held back. The decoder is as new afterwards. */
    public String flush() {
        endSkipping();
        text.setLength(0);
        out = text;
        stages.end();
        return text.toString();
    }

    private void endSkipping() {
        if (!skipping) return;
        skipping = false;
        out = token; // where nobody looks
        stages.forget();
    }

    private void accept(int id, StringBuilder out) {
        if (skipSpecial && tokenizer.isSpecial(id)) return;
        token.setLength(0);
        if (!tokenizer.text(id, token)) return;
        this.out = out;
        stages.token(token);
    }
}
