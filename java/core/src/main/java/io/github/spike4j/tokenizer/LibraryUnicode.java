package io.github.spike4j.tokenizer;

import java.util.BitSet;

/**
 * Where Hugging Face's library has other tables of Unicode than Java 25 (Unicode 16). The library, tokenizers 0.21, takes them from crates of
 * several ages: the normal forms and StripAccents' marks from unicode-normalization-alignments 0.1.12 (Unicode 9), punctuation, BERT's marks
 * and format characters from unicode_categories 0.1.1 (Unicode 8), lower case and numbers from Rust's standard library (Unicode 17). Its
 * expressions (Oniguruma, Rust's regex) and grapheme clusters have the tables of Java 25.
 *
 * <p>The sets were read off the library itself, a code point after the other; {@code LibraryUnicodeTest} does it again.
 */
final class LibraryUnicode {
    /** To the normal forms these do not decompose, do not compose and have no combining class. */
    static final BitSet INERT = set("7FD 897-89F 8CA-8D3 9FE C3C D3B-D3C EBA 1715 1ABF-1ACE 1DF6-1DFA 32FF A7F2-A7F4 A82C AB69 105C9 105D2 105DA 105E4"
            + " 10781-10785 10787-107B0 107B2-107BA 10D24-10D27 10D69-10D6D 10EAB-10EAC 10EFD-10EFF 10F46-10F50 10F82-10F85 11070 1133B 11382-11385"
            + " 1138B 1138E 11390-11391 113B8 113BB 113C2 113C5 113C7-113C9 113CE-113D0 1145E 11839-1183A 11930 11935 11938 1193D-1193E 11943 119E0"
            + " 11A34 11A47 11A99 11D42 11D44-11D45 11D97 11F41-11F42 1611E-16129 1612F 16D63 16D67-16D6A 16FF0-16FF1 1CCD6-1CCF9 1E030-1E06D 1E08F"
            + " 1E130-1E136 1E2AE 1E2EC-1E2EF 1E4EC-1E4EF 1E5EE-1E5EF 1F16C 1FBF0-1FBF9");

    private static final BitSet NO_MARK = set("7FD 897-89F 8CA-8D3 9FE AFA-AFF B55 C04 C3C CF3 D00 D3B-D3C D81 EBA ECE 1715 180F 1ABF-1ACE 1CF7 1DF6-1DFA"
            + " A82C A8FF 10D24-10D27 10D69-10D6D 10EAB-10EAC 10EFC-10EFF 10F46-10F50 10F82-10F85 11070 11073-11074 110C2 11145-11146 111C9 111CE-111CF"
            + " 11241 1133B 113B8-113C0 113C2 113C5 113C7-113CA 113CC-113D0 113D2 113E1-113E2 1145E 1182C-1183A 11930-11935 11937-11938 1193B-1193E"
            + " 11940 11942-11943 119D1-119D7 119DA-119E0 119E4 11A01-11A0A 11A33-11A39 11A3B-11A3E 11A47 11A51-11A5B 11A8A-11A99 11D31-11D36 11D3A"
            + " 11D3C-11D3D 11D3F-11D45 11D47 11D8A-11D8E 11D90-11D91 11D93-11D97 11EF3-11EF6 11F00-11F01 11F03 11F34-11F3A 11F3E-11F42 11F5A 13440"
            + " 13447-13455 1611E-1612F 16F4F 16F7F-16F87 16FE4 16FF0-16FF1 1CF00-1CF2D 1CF30-1CF46 1E08F 1E130-1E136 1E2AE 1E2EC-1E2EF 1E4EC-1E4EF"
            + " 1E5EE-1E5EF");
    private static final BitSet ALSO_MARK = set("1CF2-1CF3");

    /** Not nonspacing marks, beside those that are no marks. */
    private static final BitSet NO_NONSPACING = set("8D4-8E1 1885-1886 1DFB A8C5 A9BD 1123E 11438-1143F 11442-11444 11446 11C30-11C36 11C38-11C3D 11C3F"
            + " 11C92-11CA7 11CAA-11CB0 11CB2-11CB3 11CB5-11CB6 1E000-1E006 1E008-1E018 1E01B-1E021 1E023-1E024 1E026-1E02A 1E944-1E94A");
    private static final BitSet ALSO_NONSPACING = set("1734 1171E");

    private static final BitSet NO_PUNCTUATION = set("61D 9FD A76 C77 C84 1B4E-1B4F 1B7D-1B7F 2E43-2E4F 2E52-2E5D 10D6E 10EAD 10F55-10F59 10F86-10F89"
            + " 113D4-113D5 113D7-113D8 1144B-1144F 1145A-1145B 1145D 11660-1166C 116B9 1183B 11944-11946 119E2 11A3F-11A46 11A9A-11A9C 11A9E-11AA2"
            + " 11B00-11B09 11BE1 11C41-11C45 11C70-11C71 11EF7-11EF8 11F43-11F4F 11FFF 12FF1-12FF2 16D6D-16D6F 16E97-16E9A 16FE2 1E5FF 1E95E-1E95F");
    private static final BitSet ALSO_PUNCTUATION = set("166D 111C9");

    private static final BitSet NO_FORMAT = set("890-891 8E2 110CD 13430-1343F");

    private static final BitSet ALSO_NUMERIC = set("11DE0-11DE9 16FF4-16FF6");

    private LibraryUnicode() {}

    /** Mn, Mc and Me. */
    static boolean isMark(int c) {
        return Characters.isMark(c) && !NO_MARK.get(c) || ALSO_MARK.get(c);
    }

    /** Mn, as BERT has it. */
    static boolean isNonspacing(int c) {
        return Character.getType(c) == Character.NON_SPACING_MARK && !NO_MARK.get(c) && !NO_NONSPACING.get(c) || ALSO_NONSPACING.get(c);
    }

    /** Punctuation, and all of ASCII's symbols. */
    static boolean isPunctuation(int c) {
        if (c < 0x80) return c > ' ' && c < 0x7F && !Character.isLetterOrDigit(c);
        return switch (Character.getType(c)) {
            case Character.CONNECTOR_PUNCTUATION, Character.DASH_PUNCTUATION, Character.START_PUNCTUATION, Character.END_PUNCTUATION,
                    Character.INITIAL_QUOTE_PUNCTUATION, Character.FINAL_QUOTE_PUNCTUATION, Character.OTHER_PUNCTUATION -> !NO_PUNCTUATION.get(c);
            default -> ALSO_PUNCTUATION.get(c);
        };
    }

    /** What BERT drops as control characters; {@code \t}, {@code \n} and {@code \r} are spaces to it. */
    static boolean isControl(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL -> c != '\t' && c != '\n' && c != '\r';
            case Character.FORMAT -> !NO_FORMAT.get(c);
            case Character.PRIVATE_USE -> true;
            default -> false;
        };
    }

    static boolean isNumeric(int c) {
        return switch (Character.getType(c)) {
            case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER -> true;
            default -> ALSO_NUMERIC.get(c);
        };
    }

    /** Of one character; U+0130 has two, which are not here. */
    static int toLowerCase(int c) {
        if (c == 0xA7CE || c == 0xA7D2 || c == 0xA7D4) return c + 1;
        if (c >= 0x16EA0 && c <= 0x16EB8) return c + 0x1B;
        return Character.toLowerCase(c);
    }

    /** Hexadecimal code points and ranges of them. */
    private static BitSet set(String ranges) {
        BitSet set = new BitSet();
        for (String range : ranges.split(" ")) {
            int dash = range.indexOf('-');
            int first = Integer.parseInt(dash < 0 ? range : range.substring(0, dash), 16);
            set.set(first, (dash < 0 ? first : Integer.parseInt(range.substring(dash + 1), 16)) + 1);
        }
        return set;
    }
}
