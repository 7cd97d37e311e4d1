package io.github.spike4j.convert.importer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.spike4j.SpikeEngine;
import io.github.spike4j.SpikeException;
import io.github.spike4j.SpikeModel;
import io.github.spike4j.convert.ConvertRequest;
import io.github.spike4j.convert.Converter;
import io.github.spike4j.convert.ProgressListener;
import io.github.spike4j.convert.Recipes;
import io.github.spike4j.convert.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;
import java.util.stream.Stream;

import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Random models of each architecture, layout and RoPE scaling against what transformers computes of them. */
class ArchitectureTest {
    private static final int TOKENS = 40;

    @TempDir
    Path dir;

    private record Variant(String name, String architecture, String modelType, String settings, String format, int shards, int context) {
        @Override
        public String toString() {
            return name;
        }

        HuggingFaceModel model() {
            var model = new HuggingFaceModel(architecture, modelType, settings);
            return context == 0 ? model : model.serving(context);
        }

        Variant context(int positions) {
            return new Variant(name + ", context " + positions, architecture, modelType, settings, format, shards, positions);
        }
    }

    private static Variant llama(String name, String settings) {
        return new Variant("llama " + name, "LlamaForCausalLM", "llama", settings, "F32", 1, 0);
    }

    private static Variant variant(String name, String architecture, String settings, String format, int shards) {
        var type = architecture.equals("Gemma3") ? "gemma3_text" : architecture.toLowerCase();
        return new Variant(architecture + " " + name, architecture + "ForCausalLM", type, settings, format, shards, 0);
    }

    static Stream<Variant> variants() {
        var factors = "[1.0, 1.1, 1.3, 1.7, 2.5, 4.0]";
        var more = "[1.2, 1.5, 2.0, 3.0, 5.0, 9.0]";
        return Stream.of(
                llama("", ""),
                llama("tied, heads of 32", "'tie_word_embeddings': true, 'num_attention_heads': 3, 'num_key_value_heads': 1, 'hidden_size': 96"),
                llama("MHA, biases", "'num_key_value_heads': 4, 'attention_bias': true, 'mlp_bias': true"),
                llama("MQA, heads of 64", "'num_key_value_heads': 1, 'head_dim': 64, 'rope_theta': 500000.0, 'hidden_size': 50, 'vocab_size': 259"),
                llama("linear", "'rope_scaling': {'type': 'linear', 'factor': 4.0}"),
                llama("dynamic", "'rope_scaling': {'rope_type': 'dynamic', 'factor': 2.0}"),
                llama("dynamic", "'rope_scaling': {'rope_type': 'dynamic', 'factor': 2.0}").context(TOKENS),
                llama("dynamic, longer", "'max_position_embeddings': 16, 'rope_scaling': {'rope_type': 'dynamic', 'factor': 2.0}").context(TOKENS),
                llama("dynamic, longer, newer config", "'max_position_embeddings': 13, 'head_dim': 32, 'rope_parameters': {'rope_type': 'dynamic', "
                        + "'factor': 3.5, 'rope_theta': 500.0}").context(TOKENS),
                llama("linear, longer", "'max_position_embeddings': 16, 'rope_scaling': {'type': 'linear', 'factor': 4.0}").context(TOKENS),
                llama("yarn, longer", "'max_position_embeddings': 32, 'head_dim': 64, 'rope_scaling': {'rope_type': 'yarn', "
                        + "'original_max_position_embeddings': 8}").context(TOKENS),
                llama("llama3", "'head_dim': 32, 'rope_theta': 100.0, 'rope_scaling': {'rope_type': 'llama3', 'factor': 8.0, 'low_freq_factor': 1.0, "
                        + "'high_freq_factor': 4.0, 'original_max_position_embeddings': 128}"),
                llama("llama3, newer config", "'head_dim': 32, 'rope_parameters': {'rope_theta': 200.0, 'rope_type': 'llama3', 'factor': 8.0, "
                        + "'low_freq_factor': 1.0, 'high_freq_factor': 4.0, 'original_max_position_embeddings': 128}"),
                llama("yarn", "'head_dim': 64, 'rope_scaling': {'rope_type': 'yarn', 'factor': 4.0, 'original_max_position_embeddings': 300, "
                        + "'beta_fast': 16, 'beta_slow': 2}"),
                llama("yarn, exact", "'head_dim': 64, 'rope_scaling': {'type': 'yarn', 'factor': 16.0, 'original_max_position_embeddings': 300, "
                        + "'beta_fast': 16, 'truncate': false, 'mscale': 1.5, 'mscale_all_dim': 0.5}"),
                llama("yarn, longer than all waves", "'rope_scaling': {'type': 'yarn', 'factor': 8.0, 'original_max_position_embeddings': 200000}"),
                llama("yarn, factor", "'head_dim': 64, 'rope_scaling': {'type': 'yarn', 'factor': 8.0, 'attention_factor': 1.25}"),
                variant("window", "Mistral", "'sliding_window': 7, 'num_key_value_heads': 1, 'head_dim': 20", "BF16", 2),
                variant("no window", "Mistral", "'sliding_window': null, 'head_dim': null", "F16", 3),
                variant("", "Qwen2", "'use_sliding_window': false, 'sliding_window': 5, 'tie_word_embeddings': true", "F32.bin", 1),
                variant("windows", "Qwen2", "'use_sliding_window': true, 'sliding_window': 9, 'max_window_layers': 1", "BF16.bin", 2),
                variant("", "Qwen3", "'head_dim': 32, 'use_sliding_window': false", "F32", 1),
                variant("biases, yarn", "Qwen3", "'head_dim': 16, 'attention_bias': true, 'rope_scaling': {'rope_type': 'yarn', 'factor': 4.0, "
                        + "'original_max_position_embeddings': 16}", "F16.bin", 1),
                variant("NoPE by interval", "SmolLM3", "'num_hidden_layers': 4, 'no_rope_layer_interval': 2", "F32", 1),
                variant("NoPE by list, windows", "SmolLM3", "'num_hidden_layers': 3, 'no_rope_layers': [0, 1, 0], 'use_sliding_window': true, "
                        + "'sliding_window': 6, 'tie_word_embeddings': false, 'rope_theta': 5000", "F32", 2),
                variant("", "Phi3", "'sliding_window': 11", "F32", 1),
                variant("partial", "Phi3", "'partial_rotary_factor': 0.75, 'head_dim': 16", "F32.bin", 1),
                variant("long", "Phi3", "'original_max_position_embeddings': 16, 'rope_scaling': {'type': 'longrope', 'short_factor': " + factors
                        + ", 'long_factor': " + more + "}", "BF16", 1),
                variant("short", "Phi3", "'original_max_position_embeddings': 64, 'rope_scaling': {'type': 'su', 'short_factor': " + factors
                        + ", 'long_factor': " + more + "}", "F64", 1),
                variant("long, made shorter", "Phi3", "'original_max_position_embeddings': 40, 'rope_scaling': {'type': 'longrope', 'short_factor': "
                        + factors + ", 'long_factor': " + more + "}", "F32", 1).context(TOKENS),
                variant("short, made longer", "Phi3", "'max_position_embeddings': 32, 'original_max_position_embeddings': 32, 'rope_scaling': "
                        + "{'type': 'longrope', 'short_factor': " + factors + ", 'long_factor': " + more + "}", "F32", 1).context(TOKENS),
                variant("window, longer", "Mistral", "'max_position_embeddings': 7, 'sliding_window': 7", "F32", 1).context(TOKENS),
                variant("newer config", "Phi3", "'head_dim': 24, 'original_max_position_embeddings': 32, 'rope_parameters': {'rope_theta': 1000, "
                        + "'partial_rotary_factor': 0.5, 'rope_type': 'longrope', 'short_factor': " + factors + ", 'long_factor': " + more + "}", "F32", 1),
                variant("", "Gemma", "'head_dim': 256, 'hidden_act': 'gelu', 'hidden_activation': null, 'num_key_value_heads': 1", "F32", 1),
                variant("", "Gemma2", "'head_dim': 32, 'query_pre_attn_scalar': 24, 'attn_logit_softcapping': 4.0, 'final_logit_softcapping': 5.0, "
                        + "'sliding_window': 8, 'num_hidden_layers': 3", "BF16", 2),
                variant("without caps, layer types", "Gemma2", "'head_dim': 16, 'attn_logit_softcapping': null, 'final_logit_softcapping': null, "
                        + "'sliding_window': 8, 'layer_types': ['full_attention', 'sliding_attention'], 'attention_bias': true", "F32", 1),
                variant("", "Gemma3", "'head_dim': 32, 'num_hidden_layers': 4, 'sliding_window_pattern': 3, 'sliding_window': 10, 'rope_theta': 1000000.0, "
                        + "'rope_local_base_freq': 100.0, 'rope_scaling': {'rope_type': 'linear', 'factor': 8.0}", "F32", 1),
                variant("newer config", "Gemma3", "'head_dim': 32, 'num_hidden_layers': 3, 'layer_types': ['sliding_attention', 'full_attention', "
                        + "'sliding_attention'], 'sliding_window': 6, 'rope_parameters': {'full_attention': {'rope_type': 'default', 'rope_theta': 5000.0}, "
                        + "'sliding_attention': {'rope_type': 'default', 'rope_theta': 70.0}}", "F32.bin", 3),
                variant("", "Granite", "'embedding_multiplier': 3.0, 'attention_multiplier': 0.4, 'residual_multiplier': 0.3, 'logits_scaling': 4.0, "
                        + "'attention_bias': true, 'mlp_bias': true", "F32", 1));
    }

    private static int[] prompt() {
        return new Random(3).ints(TOKENS, 0, 256).toArray();
    }

    /** What is imported, computed as the specification says. */
    @ParameterizedTest
    @MethodSource("variants")
    void importer(Variant v) throws IOException {
        var model = v.model();
        var expected = model.logits(prompt());
        try (var c = Checkpoint.open(model.write(dir.resolve("m"), v.format, v.shards), v.context)) {
            assertEquals(model.tied(), c.architecture().tiedEmbeddings());
            var actual = new NaiveModel(c).logits(prompt());
            for (int t = 0; t < TOKENS; t++) {
                close(expected[t], actual[t], 1e-6, "position " + t);
            }
        }
    }

    /** What is converted and run. */
    @ParameterizedTest
    @MethodSource("variants")
    void engine(Variant v) throws IOException {
        var model = v.model();
        var expected = model.logits(prompt());
        var source = model.write(dir.resolve("m"), v.format, v.shards);
        var file = convert(source, v.context, "f32");
        try (var run = SpikeModel.open(file); var session = run.newSession()) {
            session.evaluate(prompt(), (position, logits) -> {
                var actual = new double[logits.length];
                Arrays.setAll(actual, i -> logits[i]);
                close(expected[position], actual, 1e-4, "position " + position);
            });
        }
        var hashes = new TreeMap<String, Set<String>>();
        for (var backend : List.of("java", "vector", "scalar", "avx2")) {
            for (int threads = 1; threads <= 2; threads++) {
                try (var engine = SpikeEngine.builder().backend(backend).threads(threads).promptPiece(threads == 1 ? 512 : 7).build();
                        var run = engine.open(convert(source, v.context, "w4a4-t2"))) {
                    hashes.computeIfAbsent(hash(run, threads == 2), _ -> new TreeSet<>()).add(backend + " " + threads);
                } catch (SpikeException.Device e) {
                    System.out.println("skipped: " + backend + ": " + e.getMessage());
                }
            }
        }
        assertEquals(1, hashes.size(), hashes::toString);
    }

    private Path convert(Path source, int context, String recipe) throws IOException {
        var out = dir.resolve(recipe + ".s4j");
        if (!Files.exists(out)) {
            var text = Files.writeString(dir.resolve("text.txt"), TinyModel.TEXT);
            Converter.convert(ConvertRequest.of(source, out, Recipes.named(recipe)).calibration(text).threads(2).context(context), ProgressListener.none());
        }
        return out;
    }

    /** Of all logits; with company, in a batch with a session that is ahead, and the second half in a fork. */
    private static String hash(SpikeModel model, boolean company) {
        var all = new ArrayList<Float>();
        int[] ids = prompt();
        try (var session = model.newSession(); var other = model.newSession()) {
            if (company) {
                other.append(Arrays.copyOf(ids, 9));
            }
            session.evaluate(Arrays.copyOf(ids, 20), (position, logits) -> IntStream.range(0, logits.length).forEach(i -> all.add(logits[i])));
            try (var branch = company ? session.fork() : null) {
                (company ? branch : session).evaluate(Arrays.copyOfRange(ids, 20, ids.length),
                        (position, logits) -> IntStream.range(0, logits.length).forEach(i -> all.add(logits[i])));
            }
        }
        assertEquals(ids.length * model.info().vocab(), all.size());
        return Integer.toHexString(all.hashCode());
    }

    private static void close(double[] expected, double[] actual, double tolerance, String where) {
        assertEquals(expected.length, actual.length);
        double size = Arrays.stream(expected).map(Math::abs).max().orElseThrow();
        for (int i = 0; i < expected.length; i++) {
            assertEquals(expected[i], actual[i], tolerance * size, where + ", logit " + i);
        }
        assertTrue(size > .1);
    }
}
