package io.github.spike4j.format;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.LongToIntFunction;
import java.util.stream.IntStream;

/** The invariants of a manifest (SPEC.md, "Manifest"). What passes here can be handed to a kernel without a further look. */
final class Checks {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final List<String> COMPUTES = List.of("spiking", "dense");
    private static final List<String> MODES = List.of("token", "frozen");
    private static final List<String> RANGES = List.of("separate", "shared");
    private static final int MAX_SEGMENTS = 4;
    private static final int MAX_ROPES = 8;
    private static final int MAX_STEPS = 16;

    /** For messages. */
    private final Path path;
    private final Manifest manifest;
    private final Map<String, TensorInfo> tensors = new HashMap<>();
    /** Weights whose size a linear has vouched for. */
    private final Set<String> weights = new HashSet<>();
    /** Tensors that a reader takes into memory of its own: named twice, a small file would need a lot of it. */
    private final Set<String> copied = new HashSet<>();
    /** Of the permutation that is looked at. */
    private int[] sources = {};

    private Checks(Path path, Manifest manifest) {
        this.path = path;
        this.manifest = manifest;
    }

    /** Checks everything that the manifest alone tells. */
    static void structure(Path path, Manifest manifest) throws S4jFormatException {
        new Checks(path, manifest).structure();
    }

    /** Checks that the permutations are permutations: kernels gather through them. */
    static void permutations(Path path, Manifest manifest, S4jFile file) throws S4jFormatException {
        var checks = new Checks(path, manifest);
        if (manifest.attention() != null) {
            for (AttentionLayer layer : manifest.attention().layers()) {
                checks.permutations(layer.kPermutation(), file.tensor(layer.kPermutation()), manifest.architecture().headDim());
                checks.permutations(layer.vPermutation(), file.tensor(layer.vPermutation()), manifest.architecture().headDim());
            }
        }
        for (var e : manifest.inputGroups().entrySet()) {
            InputGroup group = e.getValue();
            if (group.permutation() != null) {
                checks.permutations(group.permutation(), file.tensor(group.permutation()), group.channels());
            }
        }
    }

    /**
     * Checks what the tensors hold: floats are finite, zero points and multipliers in their ranges, and no sum of N4 can wrap. The stored sums
     * of weights are not compared with the codes.
     */
    static void values(Path path, Manifest manifest, S4jFile file, BiConsumer<String, Long> seen) throws S4jFormatException {
        var checks = new Checks(path, manifest);
        for (TensorInfo t : manifest.tensors()) {
            checks.tensors.put(t.name(), t);
            if (t.encoding().isFloat()) {
                checks.finite(t, file.tensor(t.name()));
                seen.accept(t.name(), t.bytes());
            }
        }
        for (var e : manifest.linears().entrySet()) {
            Linear linear = e.getValue();
            if (linear.input() != null) {
                checks.bytes(linear.zero(), file.tensor(linear.zero()), _ -> (1 << checks.tensors.get(linear.weight()).encoding().bits()) - 1);
                if (linear.mult() != null) {
                    // the pads of the last panel may be 0
                    checks.bytes(linear.mult(), file.tensor(linear.mult()), _ -> 63);
                }
                checks.sums(linear, file);
                seen.accept(e.getKey(), checks.tensors.get(linear.weight()).bytes());
            }
        }
        Attention at = manifest.attention();
        if (at != null) {
            for (AttentionLayer layer : at.layers()) {
                checks.zeros(layer.kZero(), layer.kSalient(), at.kBits(), file);
                checks.zeros(layer.vZero(), layer.vSalient(), at.vBits(), file);
            }
        }
    }

    /** Zero points by channel, ordinary ones first, fit their widths. */
    private void zeros(String name, int[] salient, int[] bits, S4jFile file) throws S4jFormatException {
        if (name != null) {
            int headDim = manifest.architecture().headDim();
            bytes(name, file.tensor(name), at -> (1 << bits[at % headDim < headDim - salient[(int) (at / headDim)] ? 0 : 1]) - 1);
        }
    }

    static String otherVersion(long version) {
        return "format version " + version + ", this version reads 1 to " + Manifest.VERSION + ": use "
                + (version > Manifest.VERSION ? "a newer" : "an older") + " Spike4J or convert the model again";
    }

    private void structure() throws S4jFormatException {
        require(manifest.formatVersion() >= 1 && manifest.formatVersion() <= Manifest.VERSION, otherVersion(manifest.formatVersion()));
        require(manifest.architecture() != null, "architecture is null");
        known("compute", manifest.compute(), COMPUTES);
        requireNoNulls("inputGroups", manifest.inputGroups());
        requireNoNulls("linears", manifest.linears());
        requireNoNulls("provenance", manifest.provenance());
        require(manifest.tensors() != null && noNulls(manifest.tensors()), "tensors: null is not allowed");
        architecture(manifest.architecture());
        tokenizer(manifest.tokenizer());
        for (TensorInfo tensor : manifest.tensors()) {
            tensor(tensor);
        }
        for (var group : manifest.inputGroups().entrySet()) {
            inputGroup(group.getKey(), group.getValue());
        }
        linears();
        others();
        attention();
        for (TensorInfo tensor : manifest.tensors()) {
            require(tensor.layout() == Layout.ROW || weights.contains(tensor.name()),
                    "tensor %s: layout %s, but no linear's weight", tensor.name(), tensor.layout());
        }
    }

    private void architecture(Architecture a) throws S4jFormatException {
        known("architecture.family", a.family(), Architecture.FAMILIES);
        range("architecture", ".layers", a.layers(), 1, 1024);
        range("architecture", ".hidden", a.hidden(), 1, 1 << 20);
        range("architecture", ".intermediate", a.intermediate(), 1, 1 << 20);
        range("architecture", ".heads", a.heads(), 1, 1024);
        range("architecture", ".kvHeads", a.kvHeads(), 1, a.heads());
        range("architecture", ".headDim", a.headDim(), 2, 256);
        range("architecture", ".vocab", a.vocab(), 1, 1 << 24);
        range("architecture", ".context", a.context(), 1, 1 << 24);
        require(a.heads() % a.kvHeads() == 0, "architecture: %d heads are no multiple of %d kvHeads", a.heads(), a.kvHeads());
        require(a.headDim() % 2 == 0, "architecture.headDim %d is odd", a.headDim());
        require(a.normEps() >= 0 && a.normEps() < 1, "architecture.normEps %s", a.normEps());
        known("architecture.activation", a.activation(), Architecture.ACTIVATIONS);
        require(positive(a.embeddingScale()), "architecture.embeddingScale %s", a.embeddingScale());
        require(positive(a.attentionScale()), "architecture.attentionScale %s", a.attentionScale());
        require(a.attentionSoftcap() == 0 || positive(a.attentionSoftcap()), "architecture.attentionSoftcap %s", a.attentionSoftcap());
        require(a.logitsSoftcap() == 0 || positive(a.logitsSoftcap()), "architecture.logitsSoftcap %s", a.logitsSoftcap());
        require(a.ropes() != null && a.ropes().size() <= MAX_ROPES && noNulls(a.ropes()), "architecture.ropes: not 0 to %d", MAX_ROPES);
        for (Rope rope : a.ropes()) {
            require(rope.periods() != null && rope.periods().size() == a.headDim() / 2 && noNulls(rope.periods()),
                    "architecture.ropes: periods are not headDim / 2 numbers");
            for (double period : rope.periods()) {
                require(period >= 0 && Double.isFinite(period), "architecture.ropes: period %s", period);
            }
            require(rope.magnitude() > 0 && Float.isFinite((float) rope.magnitude()), "architecture.ropes: magnitude %s", rope.magnitude());
        }
        require(hasInts(a.layerRopes(), a.layers()) && hasInts(a.layerWindows(), a.layers()),
                "architecture: layerRopes or layerWindows has not %d values", a.layers());
        for (int i = 0; i < a.layers(); i++) {
            range("architecture", ".layerRopes", a.layerRopes().get(i), -1, a.ropes().size() - 1);
            range("architecture", ".layerWindows", a.layerWindows().get(i), 0, 1 << 24);
        }
    }

    private static boolean hasInts(List<Integer> list, int count) {
        return list != null && list.size() == count && noNulls(list);
    }

    private static boolean positive(float value) {
        return value > 0 && Float.isFinite(value);
    }

    private void tokenizer(TokenizerInfo t) throws S4jFormatException {
        if (t == null) {
            return;
        }
        range("tokenizer", ".bos", t.bos(), -1, manifest.architecture().vocab() - 1);
        require(t.eos() != null, "tokenizer.eos is null");
        for (int id : t.eos()) {
            range("tokenizer", ".eos", id, 0, manifest.architecture().vocab() - 1);
        }
        require(t.bos() >= 0 || !t.addBos(), "tokenizer.addBos without bos");
    }

    private void tensor(TensorInfo t) throws S4jFormatException {
        require(isLegalTensor(t.name()), "tensors: illegal name '%s'", t.name());
        require(tensors.put(t.name(), t) == null, "tensor %s is there twice", t.name());
        require(t.encoding() != null && t.layout() != null, "tensor %s: encoding or layout is null", t.name());
        require(t.shape() != null && t.shape().length >= 1 && t.shape().length <= 4, "tensor %s: shape has not 1 to 4 dimensions",
                t.name());
        long elements = 1;
        for (long d : t.shape()) {
            require(d >= 1 && d <= Container.MAX_BYTES / elements, "tensor %s: shape %s", t.name(), t.shape());
            elements *= d;
        }
        require(t.bytes() >= 1 && t.bytes() <= Container.MAX_BYTES, "tensor %s: %d bytes", t.name(), t.bytes());
        require(isHash(t.sha256()), "tensor %s: sha256 '%s'", t.name(), t.sha256());
        if (t.layout() == Layout.ROW) {
            require(t.encoding().bits() >= 8, "tensor %s: layout ROW does not hold %s", t.name(), t.encoding());
            require(t.bytes() == elements * t.encoding().bits() / 8, "tensor %s: %d bytes, its shape needs %d", t.name(), t.bytes(),
                    elements * t.encoding().bits() / 8);
        }
    }

    private static boolean isHash(String sha256) {
        if (sha256 == null || sha256.length() != 64) {
            return false;
        }
        for (byte c : sha256.getBytes(StandardCharsets.UTF_8)) {
            if (!(c >= '0' && c <= '9' || c >= 'a' && c <= 'f')) {
                return false;
            }
        }
        return true;
    }

    private void inputGroup(String name, InputGroup g) throws S4jFormatException {
        String what = "input group " + name;
        require(isLegalTensor(name), "inputGroups: illegal name '%s'", name);
        require(g.segments() != null && !g.segments().isEmpty() && g.segments().size() <= MAX_SEGMENTS
                && noNulls(g.segments()), "%s: not 1 to %d segments", what, MAX_SEGMENTS);
        require(g.clip() != null && g.clip().size() == MAX_SEGMENTS, "%s: clip has not %d values", what, MAX_SEGMENTS);
        for (Float clip : g.clip()) {
            require(clip != null && clip > 0 && clip <= 1, "%s: clip %s is not in (0, 1]", what, clip);
        }
        range(what, ": channels", g.channels(), 1, 1 << 20);
        long channels = 0;
        for (Segment s : g.segments()) {
            range(what, ": channels of a segment", s.channels(), 0, g.channels());
            require(s.bits() >= 2 && s.bits() <= 8 || s.bits() == 16, "%s: bits %d, not 2 to 8 or 16", what, s.bits());
            range(what, ": rangeSet", s.rangeSet(), 0, MAX_SEGMENTS - 1);
            range(what, ": maxMultiplier", s.maxMultiplier(), 1, 255);
            range(what, ": actGroup", s.actGroup(), 0, 1 << 20);
            range(what, ": group", s.group(), 0, 1 << 20);
            require(s.actGroup() % 16 == 0 && s.group() % 16 == 0, "%s: actGroup %d or group %d is no multiple of 16", what,
                    s.actGroup(), s.group());
            require(s.actGroup() == 0 || s.group() > 0 && s.actGroup() % s.group() == 0,
                    "%s: actGroup %d is no multiple of group %d", what, s.actGroup(), s.group());
            channels += s.channels();
        }
        require(channels == g.channels(), "%s: segments hold %d of %d channels", what, channels, g.channels());
        if (g.permutation() != null) {
            copied(what, ": permutation", g.permutation(), Encoding.I32, g.channels());
        }
    }

    private void linears() throws S4jFormatException {
        Architecture a = manifest.architecture();
        var left = new HashSet<>(manifest.linears().keySet());
        int queries = a.heads() * a.headDim();
        int keys = a.kvHeads() * a.headDim();
        for (int i = 0; i < a.layers(); i++) {
            String layer = "layers." + i + ".";
            if (left.contains(layer + "attn_qkv")) {
                linear(left, layer + "attn_qkv", a.qkvRows(), a.hidden());
            } else {
                linear(left, layer + "attn_q", queries, a.hidden());
                linear(left, layer + "attn_k", keys, a.hidden());
                linear(left, layer + "attn_v", keys, a.hidden());
            }
            linear(left, layer + "attn_o", a.hidden(), queries);
            if (left.contains(layer + "ffn_gate_up")) {
                linear(left, layer + "ffn_gate_up", 2 * a.intermediate(), a.hidden());
            } else {
                linear(left, layer + "ffn_gate", a.intermediate(), a.hidden());
                linear(left, layer + "ffn_up", a.intermediate(), a.hidden());
            }
            linear(left, layer + "ffn_down", a.hidden(), a.intermediate());
        }
        linear(left, "lm_head", a.vocab(), a.hidden());
        require(left.isEmpty(), "linear %s is not one of this architecture", left.isEmpty() ? "" : Collections.min(left));
    }

    private void linear(Set<String> left, String name, int rows, int channels) throws S4jFormatException {
        require(left.remove(name), "linear %s is missing", name);
        Linear l = manifest.linears().get(name);
        String what = "linear " + name;
        require(l.rows() == rows && l.channels() == channels, "%s is %d x %d, the architecture needs %d x %d", what, l.rows(),
                l.channels(), rows, channels);
        TensorInfo weight = tensors.get(l.weight());
        require(weight != null, "%s: weight: no tensor %s", what, l.weight());
        steps(what, l);
        int stored = l.steps() == null ? channels : Layouts.channels(manifest.segmentsOf(l));
        require(Arrays.equals(weight.shape(), new long[] {rows, stored}), "%s: weight %s has shape %s, not [%d, %d]", what,
                l.weight(), weight.shape(), rows, stored);
        int panels = Layouts.panels(rows);
        if (l.bias() != null) {
            array(what, ": bias", l.bias(), Encoding.F32, 16L * panels);
        }
        if (l.input() == null) {
            require(weight.encoding().isFloat() && weight.layout() == Layout.R16,
                    "%s has no input, so its weight must be F32 or BF16 in R16, not %s in %s", what, weight.encoding(),
                    weight.layout());
            require(l.scale() == null && l.zero() == null && l.mult() == null && l.sum() == null && l.weightGroups() == 0
                    && l.steps() == null, "%s has float weights, but scale, zero, mult, sum, steps or weightGroups", what);
            weightSize(what, weight, rows, channels);
            return;
        }
        require(manifest.compute().equals("spiking"), "%s has an input in a dense model", what);
        InputGroup group = manifest.inputGroups().get(l.input());
        require(group != null, "%s: no input group %s", what, l.input());
        require(group.channels() == channels, "%s has %d channels, its input %s %d", what, channels, l.input(),
                group.channels());
        boolean planes = weight.layout() == Layout.P64;
        require(weight.layout() == Layout.R16
                        && (weight.encoding() == Encoding.U2 || weight.encoding() == Encoding.U4 || weight.encoding() == Encoding.U8)
                || weight.layout() == Layout.C1 && weight.encoding() == Encoding.U4 || planes && weight.encoding() == Encoding.U2,
                "%s: weight is %s in %s; codes are U2, U4 or U8 in R16, U4 in C1, U2 in P64", what, weight.encoding(), weight.layout());
        weightSize(what, weight, rows, manifest.segmentsOf(l));
        boolean grouped = false;
        boolean wide = false;
        int groups = 0;
        int scales = 0;
        for (int i = 0; i < group.segments().size(); i++) {
            Segment s = group.segments().get(i);
            int steps = l.steps() == null ? 1 : l.steps().get(i);
            grouped |= s.group() != 0;
            wide |= s.channels() > 0 && s.bits() >= 8;
            groups += s.groups() * steps;
            scales += steps;
        }
        require(l.steps() == null || weight.layout() == Layout.R16 && weight.encoding() == Encoding.U2 && l.mult() == null
                && l.weightGroups() == 1 && !grouped, "%s: steps need U2 in R16 without groups", what);
        require(l.weightGroups() == 1 || l.weightGroups() == groups && l.mult() != null,
                "%s: weightGroups %d; it is 1, or with mult the %d groups of the input", what, l.weightGroups(), groups);
        require(!planes || l.mult() == null && !grouped, "%s: layout P64 with groups", what);
        require(l.sum() != null || !planes && !wide,
                "%s: sum is null, but a segment has 8 or 16 bits or the layout is P64", what);
        if (l.steps() == null) {
            array(what, ": scale", l.scale(), Encoding.F32, 16L * panels);
        } else {
            array(what, ": scale", l.scale(), Encoding.F32, scales, 16L * panels);
        }
        array(what, ": zero", l.zero(), Encoding.U8, panels, l.weightGroups(), 16);
        if (l.mult() != null) {
            array(what, ": mult", l.mult(), Encoding.U8, panels, groups, 16);
        }
        if (l.sum() != null) {
            array(what, ": sum", l.sum(), Encoding.I32, panels, groups, 16);
        }
    }

    private void steps(String what, Linear l) throws S4jFormatException {
        if (l.steps() != null) {
            InputGroup group = manifest.inputGroups().get(l.input());
            require(group != null && l.steps().size() == group.segments().size() && noNulls(l.steps()),
                    "%s: steps are not one number for each segment of its input", what);
            for (int steps : l.steps()) {
                range(what, ": steps", steps, 1, MAX_STEPS);
            }
        }
    }

    private void weightSize(String what, TensorInfo weight, int rows, int... segments) throws S4jFormatException {
        long bytes = Layouts.weightBytes(weight.layout(), weight.encoding(), rows, segments);
        require(weight.bytes() == bytes, "%s: weight %s has %d bytes, its layout needs %d", what, weight.name(), weight.bytes(),
                bytes);
        weights.add(weight.name());
    }

    private void others() throws S4jFormatException {
        Architecture a = manifest.architecture();
        TensorInfo embedding = tensors.get("embedding");
        require(embedding != null, "no tensor embedding");
        array("embedding", "", "embedding", embedding.encoding() == Encoding.BF16 ? Encoding.BF16 : Encoding.F32, a.vocab(),
                a.hidden());
        for (int i = 0; i < a.layers(); i++) {
            String layer = "layers." + i + ".";
            array("norm", "", layer + "attn_norm", Encoding.F32, a.hidden());
            array("norm", "", layer + "ffn_norm", Encoding.F32, a.hidden());
            if (a.qkNorm()) {
                array("norm", "", layer + "q_norm", Encoding.F32, a.headDim());
                array("norm", "", layer + "k_norm", Encoding.F32, a.headDim());
            }
            if (a.postNorms()) {
                array("norm", "", layer + "attn_post_norm", Encoding.F32, a.hidden());
                array("norm", "", layer + "ffn_post_norm", Encoding.F32, a.hidden());
            }
        }
        array("norm", "", "final_norm", Encoding.F32, a.hidden());
    }

    private void attention() throws S4jFormatException {
        Attention at = manifest.attention();
        if (manifest.compute().equals("dense")) {
            require(at == null && manifest.inputGroups().isEmpty(), "a dense model with attention or inputGroups");
            return;
        }
        Architecture a = manifest.architecture();
        require(at != null, "attention is null in a spiking model");
        range("attention", ".qBits", at.qBits(), 2, 8);
        widths(at.kBits());
        widths(at.vBits());
        require(at.vBits()[1] == at.vBits()[0] || at.vBits()[1] == at.vBits()[0] + 1,
                "attention.vBits %s: salient is ordinary or one more", at.vBits());
        known("attention.kMode", at.kMode(), MODES);
        known("attention.vMode", at.vMode(), MODES);
        known("attention.kRanges", at.kRanges(), RANGES);
        require(at.kRanges().equals("separate") || at.kMode().equals("token"), "attention.kRanges shared, but kMode is frozen");
        require(at.layers() != null && at.layers().size() == a.layers() && noNulls(at.layers()),
                "attention.layers: not %d of them", a.layers());
        for (int i = 0; i < a.layers(); i++) {
            AttentionLayer layer = at.layers().get(i);
            String what = "attention.layers[" + i + "]";
            copied(what, ".kPermutation", layer.kPermutation(), Encoding.I32, a.kvHeads(), a.headDim());
            copied(what, ".vPermutation", layer.vPermutation(), Encoding.I32, a.kvHeads(), a.headDim());
            salient(what, layer.kSalient());
            salient(what, layer.vSalient());
            frozen(what, at.kMode(), ": kScale", layer.kScale(), ": kZero", layer.kZero());
            frozen(what, at.vMode(), ": vScale", layer.vScale(), ": vZero", layer.vZero());
        }
    }

    private void widths(int[] bits) throws S4jFormatException {
        require(bits != null && bits.length == 2, "attention: kBits and vBits hold 2 widths");
        range("attention", ": width", bits[0], 2, 8);
        range("attention", ": width", bits[1], 2, 8);
    }

    private void salient(String what, int[] byHead) throws S4jFormatException {
        Architecture a = manifest.architecture();
        require(byHead != null && byHead.length == a.kvHeads(), "%s: kSalient and vSalient hold %d counts", what, a.kvHeads());
        for (int n : byHead) {
            require(n >= 0 && n <= a.headDim(), "%s: salient channels %d is not in 0 to %d", what, n, a.headDim());
        }
    }

    /** Ranges by channel are there if, and only if, the mode says so. */
    private void frozen(String what, String mode, String scalePart, String scale, String zeroPart, String zero) throws S4jFormatException {
        Architecture a = manifest.architecture();
        if (mode.equals("frozen")) {
            copied(what, scalePart, scale, Encoding.F32, a.kvHeads(), a.headDim());
            copied(what, zeroPart, zero, Encoding.U8, a.kvHeads(), a.headDim());
        } else {
            require(scale == null && zero == null, "%s%s or Zero, but the mode is token", what, scalePart);
        }
    }

    /** As {@link #array}, and named here alone. */
    private void copied(String what, String part, String name, Encoding encoding, long... shape) throws S4jFormatException {
        array(what, part, name, encoding, shape);
        require(copied.add(name), "%s%s: tensor %s is named twice", what, part, name);
    }

    /** The tensor that a part of something names is there, row-major, with this encoding and shape. */
    private void array(String what, String part, String name, Encoding encoding, long... shape) throws S4jFormatException {
        require(name != null, "%s%s is null", what, part);
        TensorInfo t = tensors.get(name);
        require(t != null, "%s%s: no tensor %s", what, part, name);
        require(t.layout() == Layout.ROW && t.encoding() == encoding && Arrays.equals(t.shape(), shape),
                "%s%s: tensor %s is %s %s in %s, not %s %s in ROW", what, part, name, t.encoding(), t.shape(), t.layout(), encoding, shape);
    }

    private void permutations(String name, MemorySegment data, int channels) throws S4jFormatException {
        if (sources.length < data.byteSize() / Integer.BYTES) {
            sources = new int[(int) (data.byteSize() / Integer.BYTES)];
        }
        int count = Permutations.read(data, sources);
        for (int from = 0; from < count; from += channels) {
            int i = Permutations.firstWrong(sources, from, channels);
            if (i >= 0) {
                throw new S4jFormatException(path, Container.TENSORS + name, "element " + i + " (" + sources[i]
                        + "): not a permutation of 0 to " + (channels - 1));
            }
        }
    }

    private void finite(TensorInfo tensor, MemorySegment data) throws S4jFormatException {
        boolean wide = tensor.encoding() == Encoding.F32;
        long count = data.byteSize() / (wide ? 4 : 2);
        for (long i = 0; i < count; i++) {
            if (!Float.isFinite(wide ? data.get(FLOAT, 4 * i) : Layouts.fromBf16(data.get(SHORT, 2 * i)))) {
                throw new S4jFormatException(path, Container.TENSORS + tensor.name(), "element " + i + " is not finite");
            }
        }
    }

    /** Bytes from 0 to what {@code most} says of their place. */
    private void bytes(String name, MemorySegment data, LongToIntFunction most) throws S4jFormatException {
        for (long at = 0; at < data.byteSize(); at++) {
            int value = data.get(ValueLayout.JAVA_BYTE, at) & 0xff;
            int high = most.applyAsInt(at);
            if (value > high) {
                throw new S4jFormatException(path, Container.TENSORS + name,
                        "element " + at + " is " + value + ", allowed are 0 to " + high);
            }
        }
    }

    /** The bound of N4: the largest sum that a row's codes allow, with activations and multipliers as large as they can be, fits 32 bits. */
    private void sums(Linear linear, S4jFile file) throws S4jFormatException {
        TensorInfo info = tensors.get(linear.weight());
        InputGroup input = manifest.inputGroups().get(linear.input());
        MemorySegment weight = file.tensor(linear.weight());
        MemorySegment zero = file.tensor(linear.zero());
        MemorySegment mult = linear.mult() == null ? null : file.tensor(linear.mult());
        int[] segments = manifest.segmentsOf(linear);
        // With steps, each plane is a segment of its own.
        List<Segment> parts = linear.steps() == null ? input.segments() : IntStream.range(0, input.segments().size()).boxed()
                .flatMap(i -> Collections.nCopies(linear.steps().get(i), input.segments().get(i)).stream()).toList();
        int groups = parts.stream().mapToInt(Segment::groups).sum();
        byte[] codes = new byte[16 * Arrays.stream(segments).sum()];
        int[] z = new int[16];
        int[] positive = new int[16];
        int[] sum = new int[16];
        long[] worst = new long[16];
        for (int panel = 0; panel < Layouts.panels(linear.rows()); panel++) {
            Layouts.unpackPanel(weight, info.layout(), info.encoding().bits(), linear.rows(), segments, panel, codes);
            int g = 0;
            int k = 0;
            for (Segment s : parts) {
                Arrays.fill(worst, 0);
                for (int end = k + s.channels(); k < end; g++) {
                    for (int r = 0; r < 16; r++) {
                        z[r] = zero.get(ValueLayout.JAVA_BYTE,
                                (panel * (long) linear.weightGroups() + (linear.weightGroups() == 1 ? 0 : g)) * 16 + r) & 0xff;
                    }
                    Arrays.fill(positive, 0);
                    Arrays.fill(sum, 0);
                    for (int to = s.group() == 0 ? end : Math.min(end, k + s.group()); k < to; k++) {
                        for (int r = 0; r < 16; r++) {
                            int d = (codes[16 * k + r] & 0xff) - z[r];
                            positive[r] += Math.max(d, 0);
                            sum[r] += d;
                        }
                    }
                    for (int r = 0; r < 16; r++) {
                        int mw = mult == null ? 1 : mult.get(ValueLayout.JAVA_BYTE, (panel * (long) groups + g) * 16 + r);
                        worst[r] += (long) mw * Math.max(positive[r], positive[r] - sum[r]);
                    }
                }
                int most = s.actGroup() == 0 ? 1 : s.maxMultiplier();
                for (int r = 0; r < 16 && 16 * panel + r < linear.rows(); r++) {
                    if (s.bits() <= 8 && ((1 << s.bits()) - 1) * (long) most * worst[r] > Integer.MAX_VALUE) {
                        throw new S4jFormatException(path, Container.TENSORS + linear.weight(), "row " + (16 * panel + r) + ": with "
                                + s.bits() + "-bit activations and maxMultiplier " + most + " its sums can exceed 2^31 - 1");
                    }
                }
            }
        }
    }

    static boolean isLegalTensor(String name) {
        return name != null && name.length() <= Container.MAX_TENSOR_NAME && Container.consistsOfParts(name, false);
    }

    private static boolean noNulls(Collection<?> all) {
        for (Object o : all) {
            if (o == null) {
                return false;
            }
        }
        return true;
    }

    private void requireNoNulls(String what, Map<String, ?> map) throws S4jFormatException {
        require(map != null, "%s: null is not allowed", what);
        for (var e : map.entrySet()) {
            require(e.getValue() != null, "%s.%s: null is not allowed", what, e.getKey());
        }
    }

    private void known(String what, String value, List<String> values) throws S4jFormatException {
        if (value == null || !values.contains(value)) {
            throw wrong("%s '%s', this version knows %s", what, value, String.join(" and ", values));
        }
    }

    private void range(String what, String part, long value, long low, long high) throws S4jFormatException {
        if (value < low || value > high) {
            throw wrong("%s%s %d is not in %d to %d", what, part, value, low, high);
        }
    }

    private void require(boolean condition, String reason, Object... arguments) throws S4jFormatException {
        if (!condition) {
            throw wrong(reason, arguments);
        }
    }

    /** @param arguments arrays are written out */
    private S4jFormatException wrong(String reason, Object... arguments) {
        for (int i = 0; i < arguments.length; i++) {
            arguments[i] = switch (arguments[i]) {
                case long[] numbers -> Arrays.toString(numbers);
                case int[] numbers -> Arrays.toString(numbers);
                case null, default -> arguments[i];
            };
        }
        return new S4jFormatException(path, Container.MANIFEST, String.format(Locale.ROOT, reason, arguments));
    }
}
