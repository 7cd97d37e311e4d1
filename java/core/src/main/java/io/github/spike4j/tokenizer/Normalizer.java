package io.github.spike4j.tokenizer;

import java.text.Normalizer.Form;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Rewrites a piece of text before it is split; an empty piece stays empty. */
sealed interface Normalizer permits Normalizer.Sequence, Normalizer.Unicode, Normalizer.Prepend, Normalizer.Replace, Normalizer.Lowercase,
        Normalizer.Strip, Normalizer.StripAccents, Normalizer.Nmt, Normalizer.Bert, Normalizer.ByteLevel, Precompiled, SentencePieceNormalizer {
    String apply(String text);

    record Sequence(List<Normalizer> steps) implements Normalizer {
        @Override
        public String apply(String text) {
            long limit = Output.limit(text);
            for (Normalizer step : steps) {
                text = step.apply(text);
                Output.check(text.length(), limit);
            }
            return text;
        }
    }

    record Unicode(Form form) implements Normalizer {
        @Override
        public String apply(String text) {
            int from = 0;
            StringBuilder out = null;
            for (int i = 0, n; i < text.length(); i += n) {
                int c = text.codePointAt(i);
                n = Character.charCount(c);
                if (!LibraryUnicode.INERT.get(c)) continue;
                // nothing is reordered or composed over such a character
                if (out == null) out = new StringBuilder(text.length());
                out.append(java.text.Normalizer.normalize(text.substring(from, i), form)).appendCodePoint(c);
                from = i + n;
            }
            String rest = java.text.Normalizer.normalize(from == 0 ? text : text.substring(from), form);
            return out == null ? rest : out.append(rest).toString();
        }
    }

    record Prepend(String prefix) implements Normalizer {
        @Override
        public String apply(String text) {
            return text.isEmpty() ? text : prefix + text;
        }
    }

    record Replace(Spans.Finder pattern, String content) implements Normalizer {
        @Override
        public String apply(String text) {
            Output out = new Output(text);
            int from = 0;
            switch (pattern) {
                case Spans.Finder.Literal(String literal) -> {
                    for (int at; (at = text.indexOf(literal, from)) >= 0; from = at + literal.length()) {
                        out.append(text, from, at);
                        out.append(content, 0, content.length());
                    }
                }
                case Spans.Finder.Regex(Pattern regex) -> {
                    Matcher m = regex.matcher(Regexes.bounded(regex, text));
                    for (int last = -1; Regexes.find(m, text, last); from = last = m.end()) {
                        out.append(text, from, m.start());
                        out.append(content, 0, content.length());
                    }
                }
                case Spans.Finder.Chars _ -> throw new AssertionError("a file cannot say this");
            }
            if (from == 0 && out.isEmpty()) return text;
            out.append(text, from, text.length());
            return out.text();
        }
    }

    /** Each character by itself: no final sigma. */
    record Lowercase() implements Normalizer {
        @Override
        public String apply(String text) {
            StringBuilder out = new StringBuilder(text.length());
            for (int i = 0, n; i < text.length(); i += n) {
                int c = text.codePointAt(i);
                n = Character.charCount(c);
                // the only character whose lower case is two
                if (c == '\u0130') out.append(Character.toString(c).toLowerCase(Locale.ROOT));
                else out.appendCodePoint(LibraryUnicode.toLowerCase(c));
            }
            return out.toString();
        }
    }

    record Strip(boolean left, boolean right) implements Normalizer {
        @Override
        public String apply(String text) {
            int start = 0;
            int end = text.length();
            while (left && start < end && Characters.isSpace(text.charAt(start))) start++;
            while (right && end > start && Characters.isSpace(text.charAt(end - 1))) end--;
            return text.substring(start, end);
        }
    }

    record StripAccents() implements Normalizer {
        @Override
        public String apply(String text) {
            StringBuilder out = new StringBuilder(text.length());
            text.codePoints().filter(c -> !LibraryUnicode.isMark(c)).forEach(out::appendCodePoint);
            return out.toString();
        }
    }

    /** SentencePiece's "nmt" rules without its character map: control characters vanish, spaces and joiners are spaces. */
    record Nmt() implements Normalizer {
        @Override
        public String apply(String text) {
            StringBuilder out = new StringBuilder(text.length());
            for (int i = 0; i < text.length(); i++) { // all these are in the basic plane
                char c = text.charAt(i);
                switch (c) {
                    case '\t', '\n', '\f', '\r', 0x1680, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD -> out.append(' ');
                    case 0x7F, 0x8F, 0x9F -> {}
                    default -> {
                        if (c == 0 || c >= ' ') out.append(c);
                    }
                }
            }
            return out.toString();
        }
    }

    /**
     * BERT's cleaning.
     *
     * @param clean drops control characters, makes each space U+0020
     * @param spaceIdeographs puts spaces around CJK ideographs
     * @param stripAccents decomposes, and drops the nonspacing marks
     */
    record Bert(boolean clean, boolean spaceIdeographs, boolean stripAccents, boolean lowercase) implements Normalizer {
        @Override
        public String apply(String text) {
            if (clean || spaceIdeographs) {
                StringBuilder out = new StringBuilder(text.length());
                for (int i = 0, n; i < text.length(); i += n) {
                    int c = text.codePointAt(i);
                    n = Character.charCount(c);
                    if (clean && (c == 0xFFFD || LibraryUnicode.isControl(c))) continue;
                    if (clean && Characters.isSpace(c)) out.append(' ');
                    else if (spaceIdeographs && Characters.isBertIdeograph(c)) out.append(' ').appendCodePoint(c).append(' ');
                    else out.appendCodePoint(c);
                }
                text = out.toString();
            }
            if (stripAccents) {
                StringBuilder out = new StringBuilder(text.length());
                new Unicode(Form.NFD).apply(text).codePoints().filter(c -> !LibraryUnicode.isNonspacing(c)).forEach(out::appendCodePoint);
                text = out.toString();
            }
            return lowercase ? new Lowercase().apply(text) : text;
        }
    }

    record ByteLevel() implements Normalizer {
        @Override
        public String apply(String text) {
            return ByteAlphabet.map(text, 0, text.length());
        }
    }
}
