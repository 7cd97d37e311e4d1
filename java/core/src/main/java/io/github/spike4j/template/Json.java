package io.github.spike4j.template;

import io.github.spike4j.template.Values.Dict;
import io.github.spike4j.template.Values.Range;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/** Python's {@code json.dumps}, which Hugging Face's {@code tojson} is. */
final class Json {
    private final Values values;
    private final Budget budget;
    private final boolean ascii;
    private final String indent;
    private final String between;
    private final String colon;
    private final boolean sorted;
    private final StringBuilder out = new StringBuilder();

    /** @param indent of a level; null for one line */
    Json(Values values, Budget budget, boolean ascii, String indent, String between, String colon, boolean sorted) {
        this.values = values;
        this.budget = budget;
        this.ascii = ascii;
        this.indent = indent;
        this.between = between;
        this.colon = colon;
        this.sorted = sorted;
    }

    String write(Object v) {
        value(v, 0);
        return out.toString();
    }

    private void value(Object v, int level) {
        budget.enter();
        switch (v) {
            case null -> out.append("null");
            case Boolean b -> out.append((boolean) b);
            case Long _, BigInteger _ -> out.append(v);
            case Double d -> number(d);
            case String s -> string(s);
            case Values.Markup m -> string(m.text());
            case Dict d -> container('{', '}', d.size() == 0, entries(d), level);
            case List<?> l when !(v instanceof Range) -> container('[', ']', l.isEmpty(), l.iterator(), level);
            default -> throw new TemplateException("Object of type " + Values.type(v) + " is not JSON serializable");
        }
        budget.leave();
    }

    private Iterator<Entry> entries(Dict d) {
        var list = new ArrayList<Entry>(d.size());
        d.entries().forEach(e -> list.add(new Entry(e.getKey(), e.getValue())));
        if (sorted) list.sort((a, b) -> values.compare(a.key, b.key, "<"));
        return list.iterator();
    }

    /** A member, which is no value itself. */
    private record Entry(Object key, Object value) {}

    private void container(char open, char close, boolean empty, Iterator<?> items, int level) {
        out.append(open);
        if (!empty) {
            for (boolean first = true; items.hasNext(); first = false) {
                if (!first) out.append(between);
                line(level + 1);
                var item = items.next();
                if (item instanceof Entry e) {
                    string(key(e.key));
                    out.append(colon);
                    value(e.value, level + 1);
                } else {
                    value(item, level + 1);
                }
            }
            line(level);
        }
        out.append(close);
    }

    private void line(int level) {
        if (indent == null) return;
        Text.append(out, "\n", budget);
        Text.append(out, Text.repeat(indent, level, budget), budget);
    }

    private String key(Object key) {
        return switch (key) {
            case null -> "null";
            case Boolean b -> b ? "true" : "false";
            case Double d -> Numbers.repr(d);
            default -> {
                if (Values.isText(key) || Numbers.isInteger(key)) yield values.text(key);
                throw new TemplateException("keys must be str, int, float, bool or None, not " + Values.type(key));
            }
        };
    }

    private void number(double d) {
        out.append(Double.isNaN(d) ? "NaN" : Double.isInfinite(d) ? d > 0 ? "Infinity" : "-Infinity" : Numbers.repr(d));
    }

    private void string(String s) {
        budget.text(out.length() + (long) s.length() > Budget.MAX_TEXT ? out.length() + (long) s.length() : s.length());
        out.append('"');
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\f' -> out.append("\\f");
                case '\b' -> out.append("\\b");
                default -> {
                    if (c < 0x20 || ascii && c > 0x7E) out.append("\\u%04x".formatted((int) c));
                    else out.append(c);
                }
            }
        }
        out.append('"');
    }
}
