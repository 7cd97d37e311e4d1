package io.github.spike4j.tokenizer;

import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Cuts text into the words within which the model merges. Pre-tokenizers form a chain of {@link Sink}s, so that a word passes from one to
 * the next, and to the model, as a range of a text and without a list in between.
 */
sealed interface PreTokenizer {
    /** A new consumer, for one thread, that cuts what it is given and passes the parts to {@code next}. */
    Sink before(Sink next);

    interface Sink {
        /** @param first whether the range starts where the original text starts */
        void word(String text, int start, int end, boolean first);
    }

    record Sequence(List<PreTokenizer> steps) implements PreTokenizer {
        @Override
        public Sink before(Sink next) {
            for (PreTokenizer step : steps.reversed()) next = step.before(next);
            return next;
        }
    }

    record Split(Spans.Finder pattern, Spans.Behavior behavior, boolean invert) implements PreTokenizer {
        @Override
        public Sink before(Sink next) {
            return new Splitter(this, next);
        }
    }

    /** Metaspace: spaces become {@code replacement}, which is also put in front, and starts the words. */
    record Metaspace(String replacement, Prepend prepend, boolean split) implements PreTokenizer {
        enum Prepend { ALWAYS, FIRST, NEVER }

        @Override
        public Sink before(Sink next) {
            Sink out = split ? new Split(new Spans.Finder.Literal(replacement), Spans.Behavior.MERGED_WITH_NEXT, false).before(next) : next;
            return (text, start, end, first) -> {
                String s = text.substring(start, end).replace(" ", replacement);
                boolean wanted = prepend == Prepend.ALWAYS || prepend == Prepend.FIRST && first;
                if (wanted && !s.startsWith(replacement)) s = replacement + s;
                out.word(s, 0, s.length(), first);
            };
        }
    }

    /**
     * ByteLevel.
     *
     * @param words also split by GPT-2's expression
     * @param map whether words are rewritten in {@link ByteAlphabet}; not needed where the model reads bytes itself
     */
    record ByteLevel(boolean addPrefixSpace, boolean words, boolean map) implements PreTokenizer {
        private static final Split GPT2 = new Split(new Spans.Finder.Regex(Regexes.compile(
                "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+")), Spans.Behavior.ISOLATED, false);

        @Override
        public Sink before(Sink next) {
            Sink mapped = !map ? next : (text, start, end, first) -> {
                String s = ByteAlphabet.map(text, start, end);
                next.word(s, 0, s.length(), first);
            };
            Sink out = words ? GPT2.before(mapped) : mapped;
            return !addPrefixSpace ? out : (text, start, end, first) -> {
                if (text.charAt(start) == ' ') {
                    out.word(text, start, end, first);
                } else {
                    String s = " " + text.substring(start, end);
                    out.word(s, 0, s.length(), first);
                }
            };
        }
    }

    /**
     * Where the script changes; spaces and unassigned characters belong to what is before them, kana to Han. As in Hugging Face's
     * library, such characters at the very start are dropped.
     */
    record UnicodeScripts() implements PreTokenizer {
        @Override
        public Sink before(Sink next) {
            return (text, start, end, first) -> {
                int begin = -1;
                Character.UnicodeScript last = null;
                for (int i = start, n; i < end; i += n) {
                    int c = text.codePointAt(i);
                    n = Character.charCount(c);
                    Character.UnicodeScript script = script(c);
                    if (script == null || script == last) continue;
                    if (begin >= 0) next.word(text, begin, i, first && begin == start);
                    begin = i;
                    last = script;
                }
                if (begin >= 0) next.word(text, begin, end, first && begin == start);
            };
        }

        /** Null where any script will do. */
        private static Character.UnicodeScript script(int c) {
            if (c == ' ') return null;
            if (c == 0x30FC) return Character.UnicodeScript.HAN;
            Character.UnicodeScript script = Character.UnicodeScript.of(c);
            return switch (script) {
                case HIRAGANA, KATAKANA -> Character.UnicodeScript.HAN;
                case UNKNOWN -> null;
                default -> script;
            };
        }
    }

    /** Pieces of {@code length} code points. */
    record FixedLength(int length) implements PreTokenizer {
        @Override
        public Sink before(Sink next) {
            return (text, start, end, first) -> {
                for (int i = start, stop; i < end; i = stop) {
                    stop = text.codePointCount(i, end) <= length ? end : text.offsetByCodePoints(i, length);
                    next.word(text, i, stop, first && i == start);
                }
            };
        }
    }

    /** One thread's use of a {@link Split}. */
    final class Splitter implements Sink {
        private final Split split;
        private final Sink next;
        private final Spans spans = new Spans();
        private Matcher matcher;
        private String text;

        Splitter(Split split, Sink next) {
            this.split = split;
            this.next = next;
        }

        @Override
        public void word(String text, int start, int end, boolean first) {
            if (split.pattern instanceof Spans.Finder.Regex(Pattern regex) && text != this.text) {
                CharSequence bounded = Regexes.bounded(regex, text);
                matcher = matcher == null ? regex.matcher(bounded) : matcher.reset(bounded);
                this.text = text;
            }
            spans.find(split.pattern, matcher, text, start, end);
            spans.parts(start, split.behavior, split.invert, (s, e) -> next.word(text, s, e, first && s == start));
        }
    }
}
