package io.github.spike4j.convert.importer;

import io.github.spike4j.convert.ConversionException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import java.util.function.IntPredicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.MissingNode;

import io.github.spike4j.format.Architecture;
import io.github.spike4j.format.Rope;

/**
 * A {@code config.json} of transformers, with the defaults of its version 5: the architecture that it describes, and how its weights
 * differ from ours. What would change results and is not known here is refused by name.
 */
final class HuggingFaceConfig {
    /** What transformers' classes differ in; the table of defaults that a config.json may leave out. */
    enum Kind {
        LLAMA("LlamaForCausalLM", "llama", 2048, 1e-6, 10000, false, 0, 0),
        MISTRAL("MistralForCausalLM", "mistral", 4096 * 32, 1e-6, 10000, false, 0, 8),
        QWEN2("Qwen2ForCausalLM", "qwen2", 32768, 1e-6, 10000, false, 0, 32),
        QWEN3("Qwen3ForCausalLM", "qwen3", 32768, 1e-6, 10000, false, 128, 32),
        SMOLLM3("SmolLM3ForCausalLM", "smollm3", 32768, 1e-6, 2e6, true, 0, 4),
        PHI3("Phi3ForCausalLM", "phi3", 4096, 1e-5, 10000, false, 0, 0),
        GRANITE("GraniteForCausalLM", "granite", 2048, 1e-6, 10000, false, 0, 0),
        GEMMA("GemmaForCausalLM", "gemma", 8192, 1e-6, 10000, true, 256, 16),
        GEMMA2("Gemma2ForCausalLM", "gemma2", 8192, 1e-6, 10000, true, 256, 4),
        GEMMA3("Gemma3ForCausalLM", "gemma3_text", 131072, 1e-6, 1e6, true, 256, 4);

        final String architecture;
        private final String modelType;
        private final int context;
        private final double eps;
        private final double theta;
        private final boolean tied;
        /** 0: hidden / heads. */
        private final int headDim;
        /** 0: the number of heads. */
        private final int kvHeads;

        Kind(String architecture, String modelType, int context, double eps, double theta, boolean tied, int headDim, int kvHeads) {
            this.architecture = architecture;
            this.modelType = modelType;
            this.context = context;
            this.eps = eps;
            this.theta = theta;
            this.tied = tied;
            this.headDim = headDim;
            this.kvHeads = kvHeads;
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
    }

    /** All that can be converted, for messages. */
    static final String SUPPORTED = Arrays.stream(Kind.values()).map(k -> k.architecture).collect(Collectors.joining(", "));

    /** Settings that no supported architecture has, unless they say "no". */
    private static final List<String> FOREIGN = List.of("alibi", "attention_chunk_size", "add_cross_attention", "audio_config", "clip_qkv",
            "first_k_dense_replace", "is_encoder_decoder", "kv_lora_rank", "n_routed_experts", "num_experts", "num_local_experts",
            "qk_layernorm", "rope_interleaved", "sandwich_norm", "text_config", "use_bidirectional_attention", "use_qk_norm", "vision_config");

    /** Where transformers, older compressed-tensors and MLX say how weights are quantized. */
    private static final List<String> QUANTIZED = List.of("quantization_config", "compression_config", "quantization");

    private final String where;
    private final JsonNode config;
    private final Kind kind;
    private final Architecture architecture;
    private final int rotary;
    /** Those of the config, or more where dynamic NTK serves more: see {@link #rope}. */
    private int positions;

    /**
     * @param where   the file, for messages
     * @param context positions that the model shall serve; 0: those of the config
     */
    HuggingFaceConfig(String where, JsonNode config, int context) {
        this.where = where;
        this.config = config;
        kind = readKind();
        refuseForeign();
        int heads = integer("num_attention_heads", null);
        int hidden = integer("hidden_size", null);
        if (heads < 1) {
            throw bad("num_attention_heads is " + heads);
        }
        int layers = integer("num_hidden_layers", null);
        int headDim = integer("head_dim", kind.headDim == 0 || config.has("head_dim") ? hidden / heads : kind.headDim);
        int kvHeads = integer("num_key_value_heads", kind.kvHeads == 0 || config.has("num_key_value_heads") ? heads : kind.kvHeads);
        positions = integer("max_position_embeddings", kind.context);
        var plain = Checkpoint.check(where, Architecture.llama(layers, hidden, integer("intermediate_size", null), heads, kvHeads, headDim,
                integer("vocab_size", null), positions, (float) number("rms_norm_eps", kind.eps), 10000, bool("tie_word_embeddings", kind.tied)));
        rotary = rotary(headDim);
        int served = context == 0 ? positions : context;
        var ropes = ropes(plain, served);
        var special = plain.withContext(served).withActivation(activation(), embeddingScale(hidden))
                .withScores(attentionScale(headDim), softcap("attn_logit_softcapping", 50), softcap("final_logit_softcapping", 30))
                .withNorms(kind.hasQkNorm(), kind.hasPostNorms());
        var windows = windows(layers, served);
        // two rotations only where layers choose between them
        architecture = Checkpoint.check(where, special.withRopes(ropes, layerRopes(layers, ropes.size())).withWindows(windows));
    }

    Kind kind() {
        return kind;
    }

    /** As the config says it; {@code tiedEmbeddings} may yet prove wrong. */
    Architecture architecture() {
        return architecture;
    }

    /** Positions that the rotations are made for. */
    int positions() {
        return positions;
    }

    /** The first channels of a head that are rotated. */
    int rotary() {
        return rotary;
    }

    /** Whether q, k and v have a bias. */
    boolean hasQkvBias() {
        return kind == Kind.QWEN2 || hasOutputBias();
    }

    /** Whether the output of attention has a bias. */
    boolean hasOutputBias() {
        return kind != Kind.QWEN2 && kind != Kind.MISTRAL && kind != Kind.PHI3 && bool("attention_bias", false);
    }

    boolean hasMlpBias() {
        return (kind == Kind.LLAMA || kind == Kind.SMOLLM3 || kind == Kind.GRANITE) && bool("mlp_bias", false);
    }

    /** Factor on what blocks add to the residual. */
    double residualScale() {
        return kind == Kind.GRANITE ? number("residual_multiplier", 1) : 1;
    }

    /** Divisor of the logits. */
    double logitsScale() {
        return kind == Kind.GRANITE ? positive(config.path("logits_scaling"), "logits_scaling", 1.) : 1;
    }

    // ---- kind ------------------------------------------------------------------------------------------------------------

    private Kind readKind() {
        var name = config.path("architectures").path(0).asString("");
        var type = config.path("model_type").asString("");
        for (var k : Kind.values()) {
            // the first Llamas were "LLaMAForCausalLM"
            boolean named = name.equalsIgnoreCase(k.architecture) && (type.isEmpty() || type.equals(k.modelType));
            if (name.isEmpty() ? type.equals(k.modelType) : named) {
                return k;
            }
        }
        throw bad(name.isEmpty() && type.isEmpty() ? "names no architecture; supported: " + SUPPORTED : "architecture \"" + Sources.printable(name.isEmpty() ? type : name) + "\""
                + (name.isEmpty() || type.isEmpty() ? "" : " of model_type \"" + Sources.printable(type) + "\"")
                + " is not supported; supported: " + SUPPORTED);
    }

    private void refuseForeign() {
        for (var name : QUANTIZED) {
            if (config.hasNonNull(name)) {
                throw bad("the weights are already quantized (" + name + "); give the original checkpoint");
            }
        }
        for (var name : FOREIGN) {
            var n = config.path(name);
            if (!n.isMissingNode() && !n.isNull() && !(n.isBoolean() && !n.booleanValue()) && !(n.isNumber() && n.doubleValue() == 0)) {
                throw bad(name + " is " + Sources.printable(n.toString()) + "; " + kind.architecture + " with it is not supported");
            }
        }
        if (!kind.hasPostNorms() && (config.hasNonNull("attn_logit_softcapping") || config.hasNonNull("final_logit_softcapping"))) {
            throw bad("soft caps are not supported in " + kind.architecture);
        }
    }

    // ---- numbers of the architecture -------------------------------------------------------------------------------------

    private String activation() {
        var name = config.path("hidden_act").asString("silu");
        if (kind.isGemma()) {
            // the first Gemma's config.json says "gelu" and means its approximation by tanh
            var older = kind == Kind.GEMMA && !name.equals("gelu") && config.hasNonNull("hidden_act") ? name : "gelu_pytorch_tanh";
            name = config.hasNonNull("hidden_activation") ? config.get("hidden_activation").asString("") : older;
        }
        return switch (name) {
            case "silu", "swish" -> "silu";
            case "gelu_pytorch_tanh", "gelu_new" -> "gelu_tanh";
            default -> throw bad("activation \"" + Sources.printable(name) + "\" is not supported; supported are silu and gelu_pytorch_tanh");
        };
    }

    private float embeddingScale(int hidden) {
        return kind.isGemma() ? (float) Math.sqrt(hidden) : kind == Kind.GRANITE ? (float) number("embedding_multiplier", 1) : 1;
    }

    private float attentionScale(int headDim) {
        return (float) switch (kind) {
            case GRANITE -> number("attention_multiplier", 1);
            case GEMMA2, GEMMA3 -> 1 / StrictMath.sqrt(positive(config.path("query_pre_attn_scalar"), "query_pre_attn_scalar", 256.));
            default -> 1 / StrictMath.sqrt(headDim);
        };
    }

    /** @param gemma2 what Gemma 2 has if its config.json says nothing; null is none */
    private float softcap(String field, double gemma2) {
        var n = config.path(field);
        return n.isMissingNode() ? kind == Kind.GEMMA2 ? (float) gemma2 : 0 : n.isNull() ? 0 : (float) positive(n, field, null);
    }

    private List<Integer> windows(int layers, int context) {
        IntPredicate slides = switch (kind) {
            case MISTRAL, PHI3, LLAMA, GRANITE -> _ -> true;
            case QWEN2, QWEN3 -> i -> i >= integer("max_window_layers", 28);
            case SMOLLM3 -> i -> !hasRope(i);
            case GEMMA -> _ -> false;
            case GEMMA2 -> i -> (i + 1) % 2 != 0;
            case GEMMA3 -> i -> (i + 1) % pattern() != 0;
        };
        boolean optional = kind == Kind.QWEN2 || kind == Kind.QWEN3 || kind == Kind.SMOLLM3;
        int window = optional && !bool("use_sliding_window", false) ? context
                : integer("sliding_window", kind.hasPostNorms() && !config.has("sliding_window") ? 4096 : context);
        if (window < 1) {
            throw bad("sliding_window is " + window);
        }
        if (window < context && (kind == Kind.LLAMA || kind == Kind.GRANITE)) {
            throw bad("sliding_window " + window + " in a context of " + context + " is not supported in " + kind.architecture);
        }
        boolean[] sliding = layerTypes(layers, slides);
        return IntStream.range(0, layers).mapToObj(i -> sliding[i] && window < context ? window : 0).toList();
    }

    /** Whether layers slide: as {@code layer_types} says, else as {@code otherwise}. */
    private boolean[] layerTypes(int layers, IntPredicate otherwise) {
        var sliding = new boolean[layers];
        var types = config.path("layer_types");
        boolean listed = !types.isMissingNode() && !types.isNull() && kind != Kind.MISTRAL && kind != Kind.PHI3;
        if (listed && (!types.isArray() || types.size() < layers)) {
            throw bad("layer_types does not say what each of " + layers + " layers is");
        }
        for (int i = 0; i < layers; i++) {
            if (!listed) {
                sliding[i] = otherwise.test(i);
                continue;
            }
            sliding[i] = switch (types.get(i).asString("")) {
                case "full_attention" -> false;
                case "sliding_attention" -> true;
                default -> throw bad("layer type " + Sources.printable(types.get(i).toString())
                        + " is not supported; supported are full_attention and sliding_attention");
            };
        }
        return sliding;
    }

    /** Every how many layers Gemma 3 sees all. */
    private int pattern() {
        int n = integer(config.has("sliding_window_pattern") ? "sliding_window_pattern" : "_sliding_window_pattern", 6);
        if (n < 1) {
            throw bad("sliding_window_pattern is " + n);
        }
        return n;
    }

    // ---- rotations -------------------------------------------------------------------------------------------------------

    private boolean hasRope(int layer) {
        var list = config.path("no_rope_layers"); // it lists those that have it
        if (list.isArray() && layer < list.size()) {
            return list.get(layer).asInt(1) != 0;
        }
        if (!list.isMissingNode() && !list.isNull()) {
            throw bad("no_rope_layers does not say whether layer " + layer + " is rotated");
        }
        int interval = integer("no_rope_layer_interval", 4);
        if (interval < 1) {
            throw bad("no_rope_layer_interval is " + interval);
        }
        return (layer + 1) % interval != 0;
    }

    private List<Integer> layerRopes(int layers, int ropes) {
        IntFunction<Integer> byLayer = switch (kind) {
            case SMOLLM3 -> i -> hasRope(i) ? 0 : -1;
            case GEMMA3 -> {
                var sliding = layerTypes(layers, i -> (i + 1) % pattern() != 0);
                yield i -> sliding[i] ? ropes - 1 : 0;
            }
            default -> _ -> 0;
        };
        return IntStream.range(0, layers).mapToObj(byLayer).toList();
    }

    /** One; or that of Gemma 3's full attention, then that of its windows. */
    private List<Rope> ropes(Architecture a, int context) {
        var parameters = config.path("rope_parameters");
        var byType = parameters.path("full_attention").isObject() || parameters.path("sliding_attention").isObject();
        var theta = config.path("rope_theta");
        if (kind != Kind.GEMMA3) {
            if (byType) {
                throw bad("rope_parameters by layer type are not supported in " + kind.architecture);
            }
            return List.of(rope(a, context, scaling(parameters), theta, kind.theta));
        }
        var local = config.path("rope_local_base_freq");
        var none = MissingNode.getInstance();
        return List.of(rope(a, context, byType ? parameters.path("full_attention") : scaling(parameters), theta, kind.theta),
                rope(a, context, byType ? parameters.path("sliding_attention") : none, local, 10000));
    }

    /** The older generation's field wins, as in transformers. */
    private JsonNode scaling(JsonNode parameters) {
        var n = config.hasNonNull("rope_scaling") && !config.get("rope_scaling").isEmpty() ? config.get("rope_scaling") : parameters;
        if (!n.isMissingNode() && !n.isNull() && !n.isObject()) {
            throw bad("rope_scaling is " + Sources.printable(n.toString()) + ", not an object");
        }
        return n;
    }

    private int rotary(int headDim) {
        var n = config.path("partial_rotary_factor");
        if (n.isMissingNode() || n.isNull()) {
            n = scaling(config.path("rope_parameters")).path("partial_rotary_factor");
        }
        double share = number(n, "partial_rotary_factor", 1.);
        int channels = (int) (headDim * share);
        if (share != 1 && kind != Kind.PHI3 || channels < 2 || channels > headDim || channels % 2 != 0) {
            throw bad("partial_rotary_factor " + share + " of heads of " + headDim + " is not supported in " + kind.architecture);
        }
        return channels;
    }

    /**
     * @param a       with the context of the config
     * @param context positions to serve
     * @param base    theta if the parameters do not hold it
     */
    private Rope rope(Architecture a, int context, JsonNode p, JsonNode base, double otherwise) {
        double theta = positive(p.hasNonNull("rope_theta") ? p.get("rope_theta") : base, "rope_theta", otherwise);
        if (!(theta > 1 && theta < 1e12)) {
            throw bad("rope theta " + theta + " is not between 1 and 1e12");
        }
        var type = p.path("rope_type").asString(p.path("type").asString("default"));
        if (kind == Kind.PHI3 && (type.equals("su") || type.equals("yarn"))) {
            type = "longrope"; // its older names
        }
        var plain = RopeScaling.periods(rotary, theta);
        double original = positive(config.hasNonNull("original_max_position_embeddings") ? config.get("original_max_position_embeddings")
                : p.path("original_max_position_embeddings"), "original_max_position_embeddings", kind == Kind.PHI3 ? 4096. : a.context());
        double magnitude = 1;
        double[] periods = switch (type) {
            case "default" -> plain;
            case "linear" -> RopeScaling.linear(plain, positive(p.path("factor"), "factor", null));
            case "dynamic" -> {
                if (context <= a.context()) {
                    yield plain;
                }
                positions = context;
                yield RopeScaling.dynamic(rotary, theta, positive(p.path("factor"), "factor", null), (double) context / a.context());
            }
            case "llama3" -> {
                double low = positive(p.path("low_freq_factor"), "low_freq_factor", null);
                double high = positive(p.path("high_freq_factor"), "high_freq_factor", null);
                if (low >= high) {
                    throw bad("low_freq_factor " + low + " is not below high_freq_factor " + high);
                }
                yield RopeScaling.llama3(plain, positive(p.path("factor"), "factor", null), low, high, original);
            }
            case "yarn" -> {
                double factor = positive(p.path("factor"), "factor", a.context() / original);
                double scale = number(p.path("mscale"), "mscale", 0.);
                double scaleOfAll = number(p.path("mscale_all_dim"), "mscale_all_dim", 0.);
                magnitude = positive(p.path("attention_factor"), "attention_factor", scale != 0 && scaleOfAll != 0
                        ? RopeScaling.yarnMagnitude(factor, scale) / RopeScaling.yarnMagnitude(factor, scaleOfAll)
                        : RopeScaling.yarnMagnitude(factor, 1));
                yield RopeScaling.yarn(rotary, theta, factor, positive(p.path("beta_fast"), "beta_fast", 32.),
                        positive(p.path("beta_slow"), "beta_slow", 1.), original, p.path("truncate").asBoolean(true));
            }
            case "longrope" -> {
                if (p.hasNonNull("short_mscale") || p.hasNonNull("long_mscale")) {
                    throw bad("short_mscale and long_mscale are not supported");
                }
                double factor = kind == Kind.PHI3 ? a.context() / original : positive(p.path("factor"), "factor", a.context() / original);
                magnitude = positive(p.path("attention_factor"), "attention_factor", RopeScaling.longRopeMagnitude(factor, original));
                var used = context <= original ? "short_factor" : "long_factor";
                yield RopeScaling.each(plain, factors(p.path(used), used));
            }
            default -> throw bad("rope scaling \"" + Sources.printable(type) + "\" is not supported; supported are default, linear, dynamic, llama3, "
                    + "yarn and longrope");
        };
        return RopeScaling.rope(periods, magnitude, a.headDim());
    }

    private double[] factors(JsonNode list, String field) {
        if (!list.isArray() || list.size() != rotary / 2) {
            throw bad(field + " has " + list.size() + " numbers; heads with " + rotary + " rotated channels need " + rotary / 2);
        }
        var all = new ArrayList<Double>();
        list.forEach(n -> all.add(positive(n, field, null)));
        return all.stream().mapToDouble(d -> d).toArray();
    }

    // ---- fields ----------------------------------------------------------------------------------------------------------

    /** @param otherwise if it is absent; null: it must be there */
    int integer(String field, Integer otherwise) {
        return Sources.integer(where, field, config.path(field), otherwise);
    }

    private double number(String field, double otherwise) {
        return number(config.path(field), field, otherwise);
    }

    private double number(JsonNode n, String field, Double otherwise) {
        return Sources.number(where, field, n, otherwise);
    }

    private double positive(JsonNode n, String field, Double otherwise) {
        double value = number(n, field, otherwise);
        if (!(value > 0)) {
            throw bad(field + " is " + value + "; it must be positive");
        }
        return value;
    }

    private boolean bool(String field, boolean otherwise) {
        var n = config.path(field);
        if (n.isMissingNode() || n.isNull()) {
            return otherwise;
        }
        if (!n.isBoolean()) {
            throw bad(field + " is " + Sources.printable(n.toString()) + ", not true or false");
        }
        return n.booleanValue();
    }

    JsonNode json() {
        return config;
    }

    private ConversionException bad(String what) {
        return new ConversionException(where + ": " + what);
    }
}
