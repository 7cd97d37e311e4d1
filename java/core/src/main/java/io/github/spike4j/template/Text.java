package io.github.spike4j.template;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.IntPredicate;
import java.util.stream.Collectors;

/** Python's {@code str}: its notions of white space, characters (code points, not UTF-16 units) and quoting. */
final class Text {
    private Text() {}

    /** {@code str.isspace} of one character; all of them are in the basic plane. */
    static boolean isSpace(int c) {
        return c == ' ' || c >= 9 && c <= 13 || c >= 0x1C && c <= 0x1F || c == 0x85 || Character.isSpaceChar(c);
    }

    static int endWithoutSpace(String s) {
        int end = s.length();
        while (end > 0 && isSpace(s.charAt(end - 1))) end--;
        return end;
    }

    /** {@code strip}; {@code chars} null: white space. */
    static String strip(String s, String chars, boolean left, boolean right) {
        IntPredicate strips = chars == null ? Text::isSpace : chars.codePoints().boxed().collect(Collectors.toSet())::contains;
        int start = 0;
        int end = s.length();
        while (left && start < end && strips.test(s.codePointAt(start))) start += Character.charCount(s.codePointAt(start));
        while (right && end > start && strips.test(s.codePointBefore(end))) end -= Character.charCount(s.codePointBefore(end));
        return s.substring(start, end);
    }

    /** Whether UTF-16 units are code points. */
    private static boolean flat(String s) {
        for (int i = 0; i < s.length(); i++) {
            if (Character.isSurrogate(s.charAt(i))) return false;
        }
        return true;
    }

    static int length(String s) {
        return s.codePointCount(0, s.length());
    }

    /** The unit index of a character index. */
    static int unit(String s, int character) {
        return flat(s) ? character : s.offsetByCodePoints(0, character);
    }

    static int character(String s, int unit) {
        return unit < 0 ? unit : s.codePointCount(0, unit);
    }

    /** All characters, each as a text. */
    static List<Object> characters(String s) {
        var list = new ArrayList<>(s.length());
        for (int i = 0, n; i < s.length(); i += n) {
            n = Character.charCount(s.codePointAt(i));
            list.add(s.substring(i, i + n));
        }
        return list;
    }

    static String upper(String s) {
        return s.toUpperCase(Locale.ROOT);
    }

    static String lower(String s) {
        return s.toLowerCase(Locale.ROOT);
    }

    static String capitalize(String s) {
        if (s.isEmpty()) return s;
        int n = Character.charCount(s.codePointAt(0));
        return titleCase(s.substring(0, n)) + lower(s.substring(n));
    }

    private static String titleCase(String character) {
        int c = character.codePointAt(0);
        int title = Character.toTitleCase(c);
        return title != c ? Character.toString(title) : capitalizeLonger(character);
    }

    /** Characters that become several, such as the sharp s: only the first stays upper case. */
    private static String capitalizeLonger(String character) {
        var upper = upper(character);
        int n = upper.isEmpty() ? 0 : Character.charCount(upper.codePointAt(0));
        return upper.length() == n ? upper : upper.substring(0, n) + lower(upper.substring(n));
    }

    /** {@code str.title}: upper case after everything that is no letter. */
    static String title(String s) {
        var out = new StringBuilder(s.length());
        boolean inside = false;
        for (int i = 0, n; i < s.length(); i += n) {
            int c = s.codePointAt(i);
            n = Character.charCount(c);
            var one = s.substring(i, i + n);
            out.append(inside ? lower(one) : titleCase(one));
            inside = isCased(c);
        }
        return out.toString();
    }

    static boolean isCased(int c) {
        return Character.isUpperCase(c) || Character.isLowerCase(c) || Character.isTitleCase(c);
    }

    static String swapCase(String s) {
        var out = new StringBuilder(s.length());
        s.codePoints().forEach(c -> out.append(Character.isUpperCase(c) ? lower(Character.toString(c)) : upper(Character.toString(c))));
        return out.toString();
    }

    /** {@code str.split}; {@code separator} null: white space; {@code max} negative: all. */
    static List<Object> split(String s, String separator, long max, Budget budget) {
        var parts = new ArrayList<>();
        int from = 0;
        if (separator == null) {
            while (true) {
                while (from < s.length() && isSpace(s.charAt(from))) from++;
                if (from == s.length()) break;
                budget.spend(1);
                int end = from;
                if (max >= 0 && parts.size() >= max) {
                    end = s.length();
                } else {
                    while (end < s.length() && !isSpace(s.charAt(end))) end++;
                }
                parts.add(s.substring(from, end));
                if (max >= 0 && parts.size() > max) break;
                from = end;
            }
            return parts;
        }
        for (int i; (max < 0 || parts.size() < max) && (i = indexOf(s, separator, from)) >= 0; from = i + separator.length()) {
            budget.spend(1);
            parts.add(s.substring(from, i));
        }
        parts.add(s.substring(from));
        return parts;
    }

    /** {@code str.rsplit}: splits from the right. */
    static List<Object> splitRight(String s, String separator, long max, Budget budget) {
        if (max < 0) return split(s, separator, max, budget);
        var parts = new ArrayList<>();
        int end = separator == null ? endWithoutSpace(s) : s.length();
        if (separator == null) {
            while (end > 0) {
                budget.spend(1);
                int start = end;
                if (parts.size() >= max) {
                    start = 0;
                } else {
                    while (start > 0 && !isSpace(s.charAt(start - 1))) start--;
                }
                parts.add(s.substring(start, end));
                if (parts.size() > max) break;
                end = start;
                while (end > 0 && isSpace(s.charAt(end - 1))) end--;
            }
            return new ArrayList<>(parts.reversed());
        }
        // From the right is from the left in the reversed text; an occurrence there ends at i from the right here.
        var mirror = reversed(s);
        var wanted = reversed(separator);
        for (int i; parts.size() < max && (i = indexOf(mirror, wanted, s.length() - end)) >= 0;) {
            budget.spend(1);
            int from = s.length() - i;
            parts.add(s.substring(from, end));
            end = from - separator.length();
        }
        parts.add(s.substring(0, end));
        return new ArrayList<>(parts.reversed());
    }

    static List<Object> lines(String s, boolean keepEnds, Budget budget) {
        var lines = new ArrayList<>();
        int from = 0;
        while (from < s.length()) {
            budget.spend(1);
            int end = from;
            while (end < s.length() && !isLineEnd(s.charAt(end))) end++;
            int next = end == s.length() ? end : s.startsWith("\r\n", end) ? end + 2 : end + 1;
            lines.add(s.substring(from, keepEnds ? next : end));
            from = next;
        }
        return lines;
    }

    private static boolean isLineEnd(char c) {
        return c >= 10 && c <= 13 || c >= 0x1C && c <= 0x1E || c == 0x85 || c == 0x2028 || c == 0x2029;
    }

    /** As {@link String#indexOf(String, int)}, but never quadratic. */
    static int indexOf(String s, String sub, int from) {
        if ((s.length() - (long) from) * sub.length() < 1 << 16) return s.indexOf(sub, from);
        // Knuth, Morris, Pratt: border[i] is the longest proper prefix of sub that ends sub[0..i].
        var border = new int[sub.length()];
        for (int i = 1, k = 0; i < sub.length(); i++) {
            while (k > 0 && sub.charAt(i) != sub.charAt(k)) k = border[k - 1];
            if (sub.charAt(i) == sub.charAt(k)) k++;
            border[i] = k;
        }
        for (int i = from, k = 0; i < s.length(); i++) {
            while (k > 0 && s.charAt(i) != sub.charAt(k)) k = border[k - 1];
            if (s.charAt(i) == sub.charAt(k)) k++;
            if (k == sub.length()) return i - k + 1;
        }
        return -1;
    }

    /** As {@link String#lastIndexOf(String)}, but never quadratic. */
    static int lastIndexOf(String s, String sub) {
        if ((long) s.length() * sub.length() < 1 << 16) return s.lastIndexOf(sub);
        int i = indexOf(reversed(s), reversed(sub), 0);
        return i < 0 ? -1 : s.length() - sub.length() - i;
    }

    /** By UTF-16 unit. */
    private static String reversed(String s) {
        var units = s.toCharArray();
        for (int i = 0, j = units.length - 1; i < j; i++, j--) {
            char c = units[i];
            units[i] = units[j];
            units[j] = c;
        }
        return new String(units);
    }

    /** {@code str.replace}; {@code max} negative: all. */
    static String replace(String s, String old, String with, long max, Budget budget) {
        budget.text(s.length());
        var out = new StringBuilder();
        int from = 0;
        long done = 0;
        if (old.isEmpty()) {
            while (max < 0 || done < max) {
                budget.spend(1);
                append(out, with, budget);
                done++;
                if (from == s.length()) return out.toString();
                int n = Character.charCount(s.codePointAt(from));
                out.append(s, from, from + n);
                from += n;
            }
            return out.append(s, from, s.length()).toString();
        }
        for (int i; (max < 0 || done < max) && (i = indexOf(s, old, from)) >= 0; from = i + old.length(), done++) {
            budget.spend(1);
            append(out.append(s, from, i), with, budget);
        }
        return done == 0 ? s : out.append(s, from, s.length()).toString();
    }

    /** Appends, within the limit of a text. */
    static void append(StringBuilder out, String s, Budget budget) {
        budget.text(s.length());
        if (out.length() + (long) s.length() > Budget.MAX_TEXT) budget.text(out.length() + (long) s.length());
        out.append(s);
    }

    static String repeat(String s, long times, Budget budget) {
        if (times <= 0 || s.isEmpty()) return "";
        budget.text(times > Budget.MAX_TEXT ? Long.MAX_VALUE : times * s.length());
        return s.repeat((int) times);
    }

    /** Fills up to a width in characters; {@code left} of the filling goes before the text. */
    static String pad(String s, long width, String fill, int side, Budget budget) {
        long missing = width - length(s);
        if (missing <= 0) return s;
        long before = side < 0 ? 0 : side > 0 ? missing : missing / 2 + (missing & width & 1);
        return repeat(fill, before, budget) + s + repeat(fill, missing - before, budget);
    }

    /** {@code repr} of a text. */
    static String quote(String s) {
        char q = s.indexOf('\'') >= 0 && s.indexOf('"') < 0 ? '"' : '\'';
        var out = new StringBuilder(s.length() + 2).append(q);
        for (int i = 0, n; i < s.length(); i += n) {
            int c = s.codePointAt(i);
            n = Character.charCount(c);
            switch (c) {
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\\' -> out.append("\\\\");
                default -> {
                    if (c == q) out.append('\\').append(q);
                    else if (isPrintable(c)) out.appendCodePoint(c);
                    else escape(out, c);
                }
            }
        }
        return out.append(q).toString();
    }

    /** {@code ascii}: {@link #quote} with everything else than ASCII escaped. */
    static String ascii(String quoted) {
        var out = new StringBuilder();
        quoted.codePoints().forEach(c -> {
            if (c < 128) out.append((char) c);
            else escape(out, c);
        });
        return out.toString();
    }

    private static void escape(StringBuilder out, int c) {
        out.append(c < 256 ? "\\x%02x".formatted(c) : c < 65536 ? "\\u%04x".formatted(c) : "\\U%08x".formatted(c));
    }

    static boolean isPrintable(int c) {
        return c == ' ' || switch (Character.getType(c)) {
            case Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.PRIVATE_USE, Character.UNASSIGNED,
                    Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR, Character.SPACE_SEPARATOR -> false;
            default -> true;
        };
    }

    /** Python's order of texts: by code point. */
    static int compare(String a, String b) {
        int n = Math.min(a.length(), b.length());
        for (int i = 0; i < n; i++) {
            char x = a.charAt(i);
            char y = b.charAt(i);
            if (x != y) {
                // A surrogate stands for a character above all others.
                return Character.isSurrogate(x) == Character.isSurrogate(y) ? x - y : Character.isSurrogate(x) ? 1 : -1;
            }
        }
        return a.length() - b.length();
    }
}
