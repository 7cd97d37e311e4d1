package io.github.spike4j.format;

import java.lang.reflect.Array;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Records, maps, lists, arrays and plain values as JSON: fields in declared order, LF, one line for what holds only plain values. */
final class JsonWriter {
    private final StringBuilder out = new StringBuilder();
    /** Whether objects and lists of objects are spread over lines. */
    private final boolean lines;

    private JsonWriter(boolean lines) {
        this.lines = lines;
    }

    /** UTF-8, to be read by people too. */
    static byte[] write(Object value) {
        var writer = new JsonWriter(true);
        writer.value(value, "\n");
        return writer.out.append('\n').toString().getBytes(StandardCharsets.UTF_8);
    }

    /** Without a line break. */
    static String line(Object value) {
        var writer = new JsonWriter(false);
        writer.value(value, "\n");
        return writer.out.toString();
    }

    /** @param indent a line break and the spaces that follow it here */
    private void value(Object value, String indent) {
        switch (value) {
            case null -> out.append("null");
            case String s -> string(s);
            case Enum<?> e -> string(e.name());
            case Float f when !Float.isFinite(f) -> throw new IllegalArgumentException("JSON has no " + f);
            case Double d when !Double.isFinite(d) -> throw new IllegalArgumentException("JSON has no " + d);
            case Number n -> out.append(n);
            case Boolean b -> out.append(b);
            case Record r -> object(members(r), indent);
            case Map<?, ?> m -> object(m, indent);
            case List<?> l -> list(l, indent);
            default -> {
                if (!value.getClass().isArray()) {
                    throw new IllegalArgumentException("no JSON form of " + value.getClass());
                }
                out.append('[');
                for (int i = 0; i < Array.getLength(value); i++) {
                    out.append(i == 0 ? "" : ", ");
                    value(Array.get(value, i), indent);
                }
                out.append(']');
            }
        }
    }

    private void object(Map<?, ?> members, String indent) {
        boolean spread = lines && !members.isEmpty() && !members.values().stream().allMatch(JsonWriter::plain);
        out.append('{');
        boolean first = true;
        for (var e : members.entrySet()) {
            separate(first, spread, indent);
            first = false;
            string((String) e.getKey());
            out.append(": ");
            value(e.getValue(), indent + "  ");
        }
        out.append(spread ? indent : "").append('}');
    }

    private void list(List<?> elements, String indent) {
        boolean spread = lines && !elements.isEmpty() && !elements.stream().allMatch(JsonWriter::plain);
        out.append('[');
        boolean first = true;
        for (Object e : elements) {
            separate(first, spread, indent);
            first = false;
            value(e, indent + "  ");
        }
        out.append(spread ? indent : "").append(']');
    }

    private void separate(boolean first, boolean spread, String indent) {
        out.append(first ? "" : spread ? "," : ", ").append(spread ? indent + "  " : "");
    }

    /** A value, or a list of values. */
    private static boolean plain(Object value) {
        return !(value instanceof Record || value instanceof Map
                || value instanceof List<?> l && l.stream().anyMatch(e -> e instanceof Record || e instanceof Map || e instanceof List));
    }

    private static Map<String, Object> members(Record value) {
        var members = new LinkedHashMap<String, Object>();
        try {
            for (var c : value.getClass().getRecordComponents()) {
                c.getAccessor().setAccessible(true);
                members.put(c.getName(), c.getAccessor().invoke(value));
            }
        } catch (InvocationTargetException | IllegalAccessException e) {
            throw new AssertionError(e); // accessors of our own records
        }
        return members;
    }

    private void string(String s) {
        out.append('"');
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            int which = "\"\\\b\f\n\r\t".indexOf(c);
            if (which >= 0) {
                out.append('\\').append("\"\\bfnrt".charAt(which));
            } else if (c < ' ' || Character.isSurrogate(c)) {
                out.append("\\u").append(Character.forDigit(c >> 12, 16)).append(Character.forDigit(c >> 8 & 15, 16))
                        .append(Character.forDigit(c >> 4 & 15, 16)).append(Character.forDigit(c & 15, 16));
            } else {
                out.append(c);
            }
        }
        out.append('"');
    }
}
