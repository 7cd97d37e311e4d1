package io.github.spike4j.tokenizer;

/** Classes of code points as Hugging Face's components define them, by the tables of Java's runtime. */
final class Characters {
    private Characters() {}

    /** Unicode's White_Space. */
    static boolean isSpace(int c) {
        return c == ' ' || c >= '\t' && c <= '\r' || c == 0x85 || Character.isSpaceChar(c);
    }

    /** Rust's expression {@code \w}. */
    static boolean isWord(int c) {
        return Character.isAlphabetic(c) || Character.isDigit(c) || isMark(c) || Character.getType(c) == Character.CONNECTOR_PUNCTUATION
                || c == 0x200C || c == 0x200D;
    }

    static boolean isMark(int c) {
        return switch (Character.getType(c)) {
            case Character.NON_SPACING_MARK, Character.ENCLOSING_MARK, Character.COMBINING_SPACING_MARK -> true;
            default -> false;
        };
    }

    /** BERT's ideographs: some of the CJK blocks. */
    static boolean isBertIdeograph(int c) {
        return c >= 0x4E00 && c <= 0x9FFF || c >= 0x3400 && c <= 0x4DBF || c >= 0xF900 && c <= 0xFAFF || c >= 0x20000 && c <= 0x2A6DF
                || c >= 0x2A700 && c <= 0x2B81F || c >= 0x2B920 && c <= 0x2CEAF || c >= 0x2F800 && c <= 0x2FA1F;
    }
}
