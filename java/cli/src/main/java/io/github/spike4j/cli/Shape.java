package io.github.spike4j.cli;

import io.github.spike4j.format.Architecture;
import java.util.Map;
import java.util.regex.Pattern;

/** Shapes of models for {@code spike4j bench}, by name or as six numbers. */
final class Shape {

    private static final Map<String, int[]> NAMED = Map.of(
            "tinyllama-1.1b", new int[] {2048, 5632, 22, 32, 4, 32000},
            "llama2-7b", new int[] {4096, 11008, 32, 32, 32, 32000},
            "llama2-13b", new int[] {5120, 13824, 40, 40, 40, 32000},
            "llama2-70b", new int[] {8192, 28672, 80, 64, 8, 32000});
    private static final Pattern NUMBERS = Pattern.compile("(\\d{1,7}),(\\d{1,7}),(\\d{1,4}),(\\d{1,4}),(\\d{1,4}),(\\d{1,7})");

    private Shape() {}

    /**
     * The architecture of a shape.
     *
     * @param text a name, or {@code D,FF,L,H,KV,V}: channels, channels in the MLP, layers, heads, kv heads, vocabulary
     * @param context positions
     * @throws IllegalArgumentException if there is no such model
     */
    static Architecture parse(String text, int context) {
        var numbers = NAMED.get(text);
        if (numbers == null) {
            var match = NUMBERS.matcher(text);
            require(match.matches(), text + ": no shape; give D,FF,L,H,KV,V or one of " + String.join(", ", NAMED.keySet().stream().sorted().toList()));
            numbers = new int[6];
            for (int i = 0; i < 6; i++) {
                numbers[i] = Integer.parseInt(match.group(i + 1));
                require(numbers[i] >= 1, text + ": every number must be 1 or more");
            }
        }
        int heads = numbers[3];
        require(numbers[0] % heads == 0, text + ": D must be a multiple of H");
        require(heads % numbers[4] == 0, text + ": H must be a multiple of KV");
        int headDim = numbers[0] / heads;
        require(headDim % 2 == 0 && headDim <= 256, text + ": D / H must be even and at most 256");
        return new Architecture("llama", numbers[2], numbers[0], numbers[1], heads, numbers[4], headDim, numbers[5], context, 1e-5f, 10000,
                false);
    }

    private static void require(boolean condition, String message) {
        if (!condition) {
            throw new IllegalArgumentException(message);
        }
    }
}
