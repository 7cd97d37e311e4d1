package io.github.spike4j.format;

import java.util.List;
import java.util.Map;
import java.util.Set;

/** Manifests of earlier versions as this version writes them (SPEC.md, "Versions"). */
final class Versions {
    private Versions() { }

    /** Fields of an architecture that both versions have. */
    private static final Set<String> COMMON = Set.of("family", "layers", "hidden", "intermediate", "heads", "kvHeads", "headDim", "vocab",
            "context", "normEps", "tiedEmbeddings");

    /**
     * Adds to a version 1 manifest what its absence meant. A manifest whose parts have not the types that version 1 prescribes, or that has
     * fields of version 2 already, keeps its number: reading it as version 2 says what is wrong.
     */
    static void upgrade(Map<String, Object> manifest) {
        if (!Long.valueOf(1).equals(manifest.get("formatVersion"))) {
            return;
        }
        boolean first = object(manifest.get("architecture")) instanceof Map<String, Object> a && architecture(a);
        for (Object group : values(manifest.get("inputGroups"))) {
            first &= add(group, "hadamard", false);
        }
        for (Object linear : values(manifest.get("linears"))) {
            first &= add(linear, "steps", null);
        }
        Object attention = manifest.get("attention");
        first &= add(attention, "vMode", "token");
        first &= add(attention, "kRanges", "separate");
        first &= add(attention, "hadamard", false);
        if (attention instanceof Map<?, ?> m && m.get("layers") instanceof List<?> layers) {
            for (Object layer : layers) {
                first &= add(layer, "vScale", null);
                first &= add(layer, "vZero", null);
            }
        }
        if (first) {
            manifest.put("formatVersion", (long) Manifest.VERSION);
        }
    }

    /** Whether what tells the fields of version 2 is there; then they are, too. */
    private static boolean architecture(Map<String, Object> a) {
        if (!(a.get("ropeTheta") instanceof Number theta && a.get("headDim") instanceof Long headDim && a.get("layers") instanceof Long layers)
                || headDim < 2 || headDim > 256 || layers < 1 || layers > 1024) {
            return false;
        }
        a.remove("ropeTheta");
        var now = Architecture.llama(layers.intValue(), 1, 1, 1, 1, headDim.intValue(), 1, 1, 0, theta.doubleValue(), false);
        boolean first = true;
        try {
            for (var field : object(JsonReader.read(JsonWriter.write(now))).entrySet()) {
                first &= COMMON.contains(field.getKey()) || add(a, field.getKey(), field.getValue());
            }
        } catch (JsonException | IllegalArgumentException e) {
            return false; // a theta that has no powers
        }
        return first;
    }

    @SuppressWarnings("unchecked") // JsonReader's objects
    private static Map<String, Object> object(Object tree) {
        return tree instanceof Map<?, ?> m ? (Map<String, Object>) m : null;
    }

    private static Iterable<Object> values(Object tree) {
        var map = object(tree);
        return map == null ? List.of() : map.values();
    }

    /** Whether the field was missing, as it is in version 1; what is no object is not our concern. */
    private static boolean add(Object tree, String field, Object value) {
        var map = object(tree);
        if (map == null) {
            return true;
        }
        boolean missing = !map.containsKey(field);
        map.putIfAbsent(field, value);
        return missing;
    }
}
