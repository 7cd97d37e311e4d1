package io.github.spike4j.convert.importer;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.tokenizer.GgufTokenizer;
import io.github.spike4j.convert.tokenizer.TokenizerSource;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

import io.github.spike4j.format.Architecture;
import io.github.spike4j.format.Rope;
import io.github.spike4j.format.TokenizerInfo;

/**
 * A GGUF file of a model that llama.cpp made: what {@code general.architecture} says decides how its metadata and tensors are read.
 * Weights are dequantized to float32 as ggml does. Tensors that are not known change what the model computes, so they are refused.
 */
final class GgufCheckpoint implements Checkpoint {

    /** Values of {@code general.architecture}. */
    private enum Kind {
        LLAMA, QWEN2, QWEN3, PHI3, GEMMA, GEMMA2, SMOLLM3;

        static Kind of(String name) {
            return Arrays.stream(values()).filter(k -> k.key().equals(name)).findFirst().orElse(null);
        }

        String key() {
            return name().toLowerCase(Locale.ROOT);
        }

        /** Whether RoPE turns channels 2i and 2i + 1 of a head, not i and i + d / 2. */
        boolean isInterleaved() {
            return this == LLAMA || this == SMOLLM3;
        }

        boolean isGemma() {
            return this == GEMMA || this == GEMMA2;
        }
    }

    /** Values of {@code general.architecture} that can be converted, for messages. */
    static final String ARCHITECTURES = Arrays.stream(Kind.values()).map(Kind::key).collect(Collectors.joining(", "));
    /** Keys of other computations, which no model of the known kinds has. */
    private static final List<String> FOREIGN = List.of("expert_count", "logit_scale", "residual_scale", "embedding_scale",
            "attention.scale", "attention.clamp_kqv", "attention.max_alibi_bias", "attention.temperature_scale");
    /** Gemma 2 of 27 B has this many layers, and a scale of its own, for which GGUF has no key. */
    private static final int GEMMA2_27B_LAYERS = 46;
    /** In SmolLM 3 every fourth layer has no RoPE. */
    private static final int SMOLLM3_NOPE = 4;

    private final Arena arena = Arena.ofShared();
    private final GgufFile file;
    private final Kind kind;
    private final Architecture architecture;
    private final TokenizerSource tokenizer;
    /** Source channel of each channel of a rotated head; null where they are as they must be. */
    private final int[] headOrder;

    GgufCheckpoint(Path path) {
        try {
            file = new GgufFile(path, arena);
            kind = kind();
            architecture = Checkpoint.check(path.toString(), read());
            headOrder = headOrder();
            checkTensors();
            tokenizer = GgufTokenizer.read(file);
            if (tokenizer.vocabularySize() > architecture.vocab()) {
                throw bad("its tokenizer has " + tokenizer.vocabularySize() + " tokens, but token_embd.weight " + architecture.vocab() + " rows");
            }
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    private ConversionException bad(String what) {
        return new ConversionException(file.file() + ": " + Sources.printable(what));
    }

    // ---- metadata ------------------------------------------------------------------------------------------------------

    private Kind kind() {
        var type = file.string("general.type");
        if (type != null && !type.equals("model")) {
            throw bad("is of general.type \"" + type + "\", not a model");
        }
        var name = file.string("general.architecture");
        if (name == null) {
            throw bad("general.architecture is missing");
        }
        var known = Kind.of(name);
        if (known == null) {
            throw bad("architecture \"" + name + "\" is not supported; supported are " + ARCHITECTURES);
        }
        if (file.tensors().isEmpty()) {
            throw bad("holds a vocabulary and no weights");
        }
        return known;
    }

    private Architecture read() {
        for (var key : FOREIGN) {
            var value = number(key, 0);
            if (value != 0) {
                throw bad(kind.key() + "." + key + " is " + value + "; models that need it are not supported");
            }
        }
        if (Boolean.FALSE.equals(file.bool(kind.key() + ".attention.causal"))) {
            throw bad("attention is not causal; only models that generate text are supported");
        }
        int layers = integer("block_count", null);
        int hidden = integer("embedding_length", null);
        int heads = integer("attention.head_count", null);
        if (heads < 1 || layers < 1) {
            throw bad("has " + layers + " layers of " + heads + " heads");
        }
        int headDim = integer("attention.key_length", hidden / heads);
        if (integer("attention.value_length", headDim) != headDim) {
            throw bad("value heads of " + integer("attention.value_length", headDim) + " beside key heads of " + headDim + " are not supported");
        }
        var embedding = file.shape("token_embd.weight");
        if (embedding == null || embedding.length != 2 || embedding[1] > Integer.MAX_VALUE) {
            throw bad("tensor token_embd.weight is missing, or not a matrix");
        }
        var a = Architecture.llama(layers, hidden, integer("feed_forward_length", null), heads, integer("attention.head_count_kv", heads), headDim,
                (int) embedding[1], integer("context_length", null), (float) number("attention.layer_norm_rms_epsilon", null), 10000,
                !file.has("output.weight"));
        // Everything below makes lists of these sizes.
        Checkpoint.check(file.file(), a);
        double attentionCap = number("attn_logit_softcapping", kind == Kind.GEMMA2 ? 50. : 0.);
        double logitsCap = number("final_logit_softcapping", kind == Kind.GEMMA2 ? 30. : 0.);
        if (!(attentionCap >= 0 && attentionCap < 1e6 && logitsCap >= 0 && logitsCap < 1e6)) {
            throw bad("the soft caps are " + attentionCap + " and " + logitsCap + "; they must be positive, or 0 for none");
        }
        double scale = kind == Kind.GEMMA2 && layers == GEMMA2_27B_LAYERS ? 1 / StrictMath.sqrt(hidden / heads) : 1 / StrictMath.sqrt(headDim);
        return a.withActivation(kind.isGemma() ? "gelu_tanh" : "silu", kind.isGemma() ? (float) StrictMath.sqrt(hidden) : 1)
                .withScores((float) scale, (float) attentionCap, (float) logitsCap)
                .withNorms(kind == Kind.QWEN3, kind == Kind.GEMMA2)
                .withRopes(List.of(rope(headDim, a.context())), layerRopes(layers))
                .withWindows(windows(layers, a.context()));
    }

    private List<Integer> layerRopes(int layers) {
        return IntStream.range(0, layers).mapToObj(i -> kind == Kind.SMOLLM3 && (i + 1) % SMOLLM3_NOPE == 0 ? -1 : 0).toList();
    }

    /** In Gemma 2 the even layers have one. */
    private List<Integer> windows(int layers, int context) {
        int window = integer("attention.sliding_window", kind == Kind.GEMMA2 ? 4096 : 0);
        int effective = window < context ? window : 0;
        return IntStream.range(0, layers).mapToObj(i -> kind == Kind.GEMMA2 && i % 2 == 1 ? 0 : effective).toList();
    }

    private int rotated(int headDim) {
        int n = integer("rope.dimension_count", headDim);
        if (n < 0 || n > headDim || n % 2 != 0) {
            throw bad(kind.key() + ".rope.dimension_count is " + n + " in heads of " + headDim);
        }
        return n;
    }

    /** The rotation of all layers that have one. */
    private Rope rope(int headDim, int context) {
        int rotated = rotated(headDim);
        double theta = number("rope.freq_base", 10000.);
        double factor = number("rope.scaling.factor", number("rope.scale_linear", 1.));
        var type = file.string(kind.key() + ".rope.scaling.type");
        int original = integer("rope.scaling.original_context_length", context);
        double magnitude = number("rope.scaling.attn_factor", 1.);
        var periods = new ArrayList<Double>(Collections.nCopies(headDim / 2, 0.));
        for (int i = 0; i < rotated / 2; i++) {
            periods.set(i, StrictMath.pow(theta, 2.0 * i / rotated));
        }
        float[] factors = null;
        switch (type == null ? "linear" : type) {
            case "none" -> factor = 1;
            case "linear" -> { }
            case "longrope" -> factors = factors(context > original ? "rope_factors_long.weight" : "rope_factors_short.weight", rotated / 2);
            default -> throw bad("rope scaling \"" + type + "\" is not supported; supported are none, linear, yarn, longrope");
        }
        if (factors == null && file.has("rope_freqs.weight")) {
            factors = factors("rope_freqs.weight", rotated / 2);
        }
        for (int i = 0; i < rotated / 2; i++) {
            periods.set(i, periods.get(i) * factor * (factors == null ? 1 : factors[i]));
        }
        return new Rope(periods, magnitude);
    }

    private float[] factors(String tensor, int pairs) {
        return file.matrix(tensor, 1, pairs).values();
    }

    /** A number of the kind's own keys; some files give it by layer, then all must be equal. */
    private int integer(String key, Integer otherwise) {
        var name = kind.key() + "." + key;
        var list = file.isArray(name) ? file.integers(name) : null;
        if (list != null && (list.length == 0 || Arrays.stream(list).anyMatch(n -> n != list[0]))) {
            throw bad(name + " differs by layer, which is not supported");
        }
        var n = list != null ? Long.valueOf(list[0]) : file.integer(name);
        if (n == null && otherwise != null) {
            return otherwise;
        }
        if (n == null || n < 0 || n > Integer.MAX_VALUE) {
            throw bad(name + (n == null ? " is missing" : " is " + n));
        }
        return n.intValue();
    }

    private double number(String key, Number otherwise) {
        var name = kind.key() + "." + key;
        var n = file.number(name);
        if (n == null && otherwise == null) {
            throw bad(name + " is missing");
        }
        return n == null ? otherwise.doubleValue() : n;
    }

    // ---- tensors -------------------------------------------------------------------------------------------------------

    /**
     * RoPE of the format turns channels i and i + d / 2. Rotated channels come from pairs (2i, 2i + 1), or from halves of the rotated part;
     * those behind it fill what is left.
     */
    private int[] headOrder() {
        int d = architecture.headDim();
        int rotated = rotated(d);
        var source = new int[d];
        for (int i = 0; i < d / 2; i++) {
            boolean turns = i < rotated / 2;
            source[i] = turns ? kind.isInterleaved() ? 2 * i : i : rotated / 2 + i;
            source[i + d / 2] = turns ? kind.isInterleaved() ? 2 * i + 1 : rotated / 2 + i : d / 2 + i;
        }
        return Arrays.equals(source, IntStream.range(0, d).toArray()) ? null : source;
    }

    /** Opens every weight once, and refuses tensors that no weight is. */
    private void checkTensors() {
        var known = new HashSet<>(Set.of("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"));
        for (var w : Weight.values()) {
            for (int layer = 0; layer < (isOutside(w) ? 1 : architecture.layers()); layer++) {
                if (weight(w, layer) != null) {
                    known.add(name(w, layer));
                }
            }
        }
        for (var t : file.tensors()) {
            if (!known.contains(t.name())) {
                throw bad("tensor " + t.name() + " is not known in a " + kind.key() + " model; what it is for is not supported");
            }
        }
    }

    private static boolean isOutside(Weight w) {
        return w == Weight.EMBEDDING || w == Weight.NORM || w == Weight.LM_HEAD;
    }

    /** The tensor that has the weight, perhaps with others. */
    private String name(Weight w, int layer) {
        boolean fused = kind == Kind.PHI3;
        var name = switch (w) {
            case EMBEDDING -> "token_embd";
            case NORM -> "output_norm";
            case LM_HEAD -> architecture.tiedEmbeddings() ? "token_embd" : "output";
            case ATTENTION_NORM -> "attn_norm";
            case Q, Q_BIAS -> fused ? "attn_qkv" : "attn_q";
            case K, K_BIAS -> fused ? "attn_qkv" : "attn_k";
            case V, V_BIAS -> fused ? "attn_qkv" : "attn_v";
            case O, O_BIAS -> "attn_output";
            case Q_NORM -> "attn_q_norm";
            case K_NORM -> "attn_k_norm";
            case ATTENTION_POST_NORM -> "post_attention_norm";
            case FFN_NORM -> "ffn_norm";
            case GATE, GATE_BIAS -> fused ? "ffn_up" : "ffn_gate";
            case UP, UP_BIAS -> "ffn_up";
            case DOWN, DOWN_BIAS -> "ffn_down";
            case FFN_POST_NORM -> "post_ffw_norm";
        };
        return (isOutside(w) ? name : "blk." + layer + "." + name) + (w.name().endsWith("_BIAS") ? ".bias" : ".weight");
    }

    private boolean isThere(Weight w, int layer) {
        return switch (w) {
            case Q_NORM, K_NORM -> architecture.qkNorm();
            case ATTENTION_POST_NORM, FFN_POST_NORM -> architecture.postNorms();
            case Q_BIAS, K_BIAS, V_BIAS, GATE_BIAS, UP_BIAS, O_BIAS, DOWN_BIAS -> kind != Kind.PHI3 && file.has(name(w, layer));
            default -> true;
        };
    }

    @Override
    public Matrix weight(Weight weight, int layer) {
        if (!isThere(weight, layer)) {
            return null;
        }
        var a = architecture;
        var name = name(weight, layer);
        int q = a.heads() * a.headDim();
        int kv = a.kvHeads() * a.headDim();
        var shape = Checkpoint.shape(a, weight);
        boolean fused = kind == Kind.PHI3;
        var matrix = switch (weight) {
            case Q, K, V -> fused ? rows(file.matrix(name, q + 2 * kv, a.hidden()), weight == Weight.Q ? 0 : weight == Weight.K ? q : q + kv, shape[0])
                    : file.matrix(name, shape[0], shape[1]);
            case GATE, UP -> fused ? rows(file.matrix(name, 2 * a.intermediate(), a.hidden()), weight == Weight.GATE ? 0 : a.intermediate(), shape[0])
                    : file.matrix(name, shape[0], shape[1]);
            default -> file.matrix(name, shape[0], shape[1]);
        };
        return headOrder == null ? matrix : switch (weight) {
            case Q, K -> matrix.rows(order(shape[0]));
            case Q_BIAS, K_BIAS, Q_NORM, K_NORM -> matrix.transposed().rows(order(shape[1])).transposed();
            default -> matrix;
        };
    }

    private static Matrix rows(Matrix fused, int first, int n) {
        return fused.rows(IntStream.range(first, first + n).toArray());
    }

    /** {@link #headOrder} over all channels of some heads. */
    private int[] order(int channels) {
        var source = new int[channels];
        for (int i = 0; i < channels; i++) {
            source[i] = i - i % headOrder.length + headOrder[i % headOrder.length];
        }
        return source;
    }

    @Override
    public Architecture architecture() {
        return architecture;
    }

    // ---- what goes with it ---------------------------------------------------------------------------------------------

    @Override
    public byte[] tokenizerJson() {
        return tokenizer.json();
    }

    @Override
    public TokenizerInfo tokenizer() {
        return tokenizer.policy().info();
    }

    @Override
    public String chatTemplate() {
        return tokenizer.chatTemplate();
    }

    @Override
    public Map<String, String> provenance() {
        var types = file.tensors().stream().collect(Collectors.groupingBy(GgufFile.Tensor::type, TreeMap::new, Collectors.counting()));
        var facts = new TreeMap<String, String>();
        facts.put("source", file.name());
        facts.put("sourceFormat", "GGUF version " + file.version());
        facts.put("sourceTypes", types.entrySet().stream().map(e -> e.getValue() + " " + e.getKey()).collect(Collectors.joining(", ")));
        var name = file.string("general.name");
        if (name != null) {
            facts.put("sourceName", name);
        }
        return facts;
    }

    @Override
    public String license() {
        return file.string("general.license");
    }

    @Override
    public void close() {
        arena.close();
    }
}
