package io.github.spike4j.format;


import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Manifests of earlier versions as this version writes them (SPEC.md, "Versions"). */
final class Versions {
    private Versions() { }

    /**
     * Adds to a version 1 manifest what its absence meant. A manifest whose parts have not the types that version 1 prescribes, or that has
     * fields of version 2 already, stays as it is: reading it as version 2 says what is wrong.
     */
    static void upgrade(ObjectNode manifest) {
        if (!manifest.path("formatVersion").isInt() || manifest.get("formatVersion").intValue() != 1) {
            return;
        }
        if (manifest.get("architecture") instanceof ObjectNode a && architecture(a)) {
            manifest.put("formatVersion", Manifest.VERSION);
        }
        add(manifest.get("inputGroups"), "hadamard", false);
        if (manifest.get("linears") instanceof ObjectNode all) {
            for (var e : all.properties()) {
                nulls(e.getValue(), "steps");
            }
        }
        if (manifest.get("attention") instanceof ObjectNode attention && !attention.has("vMode") && !attention.has("kRanges")
                && !attention.has("hadamard")) {
            attention.put("vMode", "token").put("kRanges", "separate").put("hadamard", false);
            if (attention.get("layers") instanceof ArrayNode layers) {
                for (JsonNode layer : layers) {
                    nulls(layer, "vScale");
                    nulls(layer, "vZero");
                }
            }
        }
    }

    /** Whether the fields of version 1 are there; then those of version 2 are, too. */
    private static boolean architecture(ObjectNode a) {
        JsonNode theta = a.path("ropeTheta");
        int headDim = a.path("headDim").isInt() ? a.get("headDim").intValue() : 0;
        int layers = a.path("layers").isInt() ? a.get("layers").intValue() : 0;
        if (!theta.isNumber() || headDim < 2 || headDim > 256 || layers < 1 || layers > 1024 || a.has("ropes") || a.has("activation")) {
            return false;
        }
        a.remove("ropeTheta");
        var now = Json.MAPPER.<ObjectNode>valueToTree(Architecture.llama(layers, 1, 1, 1, 1, headDim, 1, 1, 0, theta.doubleValue(), false));
        now.properties().forEach(e -> {
            if (!a.has(e.getKey())) {
                a.set(e.getKey(), e.getValue());
            }
        });
        return true;
    }

    private static void add(JsonNode map, String field, boolean value) {
        if (map instanceof ObjectNode all) {
            for (var e : all.properties()) {
                if (e.getValue() instanceof ObjectNode o && !o.has(field)) {
                    o.put(field, value);
                }
            }
        }
    }

    private static void nulls(JsonNode node, String field) {
        if (node instanceof ObjectNode o && !o.has(field)) {
            o.putNull(field);
        }
    }
}
