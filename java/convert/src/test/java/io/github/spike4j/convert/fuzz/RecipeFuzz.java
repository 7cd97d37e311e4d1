package io.github.spike4j.convert.fuzz;

import java.nio.charset.StandardCharsets;
import java.util.List;

import io.github.spike4j.convert.RecipeException;
import io.github.spike4j.convert.Recipes;

/** A recipe file. */
public final class RecipeFuzz {
    private static final Scratch SCRATCH = new Scratch();

    private RecipeFuzz() { }

    public static void fuzzerTestOneInput(byte[] data) {
        try {
            Recipes.load(SCRATCH.write("recipe.json", data));
        } catch (RecipeException e) {
            // refused
        }
    }

    public static List<byte[]> seeds() {
        return List.of("{\"base\": \"w4a4-t2\", \"weightGroup\": 64, \"clip\": 0.9, \"saliency\": \"paper\"}".getBytes(StandardCharsets.UTF_8));
    }
}
