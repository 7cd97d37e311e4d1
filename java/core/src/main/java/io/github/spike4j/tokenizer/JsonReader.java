package io.github.spike4j.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * A pull reader over UTF-8 JSON (RFC 8259). A vocabulary has hundreds of thousands of entries, so large objects are walked in place;
 * only the small component descriptions become trees. Memory is bounded by the text's own length, nesting by {@link #MAX_DEPTH}.
 */
final class JsonReader {
    static final int MAX_DEPTH = 64;
    /** The largest unsigned integer that may get one more digit (0 to 5). */
    private static final long MAX_DIGITS = Long.divideUnsigned(-1, 10);
    private static final double[] POWERS_OF_TEN = new double[309];

    static {
        for (int n = 0; n < POWERS_OF_TEN.length; n++) POWERS_OF_TEN[n] = Double.parseDouble("1e" + n);
    }

    private final byte[] json;
    private int at;
    private int depth;

    JsonReader(byte[] json) {
        this.json = json;
        requireUtf8();
        if (json.length >= 3 && json[0] == (byte) 0xEF && json[1] == (byte) 0xBB && json[2] == (byte) 0xBF) at = 3;
    }

    int position() {
        return at;
    }

    /** Moves to a value seen before, at a position taken just before it. */
    void position(int position) {
        at = position;
    }

    /** Reads an object; {@code member} is given each name and must consume the value. */
    void object(Consumer<String> member) {
        enter('{', "an object");
        if (!closes('}')) {
            do {
                String name = string();
                expect(':');
                member.accept(name);
            } while (next('}'));
        }
        depth--;
    }

    /** Reads an array; {@code element} is called before each element and must consume it. */
    void array(Runnable element) {
        enter('[', "an array");
        if (!closes(']')) {
            do element.run(); while (next(']'));
        }
        depth--;
    }

    /** Reads an object whose names are wanted as UTF-8 and whose values are integers, without a String for each name. */
    void integers(Bytes name, Consumer<Long> value) {
        enter('{', "an object");
        if (!closes('}')) {
            do {
                name.clear();
                string(name);
                expect(':');
                value.accept(integer());
            } while (next('}'));
        }
        depth--;
    }

    boolean at(char c) {
        return peek() == c;
    }

    /** Any value as Map, List, String, Long, Double, Boolean or null. */
    Object value() {
        return switch (peek()) {
            case '{' -> {
                Map<String, Object> map = new LinkedHashMap<>();
                object(name -> map.put(name, value()));
                yield map;
            }
            case '[' -> {
                List<Object> list = new ArrayList<>();
                array(() -> list.add(value()));
                yield list;
            }
            case '"' -> string();
            case 't' -> literal("true", Boolean.TRUE);
            case 'f' -> literal("false", Boolean.FALSE);
            case 'n' -> literal("null", null);
            default -> number();
        };
    }

    void skip() {
        switch (peek()) {
            case '{' -> object(name -> skip());
            case '[' -> array(this::skip);
            case '"' -> skipString();
            default -> value();
        }
    }

    String string() {
        if (peek() != '"') throw error("a string is expected");
        int end = at + 1;
        while (end < json.length && json[end] != '"' && json[end] != '\\' && (json[end] & 0xFF) >= 0x20) end++;
        if (end < json.length && json[end] == '"') {
            String s = new String(json, at + 1, end - at - 1, StandardCharsets.UTF_8);
            at = end + 1;
            return s;
        }
        Bytes bytes = new Bytes(end - at + 16);
        string(bytes);
        return new String(bytes.array, 0, bytes.length, StandardCharsets.UTF_8);
    }

    /** Appends the string, unescaped, as UTF-8. */
    void string(Bytes out) {
        if (peek() != '"') throw error("a string is expected");
        at++;
        while (true) {
            int b = at < json.length ? json[at++] & 0xFF : -1;
            if (b < 0x20) throw error(b < 0 ? "the text ends within a string" : "a control character within a string");
            if (b == '"') return;
            if (b != '\\') {
                out.add((byte) b);
                continue;
            }
            int c = at < json.length ? json[at++] : -1;
            switch (c) {
                case '"', '\\', '/' -> out.add((byte) c);
                case 'b' -> out.add((byte) '\b');
                case 'f' -> out.add((byte) '\f');
                case 'n' -> out.add((byte) '\n');
                case 'r' -> out.add((byte) '\r');
                case 't' -> out.add((byte) '\t');
                case 'u' -> out.addCodePoint(escapedCodePoint());
                default -> throw error("an unknown escape");
            }
        }
    }

    long integer() {
        if (value() instanceof Long l) return l;
        throw error("an integer is expected");
    }

    /**
     * A number, read as serde_json does: the digits as one integer, which is then scaled by a power of ten. That is not always the nearest
     * double; sums of Unigram scores that are equal or not by such a difference decide between segmentations.
     */
    double decimal() {
        boolean negative = peek() == '-';
        int start = at;
        if (negative) at++;
        long digits = 0; // unsigned
        int exponent = 0;
        boolean point = false;
        boolean full = false; // the rest of the digits is ignored
        int seen = 0;
        for (; at < json.length; at++) {
            int d = json[at] - '0';
            if (json[at] == '.' && !point && seen > 0) {
                point = true;
                continue;
            }
            if (d < 0 || d > 9) break;
            seen++;
            full |= Long.compareUnsigned(digits, MAX_DIGITS) > 0 || digits == MAX_DIGITS && d > 5;
            if (!full) digits = digits * 10 + d;
            if (full != point) exponent += full ? 1 : -1;
        }
        if (at < json.length && (json[at] | 0x20) == 'e' && seen > 0) {
            at++;
            if (at < json.length && json[at] == '+') at++;
            if (!(value() instanceof Long e) || Math.abs(e) > 100_000) throw error("an exponent is expected");
            exponent += e.intValue();
        }
        if (seen == 0) {
            at = start;
            throw error("a number is expected");
        }
        double value = digits >= 0 ? digits : ((digits >>> 1 | digits & 1) * 2.0);
        for (; exponent < -308 && value != 0; exponent += 308) value /= 1e308;
        if (value != 0) value = exponent >= 0 ? value * powerOfTen(exponent) : value / powerOfTen(-exponent);
        if (Double.isInfinite(value)) throw error("a number is out of range");
        return negative ? -value : value;
    }

    private static double powerOfTen(int n) {
        return n > 308 ? Double.POSITIVE_INFINITY : POWERS_OF_TEN[n];
    }

    /** Only white space may follow. */
    void end() {
        skipSpace();
        if (at < json.length) throw error("text after the end of the value");
    }

    TokenizerException error(String what) {
        return new TokenizerException("tokenizer.json: " + what + ", at byte " + Math.min(at, json.length) + " of " + json.length);
    }

    private int escapedCodePoint() {
        int c = hex4();
        if (Character.isLowSurrogate((char) c)) throw error("an unpaired surrogate");
        if (!Character.isHighSurrogate((char) c)) return c;
        if (at + 1 >= json.length || json[at] != '\\' || json[at + 1] != 'u') throw error("an unpaired surrogate");
        at += 2;
        int low = hex4();
        if (!Character.isLowSurrogate((char) low)) throw error("an unpaired surrogate");
        return Character.toCodePoint((char) c, (char) low);
    }

    private int hex4() {
        int v = 0;
        for (int i = 0; i < 4; i++) {
            int d = at < json.length ? Character.digit(json[at], 16) : -1;
            if (d < 0) throw error("four hexadecimal digits are expected");
            v = v << 4 | d;
            at++;
        }
        return v;
    }

    private Object number() {
        int start = at;
        boolean integral = true;
        while (at < json.length && "+-.eE0123456789".indexOf(json[at]) >= 0) {
            integral &= json[at] == '-' || Character.isDigit(json[at]);
            at++;
        }
        String s = new String(json, start, at - start, StandardCharsets.ISO_8859_1);
        try {
            if (integral) return Long.valueOf(s);
            return Double.valueOf(s);
        } catch (NumberFormatException e) {
            at = start;
            throw error("a value is expected");
        }
    }

    private Object literal(String word, Object value) {
        for (int i = 0; i < word.length(); i++, at++) {
            if (at >= json.length || json[at] != word.charAt(i)) throw error("a value is expected");
        }
        return value;
    }

    private void skipString() {
        at++;
        while (at < json.length && json[at] != '"') at += json[at] == '\\' ? 2 : 1;
        if (at >= json.length) throw error("the text ends within a string");
        at++;
    }

    private void enter(char open, String what) {
        if (peek() != open) throw error(what + " is expected");
        if (++depth > MAX_DEPTH) throw error("nested deeper than " + MAX_DEPTH);
        at++;
    }

    /** True, and past it, if the container closes at once. */
    private boolean closes(char close) {
        if (peek() != close) return false;
        at++;
        return true;
    }

    /** After a member or element: true past a comma, false past the end. */
    private boolean next(char close) {
        int c = peek();
        at++;
        if (c == ',') return true;
        if (c == close) return false;
        at--;
        throw error("',' or '" + close + "' is expected");
    }

    private void expect(char c) {
        if (peek() != c) throw error("'" + c + "' is expected");
        at++;
    }

    private int peek() {
        skipSpace();
        if (at >= json.length) throw error("the text ends too early");
        return json[at];
    }

    private void skipSpace() {
        while (at < json.length && (json[at] == ' ' || json[at] == '\n' || json[at] == '\r' || json[at] == '\t')) at++;
    }

    private void requireUtf8() {
        for (int i = 0; i < json.length; ) {
            int n = Utf8.wellFormedLength(json, i, json.length);
            if (n == 0) {
                at = i;
                throw error("not UTF-8");
            }
            i += n;
        }
    }
}
