package io.github.spike4j.convert.importer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.SharedData;
import io.github.spike4j.convert.TinyModel;
import io.github.spike4j.convert.importer.Checkpoint.Weight;

class ImportTest {
    @TempDir
    Path dir;

    @ParameterizedTest
    @CsvSource({"BF16,1,true", "F16,2,false", "F32,3,false"})
    void huggingFace(String dtype, int shards, boolean tied) throws IOException {
        var model = new TinyModel(tied);
        try (var c = Checkpoint.open(model.huggingFace(dir.resolve("m"), dtype, shards))) {
            check(model, c);
            assertEquals(dtype.equals("BF16"), c.weight(Weight.Q, 0).isBf16());
            assertEquals(1, c.tokenizer().bos());
            assertArrayEquals(new int[] {2, 3}, c.tokenizer().eos());
            assertEquals(1e-5f, c.architecture().normEps());
        }
    }

    @ParameterizedTest
    @CsvSource({"true", "false"})
    void llama2c(boolean tied) throws IOException {
        var model = new TinyModel(tied);
        try (var c = Checkpoint.open(model.llama2c(dir.resolve("m")))) {
            check(model, c);
            assertTrue(new String(c.tokenizerJson(), java.nio.charset.StandardCharsets.UTF_8).contains("\"BPE\""));
        }
    }

    private static void check(TinyModel model, Checkpoint c) {
        var a = c.architecture();
        assertEquals(List.of(TinyModel.LAYERS, TinyModel.HIDDEN, TinyModel.INNER, TinyModel.HEADS, TinyModel.KV_HEADS, TinyModel.D,
                TinyModel.VOCAB, TinyModel.CONTEXT),
                List.of(a.layers(), a.hidden(), a.intermediate(), a.heads(), a.kvHeads(), a.headDim(), a.vocab(), a.context()));
        assertArrayEquals(model.weights.get("model.embed_tokens.weight"), c.weight(Weight.EMBEDDING, 0).values());
        assertArrayEquals(model.weights.get("model.norm.weight"), c.weight(Weight.NORM, 0).values());
        assertArrayEquals(model.weights.get(model.tied ? "model.embed_tokens.weight" : "lm_head.weight"), c.weight(Weight.LM_HEAD, 0).values());
        for (int l = 0; l < TinyModel.LAYERS; l++) {
            for (var e : List.of(Weight.ATTENTION_NORM, Weight.Q, Weight.K, Weight.V, Weight.O, Weight.FFN_NORM, Weight.GATE, Weight.UP,
                    Weight.DOWN)) {
                var name = List.of("input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
                        "post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj").get(e.ordinal() - Weight.ATTENTION_NORM.ordinal());
                assertArrayEquals(model.weights.get("model.layers." + l + "." + name + ".weight"), c.weight(e, l).values(), e + " " + l);
            }
        }
    }

    @Test
    void oneMessageForWhatIsWrong() throws IOException {
        var folder = new TinyModel(true).huggingFace(dir.resolve("m"), "BF16", 1);
        var config = folder.resolve("config.json");
        var good = TinyModel.config(true, false);
        fails(dir.resolve("absent"), "absent", "no such file");
        fails(folder.resolve("config.json"), "give the folder");
        fails(dir, "no config.json", "supported are");
        change(config, good.replace("LlamaForCausalLM", "GPT2LMHeadModel"), folder, "config.json: architecture \"GPT2LMHeadModel\"",
                "is not supported; supported: LlamaForCausalLM, MistralForCausalLM");
        change(config, good.replace("\"silu\"", "\"gelu\""), folder, "gelu");
        change(config, good.replace("\"rope_theta\"", "\"rope_scaling\": {\"rope_type\": \"xpos\"}, \"rope_theta\""), folder, "config.json: rope scaling \"xpos\"",
                "supported are default, linear, dynamic, llama3, yarn and longrope");
        change(config, good.replace("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3"), folder, "4 heads", "3 kv heads");
        change(config, good.replace("\"hidden_size\": 40", "\"hidden_size\": \"big\""), folder, "hidden_size", "not an integer");
        change(config, good.replace("\"hidden_size\": 40,", ""), folder, "hidden_size is missing");
        change(config, good.replace("\"intermediate_size\": 72", "\"intermediate_size\": 80"), folder, "gate_proj", "[72, 40]", "[80, ");
        change(config, good.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"), folder, "model.layers.2.", "is missing");
        change(config, good.replace("\"eos_token_id\": [2, 3]", "\"eos_token_id\": 999"), folder, "eos_token_id 999");
        for (var bad : List.of("\"2\"", "[2, \"3\"]", "2.5", "true", "[[2]]", "99999999999")) {
            change(config, good.replace("\"eos_token_id\": [2, 3]", "\"eos_token_id\": " + bad), folder, "config.json: eos_token_id is ",
                    "not an integer");
        }
        change(config, good.replace("\"bos_token_id\": 1", "\"bos_token_id\": \"1\""), folder, "bos_token_id is \"1\", not an integer");
        change(config, good.replace("\"rope_theta\"", "\"sliding_window\": 63, \"rope_theta\""), folder, "config.json: sliding_window 63",
                "context of 64", "not supported");
        Files.writeString(config, good);
        var generation = folder.resolve("generation_config.json");
        change(generation, "{\"eos_token_id\": \"2\"}", folder, "generation_config.json: eos_token_id is \"2\", not an integer");
        change(generation, "{\"eos_token_id\": 999}", folder, "generation_config.json: eos_token_id 999");
        Files.delete(generation);
        for (var fine : List.of("null", "64")) {
            Files.writeString(config, good.replace("\"eos_token_id\": [2, 3]", "\"eos_token_id\": null, \"sliding_window\": " + fine));
            try (var c = Checkpoint.open(folder)) {
                assertEquals(0, c.tokenizer().eos().length);
            }
        }
        change(config, good.substring(0, 40), folder, "config.json", "not valid JSON");
        change(config, "[1]", folder, "not a JSON object");
        Files.writeString(config, good);

        var weights = folder.resolve("model.safetensors");
        var bytes = Files.readAllBytes(weights);
        for (int cut : new int[] {0, 5, 40, bytes.length / 2, bytes.length - 1}) {
            Files.write(weights, java.util.Arrays.copyOf(bytes, cut));
            fails(folder, "model.safetensors", "truncated");
        }
        var broken = bytes.clone();
        broken[7] = 1;
        Files.write(weights, broken);
        fails(folder, "not a safetensors file");
        Files.delete(weights);
        fails(folder, "no weights: neither model.safetensors, pytorch_model.bin nor");
        Files.writeString(folder.resolve("model.safetensors.index.json"), "{\"weight_map\":{\"x\":\"../../etc/passwd\"}}");
        fails(folder, "not a file name");
    }

    /** Damaged bytes give a checkpoint or one message, never another exception. */
    @ParameterizedTest
    @CsvSource({"config.json", "model.safetensors", "model.bin", "tok260.bin"})
    void damage(String name) throws IOException {
        var model = new TinyModel(true);
        boolean bin = name.endsWith(".bin");
        var source = bin ? model.llama2c(dir.resolve("m")) : model.huggingFace(dir.resolve("m"), "BF16", 1);
        var file = dir.resolve("m").resolve(name);
        var bytes = Files.readAllBytes(file);
        var random = new java.util.Random(11);
        int refused = 0;
        for (int i = 0; i < 300; i++) {
            var damaged = bytes.clone();
            for (int n = random.nextInt(3); n >= 0; n--) {
                damaged[random.nextInt(Math.min(damaged.length, name.equals("model.bin") ? 28 : 1500))] = (byte) random.nextInt();
            }
            Files.write(file, damaged);
            try (var c = Checkpoint.open(source)) {
                c.tokenizer();
                c.weight(Weight.DOWN, c.architecture().layers() - 1).values();
            } catch (ConversionException e) {
                assertEquals(1, e.getMessage().lines().count(), e.getMessage());
                refused++;
            }
        }
        assertTrue(refused > 50, name + ": " + refused);
    }

    @Test
    void oneMessageForWhatIsWrongInLlama2c() throws IOException {
        var file = new TinyModel(true).llama2c(dir.resolve("m"));
        var bytes = Files.readAllBytes(file);
        Files.write(file, java.util.Arrays.copyOf(bytes, 20));
        fails(file, "no llama2.c checkpoint");
        Files.write(file, java.util.Arrays.copyOf(bytes, bytes.length - 4));
        fails(file, "truncated");
        Files.write(file, bytes);
        Files.delete(dir.resolve("m/tok260.bin"));
        fails(file, "no tokenizer beside it", "tok260.bin");
        Files.write(dir.resolve("m/tokenizer.bin"), new byte[] {1, 2, 3, 4, 5});
        fails(file, "tokenizer.bin", "too early");
    }

    private void change(Path file, String content, Path source, String... words) throws IOException {
        Files.writeString(file, content);
        fails(source, words);
    }

    private static void fails(Path source, String... words) {
        var message = assertThrows(ConversionException.class, () -> {
            try (var c = Checkpoint.open(source)) {
                c.tokenizer();
            }
        }).getMessage();
        assertEquals(1, message.lines().count(), message);
        for (var w : words) {
            assertTrue(message.contains(w), "\"" + w + "\" is not in: " + message);
        }
    }
}
