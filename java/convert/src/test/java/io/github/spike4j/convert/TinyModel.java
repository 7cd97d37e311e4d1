package io.github.spike4j.convert;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** A random LLaMA of 2 layers, written in other projects' formats. Its values are exact in bfloat16 and binary16. */
public final class TinyModel {
    public static final int HIDDEN = 40;
    public static final int INNER = 72;
    public static final int LAYERS = 2;
    public static final int HEADS = 4;
    public static final int KV_HEADS = 2;
    public static final int D = 10;
    public static final int VOCAB = 260;
    public static final int CONTEXT = 64;
    public static final String TEXT = "The quick brown fox jumps over the lazy dog. Pack my box with five dozen liquor jugs! ".repeat(8);

    /** By Hugging Face name. */
    public final Map<String, float[]> weights = new LinkedHashMap<>();
    public final Map<String, int[]> shapes = new LinkedHashMap<>();
    public final boolean tied;
    public final boolean biased;

    public TinyModel(boolean tied) {
        this(tied, false);
    }

    public TinyModel(boolean tied, boolean biased) {
        this.tied = tied;
        this.biased = biased;
        var random = new Random(7);
        put(random, "model.embed_tokens.weight", 1, VOCAB, HIDDEN);
        for (int l = 0; l < LAYERS; l++) {
            var p = "model.layers." + l + ".";
            put(random, p + "input_layernorm.weight", 0, HIDDEN);
            put(random, p + "self_attn.q_proj.weight", .1, HEADS * D, HIDDEN);
            put(random, p + "self_attn.k_proj.weight", .1, KV_HEADS * D, HIDDEN);
            put(random, p + "self_attn.v_proj.weight", .2, KV_HEADS * D, HIDDEN);
            put(random, p + "self_attn.o_proj.weight", .2, HIDDEN, HEADS * D);
            put(random, p + "post_attention_layernorm.weight", 0, HIDDEN);
            put(random, p + "mlp.gate_proj.weight", .2, INNER, HIDDEN);
            put(random, p + "mlp.up_proj.weight", .2, INNER, HIDDEN);
            put(random, p + "mlp.down_proj.weight", .2, HIDDEN, INNER);
        }
        for (int l = 0; biased && l < LAYERS; l++) {
            for (var linear : List.of("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj",
                    "mlp.down_proj")) {
                var name = "model.layers." + l + "." + linear;
                put(random, name + ".bias", 1, shapes.get(name + ".weight")[0]);
            }
        }
        put(random, "model.norm.weight", 0, HIDDEN);
        if (!tied) {
            put(random, "lm_head.weight", .3, VOCAB, HIDDEN);
        }
    }

    private void put(Random random, String name, double deviation, int... shape) {
        int n = 1;
        for (int d : shape) {
            n *= d;
        }
        var values = new float[n];
        for (int i = 0; i < n; i++) {
            double v = deviation == 0 ? random.nextDouble(.2, 2) : random.nextGaussian() * deviation * (i % 17 == 3 ? 3 : 1);
            values[i] = Math.round(v * 64) / 64f;
            if (Math.abs(values[i]) >= 2) {
                values[i] = Math.round(values[i] * 16) / 16f;
            }
            values[i] = Float.intBitsToFloat(Float.floatToIntBits(values[i]) & 0xffff0000);
        }
        weights.put(name, values);
        shapes.put(name, shape);
    }

    public static String config(boolean tied, boolean biased) {
        return """
                {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 40, "intermediate_size": 72, "num_hidden_layers": 2,
                "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 10, "vocab_size": 260, "max_position_embeddings": 64,
                "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": %1$s, "bos_token_id": 1, "eos_token_id": [2, 3],
                "attention_bias": %2$s, "mlp_bias": %2$s}
                """.formatted(tied, biased);
    }

    /** A tokenizer.json of a token a byte. */
    public static byte[] tokenizer() {
        return SyntheticModel.byteTokenizer(256);
    }

    /** A folder with the tensors dealt to {@code shards} files. */
    public Path huggingFace(Path folder, String dtype, int shards) throws IOException {
        Files.createDirectories(folder);
        Files.writeString(folder.resolve("config.json"), config(tied, biased));
        Files.write(folder.resolve("tokenizer.json"), tokenizer());
        var names = new ArrayList<>(weights.keySet());
        var index = new StringBuilder();
        for (int s = 0; s < shards; s++) {
            var file = shards == 1 ? "model.safetensors" : "model-%05d-of-%05d.safetensors".formatted(s + 1, shards);
            var mine = new ArrayList<String>();
            for (int i = s; i < names.size(); i += shards) {
                mine.add(names.get(i));
                index.append(index.isEmpty() ? "" : ",").append("\"%s\":\"%s\"".formatted(names.get(i), file));
            }
            Files.write(folder.resolve(file), safetensors(mine, dtype));
        }
        if (shards > 1) {
            Files.writeString(folder.resolve("model.safetensors.index.json"), "{\"weight_map\":{" + index + "}}");
        }
        return folder;
    }

    private byte[] safetensors(List<String> names, String dtype) {
        int width = dtype.equals("F32") ? 4 : 2;
        var header = new StringBuilder("{\"__metadata__\":{\"format\":\"pt\"}");
        int at = 0;
        for (var name : names) {
            int end = at + weights.get(name).length * width;
            header.append(",\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}".formatted(name, dtype,
                    java.util.Arrays.toString(shapes.get(name)), at, end));
            at = end;
        }
        var json = header.append('}').toString().getBytes(StandardCharsets.UTF_8);
        var out = ByteBuffer.allocate(8 + json.length + at).order(ByteOrder.LITTLE_ENDIAN).putLong(json.length).put(json);
        for (var name : names) {
            for (float v : weights.get(name)) {
                switch (dtype) {
                    case "F32" -> out.putFloat(v);
                    case "BF16" -> out.putShort((short) (Float.floatToIntBits(v) >>> 16));
                    default -> out.putShort(Float.floatToFloat16(v));
                }
            }
        }
        return out.array();
    }

    /** llama2.c's version 0, its tokenizer beside it. */
    public Path llama2c(Path folder) throws IOException {
        Files.createDirectories(folder);
        long floats = 0;
        for (var w : weights.values()) {
            floats += w.length;
        }
        var out = ByteBuffer.allocate((int) (28 + 4 * (floats + CONTEXT * D))).order(ByteOrder.LITTLE_ENDIAN);
        for (int n : new int[] {HIDDEN, INNER, LAYERS, HEADS, KV_HEADS, tied ? VOCAB : -VOCAB, CONTEXT}) {
            out.putInt(n);
        }
        floats(out, weights.get("model.embed_tokens.weight"));
        for (var kind : List.of("input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
                "post_attention_layernorm", "mlp.gate_proj", "mlp.down_proj", "mlp.up_proj")) {
            for (int l = 0; l < LAYERS; l++) {
                var w = weights.get("model.layers." + l + "." + kind + ".weight");
                floats(out, kind.endsWith("q_proj") || kind.endsWith("k_proj") ? interleaved(w) : w);
            }
        }
        floats(out, weights.get("model.norm.weight"));
        out.position(out.position() + 4 * CONTEXT * D);
        if (!tied) {
            floats(out, weights.get("lm_head.weight"));
        }
        Files.write(folder.resolve("model.bin"), out.array());
        var tokens = ByteBuffer.allocate(1 << 14).order(ByteOrder.LITTLE_ENDIAN).putInt(8);
        for (int i = 0; i < VOCAB; i++) {
            var text = i < 3 ? List.of("<unk>", "<s>", "</s>").get(i) : i < 259 ? "<0x%02X>".formatted(i - 3) : "e";
            tokens.putFloat(0).putInt(text.length()).put(text.getBytes(StandardCharsets.UTF_8));
        }
        Files.write(folder.resolve("tok" + VOCAB + ".bin"), java.util.Arrays.copyOf(tokens.array(), tokens.position()));
        return folder.resolve("model.bin");
    }

    private static void floats(ByteBuffer out, float[] values) {
        for (float v : values) {
            out.putFloat(v);
        }
    }

    /** Halves order to pairs order: channel i goes to 2i, channel i + d/2 to 2i + 1. */
    private static float[] interleaved(float[] w) {
        var out = new float[w.length];
        for (int r = 0; r < w.length / HIDDEN; r++) {
            int i = r % D;
            int to = r - i + (i < D / 2 ? 2 * i : 2 * (i - D / 2) + 1);
            System.arraycopy(w, r * HIDDEN, out, to * HIDDEN, HIDDEN);
        }
        return out;
    }
}
