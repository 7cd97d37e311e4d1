package io.github.spike4j.tokenizer;

import java.text.Normalizer.Form;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Rewrites a piece of text before it is split; an empty piece stays empty. */
sealed interface Normalizer {
    String apply(String text);

    record Sequence(List<Normalizer> steps) implements Normalizer {
        @Override
        public String apply(String text) {
            for (Normalizer step : steps) text = step.apply(text);
            return text;
        }
    }

    record Unicode(Form form) implements Normalizer {
        @Override
        public String apply(String text) {
            return java.text.Normalizer.normalize(text, form);
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
            return switch (pattern) {
                case Spans.Finder.Literal(String literal) -> text.replace(literal, content);
                case Spans.Finder.Regex(Pattern regex) -> {
                    Matcher m = regex.matcher(Regexes.bounded(regex, text));
                    StringBuilder out = new StringBuilder(text.length());
                    int from = 0;
                    for (; Regexes.find(m); from = m.end()) out.append(text, from, m.start()).append(content);
                    yield from == 0 && out.isEmpty() ? text : out.append(text, from, text.length()).toString();
                }
                case Spans.Finder.Chars _ -> throw new AssertionError("a file cannot say this");
            };
        }
    }

    /** Each character by itself: no final sigma. */
    record Lowercase() implements Normalizer {
        @Override
        public String apply(String text) {
            StringBuilder out = new StringBuilder(text.length());
            text.codePoints().forEach(c -> out.append(c < 0x80 ? String.valueOf(Character.toLowerCase((char) c))
                    : Character.toString(c).toLowerCase(Locale.ROOT)));
            return out.toString();
        }
    }

    record Strip(boolean left, boolean right) implements Normalizer {
        @Override
        public String apply(String text) {
            int start = 0;
            int end = text.length();
            while (left && start < end && AddedTokens.isSpace(text.charAt(start))) start++;
            while (right && end > start && AddedTokens.isSpace(text.charAt(end - 1))) end--;
            return text.substring(start, end);
        }
    }

    record StripAccents() implements Normalizer {
        @Override
        public String apply(String text) {
            StringBuilder out = new StringBuilder(text.length());
            text.codePoints().filter(c -> !isMark(c)).forEach(out::appendCodePoint);
            return out.toString();
        }

        static boolean isMark(int c) {
            return switch (Character.getType(c)) {
                case Character.NON_SPACING_MARK, Character.ENCLOSING_MARK, Character.COMBINING_SPACING_MARK -> true;
                default -> false;
            };
        }
    }

    record ByteLevel() implements Normalizer {
        @Override
        public String apply(String text) {
            return ByteAlphabet.map(text, 0, text.length());
        }
    }
}
