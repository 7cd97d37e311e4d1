package io.github.spike4j.convert;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

import io.github.spike4j.convert.importer.Matrix;
import io.github.spike4j.convert.importer.Checkpoint;
import io.github.spike4j.convert.importer.Checkpoint.Weight;
import io.github.spike4j.format.Architecture;

/** The four inputs of a block and the linears that read them. */
enum Site {
    ATTENTION_IN("attn_in", "attn_qkv", List.of(Weight.Q, Weight.K, Weight.V)),
    ATTENTION_OUT("attn_out", "attn_o", List.of(Weight.O)),
    FFN_IN("ffn_in", "ffn_gate_up", List.of(Weight.GATE, Weight.UP)),
    FFN_HIDDEN("ffn_hidden", "ffn_down", List.of(Weight.DOWN));

    private final String group;
    private final String linear;
    private final List<Weight> members;

    Site(String group, String linear, List<Weight> members) {
        this.group = group;
        this.linear = linear;
        this.members = members;
    }

    /**
     * An input group and its one linear, which is the rows of its members.
     *
     * @param member index of the only member, or -1 for all
     */
    record Group(String name, String linear, List<Weight> members, int member) { }

    List<Weight> members() {
        return members;
    }

    /** Channels of the input. */
    int channels(Architecture a) {
        return Checkpoint.shape(a, members.getFirst())[1];
    }

    /** One group for all members, or, with own masks, one each. */
    List<Group> groups(int layer, boolean own) {
        var prefix = "layers." + layer + ".";
        if (!own || members.size() == 1) {
            return List.of(new Group(prefix + group, prefix + linear, members, -1));
        }
        var all = new ArrayList<Group>();
        for (int m = 0; m < members.size(); m++) {
            var name = members.get(m).name().toLowerCase(java.util.Locale.ROOT);
            all.add(new Group(prefix + group + "." + name, prefix + linear.substring(0, linear.indexOf('_') + 1) + name,
                    List.of(members.get(m)), m));
        }
        return all;
    }

    /** The rows of some members of a block. */
    static Matrix rows(Checkpoint source, int layer, List<Weight> members) {
        return Matrix.concat(members.stream().map(w -> source.weight(w, layer)).toList());
    }

    /** The biases of some members, absent ones 0; null if all are absent. */
    static float[] bias(Checkpoint source, int layer, List<Weight> members) {
        var parts = members.stream().map(w -> source.weight(w.bias(), layer)).collect(Collectors.toList());
        if (parts.stream().allMatch(java.util.Objects::isNull)) {
            return null;
        }
        int rows = members.stream().mapToInt(w -> Checkpoint.shape(source.architecture(), w)[0]).sum();
        var bias = new float[rows];
        int at = 0;
        for (int m = 0; m < parts.size(); m++) {
            if (parts.get(m) != null) {
                parts.get(m).read(0, bias, at);
            }
            at += Checkpoint.shape(source.architecture(), members.get(m))[0];
        }
        return bias;
    }
}
