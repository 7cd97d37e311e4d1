package io.github.spike4j.convert.importer;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.tokenizer.GgufTokenizer;
import io.github.spike4j.convert.tokenizer.TokenizerSource;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.IntUnaryOperator;
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
        LLAMA, QWEN2, QWEN3, SMOLLM3, PHI3, GRANITE, GEMMA, GEMMA2, GEMMA3;

        static Kind of(String name) {
            return Arrays.stream(values()).filter(k -> k.key().equals(name)).findFirst().orElse(null);
        }

        String key() {
            return name().toLowerCase(Locale.ROOT);
        }

        /** Whether RoPE turns channels 2i and 2i + 1 of a head, not i and i + d / 2. */
        boolean isInterleaved() {
            return this == LLAMA || this == SMOLLM3 || this == GRANITE;
        }

        boolean isGemma() {
            return this == GEMMA || this == GEMMA2 || this == GEMMA3;
        }

        boolean hasPostNorms() {
            return this == GEMMA2 || this == GEMMA3;
        }

        boolean hasQkNorm() {
            return this == QWEN3 || this == GEMMA3;
        }

        /** Every how many layers one sees all, if the others have a window and no key says it; 0: all have it. */
        int pattern() {
            return this == GEMMA2 ? 2 : this == GEMMA3 ? 6 : 0;
        }

        /** Layers of the model of 27 B, whose scores have a scale of their own, for which GGUF has no key; 0: there is none. */
        int layersOf27B() {
            return this == GEMMA2 ? 46 : this == GEMMA3 ? 62 : 0;
        }
    }

    /** Values of {@code general.architecture} that can be converted, for messages. */
    static final String ARCHITECTURES = Arrays.stream(Kind.values()).map(Kind::key).collect(Collectors.joining(", "));
    /** Keys of other computations, which only Granite has. */
    private static final List<String> GRANITE = List.of("logit_scale", "residual_scale", "embedding_scale", "attention.scale");
    /** Keys of other computations, which no known model has. */
    private static final List<String> FOREIGN = List.of("expert_count", "attention.clamp_kqv", "attention.max_alibi_bias",
            "attention.temperature_scale");
    /** In SmolLM 3 every fourth layer has no RoPE. */
    private static final int SMOLLM3_NOPE = 4;

    private final Arena arena;
    private final GgufFile file;
    private final Kind kind;
    private final Architecture architecture;
    /** Of the file. */
    private final int positions;
    private final TokenizerSource tokenizer;
    /** The first channels of a head, which RoPE turns. */
    private final int rotary;

    /**
     * @param arena   that the file is mapped into; closed with the checkpoint
     * @param context positions that the model shall serve; 0: those of the file
     */
    GgufCheckpoint(GgufFile file, Arena arena, int context) {
        this.file = file;
        this.arena = arena;
        kind = kind();
        refuseForeign();
        var shape = Checkpoint.check(file.file(), shape());
        rotary = rotary(shape.headDim());
        positions = shape.context();
        architecture = Checkpoint.check(file.file(), special(shape, context == 0 ? positions : context));
        checkTensors();
        tokenizer = GgufTokenizer.read(file);
        if (tokenizer.vocabularySize() > architecture.vocab()) {
            throw bad("its tokenizer has " + tokenizer.vocabularySize() + " tokens, but token_embd.weight " + architecture.vocab() + " rows");
        }
    }

    static GgufCheckpoint open(Path path, int context) {
        var arena = Arena.ofShared();
        try {
            return new GgufCheckpoint(new GgufFile(path, arena), arena, context);
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

    private void refuseForeign() {
        for (var key : Stream.concat(FOREIGN.stream(), kind == Kind.GRANITE ? Stream.of() : GRANITE.stream()).toList()) {
            if (number(key, 0) != 0) {
                throw bad(kind.key() + "." + key + " is " + number(key, 0) + "; models that need it are not supported");
            }
        }
        if (Boolean.FALSE.equals(file.bool(kind.key() + ".attention.causal"))) {
            throw bad("attention is not causal; only models that generate text are supported");
        }
        if (kind == Kind.GRANITE && Boolean.FALSE.equals(file.bool("granite.rope.scaling.finetuned"))) {
            throw bad("Granite without RoPE is not supported");
        }
    }

    private Architecture shape() {
        int layers = integer("block_count", null);
        int hidden = integer("embedding_length", null);
        int heads = integer("attention.head_count", null);
        if (heads < 1) {
            throw bad(kind.key() + ".attention.head_count is " + heads);
        }
        int headDim = integer("attention.key_length", hidden / heads);
        if (integer("attention.value_length", headDim) != headDim) {
            throw bad("value heads of " + integer("attention.value_length", headDim) + " beside key heads of " + headDim + " are not supported");
        }
        var embedding = file.shape("token_embd.weight");
        if (embedding == null || embedding.length != 2 || embedding[1] > Integer.MAX_VALUE) {
            throw bad("tensor token_embd.weight is missing, or not a matrix");
        }
        return Architecture.llama(layers, hidden, integer("feed_forward_length", null), heads, integer("attention.head_count_kv", heads), headDim,
                (int) embedding[1], integer("context_length", null), (float) number("attention.layer_norm_rms_epsilon", null), 10000,
                !file.has("output.weight"));
    }

    /** @param a with the context of the file */
    private Architecture special(Architecture a, int context) {
        double scoreScale = 1 / StrictMath.sqrt(a.layers() == kind.layersOf27B() ? a.hidden() / a.heads() : a.headDim());
        double embeddingScale = kind.isGemma() ? StrictMath.sqrt(a.hidden()) : 1;
        boolean gemma2 = kind == Kind.GEMMA2;
        boolean[] slides = slides(a.layers());
        int window = integer("attention.sliding_window", gemma2 ? 4096 : 0);
        boolean isShort = window < context;
        return a.withContext(context).withActivation(kind.isGemma() ? "gelu_tanh" : "silu", (float) scale("embedding_scale", embeddingScale))
                .withScores((float) scale("attention.scale", scoreScale), softcap("attn_logit_softcapping", gemma2 ? 50 : 0),
                        softcap("final_logit_softcapping", gemma2 ? 30 : 0))
                .withNorms(kind.hasQkNorm(), kind.hasPostNorms())
                .withRopes(ropes(a, context), byLayer(a, i -> kind == Kind.GEMMA3 ? slides[i] ? 1 : 0 : kind == Kind.SMOLLM3 && (i + 1) % SMOLLM3_NOPE == 0 ? -1 : 0))
                .withWindows(byLayer(a, i -> slides[i] && isShort ? window : 0));
    }

    private static List<Integer> byLayer(Architecture a, IntUnaryOperator f) {
        return IntStream.range(0, a.layers()).map(f).boxed().toList();
    }

    /** Whether layers have the window, if there is one. */
    private boolean[] slides(int layers) {
        var key = kind.key() + ".attention.sliding_window_pattern";
        var slides = new boolean[layers];
        if (file.isArray(key)) {
            var listed = file.bools(key);
            if (listed.length != layers) {
                throw bad(key + " has " + listed.length + " values for " + layers + " layers");
            }
            return listed;
        }
        int pattern = integer("attention.sliding_window_pattern", kind.pattern());
        for (int i = 0; i < layers; i++) {
            slides[i] = pattern == 0 || (i + 1) % pattern != 0;
        }
        return slides;
    }

    /** A factor that only Granite has a key for; 0 is none. */
    private double scale(String key, double otherwise) {
        return kind == Kind.GRANITE && number(key, 0) != 0 ? positive(key, null) : otherwise;
    }

    private float softcap(String key, double otherwise) {
        double cap = number(key, otherwise);
        if (!(cap >= 0 && cap < 1e6)) {
            throw bad("the soft cap " + kind.key() + "." + key + " is " + cap + "; it must be positive, or 0 for none");
        }
        return (float) cap;
    }

    // ---- rotations -----------------------------------------------------------------------------------------------------

    private int rotary(int headDim) {
        int n = integer("rope.dimension_count", headDim);
        if (n < 2 || n > headDim || n % 2 != 0 || n < headDim && kind.isInterleaved()) {
            throw bad(kind.key() + ".rope.dimension_count is " + n + " in heads of " + headDim);
        }
        return n;
    }

    /** One; or that of Gemma 3's full attention, then that of its windows. */
    private List<Rope> ropes(Architecture a, int context) {
        var rope = rope(a, context);
        return kind != Kind.GEMMA3 ? List.of(rope)
                : List.of(rope, RopeScaling.rope(RopeScaling.periods(rotary, positive("rope.freq_base_swa", 10000.)), 1, a.headDim()));
    }

    /** As llama.cpp rotates, which multiplies YaRN's own magnitude by the file's. */
    private Rope rope(Architecture a, int context) {
        double theta = positive("rope.freq_base", 10000.);
        double factor = number("rope.scaling.factor", number("rope.scale_linear", 0));
        double stretch = factor == 0 ? 1 : factor;
        double magnitude = positive("rope.scaling.attn_factor", 1.);
        int original = integer("rope.scaling.original_context_length", a.context());
        var type = file.string(kind.key() + ".rope.scaling.type");
        var plain = RopeScaling.periods(rotary, theta);
        var periods = switch (type == null ? "linear" : type) {
            case "none" -> plain;
            case "linear" -> RopeScaling.linear(plain, stretch);
            case "yarn" -> {
                magnitude *= RopeScaling.yarnMagnitude(stretch, 1) * positive("rope.scaling.yarn_attn_factor", 1.);
                yield RopeScaling.yarn(rotary, theta, stretch, positive("rope.scaling.yarn_beta_fast", 32.),
                        positive("rope.scaling.yarn_beta_slow", 1.), original, true);
            }
            case "longrope" -> plain;
            default -> throw bad("rope scaling \"" + type + "\" is not supported; supported are none, linear, yarn, longrope");
        };
        boolean isLong = "longrope".equals(type) || file.has("rope_factors_long.weight");
        var factors = file.has("rope_freqs.weight") ? "rope_freqs.weight"
                : !isLong ? null : context > original ? "rope_factors_long.weight" : "rope_factors_short.weight";
        return RopeScaling.rope(factors == null ? periods : RopeScaling.each(periods, factors(factors)), magnitude, a.headDim());
    }

    private double[] factors(String tensor) {
        var values = file.matrix(tensor, 1, rotary / 2).values();
        var factors = IntStream.range(0, values.length).mapToDouble(i -> values[i]).toArray();
        if (Arrays.stream(factors).anyMatch(f -> !(f > 0))) {
            throw bad("tensor " + tensor + " has a factor that is not positive");
        }
        return factors;
    }

    // ---- keys ----------------------------------------------------------------------------------------------------------

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

    private double positive(String key, Number otherwise) {
        double n = number(key, otherwise);
        if (!(n > 0 && n < 1e12)) {
            throw bad(kind.key() + "." + key + " is " + n + "; it must be positive");
        }
        return n;
    }

    // ---- tensors -------------------------------------------------------------------------------------------------------

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
        var m = stored(weight, layer);
        return switch (weight) {
            case Q, K -> turned(m, false);
            case Q_BIAS, K_BIAS, Q_NORM, K_NORM -> turned(m, true);
            case O, DOWN, O_BIAS, DOWN_BIAS -> scaled(m, scale("residual_scale", 1));
            case NORM -> scaled(m, 1 / scale("logit_scale", 1));
            default -> m;
        };
    }

    /** The weight as it is stored, cut out of a fused one. */
    private Matrix stored(Weight w, int layer) {
        var a = architecture;
        var name = name(w, layer);
        var shape = Checkpoint.shape(a, w);
        if (kind != Kind.PHI3) {
            return file.matrix(name, shape[0], shape[1]);
        }
        int q = a.heads() * a.headDim();
        return switch (w) {
            case Q, K, V -> file.matrix(name, a.qkvRows(), a.hidden()).slice(w == Weight.Q ? 0 : w == Weight.K ? q : a.qkvRows() - shape[0], shape[0]);
            case GATE, UP -> file.matrix(name, 2 * a.intermediate(), a.hidden()).slice(w == Weight.GATE ? 0 : a.intermediate(), shape[0]);
            default -> file.matrix(name, shape[0], shape[1]);
        };
    }

    /** Channels of q or k in halves order. */
    private Matrix turned(Matrix m, boolean vector) {
        int n = vector ? m.columns() : m.rows();
        int d = architecture.headDim();
        if (!kind.isInterleaved() && rotary == d) {
            return m;
        }
        var order = kind.isInterleaved() ? HeadRows.neighbours(n, d) : HeadRows.partial(n, d, rotary);
        return vector ? m.transposed().rows(order).transposed() : m.rows(order);
    }

    private static Matrix scaled(Matrix m, double factor) {
        return factor == 1 ? m : m.map(x -> x * factor);
    }

    @Override
    public Architecture architecture() {
        return architecture;
    }

    @Override
    public int positions() {
        return positions;
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
    public Map<String, String> chatTemplates() {
        return tokenizer.chatTemplates();
    }

    @Override
    public Map<String, String> provenance() {
        var types = file.tensors().stream().collect(Collectors.groupingBy(GgufFile.Tensor::type, TreeMap::new, Collectors.counting()));
        var facts = new TreeMap<String, String>();
        facts.put("source", file.name());
        facts.put("sourceFormat", "GGUF version " + file.version());
        facts.put("sourceTypes", types.entrySet().stream().map(e -> e.getValue() + " " + e.getKey()).collect(Collectors.joining(", ")));
        var name = text("general.name");
        if (name != null) {
            facts.put("sourceName", name);
        }
        return facts;
    }

    /** The identifier of Hugging Face's cards, which is "other" for a licence that has just a name. */
    @Override
    public String license() {
        var name = text("general.license.name");
        return "other".equals(text("general.license")) && name != null ? name : text("general.license");
    }

    /** Of keys that nothing depends on: null if they are no text. */
    private String text(String key) {
        var value = file.metadata().get(key);
        return value != null && !value.isArray() && value.get() instanceof String s ? s : null;
    }

    @Override
    public void close() {
        arena.close();
    }
}
