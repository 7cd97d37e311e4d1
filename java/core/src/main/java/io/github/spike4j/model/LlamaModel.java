package io.github.spike4j.model;

import io.github.spike4j.SpikeException;
import io.github.spike4j.format.Architecture;
import io.github.spike4j.kernels.Activation;
import io.github.spike4j.kernels.AttentionSpec;
import io.github.spike4j.kernels.GifSpec;
import io.github.spike4j.kernels.SpikeWeights;
import io.github.spike4j.weights.LinearWeights;
import io.github.spike4j.weights.WeightFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A LLaMA-family model as a list of phases. It knows shapes and descriptors, no backend and no thread. */
public final class LlamaModel {
    private final Architecture architecture;
    private final boolean dense;
    private final List<AttentionSpec> attention;
    private final List<Phase> phases;
    private final long blockBytes;

    /**
     * @throws SpikeException.Format if a part is missing or has another shape
     * @throws SpikeException.UnsupportedModel if the model needs what this version lacks
     */
    public LlamaModel(WeightFile file) {
        this(file, 0, file.manifest().architecture().layers(), true);
    }

    /** One block of a model: from residual to residual, its parts alone need be there. */
    public static LlamaModel block(WeightFile file, int layer) {
        return new LlamaModel(file, layer, layer + 1, false);
    }

    /** @param ends whether what is before and after the blocks is there too */
    private LlamaModel(WeightFile file, int first, int end, boolean ends) {
        var manifest = file.manifest();
        architecture = manifest.architecture();
        if (!architecture.family().equals("llama")) {
            throw new SpikeException.UnsupportedModel(file.path() + ": model family " + architecture.family() + " is not supported (llama is)");
        }
        dense = manifest.compute().equals("dense");
        attention = new ArrayList<>();
        long offset = 0;
        for (int l = first; l < end; l++) {
            var spec = attention(file, l, offset);
            attention.add(spec);
            var last = spec.kvHeads().getLast();
            offset = last.pageOffset() + spec.pageBytes(spec.kvHeads().size() - 1);
        }
        blockBytes = offset;
        phases = List.copyOf(new Builder(file).phases(first, end, ends));
    }

    private AttentionSpec attention(WeightFile file, int layer, long offset) {
        var a = architecture;
        var scores = new AttentionSpec.Scores(a.attentionScale(), a.attentionSoftcap(), a.layerWindows().get(layer));
        var heads = new ArrayList<AttentionSpec.KvHead>();
        if (dense) {
            for (int h = 0; h < a.kvHeads(); h++) {
                heads.add(new AttentionSpec.KvHead(null, null, null, null, null, null, 0, 0, offset + h * 2L * AttentionSpec.PAGE * a.headDim() * 4));
            }
            return new AttentionSpec(a.heads(), a.headDim(), scores, true, 8, new int[] {8, 8}, new int[] {8, 8}, AttentionSpec.Coding.TOKEN, heads,
                    new AttentionSpec.Peer());
        }
        var all = file.manifest().attention();
        var own = all.layers().get(layer);
        var coding = new AttentionSpec.Coding(all.kMode().equals("frozen") ? AttentionSpec.Coding.K.FROZEN
                : all.kRanges().equals("shared") ? AttentionSpec.Coding.K.SHARED : AttentionSpec.Coding.K.TOKEN,
                all.vMode().equals("frozen") ? AttentionSpec.Coding.V.FROZEN : AttentionSpec.Coding.V.TOKEN, all.hadamard());
        int d = a.headDim();
        int[] k = file.ints(own.kPermutation());
        int[] v = file.ints(own.vPermutation());
        float[] kScale = scales(file, own.kScale());
        int[] kZero = zeros(file, own.kZero());
        float[] vScale = scales(file, own.vScale());
        int[] vZero = zeros(file, own.vZero());
        // A page's size depends on the salient channels alone, so the offsets follow head by head.
        long page = 0;
        for (int h = 0; h < a.kvHeads(); h++) {
            var head = new AttentionSpec.KvHead(slice(k, h, d), slice(v, h, d), slice(kScale, h, d), slice(kZero, h, d), slice(vScale, h, d),
                    slice(vZero, h, d), own.kSalient()[h], own.vSalient()[h], offset);
            heads.add(head);
            if (h == 0 || own.kSalient()[h] != own.kSalient()[h - 1] || own.vSalient()[h] != own.vSalient()[h - 1]) {
                page = AttentionSpec.pageBytes(d, all.kBits(), all.vBits(), head.kSalient(), head.vSalient());
            }
            offset += page;
        }
        try {
            return new AttentionSpec(a.heads(), d, scores, false, all.qBits(), all.kBits(), all.vBits(), coding, heads,
                    new AttentionSpec.Peer());
        } catch (IllegalArgumentException e) {
            throw new SpikeException.Format(file.path() + ": attention of layer " + layer + ": " + e.getMessage(), e);
        }
    }

    /** Frozen scales of all kv heads, or null. */
    private float[] scales(WeightFile file, String name) {
        return name == null ? null : file.floatArray(name, architecture.kvHeads() * architecture.headDim());
    }

    /** Frozen zero points of all kv heads, or null. */
    private int[] zeros(WeightFile file, String name) {
        return name == null ? null : file.bytes(name, architecture.kvHeads() * architecture.headDim());
    }

    /** What is one head's. */
    private static int[] slice(int[] all, int head, int d) {
        return all == null ? null : Arrays.copyOfRange(all, head * d, (head + 1) * d);
    }

    private static float[] slice(float[] all, int head, int d) {
        return all == null ? null : Arrays.copyOfRange(all, head * d, (head + 1) * d);
    }

    /** The shape. */
    public Architecture architecture() {
        return architecture;
    }

    /** What distinguishes the architecture from the first LLaMA, for people. */
    public List<String> features() {
        var a = architecture;
        var list = new ArrayList<String>();
        if (!a.activation().equals("silu")) {
            list.add(a.activation());
        }
        if (a.embeddingScale() != 1) {
            list.add("embeddings times " + a.embeddingScale());
        }
        if (a.attentionScale() != AttentionSpec.Scores.of(a.headDim()).kappa()) {
            list.add("scores times " + a.attentionScale());
        }
        if (a.attentionSoftcap() > 0) {
            list.add("scores capped at " + a.attentionSoftcap());
        }
        if (a.logitsSoftcap() > 0) {
            list.add("logits capped at " + a.logitsSoftcap());
        }
        if (a.qkNorm()) {
            list.add("norms of q and k");
        }
        if (a.postNorms()) {
            list.add("norms after attention and feed-forward");
        }
        a.layerWindows().stream().filter(w -> w > 0).distinct()
                .forEach(w -> list.add("window of " + w + in(a.layerWindows().stream().filter(w::equals).count())));
        long still = a.layerRopes().stream().filter(r -> r < 0).count();
        if (still > 0) {
            list.add("no rotation" + in(still));
        }
        if (a.ropes().size() > 1) {
            list.add(a.ropes().size() + " rotations");
        }
        return list;
    }

    private String in(long layers) {
        return layers == architecture.layers() ? "" : " in " + layers + " of " + architecture.layers() + " layers";
    }

    /** Whether this is the float reference. */
    public boolean dense() {
        return dense;
    }

    /** The forward pass, in order. */
    public List<Phase> phases() {
        return phases;
    }

    /** The attention of each of its layers. */
    public List<AttentionSpec> attention() {
        return attention;
    }

    /** Bytes of a KV block: the pages of all layers and kv heads for {@link AttentionSpec#PAGE} positions. */
    public long blockBytes() {
        return blockBytes;
    }

    /** Encodings of the most demanding phase. */
    public int slots() {
        return specs().mapToInt(List::size).max().orElse(0);
    }

    /** Codes that a token has on its way to the last residual. */
    public long codesPerToken() {
        var a = architecture;
        return codes(false) + (dense ? 0 : (long) a.layers() * a.qkvRows());
    }

    /** Codes that its logits add. */
    public long codesPerLogits() {
        return codes(true);
    }

    private long codes(boolean ofLogits) {
        long sum = 0;
        for (var phase : phases) {
            if (phase instanceof Phase.Prepare p && p.selected() == ofLogits) {
                for (var spec : p.specs()) {
                    sum += spec.channels();
                }
            }
        }
        return sum;
    }

    /** The encodings of each phase. */
    public java.util.stream.Stream<List<GifSpec>> specs() {
        return phases.stream().filter(Phase.Prepare.class::isInstance).map(p -> ((Phase.Prepare) p).specs());
    }

    /** Columns of a buffer. */
    public int width(Buffer buffer) {
        var a = architecture;
        return switch (buffer) {
            case RESIDUAL, NORMED, HEAD -> a.hidden();
            case QKV -> a.qkvRows();
            case ATTENTION -> a.heads() * a.headDim();
            case GATE_UP -> 2 * a.intermediate();
            case HIDDEN -> a.intermediate();
            case ROTATED -> phases.stream().mapToInt(p -> p instanceof Phase.Prepare e && !e.rotated().isEmpty() ? width(e.source().output()) : 0)
                    .max().orElse(0);
            case LOGITS -> a.vocab();
        };
    }

    /** Words of bit planes of the most demanding encoding that needs them; 0 if none does. */
    public int planeWords() {
        return phases.stream().filter(Phase.Prepare.class::isInstance).flatMap(p -> ((Phase.Prepare) p).planes().stream())
                .mapToInt(GifSpec::planeWords).max().orElse(0);
    }

    /**
     * N5: rows [from, to) of the table f32 [positions][headDim] of a rotation, the cosines of headDim / 2 angles, then their sines.
     *
     * @param rope index of the rotation, or -1 for none: cosines 1, sines 0
     */
    public void rope(int rope, MemorySegment table, int from, int to) {
        int half = architecture.headDim() / 2;
        var of = rope < 0 ? null : architecture.ropes().get(rope);
        for (int i = 0; i < half; i++) {
            double period = of == null ? 0 : of.periods().get(i);
            for (int p = from; p < to; p++) {
                long at = 2L * p * half + i;
                table.setAtIndex(ValueLayout.JAVA_FLOAT, at, period == 0 ? 1 : (float) (StrictMath.cos(p / period) * of.magnitude()));
                table.setAtIndex(ValueLayout.JAVA_FLOAT, at + half, period == 0 ? 0 : (float) (StrictMath.sin(p / period) * of.magnitude()));
            }
        }
    }

    /** Puts the phases together. */
    private final class Builder {
        private final WeightFile file;
        private final List<Phase> list = new ArrayList<>();

        Builder(WeightFile file) {
            this.file = file;
        }

        List<Phase> phases(int first, int end, boolean ends) {
            var a = architecture;
            if (ends) {
                list.add(new Phase.Embed(file.tensor("embedding"), file.isBf16("embedding"), a.embeddingScale()));
            }
            for (int l = first; l < end; l++) {
                var name = "layers." + l + ".";
                inputs(l, "attn_in", norm(name + "attn_norm", Buffer.RESIDUAL), Buffer.QKV, false,
                        fused(name + "attn_qkv", name + "attn_q", name + "attn_k", name + "attn_v"));
                list.add(new Phase.Append(l, attention.get(l - first), a.layerRopes().get(l), a.qkNorm() ? file.tensor(name + "q_norm") : null,
                        a.qkNorm() ? file.tensor(name + "k_norm") : null));
                list.add(new Phase.Attend(l, attention.get(l - first)));
                branch(l, "attn_out", new Phase.Source.Plain(Buffer.ATTENTION), name + "attn_o", name + "attn_post_norm");
                inputs(l, "ffn_in", norm(name + "ffn_norm", Buffer.RESIDUAL), Buffer.GATE_UP, false,
                        fused(name + "ffn_gate_up", name + "ffn_gate", name + "ffn_up"));
                branch(l, "ffn_hidden", new Phase.Source.Gated(Activation.of(a.activation())), name + "ffn_down", name + "ffn_post_norm");
            }
            if (!ends) {
                return list;
            }
            list.add(new Phase.Select());
            inputs(-1, "head_in", norm("final_norm", Buffer.HEAD), Buffer.LOGITS, false, List.of("lm_head"));
            if (a.logitsSoftcap() > 0) {
                list.add(new Phase.Softcap(a.logitsSoftcap()));
            }
            return list;
        }

        /** What attention or feed-forward adds to the residual, with its norm if the model has one. */
        private void branch(int layer, String group, Phase.Source source, String linear, String norm) {
            boolean normed = architecture.postNorms();
            inputs(layer, group, source, normed ? Buffer.NORMED : Buffer.RESIDUAL, !normed, List.of(linear));
            if (normed) {
                list.add(new Phase.AddNorm(layer, norm.substring(norm.lastIndexOf('.') + 1), file.tensor(norm)));
            }
        }

        /** The fused linear, or, with own masks, its members one by one. */
        private List<String> fused(String name, String... members) {
            return file.hasLinear(name) ? List.of(name) : List.of(members);
        }

        private Phase.Source norm(String name, Buffer from) {
            return new Phase.Source.Norm(from, file.tensor(name));
        }

        private void inputs(int layer, String group, Phase.Source source, Buffer to, boolean add, List<String> linears) {
            boolean selected = to == Buffer.LOGITS;
            var specs = new ArrayList<GifSpec>();
            var planes = new ArrayList<GifSpec>();
            var rotated = new ArrayList<GifSpec>();
            var parts = new ArrayList<Phase.Part>();
            int offset = 0;
            for (var name : linears) {
                var weights = file.linear(name);
                int slot = 0;
                if (weights instanceof LinearWeights.Spiking s) {
                    slot = specs.indexOf(s.weights().spec());
                    if (slot < 0) {
                        slot = specs.size();
                        specs.add(s.weights().spec());
                        if (file.isRotated(name)) {
                            rotated.add(s.weights().spec());
                        }
                    }
                    if (s.weights().layout() == SpikeWeights.Layout.C1) {
                        throw new SpikeException.UnsupportedModel(file.path() + ": linear " + name
                                + " lies in layout C1, which this version cannot compute; convert the model anew with R16");
                    }
                    if (s.weights().layout() == SpikeWeights.Layout.P64) {
                        planes.add(s.weights().spec());
                    }
                }
                parts.add(new Phase.Part(weights, slot, offset));
                offset += weights.rows();
            }
            if (!(source instanceof Phase.Source.Plain && specs.isEmpty())) {
                list.add(new Phase.Prepare(layer, group, source, List.copyOf(specs), List.copyOf(planes), List.copyOf(rotated),
                        selected));
            }
            list.add(new Phase.Linear(layer, group, List.copyOf(parts), source.output(), to, add, selected));
        }
    }
}
