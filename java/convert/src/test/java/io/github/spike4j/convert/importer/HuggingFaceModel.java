package io.github.spike4j.convert.importer;

import io.github.spike4j.convert.TinyModel;
import io.github.spike4j.convert.importer.PyTorchWriter.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * A small random model by its {@code config.json}, with the names of transformers, and what transformers computes of it, in plain loops
 * of double. It reads the config on its own: nothing of the importer is used.
 */
final class HuggingFaceModel {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    final ObjectNode config;
    /** By name; exact in bfloat16 and binary16. */
    final Map<String, float[]> weights = new LinkedHashMap<>();
    final Map<String, int[]> shapes = new LinkedHashMap<>();

    private final String kind;
    private final int hidden;
    private final int inner;
    private final int layers;
    private final int heads;
    private final int kvHeads;
    private final int d;
    private final int vocab;
    private final int context;
    /** Positions that the model is to serve: the length of the text for which transformers' dynamic NTK and LongRoPE are taken. */
    private int served;
    private final boolean gemma;
    private final Random random;

    /** @param settings JSON of what differs from a small Llama, quotes may be single */
    HuggingFaceModel(String architecture, String modelType, String settings) {
        config = (ObjectNode) JSON.readTree("""
                {"hidden_size": 48, "intermediate_size": 72, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
                "vocab_size": 261, "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "bos_token_id": null, "eos_token_id": null}""");
        config.putArray("architectures").add(architecture);
        config.put("model_type", modelType);
        config.setAll((ObjectNode) JSON.readTree("{" + settings.replace('\'', '"') + "}"));
        kind = modelType;
        hidden = config.get("hidden_size").asInt();
        inner = config.get("intermediate_size").asInt();
        layers = config.get("num_hidden_layers").asInt();
        heads = config.get("num_attention_heads").asInt();
        kvHeads = config.get("num_key_value_heads").asInt();
        d = config.path("head_dim").asInt(kind.startsWith("gemma") ? 256 : kind.equals("qwen3") ? 128 : hidden / heads);
        vocab = config.get("vocab_size").asInt();
        context = config.get("max_position_embeddings").asInt();
        served = context;
        gemma = kind.startsWith("gemma");
        random = new Random(settings.hashCode() + architecture.hashCode());
        tensors();
    }

    HuggingFaceModel serving(int positions) {
        served = positions;
        return this;
    }

    private double number(String field, double otherwise) {
        return config.path(field).isNumber() ? config.get(field).asDouble() : otherwise;
    }

    private boolean is(String field) {
        return config.path(field).asBoolean(false);
    }

    boolean tied() {
        return config.path("tie_word_embeddings").asBoolean(gemma || kind.equals("smollm3"));
    }

    // ---- weights -------------------------------------------------------------------------------------------------------

    private void tensors() {
        boolean post = kind.equals("gemma2") || kind.equals("gemma3_text");
        boolean outputBias = is("attention_bias");
        boolean qkvBias = outputBias || kind.equals("qwen2");
        put("model.embed_tokens.weight", gemma ? .5 : 1, vocab, hidden);
        for (int l = 0; l < layers; l++) {
            var p = "model.layers." + l + ".";
            norm(p + "input_layernorm.weight", hidden);
            if (kind.equals("phi3")) {
                put(p + "self_attn.qkv_proj.weight", .3, (heads + 2 * kvHeads) * d, hidden);
                put(p + "mlp.gate_up_proj.weight", .2, 2 * inner, hidden);
            } else {
                linear(p + "self_attn.q_proj", .3, heads * d, hidden, qkvBias);
                linear(p + "self_attn.k_proj", .3, kvHeads * d, hidden, qkvBias);
                linear(p + "self_attn.v_proj", .2, kvHeads * d, hidden, qkvBias);
                linear(p + "mlp.gate_proj", .2, inner, hidden, is("mlp_bias"));
                linear(p + "mlp.up_proj", .2, inner, hidden, is("mlp_bias"));
            }
            linear(p + "self_attn.o_proj", .2, hidden, heads * d, outputBias);
            linear(p + "mlp.down_proj", .2, hidden, inner, is("mlp_bias"));
            norm(p + "post_attention_layernorm.weight", hidden);
            if (post) {
                norm(p + "pre_feedforward_layernorm.weight", hidden);
                norm(p + "post_feedforward_layernorm.weight", hidden);
            }
            if (kind.equals("qwen3") || kind.equals("gemma3_text")) {
                norm(p + "self_attn.q_norm.weight", d);
                norm(p + "self_attn.k_norm.weight", d);
            }
        }
        norm("model.norm.weight", hidden);
        if (!tied()) {
            put("lm_head.weight", .3, vocab, hidden);
        }
    }

    private void linear(String name, double deviation, int rows, int columns, boolean bias) {
        put(name + ".weight", deviation, rows, columns);
        if (bias) {
            put(name + ".bias", .5, rows);
        }
    }

    /** Around 1 as it acts: Gemma's hold what is added to 1. */
    private void norm(String name, int n) {
        put(name, .3, n);
        for (int i = 0; i < n && !gemma; i++) {
            weights.get(name)[i] += 1;
        }
        weights.computeIfPresent(name, (_, w) -> rounded(w));
    }

    private void put(String name, double deviation, int... shape) {
        int n = shape[0] * (shape.length == 2 ? shape[1] : 1);
        var values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) (random.nextGaussian() * deviation);
        }
        weights.put(name, rounded(values));
        shapes.put(name, shape);
    }

    private static float[] rounded(float[] values) {
        var out = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            out[i] = Float.intBitsToFloat(Float.floatToIntBits(Math.round(values[i] * 256) / 256f) & 0xffff0000);
        }
        return out;
    }

    // ---- files ---------------------------------------------------------------------------------------------------------

    /** @param format a dtype, with ".bin" behind it for PyTorch */
    Path write(Path folder, String format, int shards) throws IOException {
        Files.createDirectories(folder);
        Files.writeString(folder.resolve("config.json"), config.toString());
        Files.write(folder.resolve("tokenizer.json"), TinyModel.tokenizer());
        boolean torch = format.endsWith(".bin");
        var dtype = format.replace(".bin", "");
        var stem = torch ? "pytorch_model" : "model";
        var suffix = torch ? ".bin" : ".safetensors";
        var index = JSON.createObjectNode();
        for (int s = 0; s < shards; s++) {
            var mine = new ArrayList<String>();
            var all = List.copyOf(weights.keySet());
            for (int i = s; i < all.size(); i += shards) {
                mine.add(all.get(i));
            }
            var name = shards == 1 ? stem + suffix : "%s-%05d-of-%05d%s".formatted(stem, s + 1, shards, suffix);
            mine.forEach(n -> index.withObjectProperty("weight_map").put(n, name));
            if (torch) {
                var tensors = new LinkedHashMap<String, Tensor>();
                mine.forEach(n -> tensors.put(n, Tensor.of("" + tensors.size(), weights.get(n), shapes.get(n))));
                PyTorchWriter.write(folder.resolve(name), dtype, tensors);
            } else {
                SafeTensorsWriter.write(folder.resolve(name), dtype, mine, weights, shapes);
            }
        }
        if (shards > 1) {
            Files.writeString(folder.resolve(stem + suffix + ".index.json"), index.toString());
        }
        return folder;
    }

    // ---- what transformers computes ------------------------------------------------------------------------------------

    /** Logits after each of the ids. */
    double[][] logits(int[] ids) {
        int n = ids.length;
        var x = new double[n][];
        double scale = gemma ? Math.sqrt(hidden) : number("embedding_multiplier", 1);
        for (int t = 0; t < n; t++) {
            x[t] = new double[hidden];
            for (int c = 0; c < hidden; c++) {
                x[t][c] = weights.get("model.embed_tokens.weight")[ids[t] * hidden + c] * scale;
            }
        }
        for (int l = 0; l < layers; l++) {
            block(x, l);
        }
        var head = tied() ? "model.embed_tokens.weight" : "lm_head.weight";
        var logits = new double[n][];
        for (int t = 0; t < n; t++) {
            logits[t] = times(head, vocab, norm(x[t], "model.norm.weight"));
            for (int i = 0; i < vocab; i++) {
                logits[t][i] = capped(logits[t][i] / number("logits_scaling", 1), number("final_logit_softcapping", 0));
            }
        }
        return logits;
    }

    private void block(double[][] x, int l) {
        var p = "model.layers." + l + ".";
        boolean post = kind.equals("gemma2") || kind.equals("gemma3_text");
        double residual = number("residual_multiplier", 1);
        var attended = attention(x, l);
        for (int t = 0; t < x.length; t++) {
            var o = times(p + "self_attn.o_proj", hidden, attended[t]);
            add(x[t], post ? norm(o, p + "post_attention_layernorm.weight") : o, residual);
        }
        for (var row : x) {
            var h = norm(row, p + (post ? "pre_feedforward_layernorm.weight" : "post_attention_layernorm.weight"));
            double[] gate;
            double[] up;
            if (kind.equals("phi3")) {
                var both = times(p + "mlp.gate_up_proj", 2 * inner, h);
                gate = java.util.Arrays.copyOf(both, inner);
                up = java.util.Arrays.copyOfRange(both, inner, 2 * inner);
            } else {
                gate = times(p + "mlp.gate_proj", inner, h);
                up = times(p + "mlp.up_proj", inner, h);
            }
            for (int i = 0; i < inner; i++) {
                double g = gate[i];
                gate[i] = up[i] * (gemma ? .5 * g * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (g + .044715 * g * g * g))) : g / (1 + Math.exp(-g)));
            }
            var down = times(p + "mlp.down_proj", hidden, gate);
            add(row, post ? norm(down, p + "post_feedforward_layernorm.weight") : down, residual);
        }
    }

    private double[][] attention(double[][] x, int l) {
        var p = "model.layers." + l + ".self_attn.";
        int n = x.length;
        var q = new double[n][];
        var k = new double[n][];
        var v = new double[n][];
        for (int t = 0; t < n; t++) {
            var h = norm(x[t], "model.layers." + l + ".input_layernorm.weight");
            if (kind.equals("phi3")) {
                var all = times(p + "qkv_proj", (heads + 2 * kvHeads) * d, h);
                q[t] = java.util.Arrays.copyOf(all, heads * d);
                k[t] = java.util.Arrays.copyOfRange(all, heads * d, (heads + kvHeads) * d);
                v[t] = java.util.Arrays.copyOfRange(all, (heads + kvHeads) * d, all.length);
            } else {
                q[t] = times(p + "q_proj", heads * d, h);
                k[t] = times(p + "k_proj", kvHeads * d, h);
                v[t] = times(p + "v_proj", kvHeads * d, h);
            }
            rotate(q[t], p + "q_norm.weight", t, l);
            rotate(k[t], p + "k_norm.weight", t, l);
        }
        double scale = switch (kind) {
            case "granite" -> number("attention_multiplier", 1);
            case "gemma2", "gemma3_text" -> Math.pow(number("query_pre_attn_scalar", 256), -.5);
            default -> Math.pow(d, -.5);
        };
        int window = window(l);
        var out = new double[n][heads * d];
        for (int t = 0; t < n; t++) {
            for (int h = 0; h < heads; h++) {
                int kv = h / (heads / kvHeads) * d;
                var e = new double[n];
                double sum = 0;
                for (int s = 0; s <= t; s++) {
                    if (s > t - window) {
                        for (int c = 0; c < d; c++) {
                            e[s] += q[t][h * d + c] * k[s][kv + c];
                        }
                        e[s] = Math.exp(capped(e[s] * scale, number("attn_logit_softcapping", 0)));
                        sum += e[s];
                    }
                }
                for (int s = 0; s <= t; s++) {
                    for (int c = 0; c < d; c++) {
                        out[t][h * d + c] += e[s] / sum * v[s][kv + c];
                    }
                }
            }
        }
        return out;
    }

    private boolean slides(int l) {
        if (config.path("layer_types").isArray()) {
            return config.get("layer_types").get(l).asString().equals("sliding_attention");
        }
        return switch (kind) {
            case "mistral", "phi3" -> true;
            case "qwen2", "qwen3" -> is("use_sliding_window") && l >= number("max_window_layers", 28);
            case "smollm3" -> is("use_sliding_window") && !hasRope(l);
            case "gemma2" -> l % 2 == 0;
            case "gemma3_text" -> (l + 1) % (int) number("sliding_window_pattern", 6) != 0;
            default -> false;
        };
    }

    private int window(int l) {
        return slides(l) ? (int) number("sliding_window", Integer.MAX_VALUE) : Integer.MAX_VALUE;
    }

    private boolean hasRope(int l) {
        if (!kind.equals("smollm3")) {
            return true;
        }
        return config.path("no_rope_layers").isArray() ? config.get("no_rope_layers").get(l).asInt() == 1
                : (l + 1) % (int) number("no_rope_layer_interval", 4) != 0;
    }

    /** Norms by head, then rotates the first channels of each: halves of what is rotated. */
    private void rotate(double[] x, String norm, int position, int l) {
        var rope = rope(l);
        int half = rope.frequencies.length;
        for (int h = 0; h < x.length; h += d) {
            if (weights.containsKey(norm)) {
                System.arraycopy(norm(java.util.Arrays.copyOfRange(x, h, h + d), norm), 0, x, h, d);
            }
            for (int i = 0; i < half && hasRope(l); i++) {
                double cos = Math.cos(position * rope.frequencies[i]) * rope.factor;
                double sin = Math.sin(position * rope.frequencies[i]) * rope.factor;
                double a = x[h + i];
                double b = x[h + i + half];
                x[h + i] = a * cos - b * sin;
                x[h + i + half] = b * cos + a * sin;
            }
        }
    }

    private record Rotation(double[] frequencies, double factor) { }

    private Rotation rope(int l) {
        JsonNode r = config.path("rope_scaling").isObject() ? config.get("rope_scaling") : config.path("rope_parameters");
        double theta = number("rope_theta", kind.equals("smollm3") ? 2e6 : kind.equals("gemma3_text") ? 1e6 : 10000);
        if (r.path("full_attention").isObject()) {
            r = r.get(slides(l) ? "sliding_attention" : "full_attention");
        } else if (kind.equals("gemma3_text") && slides(l)) {
            r = JSON.createObjectNode();
            theta = number("rope_local_base_freq", 10000);
        }
        theta = r.path("rope_theta").asDouble(theta);
        int dim = (int) (d * number("partial_rotary_factor", r.path("partial_rotary_factor").asDouble(1)));
        var f = new double[dim / 2];
        for (int i = 0; i < f.length; i++) {
            f[i] = Math.pow(theta, -2.0 * i / dim);
        }
        var type = r.path("rope_type").asString(r.path("type").asString("default"));
        double factor = r.path("factor").asDouble(1);
        double original = number("original_max_position_embeddings", r.path("original_max_position_embeddings").asDouble(context));
        switch (type) {
            case "linear" -> {
                for (int i = 0; i < f.length; i++) {
                    f[i] /= factor;
                }
            }
            case "llama3" -> {
                double low = r.get("low_freq_factor").asDouble();
                double high = r.get("high_freq_factor").asDouble();
                for (int i = 0; i < f.length; i++) {
                    double wave = 2 * Math.PI / f[i];
                    double scaled = wave > original / low ? f[i] / factor : f[i];
                    double smooth = (original / wave - low) / (high - low);
                    boolean medium = !(wave < original / high) && !(wave > original / low);
                    f[i] = medium ? (1 - smooth) * scaled / factor + smooth * scaled : scaled;
                }
            }
            case "yarn" -> {
                if (kind.equals("phi3")) {
                    return longRope(r, f, original);
                }
                factor = r.path("factor").asDouble(context / original);
                double low = correction(r.path("beta_fast").asDouble(32), dim, theta, original);
                double high = correction(r.path("beta_slow").asDouble(1), dim, theta, original);
                if (r.path("truncate").asBoolean(true)) {
                    low = Math.floor(low);
                    high = Math.ceil(high);
                }
                low = Math.max(low, 0);
                high = Math.min(high, dim - 1);
                for (int i = 0; i < f.length; i++) {
                    double kept = 1 - Math.min(1, Math.max(0, (i - low) / (high == low ? .001 : high - low)));
                    f[i] = f[i] / factor * (1 - kept) + f[i] * kept;
                }
                double mscale = r.path("mscale").asDouble(0);
                double all = r.path("mscale_all_dim").asDouble(0);
                return new Rotation(f, r.path("attention_factor").asDouble(mscale != 0 && all != 0
                        ? (.1 * mscale * Math.log(factor) + 1) / (.1 * all * Math.log(factor) + 1) : .1 * Math.log(factor) + 1));
            }
            case "longrope", "su" -> {
                return longRope(r, f, original);
            }
            case "dynamic" -> {
                double base = theta * Math.pow(factor * Math.max(served, context) / context - (factor - 1), dim / (dim - 2.0));
                for (int i = 0; i < f.length; i++) {
                    f[i] = 1 / Math.pow(base, 2.0 * i / dim);
                }
            }
            default -> { }
        }
        return new Rotation(f, 1);
    }

    private Rotation longRope(JsonNode r, double[] f, double original) {
        var factors = r.get(served > original ? "long_factor" : "short_factor");
        for (int i = 0; i < f.length; i++) {
            f[i] /= factors.get(i).asDouble();
        }
        double stretch = context / original;
        return new Rotation(f, r.path("attention_factor").asDouble(stretch <= 1 ? 1 : Math.sqrt(1 + Math.log(stretch) / Math.log(original))));
    }

    private static double correction(double turns, int dim, double base, double length) {
        return dim * Math.log(length / (turns * 2 * Math.PI)) / (2 * Math.log(base));
    }

    private static double capped(double x, double cap) {
        return cap == 0 ? x : Math.tanh(x / cap) * cap;
    }

    private static void add(double[] x, double[] y, double factor) {
        for (int i = 0; i < x.length; i++) {
            x[i] += y[i] * factor;
        }
    }

    private double[] norm(double[] x, String name) {
        var w = weights.get(name);
        double square = 0;
        for (double v : x) {
            square += v * v;
        }
        var y = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            y[i] = x[i] / Math.sqrt(square / x.length + number("rms_norm_eps", 0)) * (gemma ? 1 + w[i] : w[i]);
        }
        return y;
    }

    private double[] times(String name, int rows, double[] x) {
        var w = weights.get(name.endsWith(".weight") ? name : name + ".weight");
        var b = weights.get(name + ".bias");
        var y = new double[rows];
        for (int r = 0; r < rows; r++) {
            y[r] = b == null ? 0 : b[r];
            for (int c = 0; c < x.length; c++) {
                y[r] += w[r * x.length + c] * x[c];
            }
        }
        return y;
    }
}
