package io.github.spike4j.tokenizer;

/** A normalizer's result, which grows with the text and not with what a file can ask for. */
final class Output {
    private final StringBuilder text;
    private final long limit;

    Output(String input) {
        text = new StringBuilder(input.length());
        limit = limit(input);
    }

    /** Chars that normalizing may make of a text; NFKC makes 18 of one. */
    static long limit(String input) {
        return 65_536 + 32L * input.length();
    }

    static void check(long length, long limit) {
        if (length > limit) throw new TokenizerException("the tokenizer's normalizer makes more than " + limit + " characters of a text");
    }

    boolean isEmpty() {
        return text.isEmpty();
    }

    void append(CharSequence from, int start, int end) {
        check((long) text.length() + end - start, limit);
        text.append(from, start, end);
    }

    void appendCodePoint(int c) {
        check(text.length(), limit);
        text.appendCodePoint(c);
    }

    String text() {
        return text.toString();
    }
}
