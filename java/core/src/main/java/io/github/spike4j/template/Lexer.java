package io.github.spike4j.template;

import java.math.BigInteger;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;

/** Cuts a template into tokens as Jinja2's lexer does, white space control ({@code trim_blocks}, {@code lstrip_blocks}) included. */
final class Lexer {
    enum Kind { DATA, BLOCK_BEGIN, BLOCK_END, VARIABLE_BEGIN, VARIABLE_END, NAME, STRING, INTEGER, FLOAT, OPERATOR, END }

    /**
     * A token.
     *
     * @param text  data, name or operator as written, the value of a string
     * @param value of a literal
     */
    record Token(Kind kind, String text, Object value, int line) {
        boolean is(Kind k, String t) {
            return kind == k && text.equals(t);
        }

        /** As error messages name it. */
        String describe() {
            return switch (kind) {
                case DATA -> "template data / text";
                case BLOCK_BEGIN -> "begin of statement block";
                case BLOCK_END -> "end of statement block";
                case VARIABLE_BEGIN -> "begin of print statement";
                case VARIABLE_END -> "end of print statement";
                case STRING -> "string";
                case INTEGER -> "integer";
                case FLOAT -> "float";
                case END -> "end of template";
                case NAME, OPERATOR -> text;
            };
        }
    }

    private static final List<String> OPERATORS = List.of("//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(",
            ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";");

    private final String source;
    private final int[] lineStarts;
    private final List<Token> tokens = new ArrayList<>();
    private int at;
    /** Whether the last thing read ended a line. */
    private boolean lineStart = true;

    private Lexer(String template) {
        var text = template.replace("\r\n", "\n").replace('\r', '\n');
        source = text.endsWith("\n") ? text.substring(0, text.length() - 1) : text;
        int lines = 1;
        for (int i = 0; i < source.length(); i++) {
            if (source.charAt(i) == '\n') lines++;
        }
        lineStarts = new int[lines];
        for (int i = 0, line = 1; i < source.length(); i++) {
            if (source.charAt(i) == '\n') lineStarts[line++] = i + 1;
        }
    }

    /** All tokens, an END at last. */
    static List<Token> tokens(String template) {
        var lexer = new Lexer(template);
        lexer.read();
        return lexer.tokens;
    }

    private void read() {
        while (at < source.length()) {
            int open = nextOpening();
            if (open < 0) {
                add(Kind.DATA, source.substring(at), null, at);
                break;
            }
            char kind = source.charAt(open + 1);
            int after = open + 2;
            char sign = signAt(after);
            if (sign != 0) after++;
            data(source.substring(at, open), at, sign, kind == '{');
            lineStart = false;
            switch (kind) {
                case '#' -> comment(after);
                case '{' -> {
                    add(Kind.VARIABLE_BEGIN, "{{", null, open);
                    at = after;
                    code(false, open);
                }
                default -> {
                    int raw = rawBody(after);
                    if (raw >= 0) {
                        raw(raw);
                    } else {
                        add(Kind.BLOCK_BEGIN, "{%", null, open);
                        at = after;
                        code(true, open);
                    }
                }
            }
        }
        add(Kind.END, "", null, source.length());
    }

    private int nextOpening() {
        for (int i = source.indexOf('{', at); i >= 0 && i + 1 < source.length(); i = source.indexOf('{', i + 1)) {
            char c = source.charAt(i + 1);
            if (c == '{' || c == '%' || c == '#') return i;
        }
        return -1;
    }

    private char signAt(int i) {
        return i < source.length() && (source.charAt(i) == '-' || source.charAt(i) == '+') ? source.charAt(i) : 0;
    }

    /** Text before a tag, stripped as the tag's sign or {@code lstrip_blocks} wants it. */
    private void data(String text, int start, char sign, boolean variable) {
        if (sign == '-') {
            text = text.substring(0, Text.endWithoutSpace(text));
        } else if (sign != '+' && !variable) {
            int line = text.lastIndexOf('\n') + 1;
            if ((line > 0 || lineStart) && Text.endWithoutSpace(text) <= line) text = text.substring(0, line);
        }
        if (!text.isEmpty()) add(Kind.DATA, text, null, start);
    }

    private void comment(int from) {
        int end = source.indexOf("#}", from);
        if (end < 0) throw error("Missing end of comment tag", from);
        closeTag(end > from && source.charAt(end - 1) == '-', end > from && source.charAt(end - 1) == '+', end + 2);
    }

    /** Goes on after a tag's end: {@code -} takes white space, {@code trim_blocks} one line break. */
    private void closeTag(boolean strip, boolean keep, int next) {
        at = next;
        if (strip) {
            while (at < source.length() && Text.isSpace(source.charAt(at))) at++;
        } else if (!keep && at < source.length() && source.charAt(at) == '\n') {
            at++;
        }
        lineStart = source.charAt(at - 1) == '\n';
    }

    /** The start of a raw block's text if {@code raw} is the tag's name, else -1. */
    private int rawBody(int from) {
        int i = skipSpace(from);
        if (!source.startsWith("raw", i)) return -1;
        i = skipSpace(i + 3);
        if (source.startsWith("-%}", i)) return skipSpace(i + 3);
        return source.startsWith("%}", i) ? i + 2 : -1;
    }

    private void raw(int from) {
        lineStart = source.charAt(from - 1) == '\n';
        for (int open = source.indexOf("{%", from); open >= 0; open = source.indexOf("{%", open + 2)) {
            char sign = signAt(open + 2);
            int i = skipSpace(open + (sign == 0 ? 2 : 3));
            if (!source.startsWith("endraw", i)) continue;
            i = skipSpace(i + 6);
            boolean strip = source.startsWith("-%}", i);
            boolean keep = source.startsWith("+%}", i);
            if (!strip && !keep && !source.startsWith("%}", i)) continue;
            data(source.substring(from, open), from, sign, false);
            closeTag(strip, keep, i + (strip || keep ? 3 : 2));
            return;
        }
        throw error("Missing end of raw directive", from);
    }

    private int skipSpace(int i) {
        while (i < source.length() && Text.isSpace(source.charAt(i))) i++;
        return i;
    }

    /** Tokens of a statement or an expression up to its end. */
    private void code(boolean block, int open) {
        String close = block ? "%}" : "}}";
        Deque<Character> brackets = new ArrayDeque<>();
        while (true) {
            at = skipSpace(at);
            if (at >= source.length()) return; // the parser misses the rest
            if (brackets.isEmpty()) {
                char sign = signAt(at);
                boolean signed = sign != 0 && (sign == '-' || block) && source.startsWith(close, at + 1);
                if (signed || source.startsWith(close, at)) {
                    add(block ? Kind.BLOCK_END : Kind.VARIABLE_END, close, null, at);
                    closeTag(signed && sign == '-', !block || signed && sign == '+', at + (signed ? 3 : 2));
                    return;
                }
            }
            char c = source.charAt(at);
            if (c >= '0' && c <= '9') {
                number();
            } else if (c == '"' || c == '\'') {
                string(c);
            } else if (c == '_' || Character.isUnicodeIdentifierPart(source.codePointAt(at)) && !Character.isIdentifierIgnorable(c)) {
                name();
            } else {
                operator(brackets);
            }
        }
    }

    private void operator(Deque<Character> brackets) {
        String op = null;
        for (var o : OPERATORS) {
            if (source.startsWith(o, at)) {
                op = o;
                break;
            }
        }
        if (op == null) {
            throw error("unexpected char " + Text.quote(Character.toString(source.codePointAt(at))) + " at " + at, at);
        }
        switch (op) {
            case "{" -> brackets.push('}');
            case "(" -> brackets.push(')');
            case "[" -> brackets.push(']');
            case "}", ")", "]" -> {
                if (brackets.isEmpty()) throw error("unexpected '" + op + "'", at);
                char expected = brackets.pop();
                if (expected != op.charAt(0)) throw error("unexpected '" + op + "', expected '" + expected + "'", at);
            }
            default -> { }
        }
        add(Kind.OPERATOR, op, null, at);
        at += op.length();
    }

    private void name() {
        int start = at;
        while (at < source.length()) {
            int c = source.codePointAt(at);
            if (c != '_' && (!Character.isUnicodeIdentifierPart(c) || Character.isIdentifierIgnorable(c))) break;
            at += Character.charCount(c);
        }
        var name = source.substring(start, at);
        int first = name.codePointAt(0);
        if (first != '_' && !Character.isUnicodeIdentifierStart(first)) throw error("Invalid character in identifier", start);
        add(Kind.NAME, name, null, start);
    }

    private void number() {
        int start = at;
        int end = digits(start, 10);
        int fraction = end < source.length() && source.charAt(end) == '.' ? digits(end + 1, 10) : -1;
        if (fraction == end + 1) fraction = -1;
        int mantissa = fraction < 0 ? end : fraction;
        int exponent = -1;
        if (mantissa < source.length() && (source.charAt(mantissa) | 0x20) == 'e') {
            int from = mantissa + 1 + (signAt(mantissa + 1) == 0 ? 0 : 1);
            exponent = digits(from, 10);
            if (exponent == from) exponent = -1;
        }
        boolean afterDot = start > 0 && source.charAt(start - 1) == '.';
        if (!afterDot && (fraction >= 0 || exponent >= 0)) {
            at = exponent >= 0 ? exponent : fraction;
            add(Kind.FLOAT, source.substring(start, at), Double.valueOf(source.substring(start, at).replace("_", "")), start);
            return;
        }
        int radix = 10;
        if (source.charAt(start) == '0') {
            int prefix = start + 1 < source.length() ? "box".indexOf(source.charAt(start + 1) | 0x20) : -1;
            int wide = prefix < 0 ? -1 : new int[] {2, 8, 16}[prefix];
            int from = start + 2 < source.length() && source.charAt(start + 2) == '_' ? start + 3 : start + 2;
            if (wide > 0 && digits(from, wide) > from) {
                radix = wide;
                start = from;
                end = digits(from, wide);
            } else {
                end = start + 1;
                while (end < source.length() && (source.charAt(end) == '0'
                        || source.startsWith("_0", end))) end += source.charAt(end) == '0' ? 1 : 2;
            }
        }
        at = end;
        var text = source.substring(start, end).replace("_", "");
        if (text.length() > Budget.MAX_BITS / 4) throw error("an integer of " + text.length() + " digits", start);
        add(Kind.INTEGER, text, Numbers.integer(new BigInteger(text, radix)), start);
    }

    /** The end of digits from {@code i}, single underscores between them. */
    private int digits(int i, int radix) {
        int end = i;
        while (i < source.length() && source.charAt(i) < 128 && Character.digit(source.charAt(i), radix) >= 0) {
            end = ++i;
            if (i < source.length() && source.charAt(i) == '_') i++;
        }
        return end;
    }

    private void string(char quote) {
        int start = at++;
        var out = new StringBuilder();
        while (true) {
            if (at >= source.length()) throw error("unexpected char " + Text.quote(String.valueOf(quote)) + " at " + start, start);
            char c = source.charAt(at++);
            if (c == quote) break;
            if (c != '\\') out.append(c);
            else if (at >= source.length()) throw error("unexpected char " + Text.quote(String.valueOf(quote)) + " at " + start, start);
            else escape(out, start);
        }
        add(Kind.STRING, out.toString(), null, start);
    }

    private void escape(StringBuilder out, int start) {
        char c = source.charAt(at++);
        switch (c) {
            case '\n' -> { }
            case 'n' -> out.append('\n');
            case 't' -> out.append('\t');
            case 'r' -> out.append('\r');
            case 'a' -> out.append((char) 7);
            case 'b' -> out.append('\b');
            case 'f' -> out.append('\f');
            case 'v' -> out.append((char) 11);
            case '\\', '\'', '"' -> out.append(c);
            case 'x' -> out.appendCodePoint(hex(2, start));
            case 'u' -> out.append((char) hex(4, start));
            case 'U' -> {
                int code = hex(8, start);
                if (code < 0 || code > Character.MAX_CODE_POINT) throw error("illegal Unicode character", start);
                out.appendCodePoint(code);
            }
            case 'N' -> out.appendCodePoint(named(start));
            case '0', '1', '2', '3', '4', '5', '6', '7' -> {
                int code = c - '0';
                for (int i = 0; i < 2 && at < source.length() && source.charAt(at) >= '0' && source.charAt(at) <= '7'; i++) {
                    code = code * 8 + source.charAt(at++) - '0';
                }
                out.appendCodePoint(code);
            }
            default -> out.append('\\').append(c);
        }
    }

    private int hex(int count, int start) {
        int code = 0;
        for (int i = 0; i < count; i++, at++) {
            int d = at < source.length() && source.charAt(at) < 128 ? Character.digit(source.charAt(at), 16) : -1;
            if (d < 0) throw error("truncated \\" + "xuU".charAt(count == 2 ? 0 : count == 4 ? 1 : 2) + "X".repeat(count) + " escape", start);
            code = code << 4 | d;
        }
        return code;
    }

    private int named(int start) {
        int end = source.startsWith("{", at) ? source.indexOf('}', at) : -1;
        if (end < 0) throw error("malformed \\N character escape", start);
        try {
            int code = Character.codePointOf(source.substring(at + 1, end));
            at = end + 1;
            return code;
        } catch (IllegalArgumentException e) {
            throw error("unknown Unicode character name", start);
        }
    }

    private void add(Kind kind, String text, Object value, int position) {
        tokens.add(new Token(kind, text, value, line(position)));
    }

    private int line(int position) {
        int i = Arrays.binarySearch(lineStarts, position);
        return i >= 0 ? i + 1 : -i - 1;
    }

    private TemplateException error(String message, int position) {
        return new TemplateException(message, line(position));
    }
}
