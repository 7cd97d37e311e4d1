package io.github.spike4j.format;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Pulls values out of strict JSON (RFC 8259, UTF-8), one after the other as the caller knows them. What is not there is reported with its
 * place: "is null, not an integer of 32 bits (at linears.lm_head.rows)".
 *
 * <p>A model is often the first thing that a JVM does, and then it is classes that cost: here are two, and a good text needs no reflection,
 * no lambda and no regular expression.
 */
final class JsonReader {
    private static final int MAX_DEPTH = 64;

    private final byte[] json;
    private int at;
    private int depth;
    /** What we are in, by depth: the member's name, null in an array. */
    private final String[] names = new String[MAX_DEPTH + 1];
    /** Number of the member or element there; -1 before the first. */
    private final int[] numbers = new int[MAX_DEPTH + 1];

    JsonReader(byte[] utf8) {
        json = utf8;
    }

    // ---- plain values --------------------------------------------------------------------------------------------------

    /** Whether a null comes, which is read then. */
    boolean isNull() throws JsonException {
        return peek() == 'n' && literal("null");
    }

    /** A text, or null. */
    String text() throws JsonException {
        byte c = peek();
        if (c != '"' && c != 'n') {
            throw wrong("text");
        }
        return c == 'n' && literal("null") ? null : string();
    }

    boolean flag() throws JsonException {
        byte c = peek();
        if (c != 't' && c != 'f') {
            throw wrong("true or false");
        }
        return literal(c == 't' ? "true" : "false") && c == 't';
    }

    int int32() throws JsonException {
        return (int) whole("an integer of 32 bits", Integer.MIN_VALUE, Integer.MAX_VALUE);
    }

    long int64() throws JsonException {
        return whole("an integer of 64 bits", Long.MIN_VALUE, Long.MAX_VALUE);
    }

    private long whole(String expected, long low, long high) throws JsonException {
        int start = at;
        if (!startsNumber() || !(number() instanceof Long n) || n < low || n > high) {
            at = start;
            throw wrong(expected);
        }
        return n;
    }

    /** Rounded from the nearest double. */
    float float32() throws JsonException {
        int start = at;
        if (startsNumber()) {
            float value = number().floatValue();
            if (Float.isFinite(value)) {
                return value;
            }
        }
        at = start;
        throw wrong("a number of 32 bits");
    }

    double float64() throws JsonException {
        if (!startsNumber()) {
            throw wrong("a number");
        }
        return number().doubleValue();
    }

    int[] int32s() throws JsonException {
        int[] values = new int[4];
        int n = 0;
        for (array(); element(); n++) {
            values = n == values.length ? Arrays.copyOf(values, 2 * n) : values;
            values[n] = int32();
        }
        return Arrays.copyOf(values, n);
    }

    long[] int64s() throws JsonException {
        long[] values = new long[4];
        int n = 0;
        for (array(); element(); n++) {
            values = n == values.length ? Arrays.copyOf(values, 2 * n) : values;
            values[n] = int64();
        }
        return Arrays.copyOf(values, n);
    }

    /** One of some constants, by its name. */
    <E extends Enum<E>> E constant(E[] all) throws JsonException {
        int start = at;
        String name = peek() == '"' ? string() : null;
        for (E constant : all) {
            if (constant.name().equals(name)) {
                return constant;
            }
        }
        at = start;
        throw wrong(all[0].getDeclaringClass().getSimpleName() + ", one of " + Arrays.toString(all));
    }

    private boolean startsNumber() {
        byte c = peek();
        return c == '-' || c >= '0' && c <= '9';
    }

    /** Any value, as Map, List, String, Long, Double, Boolean or null. */
    Object value() throws JsonException {
        switch (peek()) {
            case '{' -> {
                var map = new LinkedHashMap<String, Object>();
                object();
                for (String name; (name = member(map)) != null; ) {
                    map.put(name, value());
                }
                return map;
            }
            case '[' -> {
                var list = new ArrayList<>();
                for (array(); element(); ) {
                    list.add(value());
                }
                return list;
            }
            case '"', 'n' -> {
                return text();
            }
            case 't', 'f' -> {
                return flag();
            }
            default -> {
                return number();
            }
        }
    }

    private void skip() throws JsonException {
        switch (peek()) {
            case '{' -> {
                for (object(); more('}'); ) {
                    name();
                    skip();
                }
            }
            case '[' -> {
                for (array(); element(); ) {
                    skip();
                }
            }
            default -> value();
        }
    }

    /** Nothing else follows. */
    void end() throws JsonException {
        peek();
        if (at < json.length) {
            throw error("text after the end");
        }
    }

    // ---- arrays and objects --------------------------------------------------------------------------------------------

    /** Into an array; {@link #element} leads through it. */
    void array() throws JsonException {
        enter('[', "an array", null);
    }

    /** Whether there is one more element, which must be read then; if not, the array is left. */
    boolean element() throws JsonException {
        return more(']');
    }

    /** Into an object whose names are anybody's; {@link #member} leads through it. */
    void object() throws JsonException {
        enter('{', "an object", "");
    }

    /**
     * The next member's name; its value must be read then. Null, and the object is left, if there is none.
     *
     * @param before the members so far, none of which may come again
     */
    String member(Map<String, ?> before) throws JsonException {
        if (!more('}')) {
            return null;
        }
        String name = name();
        if (before.containsKey(name)) {
            throw twice(name);
        }
        return names[depth] = name;
    }

    /** Into an object whose fields are known. */
    Fields fields() throws JsonException {
        object();
        return new Fields();
    }

    /** The fields of an object: exactly those that are asked for, in any order. */
    final class Fields {
        private final int level = depth;
        private final int start = at;
        /** Which members have been read, by their number. */
        private long read;

        /** To the value of a field, which must be read then. */
        JsonReader get(String name) throws JsonException {
            // who writes files writes the fields in the order in which they are asked for
            if (!(more('}') && isNext(name)) && !find(name)) {
                names[level] = "";
                throw here("has no field " + name);
            }
            names[level] = name;
            read |= 1L << numbers[level];
            return JsonReader.this;
        }

        private boolean find(String name) throws JsonException {
            for (back(); numbers[level] < Long.SIZE - 1 && more('}'); skip()) {
                if (name().equals(name)) {
                    return true;
                }
            }
            return false;
        }

        private void back() {
            at = start;
            depth = level;
            numbers[level] = -1;
        }

        /** Leaves the object. */
        <T> T all(T value) throws JsonException {
            int last = numbers[level];
            if (more('}') || Long.bitCount(read) != last + 1) {
                checkAll();
            }
            return value;
        }

        private void checkAll() throws JsonException {
            for (back(); more('}'); skip()) {
                String name = name();
                int number = numbers[level];
                if (number >= Long.SIZE || (read >>> number & 1) == 0) {
                    names[level] = "";
                    boolean known = find(name) && numbers[level] < number;
                    depth = level;
                    throw known ? twice(name) : here("has an unknown field '" + printable(name) + "'");
                }
            }
        }
    }

    private void enter(char open, String what, String name) throws JsonException {
        if (peek() != open) {
            throw wrong(what);
        }
        if (depth == MAX_DEPTH) {
            throw error("nested deeper than " + MAX_DEPTH);
        }
        at++;
        depth++;
        names[depth] = name;
        numbers[depth] = -1;
    }

    /** Past the comma before the next member or element; past the closing bracket if there is none. */
    private boolean more(char close) throws JsonException {
        byte c = peek();
        if (c == close) {
            at++;
            depth--;
            return false;
        }
        if (++numbers[depth] > 0) {
            if (c != ',') {
                throw error("',' or '" + close + "' is expected");
            }
            at++;
        }
        return true;
    }

    /** Past a member's name. */
    private String name() throws JsonException {
        if (peek() != '"') {
            throw error("a name is expected");
        }
        String name = string();
        colon();
        return name;
    }

    /** Whether this is the next name, letter by letter; then past it. */
    private boolean isNext(String name) throws JsonException {
        int n = name.length();
        if (peek() != '"' || at + n + 1 >= json.length || json[at + n + 1] != '"') {
            return false;
        }
        for (int i = 0; i < n; i++) {
            if (json[at + 1 + i] != name.charAt(i)) {
                return false;
            }
        }
        at += n + 2;
        colon();
        return true;
    }

    private void colon() throws JsonException {
        if (peek() != ':') {
            throw error("':' is expected");
        }
        at++;
    }

    // ---- characters ----------------------------------------------------------------------------------------------------

    /** The next character that is not white space; 0 at the end. */
    private byte peek() {
        while (at < json.length) {
            byte c = json[at];
            if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
                return c;
            }
            at++;
        }
        return 0;
    }

    private boolean literal(String word) throws JsonException {
        for (int i = 0; i < word.length(); i++, at++) {
            if (at >= json.length || json[at] != word.charAt(i)) {
                throw error("a value is expected");
            }
        }
        return true;
    }

    private String string() throws JsonException {
        int start = ++at;
        while (at < json.length && json[at] >= ' ' && json[at] != '"' && json[at] != '\\') {
            at++;
        }
        if (at < json.length && json[at] == '"') {
            return new String(json, start, at++ - start, StandardCharsets.ISO_8859_1);
        }
        // bytes beyond ASCII, which are negative, or escapes
        while (at < json.length && json[at] != '"' && (json[at] < 0 || json[at] >= ' ')) {
            at += json[at] == '\\' ? 2 : 1;
        }
        if (at >= json.length || json[at] != '"') {
            throw error("a text without end, or with a control character");
        }
        try {
            return unescape(StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(json, start, at++ - start)).toString());
        } catch (IOException e) {
            throw error("not UTF-8");
        }
    }

    private String unescape(String text) throws JsonException {
        var out = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '\\') {
                c = text.charAt(++i);
                int which = "\"\\/bfnrt".indexOf(c);
                if (which >= 0) {
                    c = "\"\\/\b\f\n\r\t".charAt(which);
                } else if (c == 'u') {
                    c = unescape(text, i + 1);
                    i += 4;
                } else {
                    throw error("an unknown escape");
                }
            }
            out.append(c);
        }
        return out.toString();
    }

    private char unescape(String text, int from) throws JsonException {
        int code = 0;
        for (int i = from; i < from + 4; i++) {
            int digit = i < text.length() && text.charAt(i) <= 'f' ? Character.digit(text.charAt(i), 16) : -1;
            if (digit < 0) {
                throw error("an unknown escape");
            }
            code = code << 4 | digit;
        }
        return (char) code;
    }

    /** Long if it is written without fraction and exponent, in at most 18 characters, else Double. */
    private Number number() throws JsonException {
        int start = at;
        boolean negative = is('-');
        at += negative ? 1 : 0;
        long digits = 0;
        if (is('0')) {
            at++;
        } else {
            digits = digits();
        }
        boolean whole = true;
        if (is('.')) {
            whole = false;
            at++;
            digits();
        }
        if (is('e') || is('E')) {
            whole = false;
            at++;
            at += is('+') || is('-') ? 1 : 0;
            digits();
        }
        if (whole && at - start <= 18) {
            return negative ? -digits : digits;
        }
        double d = Double.parseDouble(new String(json, start, at - start, StandardCharsets.ISO_8859_1));
        if (Double.isInfinite(d)) {
            throw error("a number too large");
        }
        return d;
    }

    private boolean is(char c) {
        return at < json.length && json[at] == c;
    }

    /** At least one digit; what they mean, if it fits. */
    private long digits() throws JsonException {
        int start = at;
        long value = 0;
        for (; at < json.length && json[at] >= '0' && json[at] <= '9'; at++) {
            value = 10 * value + json[at] - '0';
        }
        if (at == start) {
            throw error("a value is expected");
        }
        return value;
    }

    // ---- errors --------------------------------------------------------------------------------------------------------

    /** What comes is of another type. */
    private JsonException wrong(String expected) throws JsonException {
        byte c = peek();
        String found = switch (c) {
            case '{' -> "an object";
            case '[' -> "an array";
            case '"' -> {
                String s = string();
                yield "the text '" + printable(s.substring(0, Math.min(s.length(), 40))) + "'";
            }
            default -> String.valueOf(value());
        };
        return here("is " + found + ", not " + expected);
    }

    /** A complaint about the value at this place. */
    private JsonException here(String reason) {
        var path = new StringBuilder();
        for (int d = 1; d <= depth; d++) {
            if (names[d] == null) {
                path.append('[').append(numbers[d]).append(']');
            } else if (!names[d].isEmpty()) {
                path.append(path.isEmpty() ? "" : ".").append(printable(names[d]));
            }
        }
        return new JsonException(path.isEmpty() ? reason : reason + " (at " + path + ")");
    }

    private JsonException twice(String name) {
        return error("'" + printable(name) + "' is there twice");
    }

    private JsonException error(String what) {
        int line = 1;
        for (int i = 0; i < at && i < json.length; i++) {
            line += json[i] == '\n' ? 1 : 0;
        }
        return new JsonException("is not valid JSON: " + what + ", at byte " + Math.min(at, json.length) + " in line " + line);
    }

    private static String printable(String text) {
        return text.replaceAll("[^ -~]", "?");
    }
}
