package io.github.spike4j.tokenizer;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * The files' expressions are written for Oniguruma (Ruby syntax, Unicode classes); this runs them on {@link Pattern}. The differences that
 * tokenizers meet: classes and case folding are Unicode's, only {@code \n} ends a line, scripts are {@code \p{Han}} (here
 * {@code \p{IsHan}}), and {@code \h} is a hexadecimal digit.
 */
final class Regexes {
    private static final int FLAGS = Pattern.UNICODE_CHARACTER_CLASS | Pattern.UNICODE_CASE | Pattern.UNIX_LINES;

    private Regexes() {}

    static Pattern compile(String regex) {
        try {
            return Pattern.compile(translate(regex), FLAGS);
        } catch (PatternSyntaxException e) {
            throw new TokenizerException("tokenizer.json: the regular expression " + abbreviate(regex) + " cannot be used: " + e.getDescription(), e);
        } catch (StackOverflowError e) {
            throw new TokenizerException("tokenizer.json: the regular expression " + abbreviate(regex) + " is nested too deeply", e);
        }
    }

    /** The text for a matcher, made so that an expression whose backtracking explodes is stopped. */
    static CharSequence bounded(Pattern pattern, String text) {
        return new Bounded(pattern, text, 100_000 + 1_000L * text.length());
    }

    /** The next match; an expression that exhausts the stack is reported as the file's fault. */
    static boolean find(Matcher matcher) {
        try {
            return matcher.find();
        } catch (StackOverflowError e) {
            throw new TokenizerException("the tokenizer's regular expression " + abbreviate(matcher.pattern().pattern())
                    + " recurses too deeply on this text", e);
        }
    }

    private static String translate(String regex) {
        StringBuilder out = new StringBuilder(regex.length() + 16);
        for (int i = 0; i < regex.length(); i++) {
            char c = regex.charAt(i);
            out.append(c);
            if (c != '\\' || i + 1 == regex.length()) continue;
            char escape = regex.charAt(++i);
            int close = (escape == 'p' || escape == 'P') && regex.startsWith("{", i + 1) ? regex.indexOf('}', i) : -1;
            if (close > 0) {
                boolean not = regex.startsWith("^", i + 2);
                boolean negated = not != (escape == 'P');
                out.append(negated ? 'P' : 'p').append('{').append(property(regex.substring(i + (not ? 3 : 2), close))).append('}');
                i = close;
            } else if (escape == 'h' || escape == 'H') {
                out.append(escape == 'h' ? "p{XDigit}" : "P{XDigit}");
            } else {
                out.append(escape);
            }
        }
        return out.toString();
    }

    private static String property(String name) {
        String general = switch (name.toLowerCase(Locale.ROOT)) {
            case "letter" -> "L";
            case "mark" -> "M";
            case "number" -> "N";
            case "punctuation" -> "P";
            case "symbol" -> "S";
            case "separator" -> "Z";
            case "other" -> "C";
            default -> name;
        };
        if (general.length() <= 2) return general;
        try {
            return "Is" + Character.UnicodeScript.forName(name).name();
        } catch (IllegalArgumentException notAScript) {
            return name;
        }
    }

    private static String abbreviate(String regex) {
        return regex.length() <= 80 ? regex : regex.substring(0, 77) + "...";
    }

    private static final class Bounded implements CharSequence {
        private final Pattern pattern;
        private final String text;
        private long budget;

        Bounded(Pattern pattern, String text, long budget) {
            this.pattern = pattern;
            this.text = text;
            this.budget = budget;
        }

        @Override
        public char charAt(int i) {
            if (--budget < 0) {
                throw new TokenizerException("the tokenizer's regular expression " + abbreviate(pattern.pattern())
                        + " takes too many steps on this text");
            }
            return text.charAt(i);
        }

        @Override
        public int length() {
            return text.length();
        }

        @Override
        public CharSequence subSequence(int start, int end) {
            return text.substring(start, end);
        }

        @Override
        public String toString() {
            return text;
        }
    }
}
