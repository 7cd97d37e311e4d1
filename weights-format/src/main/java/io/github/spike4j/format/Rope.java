package io.github.spike4j.format;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Rotary position embedding (SPEC.md N5): at position p pair i of a head, its channels i and i + headDim / 2, is rotated by the
 * angle p / periods[i]. Every scaling of the frequencies is a matter of the numbers here.
 *
 * @param periods   headDim / 2 of them, positive; 0 leaves the pair as it is
 * @param magnitude factor on cosine and sine, positive; 1 in an unscaled model
 */
public record Rope(List<Double> periods, double magnitude) {
    /** Keeps its own copy of the list. */
    public Rope {
        periods = periods == null ? null : Collections.unmodifiableList(new ArrayList<>(periods));
    }

    /** The unscaled form: theta^(2 i / headDim). */
    public static Rope of(int headDim, double theta) {
        var periods = new ArrayList<Double>();
        for (int i = 0; i < headDim / 2; i++) {
            periods.add(StrictMath.pow(theta, 2.0 * i / headDim));
        }
        return new Rope(periods, 1);
    }
}
