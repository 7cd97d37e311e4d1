package io.github.spike4j.tokenizer;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Locale;
import java.util.Map;
import java.util.regex.PatternSyntaxException;

/**
 * Translates an expression of Oniguruma's own syntax, which {@code tokenizer.json} uses, into one of {@link java.util.regex.Pattern} with
 * {@link #FLAGS}. What differs: the names of classes, {@code \h \N \O \v}, lines ({@code ^} and {@code $} are of each line, which only
 * {@code \n} ends; the option {@code m} lets a dot match it), POSIX brackets, what is literal in a class, and quantifiers:
 * {@code {,n}}, a brace that is no quantifier, and {@code {n,m}+}, which is not possessive but a quantifier of a quantifier. What
 * {@code Pattern} cannot do (calls, conditionals, absent expressions, {@code \K}) is refused. Case folding is that of single characters.
 */
final class Oniguruma {
    static final int FLAGS = java.util.regex.Pattern.UNICODE_CHARACTER_CLASS | java.util.regex.Pattern.UNICODE_CASE
            | java.util.regex.Pattern.UNIX_LINES | java.util.regex.Pattern.MULTILINE;
    private static final int MAX_DEPTH = 32;

    /** {@code \w} in a class: Java's has the zero-width joiners too. */
    private static final String WORD = "[\\w&&[^\\x{200c}\\x{200d}]]";
    /** {@code \w} outside of classes: by Oniguruma's table of Latin-1, which has the superscripts and fractions. */
    private static final String LONE_WORD = "[" + WORD + "\\xb2\\xb3\\xb9\\xbc-\\xbe]";
    private static final String WORD_EDGE = "(?:(?<=" + LONE_WORD + ")(?!" + LONE_WORD + ")|(?<!" + LONE_WORD + ")(?=" + LONE_WORD + "))";

    /** Classes that have the same members under another name, or none in Java; all lower case, without {@code _}, {@code -} and spaces. */
    private static final Map<String, String> CLASSES = Map.ofEntries(
            Map.entry("alnum", "[\\p{IsAlphabetic}\\p{Nd}]"), Map.entry("alpha", "\\p{IsAlphabetic}"), Map.entry("blank", "[\\p{Zs}\\t]"),
            Map.entry("cntrl", "\\p{Cc}"), Map.entry("digit", "\\p{Nd}"), Map.entry("graph", "[^\\p{IsWhite_Space}\\p{Cc}\\p{Cn}\\p{Cs}]"),
            Map.entry("lower", "\\p{IsLowercase}"), Map.entry("print", "[[^\\p{IsWhite_Space}\\p{Cc}\\p{Cn}\\p{Cs}]\\p{Zs}]"),
            Map.entry("punct", "\\p{P}"), Map.entry("space", "\\s"), Map.entry("upper", "\\p{IsUppercase}"), Map.entry("xdigit", "[0-9A-Fa-f]"),
            Map.entry("word", WORD), Map.entry("ascii", "[\\x00-\\x7f]"), Map.entry("any", "[\\x{0}-\\x{10ffff}]"), Map.entry("assigned", "\\P{Cn}"),
            Map.entry("letter", "\\p{L}"), Map.entry("uppercaseletter", "\\p{Lu}"), Map.entry("lowercaseletter", "\\p{Ll}"),
            Map.entry("titlecaseletter", "\\p{Lt}"), Map.entry("casedletter", "\\p{LC}"), Map.entry("modifierletter", "\\p{Lm}"), Map.entry("otherletter", "\\p{Lo}"),
            Map.entry("mark", "\\p{M}"), Map.entry("combiningmark", "\\p{M}"), Map.entry("nonspacingmark", "\\p{Mn}"), Map.entry("spacingmark", "\\p{Mc}"),
            Map.entry("enclosingmark", "\\p{Me}"), Map.entry("number", "\\p{N}"), Map.entry("decimalnumber", "\\p{Nd}"), Map.entry("letternumber", "\\p{Nl}"),
            Map.entry("othernumber", "\\p{No}"), Map.entry("punctuation", "\\p{P}"), Map.entry("connectorpunctuation", "\\p{Pc}"),
            Map.entry("dashpunctuation", "\\p{Pd}"), Map.entry("openpunctuation", "\\p{Ps}"), Map.entry("closepunctuation", "\\p{Pe}"),
            Map.entry("initialpunctuation", "\\p{Pi}"), Map.entry("finalpunctuation", "\\p{Pf}"), Map.entry("otherpunctuation", "\\p{Po}"),
            Map.entry("symbol", "\\p{S}"), Map.entry("mathsymbol", "\\p{Sm}"), Map.entry("currencysymbol", "\\p{Sc}"), Map.entry("modifiersymbol", "\\p{Sk}"),
            Map.entry("othersymbol", "\\p{So}"), Map.entry("separator", "\\p{Z}"), Map.entry("spaceseparator", "\\p{Zs}"), Map.entry("lineseparator", "\\p{Zl}"),
            Map.entry("paragraphseparator", "\\p{Zp}"), Map.entry("other", "\\p{C}"), Map.entry("control", "\\p{Cc}"), Map.entry("format", "\\p{Cf}"),
            Map.entry("surrogate", "\\p{Cs}"), Map.entry("privateuse", "\\p{Co}"), Map.entry("unassigned", "\\p{Cn}"));
    /** Binary properties, by Oniguruma's name, to Java's. */
    private static final Map<String, String> PROPERTIES = Map.ofEntries(
            Map.entry("alphabetic", "Alphabetic"), Map.entry("whitespace", "White_Space"), Map.entry("uppercase", "Uppercase"), Map.entry("lowercase", "Lowercase"),
            Map.entry("ideographic", "Ideographic"), Map.entry("joincontrol", "Join_Control"), Map.entry("hexdigit", "Hex_Digit"),
            Map.entry("noncharactercodepoint", "Noncharacter_Code_Point"), Map.entry("emoji", "Emoji"), Map.entry("emojipresentation", "Emoji_Presentation"),
            Map.entry("emojimodifier", "Emoji_Modifier"), Map.entry("emojimodifierbase", "Emoji_Modifier_Base"), Map.entry("emojicomponent", "Emoji_Component"),
            Map.entry("extendedpictographic", "Extended_Pictographic"));

    private final String regex;
    private final StringBuilder out;
    private int at;

    private Oniguruma(String regex) {
        this.regex = regex;
        out = new StringBuilder(regex.length() + 16);
    }

    /** @throws PatternSyntaxException if it has what cannot be translated; what is wrong in both syntaxes is left to {@code Pattern} */
    static String toJava(String regex) {
        Oniguruma o = new Oniguruma(regex);
        o.translate();
        return o.out.toString();
    }

    private void translate() {
        Deque<Integer> groups = new ArrayDeque<>();
        int atom = -1; // where what a quantifier is for starts in the output
        boolean quantified = false;
        while (at < regex.length()) {
            int start = out.length();
            char c = regex.charAt(at);
            int brace = c == '{' ? quantifierEnd() : -1;
            if (c == '*' || c == '+' || c == '?' || brace > 0) {
                if (atom < 0) throw error("a quantifier without a target");
                if (quantified) out.insert(atom, "(?:").append(')');
                quantifier(atom, brace);
                quantified = true;
                continue;
            }
            quantified = false;
            atom = start;
            switch (c) {
                case '\\' -> escape(false);
                case '[' -> characterClass(0);
                case '(' -> {
                    if (regex.startsWith("(?#", at)) {
                        at = regex.indexOf(')', at) + 1;
                        if (at == 0) throw error("a comment without an end");
                    } else {
                        groups.push(start);
                        group(groups);
                    }
                    atom = -1;
                }
                case ')' -> {
                    out.append(c);
                    at++;
                    atom = groups.isEmpty() ? -1 : groups.pop();
                }
                case '|', '^' -> {
                    out.append(c);
                    at++;
                    atom = -1;
                }
                case '{', '}', ']' -> {
                    out.append('\\').append(c);
                    at++;
                }
                default -> {
                    out.appendCodePoint(regex.codePointAt(at));
                    at = regex.offsetByCodePoints(at, 1);
                }
            }
        }
    }

    /** After {@code (}: its kind. Options that stand alone are no group. */
    private void group(Deque<Integer> groups) {
        out.append('(');
        at++;
        if (!regex.startsWith("?", at)) return;
        int end = at + 1;
        while (end < regex.length() && (regex.charAt(end) == '-' || Character.isLetter(regex.charAt(end)))) end++;
        boolean alone = end < regex.length() && regex.charAt(end) == ')';
        if (end == at + 1 || !alone && (end == regex.length() || regex.charAt(end) != ':')) {
            if (regex.startsWith("?~", at) || regex.startsWith("?(", at)) throw error("a group that is not supported");
            out.append('?');
            at++;
            return;
        }
        out.append('?');
        for (int i = at + 1; i < end; i++) {
            char option = regex.charAt(i);
            switch (option) {
                case 'm' -> out.append('s');
                case 'i', 'x', '-' -> out.append(option);
                default -> throw error("the option " + option + " is not supported");
            }
        }
        out.append(regex.charAt(end));
        at = end + 1;
        if (alone) groups.pop();
    }

    /** Where the quantifier in braces ends, or -1 if the brace is literal. */
    private int quantifierEnd() {
        int i = at + 1;
        int digits = 0;
        boolean comma = false;
        for (; i < regex.length(); i++) {
            char c = regex.charAt(i);
            if (c >= '0' && c <= '9') digits++;
            else if (c == ',' && !comma) comma = true;
            else break;
        }
        return digits > 0 && i < regex.length() && regex.charAt(i) == '}' ? i + 1 : -1;
    }

    /** @param brace where a quantifier in braces ends, else negative */
    private void quantifier(int atom, int brace) {
        if (brace < 0) {
            out.append(regex.charAt(at++));
            // reluctant, possessive
            if (at < regex.length() && (regex.charAt(at) == '?' || regex.charAt(at) == '+')) out.append(regex.charAt(at++));
            return;
        }
        String range = regex.substring(at + 1, brace - 1);
        at = brace;
        if (range.startsWith(",")) range = "0" + range;
        char next = at < regex.length() ? regex.charAt(at) : 0;
        boolean exact = range.indexOf(',') < 0;
        if (next == '+' && (range.startsWith("1,") || range.startsWith("0,"))) {
            // the same as + or *, and those do not recurse
            out.append(range.startsWith("1,") ? '+' : '*');
            at++;
        } else if (next == '+' || next == '?' && exact) {
            out.insert(atom, "(?:").append('{').append(range).append("})").append(next);
            at++;
        } else {
            out.append('{').append(range).append('}');
            if (next == '?') {
                out.append(next);
                at++;
            }
        }
    }

    /** An escape, within a class or outside. */
    private void escape(boolean inClass) {
        if (at + 1 >= regex.length()) throw error("\\ at the end");
        char c = regex.charAt(at + 1);
        at += 2;
        switch (c) {
            case 'p', 'P' -> {
                int close = regex.startsWith("{", at) ? regex.indexOf('}', at) : -1;
                if (close < 0) throw error("\\" + c + " without {name}");
                boolean not = regex.startsWith("^", at + 1);
                named(regex.substring(at + (not ? 2 : 1), close), not != (c == 'P'));
                at = close + 1;
            }
            case 'h' -> out.append("[0-9A-Fa-f]");
            case 'H' -> out.append("[^0-9A-Fa-f]");
            case 'v' -> out.append("\\x0b");
            case 'N' -> out.append("[^\\n]");
            case 'O' -> out.append("[\\x{0}-\\x{10ffff}]");
            case 'b' -> out.append(inClass ? "\\x08" : WORD_EDGE);
            case 'w' -> out.append(inClass ? WORD : LONE_WORD);
            case 'W' -> out.append("[^").append(inClass ? WORD : LONE_WORD).append(']');
            case 'd', 'D', 's', 'S', 'n', 't', 'r', 'f', 'a', 'e' -> out.append('\\').append(c);
            case 'x', 'u' -> {
                int end = regex.startsWith("{", at) ? regex.indexOf('}', at) + 1 : Math.min(regex.length(), at + (c == 'x' ? 2 : 4));
                if (end <= at) throw error("\\" + c + " without digits");
                out.append('\\').append(c).append(regex, at, end);
                at = end;
            }
            case 'B' -> out.append(inClass ? "B" : "(?!" + WORD_EDGE + ")");
            case 'A', 'G', 'R', 'X', 'Z', 'k', 'z' -> {
                if (inClass) out.append(c);
                else out.append('\\').append(c);
            }
            case 'C', 'K', 'M', 'Y', 'c', 'g', 'y' -> throw error("\\" + c + " is not supported");
            default -> {
                if (c < 0x80 && Character.isLetter(c)) out.append(c);
                else if (Character.isSurrogate(c) || c >= 0x80) out.append(c);
                else out.append('\\').append(c);
            }
        }
    }

    private void named(String name, boolean negated) {
        String key = name.toLowerCase(Locale.ROOT).replaceAll("[ _-]", "");
        String set = CLASSES.get(key);
        if (set == null && PROPERTIES.containsKey(key)) set = "\\p{Is" + PROPERTIES.get(key) + "}";
        if (set == null && (key.length() == 1 || key.length() == 2)) set = "\\p{" + Character.toUpperCase(key.charAt(0)) + key.substring(1) + "}";
        if (set == null && script(name) == null && key.startsWith("in")) set = "\\p{In" + key.substring(2) + "}"; // a block
        if (set == null) set = script(name);
        if (set == null) throw error("the class " + name + " is not known");
        if (!negated) out.append(set);
        else if (set.startsWith("\\")) out.append('\\').append((char) (set.charAt(1) ^ 0x20)).append(set, 2, set.length());
        else out.append("[^").append(set).append(']');
    }

    private static String script(String name) {
        try {
            return "\\p{Is" + Character.UnicodeScript.forName(name.replace(' ', '_').replace('-', '_')) + "}";
        } catch (IllegalArgumentException notAScript) {
            return null;
        }
    }

    private void characterClass(int depth) {
        if (depth > MAX_DEPTH) throw error("classes are nested deeper than " + MAX_DEPTH);
        out.append('[');
        at++;
        if (regex.startsWith("^", at)) {
            out.append('^');
            at++;
        }
        boolean first = true;
        while (true) {
            if (at >= regex.length()) throw error("a class without an end");
            char c = regex.charAt(at);
            if (c == ']' && !first) {
                out.append(c);
                at++;
                return;
            }
            first = false;
            if (c == '[') {
                int end = regex.startsWith("[:", at) ? regex.indexOf(":]", at) : -1;
                String name = end < 0 ? "" : regex.substring(at + 2, end);
                if (name.matches("\\^?[a-z]+")) {
                    boolean not = name.startsWith("^");
                    // only in brackets are symbols punctuation
                    if (name.endsWith("punct")) out.append(not ? "[^\\p{P}\\p{S}]" : "[\\p{P}\\p{S}]");
                    else named(not ? name.substring(1) : name, not);
                    at = end + 2;
                } else {
                    characterClass(depth + 1);
                }
            } else if (regex.startsWith("&&", at)) {
                out.append("&&");
                at += 2;
            } else if (single()) {
                boolean range = regex.startsWith("-", at) && at + 1 < regex.length() && regex.charAt(at + 1) != ']' && isSingle(at + 1);
                if (range) {
                    out.append('-');
                    at++;
                    single();
                }
            }
        }
    }

    /** Whether a character, and not a set, is at {@code i} in a class. */
    private boolean isSingle(int i) {
        if (regex.charAt(i) == '[' || regex.startsWith("&&", i)) return false;
        return regex.charAt(i) != '\\' || i + 1 < regex.length() && "pPhHNOdDsSwWRX".indexOf(regex.charAt(i + 1)) < 0;
    }

    /** A character of a class, or an escaped set: false. */
    private boolean single() {
        boolean isSingle = isSingle(at);
        char c = regex.charAt(at);
        if (c == '\\') {
            escape(true);
        } else {
            if (c < 0x80 && !Character.isLetterOrDigit(c) && c > ' ') out.append('\\');
            if (c == ' ') out.append("\\ ");
            else out.appendCodePoint(regex.codePointAt(at));
            at = regex.offsetByCodePoints(at, 1);
        }
        return isSingle;
    }

    private PatternSyntaxException error(String what) {
        return new PatternSyntaxException(what, regex, at);
    }
}
