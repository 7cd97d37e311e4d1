package io.github.spike4j.bench;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Writes a Hugging Face folder of random bfloat16 weights in shards of at most 2 GB, a source for conversions of any size:
 * {@code java RandomCheckpoint.java D,FF,L,H,KV,V FOLDER}. The tokenizer knows the 256 bytes. Equal arguments give equal bytes.
 */
public final class RandomCheckpoint {

    private static final long SHARD = 2_000_000_000;
    private static final int CHUNK = 1 << 22;

    /** @param bytes two a value; values are 1, or of random sign and a magnitude of 1 to 2 times {@code 2^exponent} */
    private record Tensor(String name, long[] shape, long bytes, int exponent, boolean ones) {}

    private RandomCheckpoint() {}

    /**
     * Writes it.
     *
     * @param args width, feed-forward width, layers, heads, kv heads, vocabulary; the folder
     */
    public static void main(String... args) throws IOException {
        var n = Arrays.stream(args[0].split(",")).mapToInt(Integer::parseInt).toArray();
        var folder = Files.createDirectories(Path.of(args[1]));
        Files.writeString(folder.resolve("config.json"), """
                {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": %d, "intermediate_size": %d,
                "num_hidden_layers": %d, "num_attention_heads": %d, "num_key_value_heads": %d, "vocab_size": %d,
                "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
                "tie_word_embeddings": false, "torch_dtype": "bfloat16", "bos_token_id": 1, "eos_token_id": 2}
                """.formatted(n[0], n[1], n[2], n[3], n[4], n[5]));
        Files.writeString(folder.resolve("tokenizer.json"), byteTokenizer());
        var shards = shards(tensors(n));
        var random = new SplittableRandom(1);
        var index = new StringBuilder();
        for (int s = 0; s < shards.size(); s++) {
            var name = "model-%05d-of-%05d.safetensors".formatted(s + 1, shards.size());
            for (var t : shards.get(s)) {
                index.append(index.isEmpty() ? "" : ",").append("\"%s\":\"%s\"".formatted(t.name, name));
            }
            write(folder.resolve(name), shards.get(s), random);
        }
        Files.writeString(folder.resolve("model.safetensors.index.json"), "{\"metadata\":{},\"weight_map\":{" + index + "}}");
    }

    private static List<Tensor> tensors(int[] n) {
        int hidden = n[0];
        int kv = hidden / n[3] * n[4];
        var all = new ArrayList<Tensor>();
        all.add(tensor("model.embed_tokens.weight", n[5], hidden, 0));
        for (int layer = 0; layer < n[2]; layer++) {
            var shapes = new LinkedHashMap<String, int[]>();
            shapes.put("self_attn.q_proj", new int[] {hidden, hidden});
            shapes.put("self_attn.k_proj", new int[] {kv, hidden});
            shapes.put("self_attn.v_proj", new int[] {kv, hidden});
            shapes.put("self_attn.o_proj", new int[] {hidden, hidden});
            shapes.put("mlp.gate_proj", new int[] {n[1], hidden});
            shapes.put("mlp.up_proj", new int[] {n[1], hidden});
            shapes.put("mlp.down_proj", new int[] {hidden, n[1]});
            var prefix = "model.layers." + layer + ".";
            all.add(norm(prefix + "input_layernorm.weight", hidden));
            all.add(norm(prefix + "post_attention_layernorm.weight", hidden));
            for (Map.Entry<String, int[]> e : shapes.entrySet()) {
                all.add(tensor(prefix + e.getKey() + ".weight", e.getValue()[0], e.getValue()[1],
                        -(int) Math.round(Math.log(e.getValue()[1]) / Math.log(4))));
            }
        }
        all.add(norm("model.norm.weight", hidden));
        all.add(tensor("lm_head.weight", n[5], hidden, -(int) Math.round(Math.log(hidden) / Math.log(4))));
        return all;
    }

    private static Tensor tensor(String name, long rows, long columns, int exponent) {
        return new Tensor(name, new long[] {rows, columns}, 2 * rows * columns, exponent, false);
    }

    private static Tensor norm(String name, long n) {
        return new Tensor(name, new long[] {n}, 2 * n, 0, true);
    }

    private static List<List<Tensor>> shards(List<Tensor> tensors) {
        var shards = new ArrayList<List<Tensor>>();
        long room = 0;
        for (var t : tensors) {
            if (t.bytes > room) {
                shards.add(new ArrayList<>());
                room = SHARD;
            }
            shards.getLast().add(t);
            room -= t.bytes;
        }
        return shards;
    }

    private static void write(Path file, List<Tensor> tensors, SplittableRandom random) throws IOException {
        var header = new StringBuilder("{\"__metadata__\":{\"format\":\"pt\"}");
        long at = 0;
        for (var t : tensors) {
            header.append(",\"%s\":{\"dtype\":\"BF16\",\"shape\":%s,\"data_offsets\":[%d,%d]}".formatted(t.name,
                    Arrays.toString(t.shape), at, at + t.bytes));
            at += t.bytes;
        }
        var json = header.append('}').toString().getBytes(StandardCharsets.UTF_8);
        try (var channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
            write(channel, ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(json.length).flip());
            write(channel, ByteBuffer.wrap(json));
            var buffer = ByteBuffer.allocate(CHUNK).order(ByteOrder.LITTLE_ENDIAN);
            for (var t : tensors) {
                // four bfloat16 at a time: random sign and mantissa under one exponent
                long keep = t.ones ? 0 : 0x807f_807f_807f_807fL;
                long set = (127L + t.exponent << 7) * 0x0001_0001_0001_0001L;
                for (long left = t.bytes; left > 0; left -= buffer.limit()) {
                    buffer.clear().limit((int) Math.min(CHUNK, left));
                    while (buffer.remaining() >= 8) {
                        buffer.putLong(random.nextLong() & keep | set);
                    }
                    while (buffer.hasRemaining()) {
                        buffer.putShort((short) (random.nextLong() & keep | set));
                    }
                    write(channel, buffer.flip());
                }
            }
        }
    }

    private static void write(FileChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /** GPT-2's byte alphabet, no merges. */
    private static String byteTokenizer() {
        var vocabulary = new StringBuilder();
        int beyond = 256;
        for (int b = 0; b < 256; b++) {
            boolean printable = b > ' ' && b <= '~' || b >= 0xa1 && b != 0xad;
            char c = printable ? (char) b : (char) beyond++;
            vocabulary.append(b == 0 ? "" : ",").append('"').append(c == '"' || c == '\\' ? "\\" : "").append(c).append("\":").append(b);
        }
        return """
                {"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
                "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false},
                "post_processor":null,"decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},
                "model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,
                "fuse_unk":false,"byte_fallback":false,"ignore_merges":false,"vocab":{%s},"merges":[]}}
                """.formatted(vocabulary);
    }
}
