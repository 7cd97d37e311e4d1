package io.github.spike4j.format;

import java.util.List;
import java.util.Map;

/** Manifests of earlier versions as this version writes them (SPEC.md, "Versions"). */
final class Versions {
    private Versions() { }

    /**
     * Adds to a version 1 manifest what its absence meant. A manifest whose parts have not the types that version 1 prescribes, or that has
     * fields of version 2 already, stays as it is: reading it as version 2 says what is wrong.
     */
    static void upgrade(Map<String, Object> manifest) {
        if (!Long.valueOf(1).equals(manifest.get("formatVersion"))) {
            return;
        }
        if (object(manifest.get("architecture")) instanceof Map<String, Object> a && architecture(a)) {
            manifest.put("formatVersion", (long) Manifest.VERSION);
        }
        for (Object group : values(manifest.get("inputGroups"))) {
            add(group, "hadamard", false);
        }
        for (Object linear : values(manifest.get("linears"))) {
            add(linear, "steps", null);
        }
        Object attention = manifest.get("attention");
        add(attention, "vMode", "token");
        add(attention, "kRanges", "separate");
        add(attention, "hadamard", false);
        if (attention instanceof Map<?, ?> m && m.get("layers") instanceof List<?> layers) {
            for (Object layer : layers) {
                add(layer, "vScale", null);
                add(layer, "vZero", null);
            }
        }
    }

    /** Whether the fields of version 1 are there; then those of version 2 are, too. */
    private static boolean architecture(Map<String, Object> a) {
        if (!(a.get("ropeTheta") instanceof Number theta && a.get("headDim") instanceof Long headDim && a.get("layers") instanceof Long layers)
                || headDim < 2 || headDim > 256 || layers < 1 || layers > 1024 || a.containsKey("ropes") || a.containsKey("activation")) {
            return false;
        }
        a.remove("ropeTheta");
        var now = Architecture.llama(layers.intValue(), 1, 1, 1, 1, headDim.intValue(), 1, 1, 0, theta.doubleValue(), false);
        try {
            object(JsonReader.read(JsonWriter.write(now))).forEach(a::putIfAbsent);
        } catch (JsonException | IllegalArgumentException e) {
            return false; // a theta that has no powers
        }
        return true;
    }

    @SuppressWarnings("unchecked") // JsonReader's objects
    private static Map<String, Object> object(Object tree) {
        return tree instanceof Map<?, ?> m ? (Map<String, Object>) m : null;
    }

    private static Iterable<Object> values(Object tree) {
        var map = object(tree);
        return map == null ? List.of() : map.values();
    }

    private static void add(Object tree, String field, Object value) {
        var map = object(tree);
        if (map != null && !map.containsKey(field)) {
            map.put(field, value);
        }
    }
}
