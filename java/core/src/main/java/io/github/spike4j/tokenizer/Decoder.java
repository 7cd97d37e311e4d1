package io.github.spike4j.tokenizer;

import java.util.List;
import java.util.regex.Pattern;

/**
 * Turns the texts of tokens into text. Decoders form a chain of {@link Stage}s that tokens pass one by one, so that a stream is decoded as it
 * comes: a stage passes on what later tokens cannot change, and holds the rest back. Some decoders join the tokens to one ({@link #fuses});
 * what follows them is given that one in parts.
 */
sealed interface Decoder {
    /** A new stage, for one stream, before {@code next}. */
    Stage before(Stage next);

    /** The same where the tokens have been joined: a decoder that does not know better waits for the end of the text. */
    default Stage beforeFused(Stage next) {
        return new Whole(before(next));
    }

    /** Whether the tokens are one after it. */
    default boolean fuses() {
        return false;
    }

    interface Stage {
        /** A token, or a part of the only one; the stage may change the text. Allocates nothing once its buffers have grown. */
        void token(StringBuilder text);

        /** No more tokens: passes on what was held back. The stage is as new afterwards. */
        void end();

        /** What came so far was only for the state: what it holds back, and could pass on if the text ended here, is dropped. */
        void forget();
    }

    /** The stages of some decoders, in their order. */
    static Stage chain(List<Decoder> decoders, Stage last) {
        int fused = 0;
        while (fused < decoders.size() && !decoders.get(fused).fuses()) fused++;
        Stage stage = last;
        for (int i = decoders.size() - 1; i >= 0; i--) stage = i > fused ? decoders.get(i).beforeFused(stage) : decoders.get(i).before(stage);
        return stage;
    }

    /** A stage that holds nothing back. */
    abstract class Direct implements Stage {
        final Stage next;

        Direct(Stage next) {
            this.next = next;
        }

        @Override
        public void end() {
            next.end();
        }

        @Override
        public void forget() {
            next.forget();
        }
    }

    /** Makes the parts of the only token one. */
    final class Whole extends Direct {
        private final StringBuilder all = new StringBuilder();

        Whole(Stage next) {
            super(next);
        }

        @Override
        public void token(StringBuilder text) {
            limit((long) all.length() + text.length());
            all.append(text);
        }

        @Override
        public void end() {
            next.token(all);
            all.setLength(0);
            next.end();
        }

        @Override
        public void forget() {
            all.setLength(0);
        }
    }

    /** All tokens are bytes in {@link ByteAlphabet}, which make one text; a token that is not is taken as it is. */
    record ByteLevel() implements Decoder {
        @Override
        public boolean fuses() {
            return true;
        }

        @Override
        public Stage before(Stage next) {
            return new Direct(next) {
                private final Utf8.Decoder utf8 = new Utf8.Decoder();
                private final Bytes other = new Bytes(16);
                private final StringBuilder made = new StringBuilder();

                @Override
                public void token(StringBuilder text) {
                    made.setLength(0);
                    boolean isBytes = true;
                    for (int i = 0; i < text.length() && isBytes; i++) isBytes = ByteAlphabet.byteOf(text.charAt(i)) >= 0;
                    if (isBytes) {
                        for (int i = 0; i < text.length(); i++) utf8.accept(ByteAlphabet.byteOf(text.charAt(i)), made);
                    } else {
                        other.clear();
                        other.addUtf8(text, 0, text.length());
                        for (int i = 0; i < other.length; i++) utf8.accept(other.array[i] & 0xFF, made);
                    }
                    if (!made.isEmpty()) next.token(made);
                }

                @Override
                public void end() {
                    made.setLength(0);
                    utf8.flush(made);
                    if (!made.isEmpty()) next.token(made);
                    next.end();
                }
            };
        }
    }

    /**
     * {@code <0xNN>} is a byte. A run of them is UTF-8, or else each of them is U+FFFD; which of the two shows only at its end.
     */
    record ByteFallback() implements Decoder {
        @Override
        public Stage before(Stage next) {
            return new Direct(next) {
                private final Bytes run = new Bytes(64);
                private final StringBuilder made = new StringBuilder();
                /** Leading characters of the run that are not wanted: see {@link #forget}. */
                private int forgotten;

                @Override
                public void token(StringBuilder text) {
                    int b = byteOf(text);
                    if (b >= 0) {
                        run.add((byte) b);
                    } else {
                        endRun();
                        next.token(text);
                    }
                }

                @Override
                public void end() {
                    endRun();
                    next.end();
                }

                @Override
                public void forget() {
                    // a character that is unfinished here will belong to what follows
                    int whole = 0;
                    for (int n; whole < run.length && (n = Utf8.wellFormedLength(run.array, whole, run.length)) > 0; ) whole += n;
                    forgotten = run.length - whole < 4 ? whole : run.length;
                    next.forget();
                }

                private void endRun() {
                    int start = forgotten;
                    int valid = start;
                    for (int n; valid < run.length && (n = Utf8.wellFormedLength(run.array, valid, run.length)) > 0; ) valid += n;
                    if (valid == run.length) {
                        made.setLength(0);
                        for (int i = start, n; i < run.length; i += n) {
                            n = Utf8.wellFormedLength(run.array, i, run.length);
                            made.appendCodePoint(Utf8.codePoint(run.array, i, n));
                        }
                        if (!made.isEmpty()) next.token(made);
                    } else {
                        for (int i = start; i < run.length; i++) {
                            made.setLength(0);
                            next.token(made.append('\uFFFD'));
                        }
                    }
                    run.clear();
                    forgotten = 0;
                }
            };
        }

        /** The byte, or -1. The first digit may be +, as in Rust's numbers. */
        private static int byteOf(StringBuilder t) {
            if (t.length() != 6 || t.charAt(0) != '<' || t.charAt(1) != '0' || t.charAt(2) != 'x' || t.charAt(5) != '>') return -1;
            int high = t.charAt(3) == '+' ? 0 : digit(t.charAt(3));
            int low = digit(t.charAt(4));
            return high < 0 || low < 0 ? -1 : high << 4 | low;
        }

        private static int digit(char c) {
            return c < 0x80 ? Character.digit(c, 16) : -1;
        }
    }

    record Fuse() implements Decoder {
        @Override
        public boolean fuses() {
            return true;
        }

        @Override
        public Stage before(Stage next) {
            return next;
        }

        @Override
        public Stage beforeFused(Stage next) {
            return next;
        }
    }

    record Replace(Spans.Finder pattern, String content) implements Decoder {
        @Override
        public Stage before(Stage next) {
            return switch (pattern) {
                case Spans.Finder.Literal(String literal) -> new Direct(next) {
                    private final StringBuilder scratch = new StringBuilder();

                    @Override
                    public void token(StringBuilder text) {
                        replace(text, literal, content, scratch);
                        next.token(text);
                    }
                };
                case Spans.Finder.Regex(Pattern _) -> new Direct(next) {
                    private final Normalizer replace = new Normalizer.Replace(pattern, content);

                    @Override
                    public void token(StringBuilder text) {
                        String s = replace.apply(text.toString());
                        text.setLength(0);
                        next.token(text.append(s));
                    }
                };
                case Spans.Finder.Chars _ -> throw new AssertionError("a file cannot say this");
            };
        }

        @Override
        public Stage beforeFused(Stage next) {
            boolean oneChar = pattern instanceof Spans.Finder.Literal(String literal) && literal.length() == 1;
            return oneChar ? before(next) : Decoder.super.beforeFused(next);
        }
    }

    /** {@code replacement} is a space; where words start with it, it vanishes from the first token. */
    record Metaspace(char replacement, boolean dropsFirst) implements Decoder {
        @Override
        public Stage before(Stage next) {
            return stage(next, false);
        }

        @Override
        public Stage beforeFused(Stage next) {
            return stage(next, true);
        }

        private Stage stage(Stage next, boolean allIsFirst) {
            return new Direct(next) {
                private boolean first = true;

                @Override
                public void token(StringBuilder text) {
                    int n = 0;
                    for (int i = 0; i < text.length(); i++) {
                        char c = text.charAt(i);
                        if (c != replacement) text.setCharAt(n++, c);
                        else if (!(dropsFirst && first)) text.setCharAt(n++, ' ');
                    }
                    text.setLength(n);
                    first = allIsFirst;
                    next.token(text);
                }

                @Override
                public void end() {
                    first = true;
                    next.end();
                }
            };
        }
    }

    /** Drops up to {@code start} leading and {@code stop} trailing {@code content} of each token. */
    record Strip(char content, int start, int stop) implements Decoder {
        @Override
        public Stage before(Stage next) {
            return new Direct(next) {
                @Override
                public void token(StringBuilder text) {
                    int from = 0;
                    int to = text.length();
                    while (from < start && from < to && text.charAt(from) == content) from++;
                    while (text.length() - to < stop && to > from && text.charAt(to - 1) == content) to--;
                    text.setLength(to);
                    text.delete(0, from);
                    next.token(text);
                }
            };
        }

        @Override
        public Stage beforeFused(Stage next) {
            if (stop > 0) return Decoder.super.beforeFused(next);
            return new Direct(next) {
                private int left = start;

                @Override
                public void token(StringBuilder text) {
                    int from = 0;
                    for (; from < text.length() && left > 0; left--) {
                        if (text.charAt(from) != content) {
                            left = 0;
                            break;
                        }
                        from++;
                    }
                    text.delete(0, from);
                    next.token(text);
                }

                @Override
                public void end() {
                    left = start;
                    next.end();
                }
            };
        }
    }

    /** Tokens but the first are words, or, after {@code prefix}, parts of words. */
    record WordPiece(String prefix, boolean cleanup) implements Decoder {
        private static final String[][] CLEAN = {{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
            {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};

        static void clean(StringBuilder text, StringBuilder scratch) {
            for (String[] rule : CLEAN) replace(text, rule[0], rule[1], scratch);
        }

        @Override
        public Stage before(Stage next) {
            return new Direct(next) {
                private final StringBuilder scratch = new StringBuilder();
                private boolean first = true;

                @Override
                public void token(StringBuilder text) {
                    if (!first) {
                        if (text.indexOf(prefix) == 0) text.delete(0, prefix.length());
                        else text.insert(0, ' ');
                    }
                    first = false;
                    if (cleanup) clean(text, scratch);
                    next.token(text);
                }

                @Override
                public void end() {
                    first = true;
                    next.end();
                }
            };
        }
    }

    /** {@code suffix} ends a word: a space, but for the last token. */
    record Bpe(String suffix) implements Decoder {
        @Override
        public Stage before(Stage next) {
            return new Direct(next) {
                private final StringBuilder held = new StringBuilder();
                private final StringBuilder scratch = new StringBuilder();
                private boolean holds;

                @Override
                public void token(StringBuilder text) {
                    pass(" ");
                    held.append(text);
                    holds = true;
                }

                @Override
                public void end() {
                    pass("");
                    next.end();
                }

                @Override
                public void forget() {
                    // a space between this word and the next is yet to come
                    boolean word = held.length() >= suffix.length() && held.indexOf(suffix, held.length() - suffix.length()) >= 0;
                    held.setLength(0);
                    if (word) held.append(suffix);
                    next.forget();
                }

                private void pass(String replacement) {
                    if (!holds) return;
                    replace(held, suffix, replacement, scratch);
                    next.token(held);
                    held.setLength(0);
                    holds = false;
                }
            };
        }
    }

    /** Of a speech model: a token that comes again at once counts once; {@code pad} is nothing, {@code delimiter} a space. */
    record Ctc(String pad, String delimiter, boolean cleanup) implements Decoder {
        @Override
        public Stage before(Stage next) {
            return new Direct(next) {
                private final StringBuilder previous = new StringBuilder();
                private final StringBuilder scratch = new StringBuilder();
                private boolean first = true;

                @Override
                public void token(StringBuilder text) {
                    if (!first && text.compareTo(previous) == 0) return;
                    first = false;
                    previous.setLength(0);
                    previous.append(text);
                    replace(text, pad, "", scratch);
                    if (cleanup) {
                        WordPiece.clean(text, scratch);
                        replace(text, delimiter, " ", scratch);
                    }
                    if (!text.isEmpty()) next.token(text);
                }

                @Override
                public void end() {
                    first = true;
                    next.end();
                }
            };
        }
    }

    /**
     * SentencePiece's own. A piece's {@code ▁} is a space, but for the one that starts the text: it was put there. With
     * {@code collapses} that of every piece before the first text. {@code <0xNN>} is a byte; each byte that is not UTF-8 is one U+FFFD.
     *
     * @param unknown the piece that becomes {@code surface}; null for none
     * @param bytes whether there are byte pieces
     */
    record SentencePiece(String unknown, String surface, boolean dummyPrefix, boolean collapses, boolean bytes) implements Decoder {
        private static final char SPACE = '▁';

        @Override
        public Stage before(Stage next) {
            return new Direct(next) {
                private final Bytes character = new Bytes(16);
                private final StringBuilder made = new StringBuilder();
                /** Whether the text may still start here. */
                private boolean start = true;

                @Override
                public void token(StringBuilder text) {
                    int b = bytes ? ByteFallback.byteOf(text) : -1;
                    if (b >= 0) {
                        character.add((byte) b);
                        passBytes(false);
                        return;
                    }
                    passBytes(true);
                    if (unknown != null && unknown.contentEquals(text)) {
                        text.setLength(0);
                        text.append(surface);
                    } else if (start && (dummyPrefix || collapses) && !text.isEmpty() && text.charAt(0) == SPACE) {
                        text.deleteCharAt(0);
                        start = collapses;
                    }
                    for (int i = 0; i < text.length(); i++) {
                        if (text.charAt(i) == SPACE) text.setCharAt(i, ' ');
                    }
                    start &= text.isEmpty();
                    if (!text.isEmpty()) next.token(text);
                }

                /** What is a whole character, or cannot become one. */
                private void passBytes(boolean atEnd) {
                    made.setLength(0);
                    int at = 0;
                    while (at < character.length) {
                        int n = Utf8.wellFormedLength(character.array, at, character.length);
                        if (n == 0 && !atEnd && character.length - at < Utf8.length(character.array[at])) break;
                        if (n == 0) made.append('\uFFFD');
                        else made.appendCodePoint(Utf8.codePoint(character.array, at, n));
                        at += Math.max(n, 1);
                    }
                    System.arraycopy(character.array, at, character.array, 0, character.length -= at);
                    start &= made.isEmpty();
                    if (!made.isEmpty()) next.token(made);
                }

                @Override
                public void end() {
                    passBytes(true);
                    start = true;
                    next.end();
                }
            };
        }
    }

    /** SentencePiece's denormalizer: a character map over the whole text. */
    record Denormalize(SentencePieceNormalizer normalizer) implements Decoder {
        @Override
        public boolean fuses() {
            return true;
        }

        @Override
        public Stage before(Stage next) {
            return new Whole(new Direct(next) {
                @Override
                public void token(StringBuilder text) {
                    String s = normalizer.apply(text.toString());
                    text.setLength(0);
                    next.token(text.append(s));
                }
            });
        }
    }

    /** A file without a decoder: tokens are words. */
    record Words() implements Decoder {
        @Override
        public Stage before(Stage next) {
            return new Direct(next) {
                private boolean first = true;

                @Override
                public void token(StringBuilder text) {
                    if (!first) text.insert(0, ' ');
                    first = false;
                    next.token(text);
                }

                @Override
                public void end() {
                    first = true;
                    next.end();
                }
            };
        }
    }

    /** Replaces all, in linear time and without garbage; {@code scratch} is overwritten. */
    private static void replace(StringBuilder text, String from, String to, StringBuilder scratch) {
        int i = from.isEmpty() ? -1 : text.indexOf(from);
        if (i < 0) return;
        scratch.setLength(0);
        int done = 0;
        for (; i >= 0; i = text.indexOf(from, done)) {
            scratch.append(text, done, i).append(to);
            limit(scratch.length());
            done = i + from.length();
        }
        scratch.append(text, done, text.length());
        text.setLength(0);
        text.append(scratch);
    }

    private static void limit(long length) {
        if (length > MAX_LENGTH) throw new TokenizerException("the tokenizer's decoder makes more than " + MAX_LENGTH + " characters of a token");
    }

    /** Of one token: only a hostile file has longer ones. */
    int MAX_LENGTH = 1 << 24;
}
