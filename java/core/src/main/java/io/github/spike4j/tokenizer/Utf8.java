package io.github.spike4j.tokenizer;

/** What the JDK's charset classes do not offer: well-formedness in place, and decoding byte by byte. */
final class Utf8 {
    private Utf8() {}

    /** Length in bytes of the well-formed character at {@code i} (Unicode table 3-7), 0 if there is none. */
    static int wellFormedLength(byte[] s, int i, int end) {
        int b = s[i];
        if (b >= 0) return 1;
        int n = sequenceLength(b & 0xFF);
        if (n == 0 || end - i < n || !second(b & 0xFF, s[i + 1] & 0xFF)) return 0;
        for (int k = 2; k < n; k++) {
            if ((s[i + k] & 0xC0) != 0x80) return 0;
        }
        return n;
    }

    /** Length in bytes of a character with this first byte, 0 if there is none. */
    static int length(byte lead) {
        return sequenceLength(lead & 0xFF);
    }

    /** The well-formed character of {@code n} bytes at {@code i}. */
    static int codePoint(byte[] s, int i, int n) {
        int c = n == 1 ? s[i] : s[i] & 0x7F >> n;
        for (int k = 1; k < n; k++) c = c << 6 | s[i + k] & 0x3F;
        return c;
    }

    /** The string itself, or with U+FFFD for each unpaired surrogate: such a char has no UTF-8 form. */
    static String wellFormed(String s) {
        for (int i = 0; i < s.length(); i++) {
            if (!Character.isSurrogate(s.charAt(i))) continue;
            StringBuilder fixed = new StringBuilder(s);
            for (int k = i; k < s.length(); k++) {
                char c = s.charAt(k);
                if (Character.isHighSurrogate(c) && k + 1 < s.length() && Character.isLowSurrogate(s.charAt(k + 1))) k++;
                else if (Character.isSurrogate(c)) fixed.setCharAt(k, '\uFFFD');
            }
            return fixed.toString();
        }
        return s;
    }

    private static int sequenceLength(int lead) {
        return lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    }

    /** Whether {@code b} may follow the lead byte: no overlong forms, no surrogates, nothing above U+10FFFF. */
    private static boolean second(int lead, int b) {
        return switch (lead) {
            case 0xE0 -> b >= 0xA0 && b <= 0xBF;
            case 0xED -> b >= 0x80 && b <= 0x9F;
            case 0xF0 -> b >= 0x90 && b <= 0xBF;
            case 0xF4 -> b >= 0x80 && b <= 0x8F;
            default -> b >= 0x80 && b <= 0xBF;
        };
    }

    /**
     * Decodes a stream of bytes. Ill-formed input yields one U+FFFD for each maximal subpart, as the Unicode Standard recommends
     * (and as the WHATWG decoder and Rust's lossy conversion do). State: the bytes of one unfinished character.
     */
    static final class Decoder {
        private int lead;
        private int seen;
        private int codePoint;

        /** The next character into {@code out}, or nothing while one is unfinished. */
        void accept(int b, StringBuilder out) {
            if (seen > 0) {
                if (seen == 1 ? second(lead, b) : (b & 0xC0) == 0x80) {
                    codePoint = codePoint << 6 | b & 0x3F;
                    if (++seen == sequenceLength(lead)) {
                        out.appendCodePoint(codePoint);
                        seen = 0;
                    }
                    return;
                }
                out.append('\uFFFD');
                seen = 0;
            }
            switch (sequenceLength(b)) {
                case 0 -> out.append('\uFFFD');
                case 1 -> out.append((char) b);
                case 2 -> begin(b, 0x1F);
                case 3 -> begin(b, 0x0F);
                default -> begin(b, 0x07);
            }
        }

        void flush(StringBuilder out) {
            if (seen > 0) out.append('\uFFFD');
            seen = 0;
        }

        private void begin(int b, int mask) {
            lead = b;
            seen = 1;
            codePoint = b & mask;
        }
    }
}
