package io.github.spike4j.format;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.stream.IntStream;

/** A small model with every layout, encoding and option of the format; its numbers mean nothing. */
final class Samples {

    /** What was written, to compare with what is read. */
    final Map<String, byte[]> data = new LinkedHashMap<>();
    final Map<String, byte[]> entries = new LinkedHashMap<>();
    final Map<String, InputGroup> groups = new LinkedHashMap<>();
    final Map<String, Linear> linears = new LinkedHashMap<>();
    final List<TensorInfo> tensors = new ArrayList<>();
    private final SplittableRandom random = new SplittableRandom(7);
    private final boolean dense;
    private final Architecture a;

    private Samples(boolean dense, int layers) {
        this.dense = dense;
        this.a = dense ? Architecture.llama(layers, 20, 30, 2, 1, 10, 18, 64, 1e-6f, 500000, false)
                : Architecture.llama(layers, 80, 96, 4, 2, 20, 40, 128, 1e-5f, 10000, true).withActivation("gelu_tanh", 8.94427f)
                        .withScores(0.25f, 50, 30).withNorms(true, true).withWindows(IntStream.range(0, layers).map(i -> i % 2 * 9).boxed().toList())
                        .withRopes(List.of(new Rope(List.of(1.0, 2.5, 6.25, 15.625, 39.0625, 1e2, 1e3, 1e4, 1e5, 0.0), 1.138629436111989)),
                                IntStream.range(0, layers).map(i -> -(i % 2)).boxed().toList());
    }

    static Samples spiking() {
        return spiking(2);
    }

    static Samples spiking(int layers) {
        var s = new Samples(false, layers);
        s.build();
        return s;
    }

    static Samples dense() {
        var s = new Samples(true, 1);
        s.build();
        return s;
    }

    Manifest manifest() {
        var layers = IntStream.range(0, a.layers()).mapToObj(i -> "layers." + i + ".")
                .map(layer -> new AttentionLayer(layer + "k_permutation", layer + "v_permutation", new int[] {2, 0},
                        new int[] {1, 3}, layer + "k_scale", layer + "k_zero", layer + "v_scale", layer + "v_zero")).toList();
        var at = dense ? null : new Attention(8, new int[] {4, 5}, new int[] {4, 5}, "frozen", "frozen", "separate", true, layers);
        var provenance = new LinkedHashMap<String, String>();
        provenance.put("source", "random numbers");
        provenance.put("tool", "Samples");
        return new Manifest(Manifest.VERSION, a, dense ? "dense" : "spiking",
                new TreeMap<>(Map.of("name", "rtn", "weights", new TreeMap<>(Map.of("bits", 4L, "clip", 0.975)))), groups, linears, at,
                List.of(), new TokenizerInfo(1, new int[] {2}, true), provenance, "Apache-2.0");
    }

    /** Writes and returns OUT. */
    Path write(Path out) throws IOException {
        try (var writer = S4jWriter.create(out)) {
            write(writer);
            writer.finish(manifest());
        }
        return out;
    }

    void write(S4jWriter writer) throws IOException {
        entries.forEach(writer::entry);
        for (TensorInfo t : tensors) {
            writer.tensor(t, MemorySegment.ofArray(data.get(t.name())));
        }
    }

    private void build() {
        entries.put("tokenizer.json", "{\"model\": {\"type\": \"BPE\"}}\n".getBytes(StandardCharsets.UTF_8));
        entries.put("chat_template.jinja", "{{ messages }}".getBytes(StandardCharsets.UTF_8));
        floats("embedding", Encoding.BF16, a.vocab(), a.hidden());
        for (int i = 0; i < a.layers(); i++) {
            String layer = "layers." + i + ".";
            floats(layer + "attn_norm", Encoding.F32, a.hidden());
            floats(layer + "ffn_norm", Encoding.F32, a.hidden());
            if (!dense) {
                floats(layer + "q_norm", Encoding.F32, a.headDim());
                floats(layer + "k_norm", Encoding.F32, a.headDim());
                floats(layer + "attn_post_norm", Encoding.F32, a.hidden());
                floats(layer + "ffn_post_norm", Encoding.F32, a.hidden());
            }
            group(layer + "attn_in", true, new Segment(78, 4, 0, 0, 1, 0), new Segment(2, 5, 1, 0, 1, 0));
            if (i == 0) {
                linear(layer + "attn_qkv", layer + "attn_in", a.qkvRows(), a.hidden(), Layout.R16, Encoding.U4, false);
            } else {
                linear(layer + "attn_q", layer + "attn_in", 80, a.hidden(), Layout.R16, Encoding.U2, false);
                linear(layer + "attn_k", layer + "attn_in", 40, a.hidden(), Layout.P64, Encoding.U2, false);
                linear(layer + "attn_v", layer + "attn_in", 40, a.hidden(), Layout.R16, Encoding.U8, false);
            }
            group(layer + "attn_out", true, new Segment(75, 4, 0, 0, 1, 0), new Segment(0, 5, 1, 0, 1, 0), new Segment(5, 16, 2, 0, 1, 0));
            linear(layer + "attn_o", layer + "attn_out", a.hidden(), a.heads() * a.headDim(), Layout.R16, i == 0 ? Encoding.U4 : Encoding.U2, false);
            group(layer + "ffn_in", true, new Segment(76, 4, 0, 32, 15, 16), new Segment(4, 8, 1, 0, 1, 0));
            if (i == 0) {
                linear(layer + "ffn_gate_up", layer + "ffn_in", 2 * a.intermediate(), a.hidden(), Layout.R16, Encoding.U4,
                        true);
            } else {
                linear(layer + "ffn_gate", layer + "ffn_in", a.intermediate(), a.hidden(), Layout.R16, Encoding.U4, true);
                linear(layer + "ffn_up", layer + "ffn_in", a.intermediate(), a.hidden(), Layout.R16, Encoding.U4, true);
            }
            group(layer + "ffn_hidden", false, new Segment(90, 3, 0, 0, 1, 0), new Segment(6, 4, 1, 0, 1, 0));
            linear(layer + "ffn_down", layer + "ffn_hidden", a.hidden(), a.intermediate(), Layout.C1, Encoding.U4, false);
            if (!dense) {
                permutation(layer + "k_permutation", a.kvHeads(), a.headDim());
                permutation(layer + "v_permutation", a.kvHeads(), a.headDim());
                floats(layer + "k_scale", Encoding.F32, a.kvHeads(), a.headDim());
                bytes(layer + "k_zero", 16, a.kvHeads(), a.headDim());
                floats(layer + "v_scale", Encoding.F32, a.kvHeads(), a.headDim());
                bytes(layer + "v_zero", 16, a.kvHeads(), a.headDim());
            }
        }
        floats("final_norm", Encoding.F32, a.hidden());
        group("head_in", false, new Segment(80, 8, 0, 0, 1, 0));
        linear("lm_head", "head_in", a.vocab(), a.hidden(), Layout.R16, Encoding.U8, false);
    }

    private void group(String name, boolean permuted, Segment... segments) {
        if (dense) {
            return;
        }
        int channels = 0;
        for (Segment s : segments) {
            channels += s.channels();
        }
        if (permuted) {
            permutation(name + ".permutation", 1, channels);
            TensorInfo t = tensors.removeLast();
            tensors.add(TensorInfo.row(t.name(), Encoding.I32, channels));
        }
        groups.put(name, new InputGroup(channels, permuted ? name + ".permutation" : null, List.of(segments),
                List.of(0.9f, 1f, 1f, 1f), name.endsWith("ffn_hidden")));
    }

    private void linear(String name, String input, int rows, int channels, Layout layout, Encoding encoding, boolean mult) {
        int panels = Layouts.panels(rows);
        if (dense) {
            Encoding floats = name.endsWith("down") ? Encoding.BF16 : Encoding.F32;
            TensorInfo t = TensorInfo.weight(name + ".weight", Layout.R16, floats, rows, channels);
            float[] values = new float[rows * channels];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) random.nextDouble(-1, 1);
            }
            byte[] bytes = new byte[(int) t.bytes()];
            Layouts.packR16(values, 0, rows, rows, channels, floats, MemorySegment.ofArray(bytes));
            add(t, bytes);
            linears.put(name, Linear.dense(rows, channels, t.name(), null));
            return;
        }
        InputGroup group = groups.get(input);
        // one linear with multi-step weights: 2 steps of the first segment, 1 of the second, 3 of the third
        List<Integer> steps = name.equals("layers.1.attn_o") ? List.of(2, 1, 3) : null;
        int[] segments = steps == null ? group.segmentChannels() : new int[] {75, 75, 0, 5, 5, 5};
        int groups = steps == null ? group.groups() : 5;
        TensorInfo t = TensorInfo.weight(name + ".weight", layout, encoding, rows, segments);
        byte[] codes = new byte[rows * IntStream.of(segments).sum()];
        random.nextBytes(codes);
        for (int i = 0; i < codes.length; i++) {
            codes[i] = (byte) (codes[i] & (1 << encoding.bits()) - 1);
        }
        byte[] bytes = new byte[(int) t.bytes()];
        MemorySegment out = MemorySegment.ofArray(bytes);
        switch (layout) {
            case R16 -> Layouts.packR16(codes, rows, segments, encoding.bits(), out);
            case C1 -> Layouts.packC1(codes, rows, segments, out);
            default -> Layouts.packP64(codes, rows, segments, out);
        }
        add(t, bytes);
        if (steps == null) {
            floats(name + ".scale", Encoding.F32, 16 * panels);
        } else {
            floats(name + ".scale", Encoding.F32, 6, 16 * panels);
        }
        int weightGroups = mult ? groups : 1;
        bytes(name + ".zero", 1 << encoding.bits(), panels, weightGroups, 16);
        if (mult) {
            bytes(name + ".mult", 64, panels, groups, 16);
        }
        boolean sum = layout == Layout.P64 || group.segments().stream().anyMatch(s -> s.bits() >= 8);
        if (sum) {
            add(TensorInfo.row(name + ".sum", Encoding.I32, panels, groups, 16), random(panels * groups * 64));
        }
        boolean bias = name.endsWith("attn_qkv");
        if (bias) {
            floats(name + ".bias", Encoding.F32, 16 * panels);
        }
        linears.put(name, new Linear(input, rows, channels, t.name(), name + ".scale", name + ".zero",
                mult ? name + ".mult" : null, sum ? name + ".sum" : null, bias ? name + ".bias" : null, weightGroups, steps));
    }

    private void permutation(String name, int rows, int channels) {
        ByteBuffer b = buffer(4 * rows * channels);
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < channels; c++) {
                b.putInt((c * 7 + r + 3) % channels); // 7 has no common factor with 20 and 80
            }
        }
        add(TensorInfo.row(name, Encoding.I32, rows, channels), b.array());
    }

    private void floats(String name, Encoding encoding, long... shape) {
        TensorInfo t = TensorInfo.row(name, encoding, shape);
        ByteBuffer b = buffer((int) t.bytes());
        while (b.hasRemaining()) {
            float v = (float) random.nextDouble(-1, 1);
            if (encoding == Encoding.BF16) {
                b.putShort(Layouts.toBf16(v));
            } else {
                b.putFloat(v);
            }
        }
        add(t, b.array());
    }

    private void bytes(String name, int bound, long... shape) {
        TensorInfo t = TensorInfo.row(name, Encoding.U8, shape);
        byte[] bytes = new byte[(int) t.bytes()];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) random.nextInt(bound);
        }
        add(t, bytes);
    }

    private byte[] random(int n) {
        byte[] bytes = new byte[n];
        random.nextBytes(bytes);
        return bytes;
    }

    private void add(TensorInfo t, byte[] bytes) {
        tensors.add(t);
        data.put(t.name(), bytes);
    }

    private static ByteBuffer buffer(int n) {
        return ByteBuffer.allocate(n).order(ByteOrder.LITTLE_ENDIAN);
    }
}
