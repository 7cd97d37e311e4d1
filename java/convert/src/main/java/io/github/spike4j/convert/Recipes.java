package io.github.spike4j.convert;

import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import io.github.spike4j.convert.importer.Sources;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.cfg.EnumFeature;
import tools.jackson.databind.exc.MismatchedInputException;
import tools.jackson.databind.exc.UnrecognizedPropertyException;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * The built-in recipes, and recipes from JSON.
 *
 * <p>Spiking recipes with salient channels have separate ranges, the mask {@link Recipe.Saliency#MAX} and a clip of 0.85 on the ordinary
 * channels (0.9 with activation groups). Without salient channels the one range set holds the outliers, and at 8 bits there is little
 * rounding error to trade: both are ruined by clipping, so these have none. {@code paper-*} are the paper's: shared ranges (of K too), own
 * masks, its saliency, no clip.
 */
public final class Recipes {
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
            .enable(EnumFeature.READ_ENUMS_USING_TO_STRING, EnumFeature.WRITE_ENUMS_USING_TO_STRING, EnumFeature.FAIL_ON_NUMBERS_FOR_ENUMS)
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();
    /** The fields that a dense recipe depends on. */
    private static final Set<String> OF_DENSE = Set.of("name", "compute", "weightBits");
    private static final Recipe.KvMode TOKEN = Recipe.KvMode.TOKEN;
    private static final Map<String, Recipe> BUILT_IN = builtIn();

    private Recipes() { }

    private static Map<String, Recipe> builtIn() {
        var all = new LinkedHashMap<String, Recipe>();
        for (var r : List.of(dense("bf16", 16), dense("f32", 32),
                plain("w8a8", 8, 8), plain("w4a8", 4, 8), plain("w4a5", 4, 5), plain("w4a4", 4, 4),
                salient("w4a4-t2", 1, .10, 0), salient("w4a4-t4", 2, .05, 0),
                change(plain("w4a4-g64", 4, 4), Map.of("actGroup", 64)), salient("w4a4-t2-g128", 1, .10, 128),
                plain("w2a8", 2, 8), paper("paper-w4a4-t2", 1, .10), paper("paper-w4a4-t4", 2, .05))) {
            all.put(r.name(), r);
        }
        return all;
    }

    private static Recipe dense(String name, int bits) {
        return new Recipe(name, Recipe.Compute.DENSE, bits, 0, 0, 0, 0, Recipe.Ranges.SHARED, Recipe.Masks.SHARED, Recipe.Saliency.MAX, 0,
                1, 0, 0, TOKEN, Recipe.Ranges.SEPARATE, TOKEN, 0, 0, 0, false, 0, 0);
    }

    private static Recipe plain(String name, int weights, int activations) {
        return new Recipe(name, Recipe.Compute.SPIKING, weights, activations, 0, 0, 0, Recipe.Ranges.SEPARATE, Recipe.Masks.SHARED,
                Recipe.Saliency.MAX, 0, 1, 0, 0, TOKEN, Recipe.Ranges.SEPARATE, TOKEN, activations, activations, activations, true, 16, 1024);
    }

    private static Recipe salient(String name, int addBits, double share, int actGroup) {
        return new Recipe(name, Recipe.Compute.SPIKING, 4, 4, addBits, share, share, Recipe.Ranges.SEPARATE, Recipe.Masks.SHARED,
                Recipe.Saliency.MAX, 0, actGroup == 0 ? .85 : .9, 0, actGroup, TOKEN, Recipe.Ranges.SEPARATE, TOKEN, 4, 4, 4, true, 16, 1024);
    }

    private static Recipe paper(String name, int addBits, double share) {
        return new Recipe(name, Recipe.Compute.SPIKING, 4, 4, addBits, share, share, Recipe.Ranges.SHARED, Recipe.Masks.OWN,
                Recipe.Saliency.PAPER, 0, 1, 0, 0, TOKEN, Recipe.Ranges.SHARED, TOKEN, 4, 4, 4, true, 16, 1024);
    }

    /** Names of the built-in recipes. */
    public static List<String> names() {
        return List.copyOf(BUILT_IN.keySet());
    }

    /**
     * A built-in recipe.
     *
     * @throws RecipeException for an unknown name
     */
    public static Recipe named(String name) {
        var recipe = BUILT_IN.get(name);
        if (recipe == null) {
            throw new RecipeException("unknown recipe \"" + name + "\"; built in are " + String.join(", ", names())
                    + "; a file's name must end in .json");
        }
        return recipe;
    }

    /** A built-in recipe by name, or that of a file whose name ends in {@code .json}. */
    public static Recipe resolve(String nameOrFile) {
        return nameOrFile.endsWith(".json") ? load(Path.of(nameOrFile)) : named(nameOrFile);
    }

    /**
     * A recipe from a JSON file: all fields, or {@code base} and what differs.
     *
     * @throws RecipeException if the file is missing, not JSON, or no sensible recipe
     */
    public static Recipe load(Path file) {
        String text;
        try {
            text = Files.readString(file);
        } catch (IOException e) {
            throw new RecipeException("recipe " + file + " cannot be read: " + Sources.reason(e));
        }
        try {
            if (!(JSON.readTree(text) instanceof ObjectNode fields)) {
                throw new RecipeException("recipe " + file + " is not a JSON object");
            }
            var base = fields.remove("base");
            if (base == null) {
                return read(fields, file.toString());
            }
            var name = file.getFileName().toString();
            return read(merge(toJson(named(base.isString() ? base.stringValue() : base.toString())).put("name", name.replaceFirst("\\.json$", "")), fields), file.toString());
        } catch (JacksonException e) {
            throw new RecipeException("recipe " + file + ": " + Sources.reason(e));
        }
    }

    /**
     * {@code recipe} with some fields changed.
     *
     * @param changes values by field name as in the JSON form, numbers also as text; nulls are skipped
     * @throws RecipeException for an unknown field or an impossible value
     */
    public static Recipe change(Recipe recipe, Map<String, ?> changes) {
        var fields = JSON.createObjectNode();
        for (var e : changes.entrySet()) {
            if (e.getValue() != null) {
                fields.set(e.getKey(), JSON.valueToTree(e.getValue()));
            }
        }
        return read(merge(toJson(recipe), fields), recipe.name());
    }

    /** Frozen K needs 8-bit queries and separate ranges: they are set unless {@code changes} say something else. */
    private static ObjectNode merge(ObjectNode base, ObjectNode changes) {
        if (changes.path("k").asString("").equals("frozen")) {
            base.put("qBits", 8).put("kRanges", "separate");
        }
        base.setAll(changes);
        var idle = changes.propertyNames().stream().filter(f -> !OF_DENSE.contains(f)).toList();
        if (base.path("compute").asString("").equals("dense") && !idle.isEmpty()) {
            throw new RecipeException("recipe " + base.path("name").asString("") + " is dense: " + String.join(", ", idle)
                    + " would change nothing; choose a spiking one");
        }
        return base;
    }

    /** The recipe as the manifest keeps it. */
    static ObjectNode toJson(Recipe recipe) {
        return JSON.valueToTree(recipe);
    }

    /** What the manifest says of a recipe. */
    @SuppressWarnings("unchecked") // an object
    static Map<String, Object> toMap(Recipe recipe) {
        return JSON.convertValue(toJson(recipe), Map.class);
    }

    private static List<String> fieldNames() {
        return Stream.of(Recipe.class.getRecordComponents()).map(RecordComponent::getName).toList();
    }

    private static Recipe read(JsonNode fields, String where) {
        for (var field : fieldNames()) {
            if (!fields.has(field)) {
                throw new RecipeException("recipe " + where + ": field \"" + field + "\" is missing; give it, or \"base\" with a built-in name");
            }
        }
        try {
            return JSON.treeToValue(fields, Recipe.class);
        } catch (JacksonException e) {
            for (Throwable t = e; t != null; t = t.getCause()) {
                if (t instanceof RecipeException r) {
                    throw r;
                }
            }
            if (e instanceof UnrecognizedPropertyException u) {
                throw new RecipeException("recipe " + where + ": unknown field \"" + u.getPropertyName() + "\"; there are "
                        + String.join(", ", fieldNames()));
            }
            if (e instanceof MismatchedInputException m && !m.getPath().isEmpty() && allowed(m.getTargetType()) instanceof String allowed) {
                var field = m.getPath().getLast().getPropertyName();
                var value = fields.path(field);
                throw new RecipeException("recipe " + where + ": " + field + " is " + (value.isString() ? value.stringValue() : value)
                        + "; it must be " + allowed);
            }
            throw new RecipeException("recipe " + where + ": " + Sources.reason(e));
        }
    }

    /** What a field of this type may be; null for other types. */
    private static String allowed(Class<?> type) {
        return type == null ? null
                : type.isEnum() ? Stream.of(type.getEnumConstants()).map(Object::toString).collect(Collectors.joining(" or "))
                : type == int.class || type == long.class ? "an integer"
                : type == double.class ? "a number"
                : type == boolean.class ? "true or false" : null;
    }
}
