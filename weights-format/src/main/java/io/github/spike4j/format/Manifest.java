package io.github.spike4j.format;

import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * {@code manifest.json}. Every field is present in the file; what does not apply is null.
 *
 * @param formatVersion of the file that it was read from, 1 to {@link #VERSION}; the other fields are those of {@link #VERSION} always
 * @param architecture  shape of the model
 * @param compute       {@code "spiking"} or {@code "dense"}
 * @param recipe        what the conversion did: free JSON, as Map, List, String, Long, Double, Boolean and null
 * @param inputGroups   by name; empty when dense
 * @param linears       by name
 * @param attention     null when dense
 * @param tensors       the tensor table in file order; filled by {@link S4jWriter#finish}
 * @param tokenizer     null in a file without tokenizer
 * @param provenance    where the weights came from; free text by key
 * @param license       licence of the weights, an SPDX expression where there is one
 */
public record Manifest(int formatVersion, Architecture architecture, String compute, Map<String, Object> recipe,
        Map<String, InputGroup> inputGroups, Map<String, Linear> linears, Attention attention, List<TensorInfo> tensors,
        TokenizerInfo tokenizer, Map<String, String> provenance, String license) {
    /** The format version that this library writes; it reads this one and all before it. */
    public static final int VERSION = 2;

    /**
     * Channels of each segment of a linear's weight: those of its input group, each as often as the linear has steps for it, or one
     * segment for float weights.
     */
    public int[] segmentsOf(Linear linear) {
        if (linear.input() == null) {
            return new int[] {linear.channels()};
        }
        int[] channels = inputGroups.get(linear.input()).segmentChannels();
        if (linear.steps() == null) {
            return channels;
        }
        int planes = 0;
        for (int steps : linear.steps()) {
            planes += steps;
        }
        int[] all = new int[planes];
        for (int i = 0, from = 0; i < channels.length; i++) {
            Arrays.fill(all, from, from += linear.steps().get(i), channels[i]);
        }
        return all;
    }

    /** This manifest with another tensor table, as this library writes it. */
    public Manifest withTensors(List<TensorInfo> table) {
        return new Manifest(VERSION, architecture, compute, recipe, inputGroups, linears, attention, List.copyOf(table),
                tokenizer, provenance, license);
    }
}
