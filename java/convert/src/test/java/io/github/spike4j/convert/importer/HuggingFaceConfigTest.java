package io.github.spike4j.convert.importer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.SharedData;
import io.github.spike4j.convert.importer.Checkpoint.Weight;
import io.github.spike4j.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** config.json against the weights: what is refused, and by which words; defaults; ties. */
class HuggingFaceConfigTest {
    @TempDir
    Path dir;

    private static HuggingFaceModel llama(String settings) {
        return new HuggingFaceModel("LlamaForCausalLM", "llama", settings);
    }

    private static String refusal(Path folder) {
        var message = assertThrows(ConversionException.class, () -> Checkpoint.open(folder).close()).getMessage();
        assertEquals(1, message.lines().count(), message);
        return message;
    }

    /** The weights are a small Llama's; the settings lie. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "'architectures': ['MixtralForCausalLM'] | architecture \"MixtralForCausalLM\" of model_type \"llama\" is not supported; supported: LlamaForCausalLM",
        "'architectures': ['LlamaForSequenceClassification'] | is not supported; supported:",
        "'architectures': ['MistralForCausalLM'] | of model_type \"llama\" is not supported",
        "'architectures': null, 'model_type': 'deepseek_v3' | architecture \"deepseek_v3\" is not supported",
        "'architectures': 'LlamaForCausalLM', 'model_type': null | config.json: names no architecture; supported: LlamaForCausalLM",
        "'quantization_config': {'quant_method': 'gptq'} | already quantized (quantization_config); give the original",
        "'compression_config': {'quant_method': 'compressed-tensors'} | already quantized (compression_config)",
        "'quantization': {'group_size': 64, 'bits': 4} | already quantized (quantization)",
        "'clip_qkv': 8.0 | clip_qkv is 8.0; LlamaForCausalLM with it is not supported",
        "'alibi': true | alibi is true",
        "'num_local_experts': 8 | num_local_experts is 8",
        "'n_routed_experts': 4 | n_routed_experts is 4",
        "'is_encoder_decoder': true | is_encoder_decoder is true",
        "'text_config': {'a': 1} | text_config is",
        "'final_logit_softcapping': 30.0 | soft caps are not supported in LlamaForCausalLM",
        "'hidden_act': 'relu2' | activation \"relu2\" is not supported; supported are silu and gelu_pytorch_tanh",
        "'hidden_act': 'gelu' | activation \"gelu\" is not supported",
        "'partial_rotary_factor': 0.5 | partial_rotary_factor 0.5 of heads of 12 is not supported in LlamaForCausalLM",
        "'sliding_window': 8 | sliding_window 8 in a context of 64 is not supported in LlamaForCausalLM",
        "'sliding_window': 0 | sliding_window is 0",
        "'layer_types': ['full_attention', 'chunked_attention'] | layer type \"chunked_attention\" is not supported",
        "'layer_types': ['full_attention'] | layer_types does not say what each of 2 layers is",
        "'rope_scaling': {'type': 'mrope'} | rope scaling \"mrope\" is not supported; supported are default, linear, dynamic, llama3, yarn and longrope",
        "'rope_scaling': {'type': 'linear'} | factor is missing",
        "'rope_scaling': {'type': 'linear', 'factor': 0} | factor is 0.0; it must be positive",
        "'rope_scaling': {'type': 'linear', 'factor': '2'} | factor is \"2\", not a number",
        "'rope_scaling': {'type': 'linear', 'factor': 1e300} | RoPE has the period",
        "'rope_scaling': [2.0] | rope_scaling is [2.0], not an object",
        "'rope_scaling': {'type': 'llama3', 'factor': 8, 'low_freq_factor': 4, 'high_freq_factor': 4} | low_freq_factor 4.0 is not below high_freq_factor 4.0",
        "'rope_scaling': {'type': 'longrope', 'long_factor': [1, 1], 'short_factor': [1]} | short_factor has 1 numbers; heads with 12 rotated channels need 6",
        "'rope_scaling': {'type': 'longrope', 'short_factor': [1, 1, 1, 1, 1, -1]} | short_factor is -1.0; it must be positive",
        "'rope_parameters': {'full_attention': {'rope_theta': 10000}} | rope_parameters by layer type are not supported in LlamaForCausalLM",
        "'rope_theta': 1.0 | rope theta 1.0 is not between 1 and 1e12",
        "'rope_theta': 'big' | rope_theta is \"big\", not a number",
        "'rms_norm_eps': 0 | norm epsilon 0.0",
        "'rms_norm_eps': null, 'hidden_size': 2147483647 | hidden size is 2147483647",
        "'hidden_size': 48.5 | hidden_size is 48.5, not an integer",
        "'hidden_size': 4294967344 | hidden_size is 4294967344, not an integer",
        "'num_hidden_layers': 100000 | layers is 100000; it must be 1 to 1024",
        "'num_hidden_layers': 0 | layers is 0",
        "'num_attention_heads': 0 | num_attention_heads is 0",
        "'num_attention_heads': -4 | num_attention_heads is -4",
        "'num_key_value_heads': 3 | 4 heads are no multiple of 3 kv heads",
        "'num_key_value_heads': 0 | kv heads is 0",
        "'head_dim': 13 | 13",
        "'head_dim': 2147483647 | head size is 2147483647; it must be 1 to 256",
        "'head_dim': 14 | has shape [48, 48]; config.json asks for [56, 48]",
        "'vocab_size': 262 | has shape [261, 48]; config.json asks for [262, 48]",
        "'vocab_size': 0 | vocabulary is 0",
        "'max_position_embeddings': 0 | context is 0",
        "'tie_word_embeddings': 'yes' | tie_word_embeddings is \"yes\", not true or false",
        "'attention_bias': true | tensor model.layers.0.self_attn.q_proj.bias is missing",
        "'num_hidden_layers': 1 | tensor model.layers.1.input_layernorm.weight has no place in LlamaForCausalLM as config.json describes it",
        "'architectures': ['Qwen3ForCausalLM'], 'model_type': 'qwen3', 'head_dim': 12 | tensor model.layers.0.self_attn.q_norm.weight is missing",
        "'architectures': ['Phi3ForCausalLM'], 'model_type': 'phi3' | tensor model.layers.0.self_attn.qkv_proj.weight is missing",
        "'architectures': ['Gemma2ForCausalLM'], 'model_type': 'gemma2', 'head_dim': 12 | pre_feedforward_layernorm.weight is missing",
        "'architectures': ['Gemma2ForCausalLM'], 'model_type': 'gemma2', 'attn_logit_softcapping': -1 | attn_logit_softcapping is -1.0; it must be positive",
        "'architectures': ['SmolLM3ForCausalLM'], 'model_type': 'smollm3', 'no_rope_layers': [1] | no_rope_layers does not say whether layer 1 is rotated",
        "'architectures': ['SmolLM3ForCausalLM'], 'model_type': 'smollm3', 'no_rope_layer_interval': 0 | no_rope_layer_interval is 0",
        "'architectures': ['Gemma3ForCausalLM'], 'model_type': 'gemma3_text', 'sliding_window_pattern': 0 | sliding_window_pattern is 0",
        "'architectures': ['GemmaForCausalLM'], 'model_type': 'gemma', 'use_bidirectional_attention': true | use_bidirectional_attention is true",
        "'architectures': ['GraniteForCausalLM'], 'model_type': 'granite', 'logits_scaling': 0 | logits_scaling is 0.0; it must be positive",
    })
    void oneMessageForWhatIsWrong(String settings, String words) throws IOException {
        var folder = llama("").write(dir.resolve("m"), "F32", 1);
        Files.writeString(folder.resolve("config.json"), llama("").config.deepCopy()
                .setAll((ObjectNode) JsonMapper.shared()
                        .readTree("{" + settings.replace('\'', '"') + "}")).toString());
        var message = refusal(folder);
        assertTrue(message.contains(words), message);
    }

    /** Folders that users take for models. */
    @Test
    void noModels() throws IOException {
        var folder = llama("").write(dir.resolve("m"), "F32", 1);
        var config = folder.resolve("config.json");
        Files.writeString(config, Files.readString(config).replaceFirst("\"rms_norm_eps\": *[^,]*", "\"rms_norm_eps\":NaN"));
        assertTrue(refusal(folder).matches(".*config.json: not valid JSON: Non-standard token 'NaN' \\(line 1, column \\d+\\)"), refusal(folder));
        Files.delete(config);
        Files.writeString(folder.resolve("adapter_config.json"), "{}");
        assertTrue(refusal(folder).contains("m: holds an adapter (LoRA or the like), not a model; merge it into its base model"), refusal(folder));
        for (var name : List.of("model.safetensors", "tokenizer.json", "config.json")) {
            var clone = llama("").write(dir.resolve("clone"), "F32", 1);
            Files.writeString(clone.resolve(name), "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 123\n");
            assertTrue(refusal(clone).contains(name + ": only the pointer of Git LFS to the file; fetch the file itself (git lfs pull)"), refusal(clone));
        }
        // old GPTQ: config.json says nothing
        var model = llama("");
        model.weights.put("model.layers.1.mlp.up_proj.qweight", model.weights.remove("model.layers.1.mlp.up_proj.weight"));
        model.shapes.put("model.layers.1.mlp.up_proj.qweight", model.shapes.remove("model.layers.1.mlp.up_proj.weight"));
        var refusal = refusal(model.write(dir.resolve("gptq"), "F32", 1));
        assertTrue(refusal.contains("tensor model.layers.1.mlp.up_proj.qweight tells that the weights are already quantized; give the original"), refusal);
    }

    /** Settings that change nothing. */
    @ParameterizedTest
    @ValueSource(strings = {"'pretraining_tp': 2", "'torch_dtype': 'float16'", "'clip_qkv': null", "'num_experts': 0", "'rope_scaling': null",
        "'rope_scaling': {'type': 'default'}", "'partial_rotary_factor': 1.0", "'sliding_window': 64", "'model_type': null", "'architectures': null",
        "'use_cache': false, 'attn_implementation': 'sdpa'", "'architectures': ['LLaMAForCausalLM']", "'hidden_act': 'swish'"})
    void harmless(String settings) throws IOException {
        var plain = llama("").write(dir.resolve("plain"), "F32", 1);
        var folder = llama("").write(dir.resolve("m"), "F32", 1);
        var config = llama("").config;
        config.setAll((ObjectNode) JsonMapper.shared().readTree("{" + settings.replace('\'', '"') + "}"));
        Files.writeString(folder.resolve("config.json"), config.toString());
        try (var a = Checkpoint.open(plain); var b = Checkpoint.open(folder)) {
            assertEquals(a.architecture(), b.architecture());
        }
    }

    /** What transformers computes anew is left alone; a head that is stored counts, whatever the config says of ties. */
    @Test
    void storedHeads() throws IOException {
        var model = llama("");
        model.weights.put("model.layers.0.self_attn.rotary_emb.inv_freq", new float[6]);
        model.shapes.put("model.layers.0.self_attn.rotary_emb.inv_freq", new int[] {6});
        model.config.put("tie_word_embeddings", true);
        try (var c = Checkpoint.open(model.write(dir.resolve("m"), "F32", 1))) {
            assertEquals(false, c.architecture().tiedEmbeddings());
            assertArrayEquals(model.weights.get("lm_head.weight"), c.weight(Weight.LM_HEAD, 0).values());
        }
        model.weights.put("lm_head.weight", model.weights.get("model.embed_tokens.weight"));
        try (var c = Checkpoint.open(model.write(dir.resolve("m"), "F32", 1))) {
            assertEquals(true, c.architecture().tiedEmbeddings());
        }
        model.weights.remove("lm_head.weight");
        try (var c = Checkpoint.open(model.write(dir.resolve("m"), "F32", 1))) {
            assertArrayEquals(model.weights.get("model.embed_tokens.weight"), c.weight(Weight.LM_HEAD, 0).values());
        }
        model.config.put("tie_word_embeddings", false);
        assertTrue(refusal(model.write(dir.resolve("m"), "F32", 1)).contains("tensor lm_head.weight is missing"));
        model.config.put("tie_word_embeddings", true);
        model.weights.put("model.layers.0.self_attn.k_proj.lora_A.weight", new float[48]);
        model.shapes.put("model.layers.0.self_attn.k_proj.lora_A.weight", new int[] {1, 48});
        assertTrue(refusal(model.write(dir.resolve("m"), "F32", 1)).contains("lora_A.weight has no place in LlamaForCausalLM"));
    }

    @Test
    void files() throws IOException {
        var model = llama("");
        var folder = model.write(dir.resolve("m"), "F32", 3);
        var index = folder.resolve("model.safetensors.index.json");
        try (var c = Checkpoint.open(folder.resolve("model-00002-of-00003.safetensors"))) {
            assertArrayEquals(model.weights.get("lm_head.weight"), c.weight(Weight.LM_HEAD, 0).values());
        }
        assertTrue(refusal(index).contains("give the folder"));
        for (var bad : List.of("../x.safetensors", "/etc/passwd", "x/y.safetensors", ".safetensors", "x", "con\\nfig.bin", "x.safetensors/..")) {
            Files.writeString(index, "{\"weight_map\":{\"a\":\"" + bad + "\"}}");
            assertTrue(refusal(folder).contains("is not a file name of weights"), bad);
        }
        Files.writeString(index, "{\"weight_map\":{\"a\":\"x.safetensors\"}}");
        assertTrue(refusal(folder).contains("x.safetensors: cannot be read: no such file"));
        Files.writeString(index, "{\"weight_map\":{}}");
        assertTrue(refusal(folder).contains("names no files"));
        Files.delete(index);
        try (var c = Checkpoint.open(folder)) {
            assertEquals(2, c.architecture().layers());
        }
        Files.move(folder.resolve("model-00003-of-00003.safetensors"), folder.resolve("other.safetensors"));
        assertTrue(refusal(folder).contains("3 weight files (model-00001-of-00003.safetensors, ...) and no index"));
        Files.copy(folder.resolve("other.safetensors"), folder.resolve("model-00003-of-00004.safetensors"));
        Files.writeString(index, "{\"weight_map\":{\"a\":\"other.safetensors\",\"b\":\"model-00003-of-00004.safetensors\"}}");
        assertTrue(refusal(folder).contains("is in two files"));
        Files.delete(folder.resolve("tokenizer.json"));
        assertTrue(refusal(folder).contains("no tokenizer"));
    }

    /** A real LLaMA 2 tokenizer of SentencePiece alone is enough. */
    @Test
    void withoutTokenizerJson() throws IOException {
        var model = llama("'vocab_size': 32000, 'hidden_size': 16, 'intermediate_size': 8, 'bos_token_id': 1, 'eos_token_id': 2");
        var folder = model.write(dir.resolve("m"), "F16", 1);
        Files.delete(folder.resolve("tokenizer.json"));
        Files.copy(SharedData.path("tokenizers/llama2/tokenizer.model"), folder.resolve("tokenizer.model"));
        try (var c = Checkpoint.open(folder)) {
            assertEquals(1, c.tokenizer().bos());
            assertTrue(c.tokenizer().addBos());
            assertArrayEquals(new int[] {2}, c.tokenizer().eos());
            assertArrayEquals(new int[] {450, 4996, 17354}, Tokenizer.fromJson(c.tokenizerJson()).encode("The quick brown", false));
        }
    }

    @Test
    void largeFiles() throws IOException {
        var folder = llama("").write(dir.resolve("m"), "F32", 1);
        Files.writeString(folder.resolve("README.md"), "---\n" + "tags: x\n".repeat(1 << 20) + "license: mit\n---\n");
        try (var c = Checkpoint.open(folder)) {
            assertEquals("mit", c.license());
        }
        Files.writeString(folder.resolve("config.json"), "{\"x\":[" + "[],".repeat(6 << 20) + "[]]}");
        assertTrue(refusal(folder).contains("config.json: 18874378 bytes; the limit is 16777216"), refusal(folder));
    }

    static Stream<HuggingFaceModel> models() {
        return Stream.of(new HuggingFaceModel("Gemma3ForCausalLM", "gemma3_text", "'head_dim': 12, 'sliding_window_pattern': 2, 'sliding_window': 10, "
                + "'rope_theta': 1000000.0, 'rope_local_base_freq': 100.0, 'rope_scaling': {'rope_type': 'linear', 'factor': 8.0}"),
                new HuggingFaceModel("Phi3ForCausalLM", "phi3", "'original_max_position_embeddings': 16, 'partial_rotary_factor': 0.5, 'rope_scaling': "
                        + "{'type': 'longrope', 'short_factor': [1, 2, 3], 'long_factor': [2.5, 3, 4]}"),
                new HuggingFaceModel("SmolLM3ForCausalLM", "smollm3", "'no_rope_layers': [1, 0], 'use_sliding_window': true, 'sliding_window': 9, "
                        + "'rope_scaling': {'rope_type': 'yarn', 'factor': 4.0, 'beta_fast': 32}"));
    }

    /** Changed characters give an architecture or one message. */
    @ParameterizedTest
    @MethodSource("models")
    void mutations(HuggingFaceModel model) {
        var good = model.config.toString();
        var random = new Random(17);
        var pieces = new String[] {"null", "-1", "0", "1e400", "99999999999", "true", "\"\"", "[]", "{}", "[[[[", "1.5", "\"\\n\"", "2147483647", "1e-320"};
        int refused = 0;
        for (int i = 0; i < 3500; i++) {
            var text = new StringBuilder(good);
            for (int n = random.nextInt(2); n >= 0; n--) {
                if (random.nextBoolean()) {
                    int colon = text.indexOf(":", random.nextInt(text.length()));
                    if (colon > 0) {
                        int end = text.indexOf(",", colon);
                        text.replace(colon + 1, end < 0 ? text.length() - 1 : end, pieces[random.nextInt(pieces.length)]);
                    }
                } else {
                    text.setCharAt(random.nextInt(text.length()), (char) (32 + random.nextInt(95)));
                }
            }
            try {
                var config = new HuggingFaceConfig("config.json", Sources.json("config.json", text.toString().getBytes(StandardCharsets.UTF_8)), 0);
                assertEquals(config.architecture().layers(), config.architecture().layerWindows().size());
            } catch (ConversionException e) {
                assertEquals(1, e.getMessage().lines().count(), e.getMessage());
                refused++;
            }
        }
        assertTrue(refused > 1500, "" + refused);
    }
}
