package io.github.spike4j.template;

import io.github.spike4j.template.Values.Dict;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A template, parsed once. Immutable; any number of threads may render it. */
public final class Template {
    /** Longest template, in UTF-16 units. */
    public static final int MAX_LENGTH = 1 << 20;
    /** Nesting of the variables' values. */
    public static final int MAX_NESTING = 100;

    /** What {@code strftime_now} reads. */
    @FunctionalInterface
    public interface Clock {
        /** The present. */
        ZonedDateTime now();
    }

    private final List<Ast.Statement> statements;

    private Template(List<Ast.Statement> statements) {
        this.statements = statements;
    }

    /**
     * Parses a template.
     *
     * @throws TemplateException if it is no template, too long or too deeply nested
     */
    public static Template parse(String source) {
        if (source.length() > MAX_LENGTH) {
            throw new TemplateException("a template of " + source.length() + " characters; at most " + MAX_LENGTH + " are allowed");
        }
        try {
            return new Template(Parser.parse(source));
        } catch (StackOverflowError e) {
            throw new TemplateException("the template is nested too deeply for this thread's stack");
        }
    }

    /**
     * Renders it.
     *
     * @param variables values are String, Boolean, numbers, null, and Lists and Maps with String keys of such
     * @throws TemplateException what the template raised, or the limit that it reached
     * @throws IllegalArgumentException if a value is of another type
     */
    public String render(Map<String, ?> variables, Clock clock) {
        var values = new HashMap<String, Object>();
        variables.forEach((name, value) -> values.put(name, value(value, name, 0)));
        try {
            return Interpreter.render(statements, values, clock);
        } catch (StackOverflowError e) {
            throw new TemplateException("the template is nested too deeply for this thread's stack");
        }
    }

    /** A copy in the interpreter's types, so that nothing changes while it runs. */
    private static Object value(Object v, String where, int depth) {
        if (depth > MAX_NESTING) throw new IllegalArgumentException(where + ": values nest deeper than " + MAX_NESTING);
        return switch (v) {
            case null -> null;
            case String s -> s;
            case Boolean b -> b;
            case Long l -> l;
            case Integer i -> (long) i;
            case Short s -> (long) s;
            case Byte b -> (long) b;
            case BigInteger i -> Numbers.integer(i);
            case Double d -> d;
            case Float f -> (double) f;
            case BigDecimal d -> d.doubleValue();
            case CharSequence s -> s.toString();
            case Map<?, ?> map -> {
                var dict = new Dict();
                map.forEach((key, value) -> {
                    if (!(key instanceof String name)) throw new IllegalArgumentException(where + ": a map's key must be a String, not " + key);
                    dict.put(name, value(value, name, depth + 1));
                });
                yield dict;
            }
            case Iterable<?> list -> {
                var items = new ArrayList<>();
                list.forEach(item -> items.add(value(item, where, depth + 1)));
                yield items;
            }
            default -> throw new IllegalArgumentException(where + ": a value must be text, number, boolean, null, list or map, not "
                    + v.getClass().getName());
        };
    }
}
