package io.github.spike4j.tokenizer;

import java.util.Arrays;
import java.util.function.IntPredicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What a pattern finds in a text: consecutive spans that cover it, each a match or not. */
final class Spans {
    private int[] end = new int[16];
    private boolean[] match = new boolean[16];
    private int count;

    /** What a file's pattern is: a literal, an expression, or a class of characters (each one a match). */
    sealed interface Finder {
        record Literal(String text) implements Finder {}

        record Regex(Pattern pattern) implements Finder {}

        record Chars(IntPredicate test) implements Finder {}
    }

    /** How matches become parts of words (Hugging Face's {@code SplitDelimiterBehavior}). */
    enum Behavior {
        REMOVED, ISOLATED, MERGED_WITH_PREVIOUS, MERGED_WITH_NEXT, CONTIGUOUS
    }

    @FunctionalInterface
    interface Part {
        void accept(int start, int end);
    }

    /** Covers {@code [start, stop)}; the matcher, where there is one, is set on the same text. */
    void find(Finder finder, Matcher matcher, String text, int start, int stop) {
        count = 0;
        int from = start;
        switch (finder) {
            case Finder.Literal(String literal) -> {
                for (int i = text.indexOf(literal, start, stop); i >= 0; i = text.indexOf(literal, from, stop)) {
                    from = addMatch(from, i, i + literal.length());
                }
            }
            case Finder.Regex _ -> {
                matcher.region(start, stop);
                for (int last = -1; Regexes.find(matcher, text, last); from = addMatch(from, matcher.start(), last)) last = matcher.end();
            }
            case Finder.Chars(IntPredicate test) -> {
                for (int i = start; i < stop; ) {
                    int c = text.codePointAt(i);
                    int next = i + Character.charCount(c);
                    if (test.test(c)) from = addMatch(from, i, next);
                    i = next;
                }
            }
        }
        if (from < stop) add(stop, false);
    }

    /** Gives the non-empty parts in order. */
    void parts(int start, Behavior behavior, boolean invert, Part out) {
        int begin = start;
        for (int i = 0; i < count; ) {
            int last = i;
            boolean isMatch = match[i] != invert;
            switch (behavior) {
                case REMOVED, ISOLATED -> {}
                case CONTIGUOUS -> {
                    while (last + 1 < count && match[last + 1] != invert == isMatch) last++;
                }
                // a match joins its neighbour, unless the match before (after) it has done so
                case MERGED_WITH_PREVIOUS -> {
                    if (!isMatch && last + 1 < count && match[last + 1] != invert) last++;
                }
                case MERGED_WITH_NEXT -> {
                    if (isMatch && last + 1 < count && match[last + 1] == invert) last++;
                }
            }
            if (end[last] > begin && !(behavior == Behavior.REMOVED && isMatch)) out.accept(begin, end[last]);
            begin = end[last];
            i = last + 1;
        }
    }

    private int addMatch(int from, int start, int stop) {
        if (from < start) add(start, false);
        add(stop, true);
        return stop;
    }

    private void add(int stop, boolean isMatch) {
        if (count == end.length) {
            end = Arrays.copyOf(end, count * 2);
            match = Arrays.copyOf(match, count * 2);
        }
        end[count] = stop;
        match[count++] = isMatch;
    }
}
