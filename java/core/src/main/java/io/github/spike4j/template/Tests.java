package io.github.spike4j.template;

import io.github.spike4j.template.Values.Dict;
import io.github.spike4j.template.Values.Undefined;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** Jinja2's tests: what may follow {@code is}. */
final class Tests {
    @FunctionalInterface
    private interface Body {
        boolean test(Values values, Object value, Arguments a);
    }

    private static final Map<String, Body> ALL = new TreeMap<>();

    static {
        ALL.put("defined", (_, v, _) -> !(v instanceof Undefined));
        ALL.put("undefined", (_, v, _) -> v instanceof Undefined);
        ALL.put("none", (_, v, _) -> v == null);
        ALL.put("boolean", (_, v, _) -> v instanceof Boolean);
        ALL.put("true", (_, v, _) -> Boolean.TRUE.equals(v));
        ALL.put("false", (_, v, _) -> Boolean.FALSE.equals(v));
        ALL.put("integer", (_, v, _) -> Numbers.isInteger(v) && !(v instanceof Boolean));
        ALL.put("float", (_, v, _) -> v instanceof Double);
        ALL.put("number", (_, v, _) -> Numbers.isNumber(v));
        ALL.put("string", (_, v, _) -> Values.isText(v));
        ALL.put("mapping", (_, v, _) -> v instanceof Dict);
        ALL.put("sequence", (_, v, _) -> Values.isText(v) || v instanceof List<?> || v instanceof Dict || v instanceof Undefined);
        ALL.put("iterable", (_, v, _) -> Values.isIterable(v));
        ALL.put("callable", (_, v, _) -> v instanceof Values.Callable || v instanceof Undefined);
        ALL.put("escaped", (_, v, _) -> v instanceof Values.Markup);
        ALL.put("lower", (values, v, _) -> Methods.isCase(values.text(v), false));
        ALL.put("upper", (values, v, _) -> Methods.isCase(values.text(v), true));
        ALL.put("odd", (values, v, _) -> values.equal(values.binary("%", v, 2L), 1L));
        ALL.put("even", (values, v, _) -> values.equal(values.binary("%", v, 2L), 0L));
        ALL.put("divisibleby", (values, v, a) -> values.equal(values.binary("%", v, other("divisibleby", a)), 0L));
        ALL.put("sameas", (_, v, a) -> same(v, other("sameas", a)));
        ALL.put("in", (values, v, a) -> values.contains(other("in", a), v));
        ALL.put("filter", (values, v, _) -> Filters.names().contains(values.text(v)));
        ALL.put("test", (values, v, _) -> Tests.ALL.containsKey(values.text(v)));
        for (var name : List.of("eq", "==", "equalto")) ALL.put(name, (values, v, a) -> values.equal(v, other(name, a)));
        for (var name : List.of("ne", "!=")) ALL.put(name, (values, v, a) -> !values.equal(v, other(name, a)));
        for (var name : List.of("lt", "<", "lessthan")) ALL.put(name, (values, v, a) -> ordered(values, "<", v, other(name, a)));
        for (var name : List.of("le", "<=")) ALL.put(name, (values, v, a) -> ordered(values, "<=", v, other(name, a)));
        for (var name : List.of("gt", ">", "greaterthan")) ALL.put(name, (values, v, a) -> ordered(values, ">", v, other(name, a)));
        for (var name : List.of("ge", ">=")) ALL.put(name, (values, v, a) -> ordered(values, ">=", v, other(name, a)));
    }

    private final Values values;

    Tests(Values values) {
        this.values = values;
    }

    boolean test(String name, Object value, Arguments arguments) {
        var body = ALL.get(name);
        if (body == null) throw new TemplateException("No test named " + Text.quote(name) + ".");
        return body.test(values, value, arguments);
    }

    private static Object other(String name, Arguments a) {
        return a.bind(name, 1, "other").get(0, null);
    }

    static boolean ordered(Values values, String operator, Object a, Object b) {
        var order = values.compare(a, b, operator);
        return order != null && switch (operator) {
            case "<" -> order < 0;
            case "<=" -> order <= 0;
            case ">" -> order > 0;
            default -> order >= 0;
        };
    }

    /** Identity. Equal small values of one type are one object in Python too. */
    private static boolean same(Object a, Object b) {
        return a == b || a != null && (a instanceof Boolean || a instanceof Long || a instanceof String) && a.equals(b);
    }
}
