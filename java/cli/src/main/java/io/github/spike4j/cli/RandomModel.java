package io.github.spike4j.cli;

import io.github.spike4j.convert.Recipe;
import io.github.spike4j.format.Architecture;
import io.github.spike4j.format.Attention;
import io.github.spike4j.format.AttentionLayer;
import io.github.spike4j.format.Encoding;
import io.github.spike4j.format.InputGroup;
import io.github.spike4j.format.Layout;
import io.github.spike4j.format.Layouts;
import io.github.spike4j.format.Linear;
import io.github.spike4j.format.Manifest;
import io.github.spike4j.format.S4jWriter;
import io.github.spike4j.format.Segment;
import io.github.spike4j.format.TensorInfo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.LongConsumer;
import tools.jackson.databind.json.JsonMapper;

/**
 * A model of random weights, of any shape and recipe: it computes exactly what a converted one does, only its text means nothing. Weights
 * are scaled so that activations keep their size from layer to layer. Equal arguments give equal bytes.
 */
final class RandomModel {

    /** Largest sub-scale of a weight group. */
    private static final int MAX_MULT = 63;

    private final S4jWriter writer;
    private final Architecture shape;
    private final Recipe recipe;
    private final LongConsumer progress;
    private final SplittableRandom random = new SplittableRandom(20240704);
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 20).order(ByteOrder.LITTLE_ENDIAN);
    private final Map<String, InputGroup> groups = new LinkedHashMap<>();
    private final Map<String, Linear> linears = new LinkedHashMap<>();
    private long written;

    private RandomModel(S4jWriter writer, Architecture shape, Recipe recipe, LongConsumer progress) {
        this.writer = writer;
        this.shape = shape;
        this.recipe = recipe;
        this.progress = progress;
    }

    /**
     * Writes a model.
     *
     * @param out the file
     * @param progress told the bytes written so far
     */
    static void write(Path out, Architecture shape, Recipe recipe, LongConsumer progress) throws IOException {
        try (var writer = S4jWriter.create(out)) {
            new RandomModel(writer, shape, recipe, progress).write();
        }
    }

    private boolean dense() {
        return recipe.compute() == Recipe.Compute.DENSE;
    }

    /** Values of one element: its bytes are put into the buffer. */
    private interface Element {
        void put();
    }

    private void write() throws IOException {
        var a = shape;
        var own = !dense() && recipe.masks() == Recipe.Masks.OWN && recipe.salientShare() > 0;
        floats("embedding", Encoding.BF16, a.vocab(), a.hidden());
        var attention = new ArrayList<AttentionLayer>();
        for (int i = 0; i < a.layers(); i++) {
            var layer = "layers." + i + ".";
            int attended = a.heads() * a.headDim();
            int keys = a.kvHeads() * a.headDim();
            ones(layer + "attn_norm", a.hidden());
            inputs(layer + "attn_in", a.hidden(), own, own
                    ? Map.of("attn_q", attended, "attn_k", keys, "attn_v", keys) : Map.of("attn_qkv", a.qkvRows()), layer);
            if (!dense()) {
                attention.add(attention(layer));
            }
            inputs(layer + "attn_out", attended, false, Map.of("attn_o", a.hidden()), layer);
            ones(layer + "ffn_norm", a.hidden());
            inputs(layer + "ffn_in", a.hidden(), own, own
                    ? Map.of("ffn_gate", a.intermediate(), "ffn_up", a.intermediate())
                    : Map.of("ffn_gate_up", 2 * a.intermediate()), layer);
            inputs(layer + "ffn_hidden", a.intermediate(), false, Map.of("ffn_down", a.hidden()), layer);
        }
        ones("final_norm", a.hidden());
        if (dense()) {
            dense("lm_head", a.vocab(), a.hidden());
        } else {
            groups.put("head_in", new InputGroup(a.hidden(), null, List.of(new Segment(a.hidden(), 8, 0, 0, 1, 0)), List.of(1f, 1f, 1f, 1f)));
            spiking("lm_head", "head_in", a.vocab(), 8);
        }
        var spikingAttention = dense() ? null : new Attention(recipe.qBits(),
                new int[] {recipe.kBits(), recipe.kSalientBits()}, new int[] {recipe.vBits(), recipe.vSalientBits()},
                recipe.k().toString(), attention);
        writer.finish(new Manifest(Manifest.VERSION, a, dense() ? "dense" : "spiking", JsonMapper.shared().createObjectNode().put("name", recipe.name()), groups, linears,
                spikingAttention, List.of(), null, Map.of("source", "random weights"), null));
    }

    /** Linears that read the same channels, by name and rows: with one input group, or each with its own. */
    private void inputs(String group, int channels, boolean own, Map<String, Integer> rows, String layer) throws IOException {
        for (var linear : rows.entrySet().stream().sorted(Map.Entry.comparingByKey()).toList()) {
            var name = layer + linear.getKey();
            if (dense()) {
                dense(name, linear.getValue(), channels);
                continue;
            }
            var input = own ? name + "_in" : group;
            permutation(input + ".permutation", 1, channels);
            groups.put(input, new InputGroup(channels, input + ".permutation", segments(channels),
                    List.of((float) recipe.clip(), 1f, 1f, 1f)));
            spiking(name, input, linear.getValue(), recipe.weightBits());
        }
    }

    private List<Segment> segments(int channels) {
        int salient = (int) Math.rint(recipe.salientShare() * channels);
        int act = recipe.actGroup();
        int group = act == 0 || recipe.weightGroup() == 0 ? Math.max(act, recipe.weightGroup()) : Math.min(act, recipe.weightGroup());
        var ordinary = new Segment(channels - salient, recipe.activationBits(), 0, act,
                multiplier(recipe.activationBits(), channels - salient), group);
        return salient == 0 ? List.of(ordinary) : List.of(ordinary, new Segment(salient, recipe.salientBits(),
                recipe.ranges() == Recipe.Ranges.SHARED ? 0 : 1, act, multiplier(recipe.salientBits(), salient), group));
    }

    /** N4's limit M for the worst row that random codes could give. */
    private int multiplier(int bits, int channels) {
        if (recipe.actGroup() == 0) {
            return 1;
        }
        long mult = recipe.weightGroup() == 0 ? 1 : MAX_MULT;
        long worst = ((1L << bits) - 1) * mult * Math.max(1, channels) * (1L << recipe.weightBits() - 1);
        return Math.clamp(Integer.MAX_VALUE / worst, 1, 255);
    }

    private void dense(String name, int rows, int channels) throws IOException {
        var encoding = recipe.weightBits() == 32 ? Encoding.F32 : Encoding.BF16;
        var info = TensorInfo.weight(name + ".weight", Layout.R16, encoding, rows, channels);
        // A fixed exponent: values have either sign and a standard deviation of about 1 / sqrt(channels).
        int exponent = 127 - (int) Math.round(Math.log(channels) / Math.log(2) / 2) - 1;
        fill(info, encoding == Encoding.F32
                ? () -> buffer.putInt(random.nextInt() & 0x807f_ffff | exponent << 23)
                : () -> buffer.putShort((short) (random.nextInt() & 0x807f | exponent << 7)));
        linears.put(name, Linear.dense(rows, channels, info.name(), null));
    }

    private void spiking(String name, String input, int rows, int bits) throws IOException {
        var group = groups.get(input);
        int panels = Layouts.panels(rows);
        int g = group.groups();
        var encoding = Encoding.ofCodes(bits);
        var weighted = recipe.weightGroup() > 0 && !name.equals("lm_head");
        var weight = TensorInfo.weight(name + ".weight", Layout.R16, encoding, rows, group.segmentChannels());
        fill(weight, () -> buffer.putLong(random.nextLong()));
        // Codes are uniform about their middle, with a standard deviation of 2^bits / sqrt(12).
        var scale = (float) (Math.sqrt(12) / (1 << encoding.bits()) / Math.sqrt(group.channels()) / (weighted ? MAX_MULT / 2.0 : 1));
        fill(TensorInfo.row(name + ".scale", Encoding.F32, 16L * panels), () -> buffer.putFloat(scale));
        var middle = (byte) (1 << encoding.bits() - 1);
        int weightGroups = weighted ? g : 1;
        fill(TensorInfo.row(name + ".zero", Encoding.U8, panels, weightGroups, 16), () -> buffer.put(middle));
        if (weighted) {
            fill(TensorInfo.row(name + ".mult", Encoding.U8, panels, g, 16), () -> buffer.put((byte) random.nextInt(1, MAX_MULT + 1)));
        }
        // Not the sums of these codes: they are added, whatever they are, and 0 keeps the numbers small.
        var sums = group.segments().stream().anyMatch(s -> s.bits() == 8 && s.channels() > 0);
        if (sums) {
            fill(TensorInfo.row(name + ".sum", Encoding.I32, panels, g, 16), () -> buffer.putInt(0));
        }
        linears.put(name, new Linear(input, rows, group.channels(), weight.name(), name + ".scale", name + ".zero",
                weighted ? name + ".mult" : null, sums ? name + ".sum" : null, null, weightGroups));
    }

    private AttentionLayer attention(String layer) throws IOException {
        int salient = (int) Math.rint(recipe.kvSalientShare() * shape.headDim());
        var counts = new int[shape.kvHeads()];
        Arrays.fill(counts, salient);
        permutation(layer + "k_permutation", shape.kvHeads(), shape.headDim());
        permutation(layer + "v_permutation", shape.kvHeads(), shape.headDim());
        var frozen = recipe.k() == Recipe.KMode.FROZEN;
        if (frozen) {
            fill(TensorInfo.row(layer + "k_scale", Encoding.F32, shape.kvHeads(), shape.headDim()), () -> buffer.putFloat(0.25f));
            fill(TensorInfo.row(layer + "k_zero", Encoding.U8, shape.kvHeads(), shape.headDim()),
                    () -> buffer.put((byte) (1 << recipe.kBits() - 1)));
        }
        return new AttentionLayer(layer + "k_permutation", layer + "v_permutation", counts, counts, frozen ? layer + "k_scale" : null,
                frozen ? layer + "k_zero" : null);
    }

    private void permutation(String name, int rows, int channels) throws IOException {
        var order = new int[rows * channels];
        for (int r = 0; r < rows; r++) {
            for (int i = 0; i < channels; i++) {
                int j = random.nextInt(i + 1);
                order[r * channels + i] = order[r * channels + j];
                order[r * channels + j] = i;
            }
        }
        var next = new int[1];
        var info = name.endsWith(".permutation")
                ? TensorInfo.row(name, Encoding.I32, channels) : TensorInfo.row(name, Encoding.I32, rows, channels);
        fill(info, () -> buffer.putInt(order[next[0]++]));
    }

    private void ones(String name, int channels) throws IOException {
        fill(TensorInfo.row(name, Encoding.F32, channels), () -> buffer.putFloat(1));
    }

    private void floats(String name, Encoding encoding, int rows, int channels) throws IOException {
        fill(TensorInfo.row(name, encoding, rows, channels), () -> buffer.putShort((short) (random.nextInt() & 0x807f | 126 << 7)));
    }

    /** Streams a tensor, element after element. */
    private void fill(TensorInfo info, Element element) throws IOException {
        try (var channel = writer.tensor(info)) {
            long left = info.bytes();
            while (left > 0) {
                buffer.clear();
                while (buffer.remaining() >= 8 && buffer.position() < left) {
                    element.put();
                }
                buffer.flip();
                buffer.limit((int) Math.min(buffer.limit(), left));
                left -= buffer.remaining();
                while (buffer.hasRemaining()) {
                    channel.write(buffer);
                }
            }
        }
        written += info.bytes();
        progress.accept(written);
    }
}
