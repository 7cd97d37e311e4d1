package io.github.spike4j.format;

import java.lang.reflect.Array;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Trees of {@link JsonReader} as records: an object's fields are exactly the record's components, nothing is converted but whole numbers to
 * floating point. Null is allowed where it is not a primitive; what it means there is for {@link Checks}.
 */
final class JsonBinder {
    private JsonBinder() { }

    static <T> T read(byte[] utf8, Class<T> type) throws JsonException {
        return bind(JsonReader.read(utf8), type);
    }

    static <T> T bind(Object tree, Class<T> type) throws JsonException {
        return type.cast(value(tree, type));
    }

    /** The members of what must be an object. */
    @SuppressWarnings("unchecked") // JsonReader's objects
    static Map<String, Object> object(Object tree) throws JsonException {
        return (Map<String, Object>) (tree instanceof Map<?, ?> ? tree : wrong(tree, "an object"));
    }

    private static Object value(Object tree, Type type) throws JsonException {
        if (type instanceof ParameterizedType p) {
            var element = p.getActualTypeArguments()[p.getActualTypeArguments().length - 1];
            return p.getRawType() == List.class ? list(tree, element) : map(tree, element);
        }
        var c = (Class<?>) type;
        if (tree == null) {
            if (c.isPrimitive()) {
                throw new JsonException("is null");
            }
            return null;
        }
        if (c.isRecord()) {
            return record(tree, c);
        }
        if (c.isArray()) {
            return array(tree, c.getComponentType());
        }
        if (c.isEnum()) {
            return constant(tree, c);
        }
        return switch (c.getSimpleName()) {
            case "Object" -> tree;
            case "String" -> tree instanceof String ? tree : wrong(tree, "text");
            case "boolean" -> tree instanceof Boolean ? tree : wrong(tree, "true or false");
            case "int", "Integer" -> tree instanceof Long l && l == l.intValue() ? l.intValue() : wrong(tree, "an integer of 32 bits");
            case "long" -> tree instanceof Long ? tree : wrong(tree, "an integer of 64 bits");
            case "float", "Float" -> tree instanceof Number n && Float.isFinite(n.floatValue()) ? n.floatValue() : wrong(tree, "a number of 32 bits");
            case "double", "Double" -> tree instanceof Number n ? n.doubleValue() : wrong(tree, "a number");
            default -> throw new IllegalArgumentException("no JSON form of " + c);
        };
    }

    private static Object wrong(Object tree, String expected) throws JsonException {
        String found = switch (tree) {
            case null -> "null";
            case Map<?, ?> _ -> "an object";
            case List<?> _ -> "an array";
            case String s -> "the text '" + s.substring(0, Math.min(s.length(), 40)).replaceAll("[^ -~]", "?") + "'";
            default -> tree.toString();
        };
        throw new JsonException("is " + found + ", not " + expected);
    }

    private static List<Object> list(Object tree, Type element) throws JsonException {
        if (tree == null) {
            return null;
        }
        if (!(tree instanceof List<?> elements)) {
            wrong(tree, "an array");
            return null;
        }
        var list = new ArrayList<>(elements.size());
        for (Object e : elements) {
            try {
                list.add(value(e, element));
            } catch (JsonException x) {
                throw x.in("[" + list.size() + "]");
            }
        }
        return list;
    }

    private static Map<String, Object> map(Object tree, Type element) throws JsonException {
        if (tree == null) {
            return null;
        }
        if (!(tree instanceof Map<?, ?> members)) {
            wrong(tree, "an object");
            return null;
        }
        var map = LinkedHashMap.<String, Object>newLinkedHashMap(members.size());
        for (var e : members.entrySet()) {
            try {
                map.put((String) e.getKey(), value(e.getValue(), element));
            } catch (JsonException x) {
                throw x.in((String) e.getKey());
            }
        }
        return map;
    }

    private static Object array(Object tree, Class<?> element) throws JsonException {
        List<Object> list = list(tree, element);
        Object array = Array.newInstance(element, list.size());
        for (int i = 0; i < list.size(); i++) {
            Array.set(array, i, list.get(i));
        }
        return array;
    }

    private static Object constant(Object tree, Class<?> type) throws JsonException {
        for (Object c : type.getEnumConstants()) {
            if (c.toString().equals(tree)) {
                return c;
            }
        }
        return wrong(tree, type.getSimpleName() + ", one of " + Arrays.toString(type.getEnumConstants()));
    }

    private static Object record(Object tree, Class<?> type) throws JsonException {
        if (!(tree instanceof Map<?, ?> members)) {
            return wrong(tree, "an object");
        }
        RecordComponent[] components = type.getRecordComponents();
        var types = new Class<?>[components.length];
        var values = new Object[components.length];
        for (int i = 0; i < components.length; i++) {
            String name = components[i].getName();
            types[i] = components[i].getType();
            if (!members.containsKey(name)) {
                throw new JsonException("has no field " + name);
            }
            try {
                values[i] = value(members.get(name), components[i].getGenericType());
            } catch (JsonException x) {
                throw x.in(name);
            }
        }
        if (members.size() > components.length) {
            var known = Arrays.stream(components).map(RecordComponent::getName).toList();
            var unknown = members.keySet().stream().map(Object::toString).filter(n -> !known.contains(n)).findFirst().orElseThrow();
            throw new JsonException("has an unknown field '" + unknown.replaceAll("[^ -~]", "?") + "'");
        }
        try {
            var constructor = type.getDeclaredConstructor(types);
            constructor.setAccessible(true);
            return constructor.newInstance(values);
        } catch (InvocationTargetException e) {
            throw new JsonException(String.valueOf(e.getCause().getMessage()));
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e); // every record has this constructor
        }
    }
}
