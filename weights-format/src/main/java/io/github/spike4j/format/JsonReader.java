package io.github.spike4j.format;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Strict JSON (RFC 8259, UTF-8) as a tree of Map, List, String, Long, Double, Boolean and null. A name twice in an object, anything after the
 * value, and numbers beyond a double are refused. Opening a file reads one small text once: this costs a few classes and no reflection,
 * where a general library costs half a second of a fresh JVM.
 */
final class JsonReader {
    private static final int MAX_DEPTH = 64;

    private final String text;
    private int at;

    private JsonReader(String text) {
        this.text = text;
    }

    static Object read(byte[] utf8) throws JsonException {
        String text;
        try {
            text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString();
        } catch (CharacterCodingException e) {
            throw new JsonException("is not UTF-8");
        }
        var reader = new JsonReader(text);
        Object value = reader.value(0);
        reader.space();
        if (reader.at < text.length()) {
            throw reader.error("text after the end");
        }
        return value;
    }

    private Object value(int depth) throws JsonException {
        space();
        char c = at < text.length() ? text.charAt(at) : 0;
        if (depth > MAX_DEPTH) {
            throw error("nested deeper than " + MAX_DEPTH);
        }
        return switch (c) {
            case '{' -> object(depth);
            case '[' -> array(depth);
            case '"' -> string();
            case 't' -> literal("true", Boolean.TRUE);
            case 'f' -> literal("false", Boolean.FALSE);
            case 'n' -> literal("null", null);
            default -> number();
        };
    }

    private Map<String, Object> object(int depth) throws JsonException {
        var map = new LinkedHashMap<String, Object>();
        if (opens('}')) {
            return map;
        }
        do {
            space();
            if (at >= text.length() || text.charAt(at) != '"') {
                throw error("a name is expected");
            }
            String name = string();
            if (map.containsKey(name)) {
                throw error("'" + name.replaceAll("[^ -~]", "?") + "' is there twice");
            }
            space();
            if (at >= text.length() || text.charAt(at) != ':') {
                throw error("':' is expected");
            }
            at++;
            map.put(name, value(depth + 1));
        } while (goesOn('}'));
        return map;
    }

    private List<Object> array(int depth) throws JsonException {
        var list = new ArrayList<>();
        if (opens(']')) {
            return list;
        }
        do {
            list.add(value(depth + 1));
        } while (goesOn(']'));
        return list;
    }

    /** Past the opening bracket; true, and past the closing one, if it follows at once. */
    private boolean opens(char close) {
        at++;
        space();
        if (at < text.length() && text.charAt(at) == close) {
            at++;
            return true;
        }
        return false;
    }

    /** True past a comma, false past the end. */
    private boolean goesOn(char close) throws JsonException {
        space();
        char c = at < text.length() ? text.charAt(at) : 0;
        if (c != ',' && c != close) {
            throw error("',' or '" + close + "' is expected");
        }
        at++;
        return c == ',';
    }

    private String string() throws JsonException {
        int start = ++at;
        while (at < text.length() && text.charAt(at) != '"' && text.charAt(at) != '\\' && text.charAt(at) >= ' ') {
            at++;
        }
        if (at < text.length() && text.charAt(at) == '"') {
            return text.substring(start, at++);
        }
        var out = new StringBuilder(text.substring(start, at));
        while (true) {
            char c = at < text.length() ? text.charAt(at++) : 0;
            if (c < ' ') {
                throw error("a text without end, or with a control character");
            }
            if (c == '"') {
                return out.toString();
            }
            out.append(c == '\\' ? escape() : c);
        }
    }

    private char escape() throws JsonException {
        char c = at < text.length() ? text.charAt(at++) : 0;
        int which = "\"\\/bfnrt".indexOf(c);
        if (which >= 0) {
            return "\"\\/\b\f\n\r\t".charAt(which);
        }
        if (c != 'u' || at + 4 > text.length()) {
            throw error("an unknown escape");
        }
        int code = 0;
        for (int end = at + 4; at < end; at++) {
            int digit = Character.digit(text.charAt(at), 16);
            if (digit < 0 || text.charAt(at) > 'f') {
                throw error("an unknown escape");
            }
            code = code << 4 | digit;
        }
        return (char) code;
    }

    private Object number() throws JsonException {
        int start = at;
        if (peek('-')) {
            at++;
        }
        if (peek('0')) {
            at++;
        } else {
            digits();
        }
        boolean whole = true;
        if (peek('.')) {
            whole = false;
            at++;
            digits();
        }
        if (peek('e') || peek('E')) {
            whole = false;
            at++;
            if (peek('+') || peek('-')) {
                at++;
            }
            digits();
        }
        String s = text.substring(start, at);
        if (whole && s.length() <= 18) {
            return Long.parseLong(s);
        }
        double d = Double.parseDouble(s);
        if (Double.isInfinite(d)) {
            throw error("a number too large");
        }
        return d;
    }

    private boolean peek(char c) {
        return at < text.length() && text.charAt(at) == c;
    }

    private void digits() throws JsonException {
        int start = at;
        while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
            at++;
        }
        if (at == start) {
            throw error("a value is expected");
        }
    }

    private Object literal(String word, Object value) throws JsonException {
        if (!text.startsWith(word, at)) {
            throw error("a value is expected");
        }
        at += word.length();
        return value;
    }

    private void space() {
        while (at < text.length() && " \n\r\t".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private JsonException error(String what) {
        int line = 1 + (int) text.chars().limit(Math.min(at, text.length())).filter(c -> c == '\n').count();
        return new JsonException("is not valid JSON: " + what + ", at character " + at + " in line " + line);
    }
}
