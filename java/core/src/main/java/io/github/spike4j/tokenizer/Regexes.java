package io.github.spike4j.tokenizer;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/** The files' expressions on {@link Pattern}, bounded in time and stack. */
final class Regexes {
    private static final int MAX_LENGTH = 1 << 16;

    private Regexes() {}

    static Pattern compile(String regex) {
        if (regex.length() > MAX_LENGTH) throw new TokenizerException("tokenizer.json: a regular expression of " + regex.length() + " characters; the limit is " + MAX_LENGTH);
        try {
            return Pattern.compile(Oniguruma.toJava(regex), Oniguruma.FLAGS);
        } catch (PatternSyntaxException e) {
            throw new TokenizerException("tokenizer.json: the regular expression " + abbreviate(regex) + " cannot be used: " + e.getDescription(), e);
        } catch (StackOverflowError e) {
            throw new TokenizerException("tokenizer.json: the regular expression " + abbreviate(regex) + " is nested too deeply", e);
        }
    }

    /** The text for a matcher, made so that an expression whose backtracking explodes is stopped. */
    static CharSequence bounded(Pattern pattern, String text) {
        return new Bounded(pattern, text, 20_000_000 + 1_000L * text.length());
    }

    /**
     * The next match after one that ended at {@code last}. An empty match right there, or within a surrogate pair, is none. An expression that
     * exhausts the stack is reported as the file's fault.
     */
    static boolean find(Matcher matcher, String text, int last) {
        try {
            while (matcher.find()) {
                int start = matcher.start();
                if (start < matcher.end()) return true;
                boolean within = start > 0 && start < text.length() && Character.isLowSurrogate(text.charAt(start)) && Character.isHighSurrogate(text.charAt(start - 1));
                if (start != last && !within) return true;
            }
            return false;
        } catch (StackOverflowError e) {
            throw new TokenizerException("the tokenizer's regular expression " + abbreviate(matcher.pattern().pattern())
                    + " recurses too deeply on this text", e);
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
