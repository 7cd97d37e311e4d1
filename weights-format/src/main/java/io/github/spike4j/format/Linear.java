package io.github.spike4j.format;

import java.util.List;

/**
 * A linear layer. The arrays are those of {@code s4j_weights}; the panels are of 16 rows, {@code P = ceil(rows / 16)}, and G
 * is the input group's {@link InputGroup#groups()}.
 *
 * @param input        input group; null for float weights
 * @param rows         outputs
 * @param channels     inputs
 * @param weight       tensor {@code [rows, channels]}: U2, U4 or U8 in R16, C1 or P64; float weights F32 or BF16 in R16. With
 *                     steps, each segment is there as often as it has steps: {@code [rows, sum of steps x channels]}
 * @param scale        F32 ROW {@code [16 P]}; with steps {@code [sum of steps, 16 P]}; null for float weights
 * @param zero         U8 ROW {@code [P, weightGroups, 16]}; null for float weights
 * @param mult         U8 ROW {@code [P, G, 16]}, 1 to 63; null is 1 everywhere (then weightGroups is 1)
 * @param sum          I32 ROW {@code [P, G, 16]}; must be there for segments of 8 bits and for P64, else may be null
 * @param bias         F32 ROW {@code [16 P]} or null
 * @param weightGroups zero points of a row: 1 or G; 0 for float weights
 * @param steps        multi-step weights (N4): spike steps of each segment of the input, 1 to 16; null: one code and one scale a row
 */
public record Linear(String input, int rows, int channels, String weight, String scale, String zero, String mult, String sum,
        String bias, int weightGroups, List<Integer> steps) {
    /** A linear with float weights. */
    public static Linear dense(int rows, int channels, String weight, String bias) {
        return new Linear(null, rows, channels, weight, null, null, null, null, bias, 0, null);
    }
}
