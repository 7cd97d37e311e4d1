package io.github.spike4j.tokenizer;

import java.util.List;
import java.util.regex.Pattern;

/**
 * Turns a token back into bytes. Steps work on one token at a time, in place, so that a stream can be decoded as it comes; what a file
 * does after {@code Fuse} (on the whole text) is limited to stripping its start, {@link Plan#stripCount}.
 */
sealed interface Decoder {
    void apply(Piece piece);

    /** A token on its way: text until a step makes it bytes. */
    final class Piece {
        final StringBuilder text = new StringBuilder();
        final Bytes bytes = new Bytes(64);
        boolean isBytes;
        /** Whether this is the first token of the text. */
        boolean first;

        /** Empty, for the next token. */
        void reset(boolean first) {
            text.setLength(0);
            bytes.clear();
            isBytes = false;
            this.first = first;
        }

        void finish() {
            if (!isBytes) bytes.addUtf8(text, 0, text.length());
        }
    }

    /**
     * @param steps applied to each token
     * @param stripped the character whose first {@code stripCount} leading occurrences in the whole text are dropped
     */
    record Plan(List<Decoder> steps, int stripped, int stripCount) {
        /** From the token's text in the piece to its bytes. */
        void apply(Piece piece) {
            for (int i = 0; i < steps.size() && !piece.isBytes; i++) steps.get(i).apply(piece);
            piece.finish();
        }
    }

    record ByteLevel() implements Decoder {
        @Override
        public void apply(Piece piece) {
            for (int i = 0; i < piece.text.length(); i++) {
                if (ByteAlphabet.byteOf(piece.text.charAt(i)) < 0) return;
            }
            for (int i = 0; i < piece.text.length(); i++) piece.bytes.add((byte) ByteAlphabet.byteOf(piece.text.charAt(i)));
            piece.isBytes = true;
        }
    }

    /** {@code <0xNN>} is a byte. */
    record ByteFallback() implements Decoder {
        @Override
        public void apply(Piece piece) {
            StringBuilder t = piece.text;
            if (t.length() != 6 || t.charAt(0) != '<' || t.charAt(1) != '0' || t.charAt(2) != 'x' || t.charAt(5) != '>') return;
            int high = Character.digit(t.charAt(3), 16);
            int low = Character.digit(t.charAt(4), 16);
            if (high < 0 || low < 0) return;
            piece.bytes.add((byte) (high << 4 | low));
            piece.isBytes = true;
        }
    }

    record Replace(Spans.Finder pattern, String content) implements Decoder {
        @Override
        public void apply(Piece piece) {
            switch (pattern) {
                case Spans.Finder.Literal(String literal) -> {
                    for (int i = piece.text.indexOf(literal); i >= 0; i = piece.text.indexOf(literal, i + content.length())) {
                        piece.text.replace(i, i + literal.length(), content);
                        if (literal.isEmpty()) break;
                    }
                }
                case Spans.Finder.Regex(Pattern _) -> {
                    String s = new Normalizer.Replace(pattern, content).apply(piece.text.toString());
                    piece.text.setLength(0);
                    piece.text.append(s);
                }
                case Spans.Finder.Chars _ -> throw new AssertionError("a file cannot say this");
            }
        }
    }

    record Metaspace(char replacement, boolean dropsFirst) implements Decoder {
        @Override
        public void apply(Piece piece) {
            StringBuilder t = piece.text;
            int n = 0;
            for (int i = 0; i < t.length(); i++) {
                char c = t.charAt(i);
                if (c != replacement) t.setCharAt(n++, c);
                else if (!(dropsFirst && piece.first)) t.setCharAt(n++, ' ');
            }
            t.setLength(n);
        }
    }

    /** Strip of every token. */
    record Strip(char content, int start, int stop) implements Decoder {
        @Override
        public void apply(Piece piece) {
            StringBuilder t = piece.text;
            int from = 0;
            int to = t.length();
            while (from < start && from < to && t.charAt(from) == content) from++;
            while (t.length() - to < stop && to > from && t.charAt(to - 1) == content) to--;
            t.setLength(to);
            t.delete(0, from);
        }
    }

    /** A file without a decoder: tokens are words. */
    record Words() implements Decoder {
        @Override
        public void apply(Piece piece) {
            if (!piece.first) piece.text.insert(0, ' ');
        }
    }
}
