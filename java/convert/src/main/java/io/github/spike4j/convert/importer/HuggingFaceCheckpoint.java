package io.github.spike4j.convert.importer;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.importer.HuggingFaceConfig.Kind;
import io.github.spike4j.convert.tokenizer.TokenizerSource;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.DoubleUnaryOperator;
import java.util.regex.Pattern;

import tools.jackson.databind.JsonNode;

import io.github.spike4j.format.Architecture;
import io.github.spike4j.format.TokenizerInfo;

/**
 * A folder as Hugging Face's transformers saves it: config.json, a tokenizer, safetensors or PyTorch files. What the architectures do
 * differently is put into the weights: norms that add 1, multipliers of the residual and of logits, fused linears, partial rotation.
 */
final class HuggingFaceCheckpoint implements Checkpoint {
    private static final Pattern LICENSE = Pattern.compile("(?m)\\A---\\s*$(?:(?!^---)[\\s\\S])*?^license:\\s*['\"]?([A-Za-z0-9.+-]+)['\"]?\\s*$");
    /** Tensors that old versions saved and that are computed from the config. */
    private static final Pattern COMPUTED = Pattern.compile(".*\\.(rotary_emb\\.(inv_freq|cos_cached|sin_cached)|self_attn\\.(masked_)?bias)");
    /** What GPTQ, AWQ, bitsandbytes, MLX and compressed-tensors keep beside or instead of weights. */
    private static final Pattern QUANTIZED = Pattern.compile(".*\\.(qweight|qzeros|g_idx|scales|SCB|absmax|quant_map|weight_packed|weight_scale|weight_scale_inv)");
    private static final String EMBEDDING = "model.embed_tokens.weight";
    private static final String HEAD = "lm_head.weight";

    private final Path folder;
    private final Arena arena = Arena.ofShared();
    private final Map<String, StoredTensor> tensors;
    private final HuggingFaceConfig config;
    private final Architecture architecture;
    private final TokenizerSource tokenizer;

    /**
     * @param given   a weight file of the folder, or null: those that transformers would choose
     * @param context 0: that of config.json
     */
    HuggingFaceCheckpoint(Path folder, Path given, int context) {
        this.folder = folder;
        if (!Files.exists(folder.resolve("config.json"))) {
            if (Files.exists(folder.resolve("adapter_config.json"))) {
                throw new ConversionException(folder + ": holds an adapter (LoRA or the like), not a model; merge it into its base model and give that");
            }
            throw new ConversionException(folder + ": no config.json in this folder; " + SUPPORTED);
        }
        try {
            config = new HuggingFaceConfig(folder.resolve("config.json").toString(), Sources.json(folder.resolve("config.json")),
                    context);
            tokenizer = TokenizerSource.open(folder);
            tensors = WeightFiles.open(folder, given, arena);
            var a = config.architecture();
            architecture = a.tiedEmbeddings() && !headIsEmbedding(a) ? a.withTiedEmbeddings(false) : a;
            check();
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    /** A head of its own is used, whatever the config says of ties, as in transformers 5. */
    private boolean headIsEmbedding(Architecture a) {
        var head = tensors.get(HEAD);
        var table = tensors.get(EMBEDDING);
        if (head == null || table == null) {
            return true;
        }
        var x = head.matrix(a.vocab(), a.hidden(), "config.json");
        var y = table.matrix(a.vocab(), a.hidden(), "config.json");
        var row = new float[a.hidden()];
        var other = new float[a.hidden()];
        for (int r = 0; r < a.vocab(); r++) {
            x.read(r, row, 0);
            y.read(r, other, 0);
            if (!Arrays.equals(row, other)) {
                return false;
            }
        }
        return true;
    }

    /** That all weights are there, and none that the model has no use for: its architecture would be another one. */
    private void check() {
        for (var e : tensors.entrySet()) {
            if (QUANTIZED.matcher(e.getKey()).matches()) {
                throw new ConversionException(e.getValue().where() + " tells that the weights are already quantized; give the original checkpoint");
            }
        }
        var used = new HashSet<>(List.of(EMBEDDING, HEAD));
        for (var w : Weight.values()) {
            boolean once = w == Weight.EMBEDDING || w == Weight.NORM || w == Weight.LM_HEAD;
            for (int i = 0; i < (once ? 1 : architecture.layers()); i++) {
                if (weight(w, i) != null) {
                    used.add(name(w, i));
                }
            }
        }
        for (var e : tensors.entrySet()) {
            if (!used.contains(e.getKey()) && !COMPUTED.matcher(e.getKey()).matches()) {
                throw new ConversionException(e.getValue().where() + " has no place in " + config.kind().architecture
                        + " as config.json describes it; they do not belong together");
            }
        }
    }

    @Override
    public Architecture architecture() {
        return architecture;
    }

    @Override
    public int positions() {
        return config.positions();
    }

    private String name(Weight w, int layer) {
        boolean phi = config.kind() == Kind.PHI3;
        boolean post = config.kind().hasPostNorms();
        var block = switch (w) {
            case EMBEDDING -> EMBEDDING;
            case NORM -> "model.norm.weight";
            case LM_HEAD -> architecture.tiedEmbeddings() ? EMBEDDING : HEAD;
            case ATTENTION_NORM -> "input_layernorm";
            case ATTENTION_POST_NORM -> "post_attention_layernorm";
            case FFN_NORM -> post ? "pre_feedforward_layernorm" : "post_attention_layernorm";
            case FFN_POST_NORM -> "post_feedforward_layernorm";
            case Q_NORM -> "self_attn.q_norm";
            case K_NORM -> "self_attn.k_norm";
            case Q, Q_BIAS -> phi ? "self_attn.qkv_proj" : "self_attn.q_proj";
            case K, K_BIAS -> phi ? "self_attn.qkv_proj" : "self_attn.k_proj";
            case V, V_BIAS -> phi ? "self_attn.qkv_proj" : "self_attn.v_proj";
            case O, O_BIAS -> "self_attn.o_proj";
            case GATE, GATE_BIAS -> phi ? "mlp.gate_up_proj" : "mlp.gate_proj";
            case UP, UP_BIAS -> phi ? "mlp.gate_up_proj" : "mlp.up_proj";
            case DOWN, DOWN_BIAS -> "mlp.down_proj";
        };
        return block.endsWith(".weight") ? block : "model.layers." + layer + "." + block + (w.name().endsWith("_BIAS") ? ".bias" : ".weight");
    }

    private boolean exists(Weight w) {
        return switch (w) {
            case Q_NORM, K_NORM -> architecture.qkNorm();
            case ATTENTION_POST_NORM, FFN_POST_NORM -> architecture.postNorms();
            case Q_BIAS, K_BIAS, V_BIAS -> config.hasQkvBias();
            case O_BIAS -> config.hasOutputBias();
            case GATE_BIAS, UP_BIAS, DOWN_BIAS -> config.hasMlpBias();
            default -> true;
        };
    }

    @Override
    public Matrix weight(Weight w, int layer) {
        if (!exists(w)) {
            return null;
        }
        var name = name(w, layer);
        var tensor = tensors.get(name);
        if (tensor == null) {
            throw new ConversionException(folder + ": tensor " + name + " is missing; config.json does not match the weights, or a shard is absent");
        }
        var m = stored(tensor, w);
        return switch (w) {
            case ATTENTION_NORM, FFN_NORM, Q_NORM, K_NORM, ATTENTION_POST_NORM, FFN_POST_NORM ->
                config.kind().isGemma() ? m.map(x -> 1 + x) : m;
            case NORM -> config.kind().isGemma() ? m.map(x -> 1 + x) : scaled(m, 1 / config.logitsScale());
            case O, DOWN, O_BIAS, DOWN_BIAS -> scaled(m, config.residualScale());
            case Q, K -> config.rotary() == architecture.headDim() ? m
                    : m.rows(HeadRows.partial(m.rows(), architecture.headDim(), config.rotary()));
            default -> m;
        };
    }

    /** The weight as it is stored, cut out of a fused one. */
    private Matrix stored(StoredTensor tensor, Weight w) {
        var a = architecture;
        var shape = Checkpoint.shape(a, w);
        if (config.kind() != Kind.PHI3) {
            return tensor.matrix(shape[0], shape[1], "config.json");
        }
        int q = a.heads() * a.headDim();
        return switch (w) {
            case Q, K, V -> tensor.matrix(a.qkvRows(), a.hidden(), "config.json")
                    .slice(w == Weight.Q ? 0 : w == Weight.K ? q : a.qkvRows() - shape[0], shape[0]);
            case GATE, UP -> tensor.matrix(2 * a.intermediate(), a.hidden(), "config.json").slice(w == Weight.GATE ? 0 : a.intermediate(), shape[0]);
            default -> tensor.matrix(shape[0], shape[1], "config.json");
        };
    }

    private static Matrix scaled(Matrix m, double factor) {
        DoubleUnaryOperator times = x -> x * factor;
        return factor == 1 ? m : m.map(times);
    }

    @Override
    public byte[] tokenizerJson() {
        return tokenizer.json();
    }

    /** Whether and with what texts begin, the tokenizer says; what ends a generation, everything that names an end. */
    @Override
    public TokenizerInfo tokenizer() {
        var file = folder.resolve("config.json");
        var generation = folder.resolve("generation_config.json");
        var ends = new LinkedHashSet<Integer>();
        ends(file, config.json(), ends);
        if (Files.exists(generation)) {
            ends(generation, Sources.json(generation), ends);
        }
        var policy = tokenizer.policy();
        Arrays.stream(policy.eos()).filter(e -> e < architecture.vocab()).forEach(ends::add);
        int bos = config.integer("bos_token_id", -1);
        token(file, "bos_token_id", bos, -1);
        boolean adds = policy.addBos() && policy.bos() < architecture.vocab();
        return new TokenizerInfo(adds || bos < 0 && policy.bos() < architecture.vocab() ? policy.bos() : bos,
                ends.stream().mapToInt(i -> i).toArray(), adds);
    }

    /** One id, a list of them, or null. */
    private void ends(Path file, JsonNode settings, Set<Integer> ends) {
        var field = settings.path("eos_token_id");
        if (field.isMissingNode() || field.isNull()) {
            return;
        }
        for (var n : field.isArray() ? field : List.of(field)) {
            if (!n.isIntegralNumber() || !n.canConvertToInt()) {
                throw new ConversionException(file + ": eos_token_id is " + Sources.printable(n.toString()) + ", not an integer");
            }
            token(file, "eos_token_id", n.intValue(), 0);
            ends.add(n.intValue());
        }
    }

    private void token(Path file, String field, int id, int min) {
        if (id < min || id >= architecture.vocab()) {
            throw new ConversionException(file + ": " + field + " " + id + " is not in the vocabulary of " + architecture.vocab());
        }
    }

    @Override
    public Map<String, String> chatTemplates() {
        return tokenizer.chatTemplates();
    }

    @Override
    public Map<String, String> provenance() {
        return Map.of("source", folder.toAbsolutePath().normalize().getFileName().toString(), "sourceFormat", "huggingface");
    }

    /** From the front matter of a model card. */
    @Override
    public String license() {
        for (var name : List.of("README.md", "MODEL_CARD.md")) {
            var card = folder.resolve(name);
            if (Files.exists(card)) {
                var m = LICENSE.matcher(new String(Sources.bytes(card), StandardCharsets.UTF_8));
                if (m.find()) {
                    return m.group(1);
                }
            }
        }
        return null;
    }

    @Override
    public void close() {
        arena.close();
    }
}
