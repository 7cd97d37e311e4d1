package io.github.spike4j.convert;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

import tools.jackson.databind.json.JsonMapper;

import io.github.spike4j.convert.importer.Matrix;
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
import io.github.spike4j.format.TokenizerInfo;
import io.github.spike4j.weights.WeightFile;

/** The file being written: tensors go out as they come, the manifest grows. Without a writer it only plans: data is not looked at. */
final class ModelFile {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    /** Rows packed at a time. */
    private static final int BLOCK = 256;

    private static final JsonMapper JSON = JsonMapper.builder().build();

    private final S4jWriter writer;
    private final Architecture architecture;
    private final Recipe recipe;
    private final Map<String, InputGroup> groups = new LinkedHashMap<>();
    private final Map<String, Linear> linears = new LinkedHashMap<>();
    private final List<AttentionLayer> attention = new ArrayList<>();
    /** Tensors and sizes of small entries, if there is no writer. */
    private final List<TensorInfo> planned = new ArrayList<>();
    private final Map<String, Integer> plannedEntries = new LinkedHashMap<>();

    /** @param writer null: only plan */
    ModelFile(S4jWriter writer, Architecture architecture, Recipe recipe) {
        this.writer = writer;
        this.architecture = architecture;
        this.recipe = recipe;
    }

    /** Writes something. */
    interface Action {
        void run() throws IOException;
    }

    /** What is written so far, mapped into {@code arena}. */
    WeightFile written(Arena arena) {
        return WeightFile.unfinished(writer.path(), manifest(null, null, null).withTensors(writer.tensors()), tensor -> {
            try {
                return writer.map(tensor, arena);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    // ---- blocks --------------------------------------------------------------------------------------------------------

    /** Brings back a block that an earlier run has written, with its part of the manifest. */
    boolean restore(String block) throws IOException {
        var memo = writer == null ? Optional.<String>empty() : writer.restore(block);
        memo.map(JSON::readTree).ifPresent(part -> {
            part.get("groups").properties().forEach(e -> groups.put(e.getKey(), JSON.treeToValue(e.getValue(), InputGroup.class)));
            part.get("linears").properties().forEach(e -> linears.put(e.getKey(), JSON.treeToValue(e.getValue(), Linear.class)));
            part.get("attention").forEach(e -> attention.add(JSON.treeToValue(e, AttentionLayer.class)));
        });
        return memo.isPresent();
    }

    /** Writes a block so that a later run can restore it. */
    void write(String block, Action action) throws IOException {
        int firstGroup = groups.size();
        int firstLinear = linears.size();
        int firstLayer = attention.size();
        action.run();
        if (writer != null) {
            writer.commit(block, JSON.writeValueAsString(Map.of("groups", from(groups, firstGroup), "linears", from(linears, firstLinear),
                    "attention", attention.subList(firstLayer, attention.size()))));
        }
    }

    private static <V> Map<String, V> from(Map<String, V> all, int first) {
        var part = new LinkedHashMap<String, V>();
        all.entrySet().stream().skip(first).forEach(e -> part.put(e.getKey(), e.getValue()));
        return part;
    }

    private void tensor(TensorInfo info, MemorySegment data) throws IOException {
        if (writer == null) {
            planned.add(info);
        } else {
            writer.tensor(info, data);
        }
    }

    /** Checks what a reader refuses. @param encoding in bfloat16 the largest floats become infinite */
    private static void finite(String name, Encoding encoding, float[] values, int from, int count) {
        for (int i = 0; i < count; i++) {
            float v = values[from + i];
            if (!Float.isFinite(encoding == Encoding.BF16 ? Layouts.fromBf16(Layouts.toBf16(v)) : v)) {
                throw new ConversionException(name + ": a weight is not finite: " + v + " in column " + i);
            }
        }
    }

    // ---- plain arrays --------------------------------------------------------------------------------------------------

    void floats(String name, float[] values, long... shape) throws IOException {
        finite(name, Encoding.F32, values, 0, values.length);
        try (var arena = Arena.ofConfined()) {
            var data = arena.allocate(4L * values.length, 64);
            MemorySegment.copy(values, 0, data, FLOAT, 0, values.length);
            tensor(TensorInfo.row(name, Encoding.F32, shape), data);
        }
    }

    void ints(String name, int[] values, long... shape) throws IOException {
        try (var arena = Arena.ofConfined()) {
            var data = arena.allocate(4L * values.length, 64);
            MemorySegment.copy(values, 0, data, INT, 0, values.length);
            tensor(TensorInfo.row(name, Encoding.I32, shape), data);
        }
    }

    void bytes(String name, byte[] values, long... shape) throws IOException {
        try (var arena = Arena.ofConfined()) {
            tensor(TensorInfo.row(name, Encoding.U8, shape), arena.allocate(values.length, 64).copyFrom(MemorySegment.ofArray(values)));
        }
    }

    /** The embedding: rows of bfloat16, or of float32 with recipe weights of 32 bits. */
    void embedding(Matrix table) throws IOException {
        var encoding = recipe.weightBits() == 32 ? Encoding.F32 : Encoding.BF16;
        var info = TensorInfo.row("embedding", encoding, table.rows(), table.columns());
        if (writer == null) {
            planned.add(info);
            return;
        }
        try (var channel = writer.tensor(info)) {
            var values = new float[table.columns()];
            var block = new byte[(int) (info.bytes() / table.rows()) * Math.min(BLOCK, table.rows())];
            var bytes = ByteBuffer.wrap(block).order(ByteOrder.LITTLE_ENDIAN);
            for (int r = 0; r < table.rows(); r++) {
                table.read(r, values, 0);
                finite("embedding, row " + r, encoding, values, 0, values.length);
                for (float v : values) {
                    if (encoding == Encoding.F32) {
                        bytes.putFloat(v);
                    } else {
                        bytes.putShort(Layouts.toBf16(v));
                    }
                }
                if (!bytes.hasRemaining() || r == table.rows() - 1) {
                    channel.write(bytes.flip());
                    bytes.clear();
                }
            }
        }
    }

    // ---- linears -------------------------------------------------------------------------------------------------------

    /** Encoding of float weights. */
    Encoding denseEncoding() {
        return recipe.weightBits() == 32 ? Encoding.F32 : Encoding.BF16;
    }

    /** A linear with float weights. */
    void dense(String name, Matrix rows, float[] bias, Workers workers) throws IOException {
        var encoding = denseEncoding();
        var info = TensorInfo.weight(name + ".weight", Layout.R16, encoding, rows.rows(), rows.columns());
        if (writer == null) {
            planned.add(info);
        } else {
            pack(rows, info, workers);
        }
        linears.put(name, Linear.dense(rows.rows(), rows.columns(), name + ".weight", bias(name, rows.rows(), bias)));
    }

    private void pack(Matrix rows, TensorInfo info, Workers workers) throws IOException {
        var encoding = info.encoding();
        long panelBytes = info.bytes() / Layouts.panels(rows.rows());
        try (var arena = Arena.ofShared(); var channel = writer.tensor(info)) {
            var buffer = arena.allocate(panelBytes * BLOCK / 16, 64);
            for (int first = 0; first < rows.rows(); first += BLOCK) {
                int from = first;
                int panels = Layouts.panels(Math.min(BLOCK, rows.rows() - first));
                workers.run(panels, p -> {
                    int row = from + 16 * p;
                    int n = Math.min(16, rows.rows() - row);
                    var values = new float[n * rows.columns()];
                    for (int r = 0; r < n; r++) {
                        rows.read(row + r, values, r * rows.columns());
                        finite(info.name() + ", row " + (row + r), encoding, values, r * rows.columns(), rows.columns());
                    }
                    Layouts.packR16(values, 0, n, n, rows.columns(), encoding, buffer.asSlice(p * panelBytes, panelBytes));
                });
                channel.write(buffer.asSlice(0, panels * panelBytes).asByteBuffer());
            }
        }
    }

    /** A dense linear whose panels are already there. */
    void dense(String name, int rows, int columns, MemorySegment data) throws IOException {
        tensor(TensorInfo.weight(name + ".weight", Layout.R16, denseEncoding(), rows, columns), data);
        linears.put(name, Linear.dense(rows, columns, name + ".weight", null));
    }

    private String bias(String name, int rows, float[] bias) throws IOException {
        if (bias == null) {
            return null;
        }
        floats(name + ".bias", Arrays.copyOf(bias, (int) Layouts.pad(rows, 16)), Layouts.pad(rows, 16));
        return name + ".bias";
    }

    /**
     * An input group and its linear.
     *
     * @param permutation null when it is folded into what feeds the group
     * @param segments    without their maxMultiplier
     */
    void spiking(String group, int[] permutation, Segment[] segments, double clip, String name, int rows, int bits, SpikeLinear linear,
            float[] bias) throws IOException {
        if (permutation != null) {
            ints(group + ".permutation", permutation, permutation.length);
        }
        int channels = Arrays.stream(segments).mapToInt(Segment::channels).sum();
        groups.put(group, new InputGroup(channels, permutation == null ? null : group + ".permutation", limited(segments, linear),
                List.of((float) clip, 1f, 1f, 1f), false));
        int g = Arrays.stream(segments).mapToInt(Segment::groups).sum();
        int panels = Layouts.panels(rows);
        tensor(TensorInfo.weight(name + ".weight", Layout.R16, Encoding.ofCodes(bits), rows,
                Arrays.stream(segments).mapToInt(Segment::channels).toArray()), linear.data());
        floats(name + ".scale", linear.scale(), 16L * panels);
        bytes(name + ".zero", linear.zero(), panels, linear.weightGroups(), 16);
        if (linear.mult() != null) {
            bytes(name + ".mult", linear.mult(), panels, g, 16);
        }
        if (linear.sum() != null) {
            ints(name + ".sum", linear.sum(), panels, g, 16);
        }
        linears.put(name, new Linear(group, rows, channels, name + ".weight", name + ".scale", name + ".zero",
                linear.mult() == null ? null : name + ".mult", linear.sum() == null ? null : name + ".sum", bias(name, rows, bias),
                linear.weightGroups(), null));
    }

    private static List<Segment> limited(Segment[] segments, SpikeLinear linear) {
        var all = new ArrayList<Segment>();
        for (int i = 0; i < segments.length; i++) {
            var s = segments[i];
            all.add(new Segment(s.channels(), s.bits(), s.rangeSet(), s.actGroup(),
                    s.actGroup() == 0 ? 1 : SpikeLinear.maxMultiplier(s.bits(), linear.worst()[i]), s.group()));
        }
        return all;
    }

    /** Segments of an input group; M is not known yet. */
    static Segment[] segments(Recipe r, Channels channels) {
        int group = r.actGroup() == 0 || r.weightGroup() == 0 ? Math.max(r.actGroup(), r.weightGroup())
                : Math.min(r.actGroup(), r.weightGroup());
        var ordinary = new Segment(channels.ordinary(), r.activationBits(), 0, r.actGroup(), 1, group);
        if (channels.salient() == 0) {
            return new Segment[] {ordinary};
        }
        return new Segment[] {ordinary, new Segment(channels.salient(), r.salientBits(), r.ranges() == Recipe.Ranges.SHARED ? 0 : 1,
                r.actGroup(), 1, group)};
    }

    /** The input of lm_head: 8 bits, one range (N10). */
    static Segment[] headSegments(Architecture a) {
        return new Segment[] {new Segment(a.hidden(), 8, 0, 0, 1, 0)};
    }

    // ---- attention and the rest ----------------------------------------------------------------------------------------

    /** Ranges by permuted channel of each kv head, from calibration. */
    record Frozen(float[] scale, byte[] zero) { }

    /**
     * K and V of the next layer.
     *
     * @param k      by kv head
     * @param frozenK null for ranges by token
     * @param frozenV the same for V
     */
    void attention(Channels[] k, Channels[] v, Frozen frozenK, Frozen frozenV) throws IOException {
        var prefix = "layers." + attention.size() + ".";
        long heads = architecture.kvHeads();
        long d = architecture.headDim();
        ints(prefix + "k_permutation", flat(k), heads, d);
        ints(prefix + "v_permutation", flat(v), heads, d);
        for (var which : List.of("k", "v")) {
            var frozen = which.equals("k") ? frozenK : frozenV;
            if (frozen != null) {
                floats(prefix + which + "_scale", frozen.scale, heads, d);
                bytes(prefix + which + "_zero", frozen.zero, heads, d);
            }
        }
        attention.add(new AttentionLayer(prefix + "k_permutation", prefix + "v_permutation",
                Arrays.stream(k).mapToInt(Channels::salient).toArray(), Arrays.stream(v).mapToInt(Channels::salient).toArray(),
                frozenK == null ? null : prefix + "k_scale", frozenK == null ? null : prefix + "k_zero",
                frozenV == null ? null : prefix + "v_scale", frozenV == null ? null : prefix + "v_zero"));
    }

    private static int[] flat(Channels[] heads) {
        return Arrays.stream(heads).flatMapToInt(c -> Arrays.stream(c.permutation())).toArray();
    }

    void entry(String name, byte[] content) {
        if (writer == null) {
            plannedEntries.put(name, content.length);
        } else {
            writer.entry(name, content);
        }
    }

    void finish(TokenizerInfo tokenizer, Map<String, String> provenance, String license) throws IOException {
        writer.finish(manifest(tokenizer, provenance, license));
    }

    /** The size that the planned file will have. */
    long size(TokenizerInfo tokenizer, Map<String, String> provenance, String license) {
        return S4jWriter.size(manifest(tokenizer, provenance, license), plannedEntries);
    }

    /** Bytes of the largest tensor planned. */
    long largest() {
        return planned.stream().mapToLong(TensorInfo::bytes).max().orElse(0);
    }

    private Manifest manifest(TokenizerInfo tokenizer, Map<String, String> provenance, String license) {
        boolean spiking = recipe.compute() == Recipe.Compute.SPIKING;
        var at = spiking ? new Attention(recipe.qBits(), new int[] {recipe.kBits(), recipe.kSalientBits()},
                new int[] {recipe.vBits(), recipe.vSalientBits()}, recipe.k().toString(), recipe.v().toString(), recipe.kRanges().toString(), false,
                attention) : null;
        return new Manifest(Manifest.VERSION, architecture, recipe.compute().toString(), Recipes.toMap(recipe), groups, linears, at,
                planned, tokenizer, provenance, license);
    }
}
