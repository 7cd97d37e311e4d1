package io.github.spike4j.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * SentencePiece's normalizer: from left to right the longest user-defined piece is kept as it is, else the longest key of the character
 * map becomes its replacement, else a character is kept; then spaces are dropped, added, and escaped. An empty text stays empty.
 */
final class SentencePieceNormalizer implements Normalizer {
    private static final byte[] SPACE = "▁".getBytes(StandardCharsets.UTF_8);

    /**
     * NormalizerSpec.
     *
     * @param dummyPrefix puts a space in front, or, with {@code suffix}, behind
     * @param collapses drops spaces at the ends, makes one of several
     * @param continues the text follows another one: its first space stays
     * @param escapes spaces become {@code ▁}
     */
    record Rules(boolean dummyPrefix, boolean suffix, boolean collapses, boolean continues, boolean escapes) {}

    private final Rules rules;
    /** Null for none. */
    private final Precompiled map;
    private final ByteTrie userDefined;

    SentencePieceNormalizer(Rules rules, Precompiled map, List<String> userDefined) {
        this.rules = rules;
        this.map = map;
        Vocabulary pieces = new Vocabulary();
        for (String piece : userDefined) {
            byte[] utf8 = piece.getBytes(StandardCharsets.UTF_8);
            pieces.append(utf8, 0, utf8.length);
        }
        this.userDefined = new ByteTrie(pieces, _ -> true);
    }

    @Override
    public String apply(String text) {
        Bytes in = new Bytes(text.length() + 16);
        in.addUtf8(text, 0, text.length());
        Bytes out = new Bytes(in.length + 16);
        long limit = 4 * Output.limit(text);
        Prefix prefix = new Prefix(in);
        boolean skips = rules.collapses && !rules.continues;
        int at = 0;
        for (; skips && at < in.length; at += prefix.length) {
            prefix.read(at);
            if (prefix.end != prefix.start + 1 || prefix.text[prefix.start] != ' ') break;
        }
        if (at == in.length) return "";
        if (rules.dummyPrefix && !rules.suffix) addSpace(out);
        boolean afterSpace = skips;
        for (; at < in.length; at += prefix.length) {
            prefix.read(at);
            int from = prefix.start;
            while (afterSpace && from < prefix.end && prefix.text[from] == ' ') from++;
            for (int i = from; i < prefix.end; i++) {
                if (prefix.text[i] == ' ') addSpace(out);
                else out.add(prefix.text[i]);
            }
            Output.check(out.length, limit);
            if (from < prefix.end) afterSpace = rules.collapses && prefix.text[prefix.end - 1] == ' ';
        }
        if (rules.collapses) {
            while (endsWithSpace(out)) out.length -= rules.escapes ? SPACE.length : 1;
        }
        if (rules.dummyPrefix && rules.suffix) addSpace(out);
        return new String(out.array, 0, out.length, StandardCharsets.UTF_8);
    }

    /** What is taken of the text at once, and what it becomes. */
    private final class Prefix {
        private final Bytes in;
        /** Bytes of the text. */
        private int length;
        /** It becomes {@code text[start, end)}. */
        private byte[] text;
        private int start;
        private int end;

        Prefix(Bytes in) {
            this.in = in;
        }

        void read(int at) {
            length = userDefined.longest(in.array, at, in.length);
            long found = length > 0 || map == null ? Precompiled.NONE : map.longest(in.array, at, in.length);
            if (found != Precompiled.NONE) {
                length = (int) (found >>> 32);
                text = map.replacements();
                start = (int) found;
                end = map.end(start);
            } else {
                if (length == 0) length = Utf8.wellFormedLength(in.array, at, in.length);
                text = in.array;
                start = at;
                end = at + length;
            }
        }
    }

    private void addSpace(Bytes out) {
        if (rules.escapes) out.add(SPACE, 0, SPACE.length);
        else out.add((byte) ' ');
    }

    private boolean endsWithSpace(Bytes out) {
        int n = out.length;
        if (!rules.escapes) return n > 0 && out.array[n - 1] == ' ';
        return n >= SPACE.length && out.array[n - 3] == SPACE[0] && out.array[n - 2] == SPACE[1] && out.array[n - 1] == SPACE[2];
    }
}
