package io.github.spike4j.template;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a function, filter or test is called with. */
record Arguments(List<Object> positional, Map<String, Object> named) {
    static final Arguments NONE = new Arguments(List.of(), Map.of());
    /** In place of what was not passed. */
    static final Object ABSENT = new Object();

    static Arguments of(Object... positional) {
        return new Arguments(java.util.Arrays.asList(positional), Map.of());
    }

    /** The values of parameters by their names, {@link #ABSENT} for those not passed; the first {@code required} must be. */
    Bound bind(String function, int required, String... parameters) {
        if (positional.size() > parameters.length) {
            throw new TemplateException(function + "() takes at most " + parameters.length + " arguments (" + positional.size() + " given)");
        }
        var values = new Object[parameters.length];
        for (int i = 0; i < values.length; i++) {
            boolean byName = named.containsKey(parameters[i]);
            if (byName && i < positional.size()) {
                throw new TemplateException(function + "() got multiple values for argument " + Text.quote(parameters[i]));
            }
            values[i] = i < positional.size() ? positional.get(i) : byName ? named.get(parameters[i]) : ABSENT;
            if (values[i] == ABSENT && i < required) {
                throw new TemplateException(function + "() missing required argument: " + Text.quote(parameters[i]));
            }
        }
        for (var name : named.keySet()) {
            if (!List.of(parameters).contains(name)) {
                throw new TemplateException(function + "() got an unexpected keyword argument " + Text.quote(name));
            }
        }
        return new Bound(function, values);
    }

    /** Without the first {@code count} positional ones. */
    Arguments drop(int count) {
        return new Arguments(positional.subList(count, positional.size()), named);
    }

    /** With one more by name. */
    Arguments with(String name, Object value) {
        var more = new LinkedHashMap<>(named);
        more.put(name, value);
        return new Arguments(positional, more);
    }

    /** Values of parameters, by index. */
    record Bound(String function, Object[] values) {
        boolean has(int i) {
            return values[i] != ABSENT;
        }

        Object get(int i, Object otherwise) {
            return has(i) ? values[i] : otherwise;
        }

        /** An integer; clamped to a long. */
        long integer(int i, long otherwise) {
            if (!has(i)) return otherwise;
            Values.fail(values[i]);
            if (Numbers.isInteger(values[i])) return Numbers.clamp(values[i]);
            throw new TemplateException(Text.quote(Values.type(values[i])) + " object cannot be interpreted as an integer");
        }

        /** A text; null where None or nothing was passed. */
        String text(int i) {
            if (!has(i) || values[i] == null) return null;
            Values.fail(values[i]);
            if (Values.isText(values[i])) return Values.chars(values[i]);
            throw new TemplateException(function + "() argument " + (i + 1) + " must be str, not " + Values.type(values[i]));
        }

        /** A text that must be there. */
        String required(int i) {
            var text = text(i);
            if (text == null) throw new TemplateException(function + "() argument " + (i + 1) + " must be str, not NoneType");
            return text;
        }
    }
}
