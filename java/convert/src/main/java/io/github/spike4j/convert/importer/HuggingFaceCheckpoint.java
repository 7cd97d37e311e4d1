package io.github.spike4j.convert.importer;

import io.github.spike4j.convert.ConversionException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

import tools.jackson.databind.JsonNode;

import io.github.spike4j.format.Architecture;
import io.github.spike4j.format.TokenizerInfo;

/** A folder as Hugging Face's transformers saves it: config.json, tokenizer.json, safetensors or PyTorch files. */
final class HuggingFaceCheckpoint implements Checkpoint {
    private static final Pattern LICENSE = Pattern.compile("(?m)\\A---\\s*$(?:(?!^---)[\\s\\S])*?^license:\\s*['\"]?([A-Za-z0-9.+-]+)['\"]?\\s*$");

    private final Path folder;
    private final Arena arena = Arena.ofShared();
    private final Map<String, StoredTensor> tensors;
    private final Architecture architecture;
    private final JsonNode config;
    private final boolean attentionBias;
    private final boolean mlpBias;
    private final byte[] tokenizerJson;

    /** @param given a weight file of the folder, or null: those that transformers would choose */
    HuggingFaceCheckpoint(Path folder, Path given) {
        this.folder = folder;
        if (!Files.exists(folder.resolve("config.json"))) {
            throw new ConversionException(folder + ": no config.json in this folder; " + SUPPORTED);
        }
        try {
            config = Sources.json(folder.resolve("config.json"));
            attentionBias = config.path("attention_bias").asBoolean(false);
            mlpBias = config.path("mlp_bias").asBoolean(false);
            architecture = read();
            tokenizerJson = Sources.bytes(folder.resolve("tokenizer.json"));
            tensors = WeightFiles.open(folder, given, arena);
            check();
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    private Architecture read() {
        var where = folder.resolve("config.json").toString();
        var name = config.path("architectures").path(0).asString("");
        if (!name.equals("LlamaForCausalLM") || !config.path("model_type").asString("llama").equals("llama")) {
            throw new ConversionException(where + ": architecture \"" + (name.isEmpty() ? config.path("model_type").asString("") : name)
                    + "\" is not supported; " + SUPPORTED);
        }
        var activation = config.path("hidden_act").asString("silu");
        if (!activation.equals("silu")) {
            throw new ConversionException(where + ": hidden_act \"" + activation + "\" is not supported; only silu is");
        }
        if (config.hasNonNull("quantization_config")) {
            throw new ConversionException(where + ": the weights are already quantized; give the original checkpoint");
        }
        var rope = config.hasNonNull("rope_scaling") ? config.get("rope_scaling") : config.path("rope_parameters");
        var kind = rope.path("rope_type").asString(rope.path("type").asString("default"));
        if (!kind.equals("default")) {
            throw new ConversionException(where + ": rope scaling \"" + kind + "\" is not supported; only unscaled RoPE is");
        }
        int context = integer(where, "max_position_embeddings", 2048);
        int window = integer(where, "sliding_window", context);
        if (window < context) {
            throw new ConversionException(where + ": sliding_window " + window + " in a context of " + context
                    + " is not supported; only full attention is");
        }
        int heads = integer(where, "num_attention_heads", null);
        int hidden = integer(where, "hidden_size", null);
        if (heads < 1) {
            throw new ConversionException(where + ": num_attention_heads is " + heads);
        }
        boolean tied = config.path("tie_word_embeddings").asBoolean(false);
        return Checkpoint.check(where, Architecture.llama(integer(where, "num_hidden_layers", null), hidden,
                integer(where, "intermediate_size", null), heads, integer(where, "num_key_value_heads", heads),
                integer(where, "head_dim", hidden / heads), integer(where, "vocab_size", null), context,
                (float) number(where, config.path("rms_norm_eps"), "rms_norm_eps", 1e-6),
                number(where, config.hasNonNull("rope_theta") ? config.get("rope_theta") : rope.path("rope_theta"), "rope_theta", 10000), tied));
    }

    private int integer(String where, String field, Integer otherwise) {
        var n = config.path(field);
        if ((n.isMissingNode() || n.isNull()) && otherwise != null) {
            return otherwise;
        }
        if (!n.isIntegralNumber() || !n.canConvertToInt()) {
            throw new ConversionException(where + ": " + field + (n.isMissingNode() ? " is missing" : " is " + n + ", not an integer"));
        }
        return n.intValue();
    }

    private static double number(String where, JsonNode n, String field, double otherwise) {
        if (n.isMissingNode() || n.isNull()) {
            return otherwise;
        }
        if (!n.isNumber()) {
            throw new ConversionException(where + ": " + field + " is " + n + ", not a number");
        }
        return n.doubleValue();
    }

    private void check() {
        for (var w : Weight.values()) {
            int layers = blockName(w) == null ? 1 : architecture.layers();
            for (int i = 0; i < layers; i++) {
                weight(w, i);
            }
        }
    }

    @Override
    public Architecture architecture() {
        return architecture;
    }

    private static String blockName(Weight w) {
        return switch (w) {
            case EMBEDDING, NORM, LM_HEAD -> null;
            case ATTENTION_NORM -> "input_layernorm";
            case FFN_NORM -> "post_attention_layernorm";
            case Q_NORM, K_NORM, ATTENTION_POST_NORM, FFN_POST_NORM -> "";
            case Q, Q_BIAS -> "self_attn.q_proj";
            case K, K_BIAS -> "self_attn.k_proj";
            case V, V_BIAS -> "self_attn.v_proj";
            case O, O_BIAS -> "self_attn.o_proj";
            case GATE, GATE_BIAS -> "mlp.gate_proj";
            case UP, UP_BIAS -> "mlp.up_proj";
            case DOWN, DOWN_BIAS -> "mlp.down_proj";
        };
    }

    @Override
    public Matrix weight(Weight weight, int layer) {
        boolean bias = weight.name().endsWith("_BIAS");
        if (blockName(weight) != null && blockName(weight).isEmpty()) {
            return null;
        }
        boolean attention = weight.ordinal() >= Weight.Q_BIAS.ordinal() && weight.ordinal() <= Weight.O_BIAS.ordinal();
        if (bias && !(attention ? attentionBias : mlpBias)) {
            return null;
        }
        var name = switch (weight) {
            case EMBEDDING -> "model.embed_tokens.weight";
            case NORM -> "model.norm.weight";
            case LM_HEAD -> architecture.tiedEmbeddings() ? "model.embed_tokens.weight" : "lm_head.weight";
            default -> "model.layers." + layer + "." + blockName(weight) + (bias ? ".bias" : ".weight");
        };
        var tensor = tensors.get(name);
        if (tensor == null) {
            throw new ConversionException(folder + ": tensor " + name + " is missing; config.json does not match the weights, or a shard is absent");
        }
        var shape = Checkpoint.shape(architecture, weight);
        return tensor.matrix(shape[0], shape[1], "config.json");
    }

    @Override
    public byte[] tokenizerJson() {
        return tokenizerJson;
    }

    @Override
    public TokenizerInfo tokenizer() {
        var file = folder.resolve("config.json");
        var generation = folder.resolve("generation_config.json");
        var ends = new LinkedHashSet<Integer>();
        ends(file, config, ends);
        if (Files.exists(generation)) {
            ends(generation, Sources.json(generation), ends);
        }
        int bos = integer(file.toString(), "bos_token_id", -1);
        token(file, "bos_token_id", bos, -1);
        return new TokenizerInfo(bos, ends.stream().mapToInt(i -> i).toArray(), bos >= 0 && addsBos(bos));
    }

    /** One id, a list of them, or null. */
    private void ends(Path file, JsonNode settings, Set<Integer> ends) {
        var field = settings.path("eos_token_id");
        if (field.isMissingNode() || field.isNull()) {
            return;
        }
        for (var n : field.isArray() ? field : List.of(field)) {
            if (!n.isIntegralNumber() || !n.canConvertToInt()) {
                throw new ConversionException(file + ": eos_token_id is " + n + ", not an integer");
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

    /** What tokenizer_config.json says, else whether the tokenizer's own template starts with the token. */
    private boolean addsBos(int bos) {
        var file = folder.resolve("tokenizer_config.json");
        if (Files.exists(file) && Sources.json(file).path("add_bos_token") instanceof JsonNode n && n.isBoolean()) {
            return n.booleanValue();
        }
        var post = Sources.json(folder.resolve("tokenizer.json").toString(), tokenizerJson).path("post_processor");
        for (var p : post.path("type").asString("").equals("Sequence") ? post.path("processors") : List.of(post)) {
            var first = p.path("single").path(0).path("SpecialToken").path("id").asString(null);
            if (first != null && p.path("special_tokens").path(first).path("ids").path(0).asInt(-1) == bos) {
                return true;
            }
        }
        return false;
    }

    @Override
    public String chatTemplate() {
        var file = folder.resolve("chat_template.jinja");
        if (Files.exists(file)) {
            return new String(Sources.bytes(file), java.nio.charset.StandardCharsets.UTF_8);
        }
        var settings = folder.resolve("tokenizer_config.json");
        return Files.exists(settings) ? Sources.json(settings).path("chat_template").asString(null) : null;
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
                var m = LICENSE.matcher(new String(Sources.bytes(card), java.nio.charset.StandardCharsets.UTF_8));
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
