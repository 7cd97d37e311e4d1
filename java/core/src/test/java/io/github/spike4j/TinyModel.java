package io.github.spike4j;

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
import io.github.spike4j.format.Rope;
import io.github.spike4j.format.Segment;
import io.github.spike4j.format.TensorInfo;
import io.github.spike4j.format.TokenizerInfo;
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

/** A random model in plain arrays, which {@link Oracle} reads, and as a file, which the engine reads. */
final class TinyModel {
    /** Token ids: 0..255 are bytes. */
    static final int BOS = 256;
    static final int EOS = 257;
    /** The largest window of WINDOWED, within a page. */
    static final int WINDOW = 30;
    /** This token's embedding makes the residual overflow. */
    static final int POISON = 258;

    /**
     * OWN_MASKS also has bit planes (P64); FEATURES and DENSE_FEATURES have all that an architecture can have beyond the first LLaMA. OPTIONS too, and
     * segments of 16 bits, with and without groups, multi-step weights, online Hadamards, one range for both segments of K, frozen V. In WINDOWED
     * every layer sees a window.
     */
    enum Kind {
        DENSE, SPIKING, OWN_MASKS, FROZEN, FEATURES, DENSE_FEATURES, OPTIONS, WINDOWED;

        boolean dense() {
            return this == DENSE || this == DENSE_FEATURES;
        }

        boolean features() {
            return this == FEATURES || this == DENSE_FEATURES || this == OPTIONS;
        }
    }

    /**
     * Weights in plain order: codes [rows][channels] over permuted channels; with steps, by segment, [rows][segment][step][channel], and scale
     * [sum of steps][rows]; zero [row][groups or 1], mult [row][groups] or null.
     */
    record Lin(String input, int rows, int channels, int[] steps, byte[] codes, float[] scale, int[][] zero, int[][] mult, float[] bias, float[] dense) {}

    final Kind kind;
    final Architecture a;
    final float[] embedding;
    final Map<String, float[]> norms = new LinkedHashMap<>();
    final Map<String, Lin> linears = new LinkedHashMap<>();
    final Map<String, InputGroup> groups = new LinkedHashMap<>();
    final Map<String, int[]> permutations = new LinkedHashMap<>();
    final int qBits;
    /** By entry. */
    final Map<String, String> chatTemplates = new LinkedHashMap<>();
    /** Of its tokenizer. */
    String decoder = "{\"type\":\"ByteLevel\"}";
    final int[] kBits = {4, 5};
    final int[] vBits = {4, 5};
    /** By layer and kv head. */
    final int[][] kSalient = {{3, 0}, {2, 20}, {4, 4}};
    final int[][] vSalient = {{2, 1}, {0, 4}, {3, 20}};
    final Map<String, float[]> kScale = new LinkedHashMap<>();
    final Map<String, int[]> kZero = new LinkedHashMap<>();
    final Map<String, float[]> vScale = new LinkedHashMap<>();
    final Map<String, int[]> vZero = new LinkedHashMap<>();
    private final SplittableRandom random;

    TinyModel(Kind kind, long seed) {
        this.kind = kind;
        random = new SplittableRandom(seed);
        qBits = kind == Kind.OWN_MASKS ? 4 : 8;
        var plain = Architecture.llama(kind.features() ? 3 : 2, 80, 96, 4, 2, 20, 260, 300, 1e-5f, 10000, false);
        // A layer without rotation, one whose last pairs rest, windows within a page, across pages and none.
        var slow = new Rope(List.of(1.0, 7.5, 20.0, 55.0, 300.0, 1e4, 1e5, 0.0, 0.0, 0.0), 1.25);
        a = kind == Kind.WINDOWED ? plain.withWindows(List.of(9, WINDOW)) : !kind.features() ? plain : plain.withActivation("gelu_tanh", 8.9f).withScores(0.31f, 2.5f, 4f).withNorms(true, true)
                .withRopes(List.of(plain.ropes().getFirst(), slow), List.of(0, -1, 1)).withWindows(List.of(9, 0, 70));
        embedding = normal(a.vocab() * a.hidden(), 1);
        for (int i = 0; i < embedding.length; i++) {
            embedding[i] = Layouts.fromBf16(Layouts.toBf16(embedding[i]));
        }
        for (int i = 0; i < a.hidden(); i++) {
            embedding[POISON * a.hidden() + i] = 0x1p120f;
        }
        for (int l = 0; l < a.layers(); l++) {
            var name = "layers." + l + ".";
            norms.put(name + "attn_norm", around1(a.hidden()));
            norms.put(name + "ffn_norm", around1(a.hidden()));
            if (kind.features()) {
                norms.put(name + "q_norm", around1(a.headDim()));
                norms.put(name + "k_norm", around1(a.headDim()));
                norms.put(name + "attn_post_norm", around1(a.hidden()));
                norms.put(name + "ffn_post_norm", around1(a.hidden()));
            }
            int kv = a.kvHeads() * a.headDim();
            if (kind == Kind.OWN_MASKS) {
                for (var part : List.of("q", "k", "v")) {
                    group(name + part + "_in", new Segment(80 - part.length() - l, 4, 0, 0, 1, 0), new Segment(part.length() + l, 5, 1, 0, 1, 0));
                    linear(name + "attn_" + part, name + part + "_in", part.equals("q") ? 80 : kv, 80, 4, 0);
                }
            } else {
                group(name + "attn_in", new Segment(77, 4, 0, 0, 1, 0), new Segment(3, 5, 1, 0, 1, 0));
                linear(name + "attn_qkv", name + "attn_in", a.qkvRows(), 80, 4, 0);
            }
            group(name + "attn_out", new Segment(70, 4, 0, 0, 1, 0), new Segment(0, 4, 1, 0, 1, 0), new Segment(10, 6, 0, 0, 1, 0));
            linear(name + "attn_o", name + "attn_out", 80, 80, 2, 0);
            group(name + "ffn_in", new Segment(74, wide(4), 0, 32, kind == Kind.OPTIONS ? 255 : 15, 16), new Segment(6, 8, 1, 0, 1, 16));
            linear(name + "ffn_gate_up", name + "ffn_in", 2 * a.intermediate(), 80, 4, 63);
            group(name + "ffn_hidden", new Segment(90, wide(4), 0, 0, 1, 0), new Segment(6, 5, 1, 0, 1, 0));
            linear(name + "ffn_down", name + "ffn_hidden", 80, a.intermediate(), 4, 0);
            for (var which : List.of("k", "v")) {
                for (int h = 0; h < a.kvHeads(); h++) {
                    permutations.put(name + which + h, permutation(a.headDim()));
                }
            }
            for (int h = 0; h < a.kvHeads(); h++) {
                kScale.put(name + h, uniform(a.headDim(), 0.2, 0.6));
                kZero.put(name + h, random.ints(a.headDim(), 4, 12).toArray());
                if (kind == Kind.OPTIONS) {
                    vScale.put(name + h, uniform(a.headDim(), 0.2, 0.6));
                    vZero.put(name + h, random.ints(a.headDim(), 4, 12).toArray());
                }
            }
        }
        norms.put("final_norm", around1(a.hidden()));
        group("head_in", new Segment(80, 8, 0, 0, 1, 0));
        linear("lm_head", "head_in", a.vocab(), 80, 8, 0);
    }

    /** A width, or 16 bits in the model of options. */
    private int wide(int bits) {
        return kind == Kind.OPTIONS ? 16 : bits;
    }

    boolean spiking() {
        return !kind.dense();
    }

    private void group(String name, Segment... segments) {
        int channels = 0;
        for (var s : segments) {
            channels += s.channels();
        }
        groups.put(name, new InputGroup(channels, name + ".permutation", List.of(segments), List.of(0.9f, 1f, 1f, 1f),
                kind == Kind.OPTIONS && (name.endsWith("attn_out") || name.endsWith("ffn_hidden"))));
        permutations.put(name, permutation(channels));
    }

    private void linear(String name, String input, int rows, int channels, int bits, int maxMult) {
        float[] bias = name.contains("attn_q") ? normal(rows, 0.3) : null;
        if (!spiking()) {
            var w = normal(rows * channels, 1 / Math.sqrt(channels));
            linears.put(name, new Lin(null, rows, channels, null, null, null, null, null, bias, w));
            return;
        }
        int groupCount = groups.get(input).groups();
        // two steps of the ordinary channels, three of the empty segment, one of the salient ones
        int[] steps = kind == Kind.OPTIONS && name.endsWith("attn_o") ? new int[] {2, 3, 1} : null;
        int planes = steps == null ? 1 : java.util.Arrays.stream(steps).sum();
        int codesOfRow = steps == null ? channels : java.util.Arrays.stream(stepped(groups.get(input), steps)).sum();
        var codes = new byte[rows * codesOfRow];
        int top = 1 << bits;
        for (int i = 0; i < codes.length; i++) {
            codes[i] = (byte) random.nextInt(steps == null ? top : 3);
        }
        var scale = uniform(planes * rows, 2.0 / top / Math.sqrt(channels), 4.0 / top / Math.sqrt(channels));
        var zero = new int[rows][];
        var mult = maxMult == 0 ? null : new int[rows][];
        for (int r = 0; r < rows; r++) {
            int mid = top / 2;
            zero[r] = random.ints(mult == null ? 1 : groupCount, Math.max(0, mid - mid / 4), mid + mid / 4 + 1).toArray();
            if (mult != null) {
                mult[r] = random.ints(groupCount, 1, maxMult + 1).toArray();
                scale[r] /= maxMult / 2f;
            }
        }
        linears.put(name, new Lin(input, rows, channels, steps, codes, scale, zero, mult, bias, null));
    }

    /** Channels of each plane of codes. */
    private static int[] stepped(InputGroup group, int[] steps) {
        return java.util.stream.IntStream.range(0, steps.length)
                .flatMap(i -> java.util.stream.IntStream.generate(() -> group.segments().get(i).channels()).limit(steps[i])).toArray();
    }

    private int[] permutation(int n) {
        var p = new int[n];
        for (int i = 0; i < n; i++) {
            int j = random.nextInt(i + 1);
            p[i] = p[j];
            p[j] = i;
        }
        return p;
    }

    private float[] normal(int n, double sigma) {
        var x = new float[n];
        for (int i = 0; i < n; i++) {
            x[i] = (float) (sigma * random.nextGaussian());
        }
        return x;
    }

    private float[] uniform(int n, double low, double high) {
        var x = new float[n];
        for (int i = 0; i < n; i++) {
            x[i] = (float) random.nextDouble(low, high);
        }
        return x;
    }

    private float[] around1(int n) {
        return uniform(n, 0.7, 1.3);
    }

    /** Which bits a linear's codes are stored with. */
    private static Encoding encoding(String name) {
        return name.equals("lm_head") ? Encoding.U8 : name.endsWith("attn_o") ? Encoding.U2 : Encoding.U4;
    }

    /** Writes the file. */
    Path write(Path out) throws IOException {
        try (var writer = S4jWriter.create(out)) {
            writer.entry("tokenizer.json", tokenizer());
            chatTemplates.forEach((entry, template) -> writer.entry(entry, template.getBytes(StandardCharsets.UTF_8)));
            var table = ByteBuffer.allocate(2 * embedding.length).order(ByteOrder.LITTLE_ENDIAN);
            for (float v : embedding) {
                table.putShort(Layouts.toBf16(v));
            }
            put(writer, TensorInfo.row("embedding", Encoding.BF16, a.vocab(), a.hidden()), table.array());
            for (var norm : norms.entrySet()) {
                put(writer, TensorInfo.row(norm.getKey(), Encoding.F32, norm.getValue().length), floats(norm.getValue(), norm.getValue().length));
            }
            var manifestLinears = new LinkedHashMap<String, Linear>();
            for (var e : linears.entrySet()) {
                manifestLinears.put(e.getKey(), write(writer, e.getKey(), e.getValue()));
            }
            Attention attention = null;
            if (spiking()) {
                for (var g : groups.keySet()) {
                    put(writer, TensorInfo.row(g + ".permutation", Encoding.I32, groups.get(g).channels()), ints(permutations.get(g)));
                }
                attention = attention(writer);
            }
            writer.finish(new Manifest(Manifest.VERSION, a, spiking() ? "spiking" : "dense",
                    Map.of(), spiking() ? groups : Map.of(), manifestLinears, attention,
                    List.of(), new TokenizerInfo(BOS, new int[] {EOS}, true), Map.of(), "Apache-2.0"));
        }
        return out;
    }

    private Attention attention(S4jWriter writer) throws IOException {
        var layers = new ArrayList<AttentionLayer>();
        int d = a.headDim();
        boolean frozen = kind == Kind.FROZEN;
        boolean options = kind == Kind.OPTIONS;
        for (int l = 0; l < a.layers(); l++) {
            var name = "layers." + l + ".";
            for (var which : List.of("k", "v")) {
                var all = ByteBuffer.allocate(4 * a.kvHeads() * d).order(ByteOrder.LITTLE_ENDIAN);
                for (int h = 0; h < a.kvHeads(); h++) {
                    all.put(ints(permutations.get(name + which + h)));
                }
                put(writer, TensorInfo.row(name + which + "_permutation", Encoding.I32, a.kvHeads(), d), all.array());
            }
            if (frozen) {
                ranges(writer, name, "k", kScale, kZero);
            }
            if (options) {
                ranges(writer, name, "v", vScale, vZero);
            }
            layers.add(new AttentionLayer(name + "k_permutation", name + "v_permutation", kSalient[l], vSalient[l],
                    frozen ? name + "k_scale" : null, frozen ? name + "k_zero" : null, options ? name + "v_scale" : null,
                    options ? name + "v_zero" : null));
        }
        return new Attention(qBits, kBits, vBits, frozen ? "frozen" : "token", options ? "frozen" : "token", options ? "shared" : "separate",
                options, layers);
    }

    private void ranges(S4jWriter writer, String layer, String which, Map<String, float[]> scale, Map<String, int[]> zero) throws IOException {
        int d = a.headDim();
        var scales = ByteBuffer.allocate(4 * a.kvHeads() * d);
        var zeros = ByteBuffer.allocate(a.kvHeads() * d);
        for (int h = 0; h < a.kvHeads(); h++) {
            scales.put(floats(scale.get(layer + h), d));
            for (int z : zero.get(layer + h)) {
                zeros.put((byte) z);
            }
        }
        put(writer, TensorInfo.row(layer + which + "_scale", Encoding.F32, a.kvHeads(), d), scales.array());
        put(writer, TensorInfo.row(layer + which + "_zero", Encoding.U8, a.kvHeads(), d), zeros.array());
    }

    private Linear write(S4jWriter writer, String name, Lin lin) throws IOException {
        int rows = lin.rows();
        int panels = Layouts.panels(rows);
        var biasName = lin.bias() == null ? null : name + ".bias";
        if (biasName != null) {
            put(writer, TensorInfo.row(biasName, Encoding.F32, 16L * panels), floats(lin.bias(), 16 * panels));
        }
        if (lin.input() == null) {
            var info = TensorInfo.weight(name + ".weight", Layout.R16, Encoding.F32, rows, lin.channels());
            var bytes = new byte[(int) info.bytes()];
            Layouts.packR16(lin.dense(), 0, rows, rows, lin.channels(), Encoding.F32, MemorySegment.ofArray(bytes));
            put(writer, info, bytes);
            return Linear.dense(rows, lin.channels(), info.name(), biasName);
        }
        var group = groups.get(lin.input());
        var layout = kind == Kind.OWN_MASKS && encoding(name) == Encoding.U2 ? Layout.P64 : Layout.R16;
        int[] planes = lin.steps() == null ? group.segmentChannels() : stepped(group, lin.steps());
        var info = TensorInfo.weight(name + ".weight", layout, encoding(name), rows, planes);
        var bytes = new byte[(int) info.bytes()];
        if (layout == Layout.P64) {
            Layouts.packP64(lin.codes(), rows, group.segmentChannels(), MemorySegment.ofArray(bytes));
        } else {
            Layouts.packR16(lin.codes(), rows, planes, encoding(name).bits(), MemorySegment.ofArray(bytes));
        }
        put(writer, info, bytes);
        if (lin.steps() == null) {
            put(writer, TensorInfo.row(name + ".scale", Encoding.F32, 16L * panels), floats(lin.scale(), 16 * panels));
        } else {
            var scales = ByteBuffer.allocate(4 * planes.length * 16 * panels);
            for (int p = 0; p < planes.length; p++) {
                scales.put(floats(java.util.Arrays.copyOfRange(lin.scale(), p * rows, (p + 1) * rows), 16 * panels));
            }
            put(writer, TensorInfo.row(name + ".scale", Encoding.F32, planes.length, 16L * panels), scales.array());
        }
        int zeroGroups = lin.zero()[0].length;
        put(writer, TensorInfo.row(name + ".zero", Encoding.U8, panels, zeroGroups, 16), panels(lin.zero(), panels, zeroGroups));
        if (lin.mult() != null) {
            put(writer, TensorInfo.row(name + ".mult", Encoding.U8, panels, group.groups(), 16), panels(lin.mult(), panels, group.groups()));
        }
        List<Integer> steps = lin.steps() == null ? null : java.util.Arrays.stream(lin.steps()).boxed().toList();
        if (steps != null) { // no segment of 8 bits: no sums
            return new Linear(lin.input(), rows, lin.channels(), info.name(), name + ".scale", name + ".zero", null, null, biasName, 1, steps);
        }
        int[] groupOf = Oracle.groupOf(group);
        var sums = ByteBuffer.allocate(4 * panels * group.groups() * 16).order(ByteOrder.LITTLE_ENDIAN);
        for (int r = 0; r < rows; r++) {
            for (int k = 0; k < lin.channels(); k++) {
                int at = 4 * ((r / 16 * group.groups() + groupOf[k]) * 16 + r % 16);
                int zero = lin.zero()[r][zeroGroups == 1 ? 0 : groupOf[k]];
                sums.putInt(at, sums.getInt(at) + (lin.codes()[r * lin.channels() + k] & 255) - zero);
            }
        }
        put(writer, TensorInfo.row(name + ".sum", Encoding.I32, panels, group.groups(), 16), sums.array());
        return new Linear(lin.input(), rows, lin.channels(), info.name(), name + ".scale", name + ".zero",
                lin.mult() == null ? null : name + ".mult", name + ".sum", biasName, zeroGroups, null);
    }

    private static byte[] panels(int[][] values, int panels, int width) {
        var out = new byte[panels * width * 16];
        for (int r = 0; r < values.length; r++) {
            for (int g = 0; g < width; g++) {
                out[(r / 16 * width + g) * 16 + r % 16] = (byte) values[r][g];
            }
        }
        return out;
    }

    private static void put(S4jWriter writer, TensorInfo info, byte[] bytes) throws IOException {
        writer.tensor(info, MemorySegment.ofArray(bytes));
    }

    private static byte[] floats(float[] values, int padded) {
        var b = ByteBuffer.allocate(4 * padded).order(ByteOrder.LITTLE_ENDIAN);
        for (float v : values) {
            b.putFloat(v);
        }
        return b.array();
    }

    private static byte[] ints(int[] values) {
        var b = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        for (int v : values) {
            b.putInt(v);
        }
        return b.array();
    }

    /** Every byte is a token; its name in the vocabulary is the printable stand-in that byte-level BPE uses. */
    private byte[] tokenizer() {
        var json = new StringBuilder("{\"added_tokens\":[");
        json.append("{\"id\":256,\"content\":\"<s>\",\"special\":true},{\"id\":257,\"content\":\"</s>\",\"special\":true}],");
        json.append("\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true},");
        json.append("\"decoder\":").append(decoder).append(",\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{");
        int next = 256;
        for (int b = 0; b < 256; b++) {
            boolean printable = b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae;
            char c = (char) (printable ? b : next++);
            json.append(b == 0 ? "" : ",").append('"').append(c == '"' || c == '\\' ? "\\" : "").append(c).append("\":").append(b);
        }
        return json.append("}}}").toString().getBytes(StandardCharsets.UTF_8);
    }
}
