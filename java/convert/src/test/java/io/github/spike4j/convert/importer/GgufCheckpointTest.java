package io.github.spike4j.convert.importer;

import static io.github.spike4j.convert.importer.GgufBuilder.ARRAY;
import static io.github.spike4j.convert.importer.GgufBuilder.BOOL;
import static io.github.spike4j.convert.importer.GgufBuilder.F32;
import static io.github.spike4j.convert.importer.GgufBuilder.STRING;
import static io.github.spike4j.convert.importer.GgufBuilder.U32;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.importer.Checkpoint.Weight;
import io.github.spike4j.format.Rope;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Random models of every kind, written as llama.cpp writes them. */
class GgufCheckpointTest {
    private static final int LAYERS = 4;
    private static final int HIDDEN = 24;
    private static final int INNER = 20;
    private static final int HEADS = 4;
    private static final int KV_HEADS = 2;
    private static final int D = 16;
    private static final int VOCAB = 10;
    private static final int CONTEXT = 32;
    private static final double THETA = 500;

    @TempDir
    Path dir;

    /** A model of a kind before it is written; tests change what they want. */
    static final class Tiny {
        final String kind;
        final Map<String, Object> keys = new LinkedHashMap<>();
        final Map<String, float[]> tensors = new LinkedHashMap<>();
        final Map<String, long[]> shapes = new HashMap<>();
        final Random random = new Random(5);

        Tiny(String kind) {
            this.kind = kind;
            keys.put("general.architecture", kind);
            key("block_count", LAYERS).key("context_length", CONTEXT).key("embedding_length", HIDDEN).key("feed_forward_length", INNER)
                    .key("attention.head_count", HEADS).key("attention.head_count_kv", KV_HEADS).key("attention.key_length", D)
                    .key("attention.value_length", D).key("attention.layer_norm_rms_epsilon", 1e-5f).key("rope.freq_base", (float) THETA);
            keys.put("tokenizer.ggml.model", "llama");
            keys.put("tokenizer.ggml.tokens", new String[] {"<unk>", "<s>", "</s>", "\u2581a", "b", "c", "d", "e", "f", "g"});
            keys.put("tokenizer.ggml.scores", new float[VOCAB]);
            keys.put("tokenizer.ggml.token_type", new int[] {2, 3, 3, 1, 1, 1, 1, 1, 1, 1});
            keys.put("tokenizer.chat_template", "{{ messages }}");
            tensor("token_embd.weight", HIDDEN, VOCAB);
            for (int i = 0; i < LAYERS; i++) {
                var p = "blk." + i + ".";
                tensor(p + "attn_norm.weight", HIDDEN);
                if (kind.equals("phi3")) {
                    tensor(p + "attn_qkv.weight", HIDDEN, (HEADS + 2 * KV_HEADS) * D);
                    tensor(p + "ffn_up.weight", HIDDEN, 2 * INNER);
                } else {
                    tensor(p + "attn_q.weight", HIDDEN, HEADS * D).tensor(p + "attn_k.weight", HIDDEN, KV_HEADS * D)
                            .tensor(p + "attn_v.weight", HIDDEN, KV_HEADS * D).tensor(p + "ffn_gate.weight", HIDDEN, INNER)
                            .tensor(p + "ffn_up.weight", HIDDEN, INNER);
                }
                if (kind.equals("qwen2")) {
                    tensor(p + "attn_q.bias", HEADS * D).tensor(p + "attn_k.bias", KV_HEADS * D).tensor(p + "attn_v.bias", KV_HEADS * D);
                }
                if (kind.equals("qwen3") || kind.equals("gemma3")) {
                    tensor(p + "attn_q_norm.weight", D).tensor(p + "attn_k_norm.weight", D);
                }
                if (kind.equals("gemma2") || kind.equals("gemma3")) {
                    tensor(p + "post_attention_norm.weight", HIDDEN).tensor(p + "post_ffw_norm.weight", HIDDEN);
                }
                tensor(p + "attn_output.weight", HEADS * D, HIDDEN).tensor(p + "ffn_norm.weight", HIDDEN).tensor(p + "ffn_down.weight", INNER, HIDDEN);
            }
            tensor("output_norm.weight", HIDDEN);
        }

        Tiny key(String name, Object value) {
            keys.put(kind + "." + name, value);
            return this;
        }

        Tiny without(String key) {
            keys.remove(kind + "." + key);
            return this;
        }

        Tiny tensor(String name, long... shape) {
            var values = new float[(int) Arrays.stream(shape).reduce(1, (a, b) -> a * b)];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) random.nextGaussian();
            }
            tensors.put(name, values);
            shapes.put(name, shape);
            return this;
        }

        @Override
        public String toString() {
            return kind;
        }

        GgufBuilder builder() {
            var b = new GgufBuilder(3);
            keys.forEach((name, value) -> {
                switch (value) {
                    case String s -> b.key(name, STRING, s);
                    case Float f -> b.key(name, F32, f);
                    case Integer i -> b.key(name, U32, i);
                    case Boolean z -> b.key(name, BOOL, z);
                    case int[] all -> b.key(name, ARRAY, b.array(GgufBuilder.I32, Arrays.stream(all).boxed().toArray()));
                    case String[] all -> b.strings(name, all);
                    case float[] all -> b.key(name, ARRAY, b.array(F32, IntStream.range(0, all.length).mapToObj(i -> all[i]).toArray()));
                    default -> throw new AssertionError(value);
                }
            });
            tensors.forEach((name, values) -> b.floats(name, values, shapes.get(name)));
            return b;
        }

        Checkpoint open(Path dir) throws IOException {
            return open(dir, 0);
        }

        Checkpoint open(Path dir, int context) throws IOException {
            return Checkpoint.open(builder().write(dir.resolve("model")), context);
        }
    }

    // ---- weights -------------------------------------------------------------------------------------------------------

    @ParameterizedTest
    @ValueSource(strings = {"llama", "qwen2", "qwen3", "phi3", "gemma", "gemma2", "gemma3", "granite", "smollm3"})
    void weights(String kind) throws IOException {
        var tiny = new Tiny(kind);
        var t = tiny.tensors;
        try (var c = tiny.open(dir)) {
            var a = c.architecture();
            assertEquals(List.of(LAYERS, HIDDEN, INNER, HEADS, KV_HEADS, D, VOCAB, CONTEXT),
                    List.of(a.layers(), a.hidden(), a.intermediate(), a.heads(), a.kvHeads(), a.headDim(), a.vocab(), a.context()));
            assertEquals(1e-5f, a.normEps());
            assertTrue(a.tiedEmbeddings());
            assertArrayEquals(t.get("token_embd.weight"), c.weight(Weight.EMBEDDING, 0).values());
            assertArrayEquals(t.get("token_embd.weight"), c.weight(Weight.LM_HEAD, 0).values());
            assertArrayEquals(t.get("output_norm.weight"), c.weight(Weight.NORM, 0).values());
            for (int i = 0; i < LAYERS; i++) {
                var p = "blk." + i + ".";
                boolean fused = kind.equals("phi3");
                assertArrayEquals(t.get(p + "attn_norm.weight"), c.weight(Weight.ATTENTION_NORM, i).values());
                assertArrayEquals(t.get(p + "ffn_norm.weight"), c.weight(Weight.FFN_NORM, i).values());
                assertArrayEquals(t.get(p + "attn_output.weight"), c.weight(Weight.O, i).values());
                assertArrayEquals(t.get(p + "ffn_down.weight"), c.weight(Weight.DOWN, i).values());
                assertArrayEquals(fused ? Arrays.copyOfRange(t.get(p + "attn_qkv.weight"), (HEADS + KV_HEADS) * D * HIDDEN,
                        (HEADS + 2 * KV_HEADS) * D * HIDDEN) : t.get(p + "attn_v.weight"), c.weight(Weight.V, i).values());
                assertArrayEquals(fused ? Arrays.copyOf(t.get(p + "ffn_up.weight"), INNER * HIDDEN) : t.get(p + "ffn_gate.weight"),
                        c.weight(Weight.GATE, i).values());
                assertArrayEquals(fused ? Arrays.copyOfRange(t.get(p + "ffn_up.weight"), INNER * HIDDEN, 2 * INNER * HIDDEN)
                        : t.get(p + "ffn_up.weight"), c.weight(Weight.UP, i).values());
                optional(t.get(p + "attn_v.bias"), c.weight(Weight.V_BIAS, i));
                optional(t.get(p + "post_attention_norm.weight"), c.weight(Weight.ATTENTION_POST_NORM, i));
                optional(t.get(p + "post_ffw_norm.weight"), c.weight(Weight.FFN_POST_NORM, i));
                for (var none : List.of(Weight.O_BIAS, Weight.GATE_BIAS, Weight.UP_BIAS, Weight.DOWN_BIAS)) {
                    assertNull(c.weight(none, i));
                }
            }
        }
    }

    private static void optional(float[] expected, Matrix actual) {
        if (expected == null) {
            assertNull(actual);
        } else {
            assertArrayEquals(expected, actual.values());
        }
    }

    /** Scores of all heads at two positions are those of ggml's own rotation of the file's rows. */
    @ParameterizedTest
    @CsvSource({"llama,16", "smollm3,16", "qwen2,16", "qwen3,16", "phi3,16", "phi3,12", "gemma2,16", "gemma3,16", "granite,16", "qwen3,6"})
    void rotation(String kind, int rotated) throws IOException {
        var tiny = new Tiny(kind).key("rope.dimension_count", rotated).key("rope.freq_base_swa", (float) THETA);
        if (kind.equals("llama")) {
            tiny.tensor("rope_freqs.weight", rotated / 2);
            for (int i = 0; i < rotated / 2; i++) {
                tiny.tensors.get("rope_freqs.weight")[i] = 1 + i * i;
            }
            for (int i = 0; i < LAYERS; i++) {
                tiny.tensor("blk." + i + ".attn_q.bias", HEADS * D).tensor("blk." + i + ".attn_k.bias", KV_HEADS * D);
            }
        }
        var x = new float[HIDDEN];
        for (int i = 0; i < HIDDEN; i++) {
            x[i] = (float) tiny.random.nextGaussian();
        }
        boolean interleaved = List.of("llama", "smollm3", "granite").contains(kind);
        try (var c = tiny.open(dir)) {
            for (int layer = 0; layer < LAYERS; layer++) {
                var p = "blk." + layer + ".";
                var fused = tiny.tensors.get(p + "attn_qkv.weight");
                var wq = fused == null ? tiny.tensors.get(p + "attn_q.weight") : fused;
                var wk = fused == null ? tiny.tensors.get(p + "attn_k.weight") : Arrays.copyOfRange(fused, HEADS * D * HIDDEN, fused.length);
                int rope = c.architecture().layerRopes().get(layer);
                assertEquals(kind.equals("smollm3") && layer == 3, rope < 0);
                for (int h = 0; h < HEADS; h++) {
                    int kv = h / (HEADS / KV_HEADS);
                    var q = product(wq, tiny.tensors.get(p + "attn_q.bias"), tiny.tensors.get(p + "attn_q_norm.weight"), h, x);
                    var k = product(wk, tiny.tensors.get(p + "attn_k.bias"), tiny.tensors.get(p + "attn_k_norm.weight"), kv, x);
                    var ourQ = product(c.weight(Weight.Q, layer).values(), values(c, Weight.Q_BIAS, layer), values(c, Weight.Q_NORM, layer), h, x);
                    var ourK = product(c.weight(Weight.K, layer).values(), values(c, Weight.K_BIAS, layer), values(c, Weight.K_NORM, layer), kv, x);
                    for (int position : new int[] {0, 1, 7}) {
                        double expected = dot(rope < 0 ? q : ggml(q, position + 3, rotated, interleaved, tiny.tensors.get("rope_freqs.weight")),
                                rope < 0 ? k : ggml(k, position, rotated, interleaved, tiny.tensors.get("rope_freqs.weight")));
                        var r = rope < 0 ? null : c.architecture().ropes().get(rope);
                        double actual = dot(rope < 0 ? ourQ : ours(ourQ, position + 3, r), rope < 0 ? ourK : ours(ourK, position, r));
                        assertEquals(expected, actual, 1e-9 * (1 + Math.abs(expected)));
                    }
                }
            }
        }
    }

    private static float[] values(Checkpoint c, Weight w, int layer) {
        var m = c.weight(w, layer);
        return m == null ? null : m.values();
    }

    /** Head {@code h} of a projection of x; the norm's weights alone stand for it. */
    private static double[] product(float[] w, float[] bias, float[] norm, int h, float[] x) {
        var y = new double[D];
        for (int i = 0; i < D; i++) {
            y[i] = bias == null ? 0 : bias[h * D + i];
            for (int c = 0; c < HIDDEN; c++) {
                y[i] += (double) w[(h * D + i) * HIDDEN + c] * x[c];
            }
            y[i] *= norm == null ? 1 : norm[i];
        }
        return y;
    }

    private static double dot(double[] a, double[] b) {
        return IntStream.range(0, D).mapToDouble(i -> a[i] * b[i]).sum();
    }

    /** ggml_rope_ext: pairs of neighbours ("norm") or of halves ("neox") of the first {@code rotated} channels. */
    private static double[] ggml(double[] x, int position, int rotated, boolean neighbours, float[] factors) {
        var y = x.clone();
        for (int i = 0; i < rotated / 2; i++) {
            double angle = position * Math.pow(THETA, -2.0 * i / rotated) / (factors == null ? 1 : factors[i]);
            int a = neighbours ? 2 * i : i;
            int b = neighbours ? 2 * i + 1 : i + rotated / 2;
            y[a] = x[a] * Math.cos(angle) - x[b] * Math.sin(angle);
            y[b] = x[a] * Math.sin(angle) + x[b] * Math.cos(angle);
        }
        return y;
    }

    private static double[] ours(double[] x, int position, Rope rope) {
        var y = x.clone();
        for (int i = 0; i < D / 2; i++) {
            double angle = rope.periods().get(i) == 0 ? 0 : position / rope.periods().get(i);
            y[i] = x[i] * Math.cos(angle) - x[i + D / 2] * Math.sin(angle);
            y[i + D / 2] = x[i] * Math.sin(angle) + x[i + D / 2] * Math.cos(angle);
        }
        return y;
    }

    // ---- architecture --------------------------------------------------------------------------------------------------

    @Test
    void untied() throws IOException {
        var tiny = new Tiny("llama").tensor("output.weight", HIDDEN, VOCAB);
        try (var c = tiny.open(dir)) {
            assertArrayEquals(tiny.tensors.get("output.weight"), c.weight(Weight.LM_HEAD, 0).values());
            assertEquals(false, c.architecture().tiedEmbeddings());
        }
    }

    /** Keys that may be absent, and counts by layer. */
    @Test
    void defaults() throws IOException {
        var tiny = new Tiny("qwen2").without("attention.key_length").without("attention.value_length").without("rope.freq_base")
                .without("attention.head_count_kv").key("attention.head_count", new int[] {4, 4, 4, 4});
        for (int i = 0; i < LAYERS; i++) {
            for (var name : List.of("attn_q", "attn_k", "attn_v")) {
                tiny.tensor("blk." + i + "." + name + ".weight", HIDDEN, HIDDEN).tensor("blk." + i + "." + name + ".bias", HIDDEN);
            }
            tiny.tensor("blk." + i + ".attn_output.weight", HIDDEN, HIDDEN);
        }
        try (var c = tiny.open(dir)) {
            var a = c.architecture();
            assertEquals(List.of(4, 4, 6), List.of(a.heads(), a.kvHeads(), a.headDim()));
            assertEquals(Rope.of(6, 10000), a.ropes().getFirst());
            assertEquals((float) (1 / Math.sqrt(6)), a.attentionScale());
            assertEquals(List.of("silu", 1f, 0f, 0f, false, false),
                    List.of(a.activation(), a.embeddingScale(), a.attentionSoftcap(), a.logitsSoftcap(), a.qkNorm(), a.postNorms()));
            assertEquals(List.of(0, 0, 0, 0), a.layerWindows());
        }
    }

    @Test
    void kinds() throws IOException {
        try (var c = new Tiny("gemma").open(dir)) {
            assertEquals("gelu_tanh", c.architecture().activation());
            assertEquals((float) Math.sqrt(HIDDEN), c.architecture().embeddingScale());
            assertEquals(false, c.architecture().postNorms());
        }
        try (var c = new Tiny("gemma2").key("attention.sliding_window", 8).key("attn_logit_softcapping", 20f).key("final_logit_softcapping", 10f)
                .open(dir)) {
            var a = c.architecture();
            assertEquals(List.of("gelu_tanh", true, 20f, 10f, .25f), List.of(a.activation(), a.postNorms(), a.attentionSoftcap(), a.logitsSoftcap(),
                    a.attentionScale()));
            assertEquals(List.of(8, 0, 8, 0), a.layerWindows());
        }
        try (var c = new Tiny("gemma2").open(dir)) {
            assertEquals(List.of(50f, 30f), List.of(c.architecture().attentionSoftcap(), c.architecture().logitsSoftcap()));
            // 4096 is more than the context.
            assertEquals(List.of(0, 0, 0, 0), c.architecture().layerWindows());
        }
        try (var c = new Tiny("gemma3").key("attention.sliding_window", 8).key("attention.sliding_window_pattern", 3).key("rope.freq_base_swa", 70f)
                .key("rope.scaling.type", "linear").key("rope.scaling.factor", 8f).open(dir)) {
            var a = c.architecture();
            assertTrue(a.qkNorm() && a.postNorms());
            assertEquals(List.of("gelu_tanh", 0f, 0f), List.of(a.activation(), a.attentionSoftcap(), a.logitsSoftcap()));
            assertEquals(List.of(8, 8, 0, 8), a.layerWindows());
            assertEquals(List.of(1, 1, 0, 1), a.layerRopes());
            assertEquals(new Rope(Rope.of(D, THETA).periods().stream().map(p -> 8 * p).toList(), 1), a.ropes().getFirst());
            assertEquals(Rope.of(D, 70), a.ropes().getLast());
        }
        var granite = new Tiny("granite").key("embedding_scale", 12f).key("residual_scale", .25f).key("attention.scale", .0625f).key("logit_scale", 8f);
        try (var c = granite.open(dir)) {
            assertEquals(List.of(12f, .0625f), List.of(c.architecture().embeddingScale(), c.architecture().attentionScale()));
            assertArrayEquals(times(granite.tensors.get("blk.1.attn_output.weight"), .25f), c.weight(Weight.O, 1).values());
            assertArrayEquals(times(granite.tensors.get("blk.1.ffn_down.weight"), .25f), c.weight(Weight.DOWN, 1).values());
            assertArrayEquals(times(granite.tensors.get("output_norm.weight"), .125f), c.weight(Weight.NORM, 0).values());
        }
        try (var c = new Tiny("llama").key("attention.sliding_window", 9).open(dir)) {
            assertEquals(List.of(9, 9, 9, 9), c.architecture().layerWindows());
        }
        try (var c = new Tiny("qwen3").open(dir)) {
            assertTrue(c.architecture().qkNorm());
        }
        try (var c = new Tiny("smollm3").open(dir)) {
            assertEquals(List.of(0, 0, 0, -1), c.architecture().layerRopes());
        }
    }

    private static float[] times(float[] values, float factor) {
        var out = new float[values.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = values[i] * factor;
        }
        return out;
    }

    /** ggml's rope_yarn, by its own formulas. */
    @Test
    void yarn() throws IOException {
        double factor = 4;
        int original = 8192;
        try (var c = new Tiny("qwen2").key("rope.scaling.type", "yarn").key("rope.scaling.factor", 4f).key("rope.freq_base", 10000f)
                .key("rope.scaling.original_context_length", original).key("rope.scaling.attn_factor", 1.5f).open(dir)) {
            var rope = c.architecture().ropes().getFirst();
            assertEquals(1.5 * (1 + .1 * Math.log(factor)), rope.magnitude(), 1e-12);
            double start = Math.max(0, Math.floor(D * Math.log(original / (32 * 2 * Math.PI)) / (2 * Math.log(10000))));
            double end = Math.min(D - 1, Math.ceil(D * Math.log(original / (1 * 2 * Math.PI)) / (2 * Math.log(10000))));
            assertTrue(start > 0 && start < end && end < D / 2, start + " " + end);
            for (int i = 0; i < D / 2; i++) {
                double frequency = Math.pow(10000, -2.0 * i / D);
                double ramp = 1 - Math.min(1, Math.max(0, (i - start) / Math.max(.001, end - start)));
                assertEquals(frequency / factor * (1 - ramp) + frequency * ramp, 1 / rope.periods().get(i), 1e-12);
            }
        }
    }

    @Test
    void ropeScaling() throws IOException {
        try (var c = new Tiny("qwen3").key("rope.scaling.type", "linear").key("rope.scaling.factor", 4f).open(dir)) {
            assertEquals(Rope.of(D, THETA).periods().stream().map(p -> 4 * p).toList(), c.architecture().ropes().getFirst().periods());
        }
        try (var c = new Tiny("qwen3").key("rope.scaling.type", "none").key("rope.scaling.factor", 4f).open(dir)) {
            assertEquals(Rope.of(D, THETA), c.architecture().ropes().getFirst());
        }
        for (int original : new int[] {CONTEXT, CONTEXT / 4}) {
            var tiny = new Tiny("phi3").key("rope.scaling.original_context_length", original).key("rope.scaling.attn_factor", 1.25f)
                    .key("rope.scaling.type", "longrope").tensor("rope_factors_long.weight", D / 2).tensor("rope_factors_short.weight", D / 2);
            for (var factors : List.of("rope_factors_long.weight", "rope_factors_short.weight")) {
                var f = tiny.tensors.get(factors);
                for (int i = 0; i < f.length; i++) {
                    f[i] = 1 + Math.abs(f[i]);
                }
            }
            for (int context : new int[] {0, original, original + 1}) {
                boolean isShort = context == original || context == 0 && original == CONTEXT;
                try (var c = tiny.open(dir, context)) {
                    var f = tiny.tensors.get(isShort ? "rope_factors_short.weight" : "rope_factors_long.weight");
                    var periods = Rope.of(D, THETA).periods();
                    assertEquals(new Rope(IntStream.range(0, D / 2).mapToObj(i -> periods.get(i) * f[i]).toList(), 1.25),
                            c.architecture().ropes().getFirst());
                    assertEquals(context == 0 ? CONTEXT : context, c.architecture().context());
                    assertEquals(CONTEXT, c.positions());
                }
            }
        }
    }

    // ---- what is refused -----------------------------------------------------------------------------------------------

    private void fails(Tiny tiny, String... words) throws IOException {
        var file = tiny.builder().write(dir.resolve("model"));
        var message = assertThrows(ConversionException.class, () -> Checkpoint.open(file).close()).getMessage();
        assertEquals(1, message.lines().count(), message);
        assertTrue(message.startsWith(file + ": "), message);
        for (var word : words) {
            assertTrue(message.contains(word), message);
        }
    }

    private static Tiny llama(Consumer<Tiny> change) {
        var tiny = new Tiny("llama");
        change.accept(tiny);
        return tiny;
    }

    @Test
    void refused() throws IOException {
        fails(llama(t -> t.keys.remove("general.architecture")), "general.architecture is missing");
        fails(llama(t -> t.keys.put("general.architecture", 7)), "general.architecture is not a string");
        fails(llama(t -> t.keys.put("general.architecture", "stablelm")), "architecture \"stablelm\" is not supported; supported are llama, qwen2, qwen3, smollm3, phi3, granite, gemma");
        fails(llama(t -> t.keys.put("general.architecture", "a\nb")), "architecture \"a?b\"");
        fails(llama(t -> t.keys.put("general.type", "adapter")), "is of general.type \"adapter\", not a model");
        fails(llama(t -> t.tensors.clear()), "holds a vocabulary and no weights");
        for (var key : List.of("block_count", "context_length", "embedding_length", "feed_forward_length", "attention.head_count",
                "attention.layer_norm_rms_epsilon")) {
            fails(llama(t -> t.without(key)), "llama." + key + " is missing");
            fails(llama(t -> t.key(key, "x")), "llama." + key + " is not ");
        }
        for (var key : List.of("block_count", "context_length", "embedding_length", "feed_forward_length", "attention.head_count",
                "attention.head_count_kv", "attention.key_length")) {
            fails(llama(t -> t.key(key, 0)));
            fails(llama(t -> t.key(key, -1)));
            fails(llama(t -> t.key(key, Integer.MAX_VALUE)));
        }
        fails(llama(t -> t.key("attention.head_count_kv", 3)), "no multiple of 3 kv heads");
        fails(llama(t -> t.key("attention.head_count_kv", new int[] {2, 2, 1, 2})), "attention.head_count_kv differs by layer");
        fails(llama(t -> t.key("attention.value_length", 8)), "value heads of 8 beside key heads of 16");
        fails(llama(t -> t.key("attention.key_length", 15).key("attention.value_length", 15)), "head size 15 is odd");
        fails(llama(t -> t.key("rope.dimension_count", 18)), "rope.dimension_count is 18 in heads of 16");
        fails(llama(t -> t.key("rope.dimension_count", 7)), "rope.dimension_count is 7");
        fails(llama(t -> t.key("rope.dimension_count", 8)), "rope.dimension_count is 8");
        fails(llama(t -> t.key("rope.freq_base", -1f)), "rope.freq_base is -1.0; it must be positive");
        fails(llama(t -> t.key("rope.freq_base", Float.NaN)), "rope.freq_base is NaN");
        fails(llama(t -> t.key("rope.scaling.factor", -2f)), "RoPE has the period -2");
        fails(llama(t -> {
            t.tensor("rope_freqs.weight", D / 2);
            Arrays.fill(t.tensors.get("rope_freqs.weight"), 0);
        }), "rope_freqs.weight has a factor that is not positive");
        fails(llama(t -> t.key("rope.scaling.type", "su")), "rope scaling \"su\" is not supported");
        fails(llama(t -> t.key("attention.layer_norm_rms_epsilon", -1f)), "norm epsilon");
        fails(llama(t -> t.key("expert_count", 8)), "llama.expert_count is 8.0; models that need it are not supported");
        fails(llama(t -> t.key("logit_scale", .5f)), "llama.logit_scale is 0.5");
        fails(llama(t -> t.key("attention.causal", false)), "not causal");
        fails(llama(t -> t.tensors.remove("token_embd.weight")), "token_embd.weight is missing");
        fails(llama(t -> t.tensors.remove("blk.3.ffn_up.weight")), "tensor blk.3.ffn_up.weight is missing");
        fails(llama(t -> t.tensors.remove("output_norm.weight")), "tensor output_norm.weight is missing");
        fails(llama(t -> t.tensor("blk.1.attn_q.weight", HEADS * D, HIDDEN)), "blk.1.attn_q.weight has shape [64, 24]", "[24, 64]");
        fails(llama(t -> t.tensor("blk.1.attn_q.bias", 3)), "blk.1.attn_q.bias has shape [3]");
        fails(llama(t -> t.tensor("rope_freqs.weight", 3)), "rope_freqs.weight has shape [3]");
        fails(llama(t -> t.tensor("blk.0.ffn_gate_exps.weight", HIDDEN, INNER, 4)), "blk.0.ffn_gate_exps.weight is not known in a llama model");
        fails(llama(t -> t.tensor("blk.0.attn_q_norm.weight", D)), "blk.0.attn_q_norm.weight is not known");
        fails(llama(t -> t.tensor("blk.4.attn_norm.weight", HIDDEN)), "blk.4.attn_norm.weight is not known");
        fails(llama(t -> t.keys.put("llama.attention.sliding_window_pattern", new int[] {1, 0, 1, 0})), "sliding_window_pattern is not an array of booleans");
        fails(new Tiny("phi3").key("rope.scaling.type", "longrope"), "tensor rope_factors_short.weight is missing");
        fails(new Tiny("gemma2").key("attn_logit_softcapping", -5f), "soft cap gemma2.attn_logit_softcapping is -5.0");
    }

    @Test
    void tokenizer() throws IOException {
        try (var c = new Tiny("llama").open(dir)) {
            assertEquals(Map.of("default", "{{ messages }}"), c.chatTemplates());
            assertEquals(1, c.tokenizer().bos());
            assertArrayEquals(new int[] {2}, c.tokenizer().eos());
            assertTrue(c.tokenizer().addBos());
            assertTrue(new String(c.tokenizerJson(), StandardCharsets.UTF_8).contains("\u2581a"));
        }
        fails(llama(t -> t.keys.remove("tokenizer.ggml.tokens")), "tokenizer.ggml.tokens");
        fails(llama(t -> t.tensor("token_embd.weight", HIDDEN, VOCAB - 1)), "its tokenizer has 10 tokens, but token_embd.weight 9 rows");
    }

    @Test
    void facts() throws IOException {
        var tiny = new Tiny("llama");
        tiny.keys.put("general.license", "other");
        tiny.keys.put("general.license.name", "a-licence");
        try (var c = tiny.open(dir)) {
            assertEquals("a-licence", c.license());
            assertEquals(Map.of("source", "model", "sourceFormat", "GGUF version 3", "sourceTypes", "38 F32"), c.provenance());
        }
        tiny.keys.put("general.license", "mit");
        tiny.keys.put("general.name", "Tiny");
        try (var c = tiny.open(dir)) {
            assertEquals("mit", c.license());
            assertEquals("Tiny", c.provenance().get("sourceName"));
        }
    }

    /** A type that is not read is named when the file is opened, not in the middle of a conversion. */
    @Test
    void unreadableType() throws IOException {
        var tiny = new Tiny("llama");
        tiny.tensors.remove("output_norm.weight");
        var file = tiny.builder().tensor("output_norm.weight", 24, new byte[HIDDEN], HIDDEN).write(dir.resolve("model"));
        var message = assertThrows(ConversionException.class, () -> Checkpoint.open(file)).getMessage();
        assertTrue(message.contains("tensor output_norm.weight is of type I8; supported are F32, F16, BF16, Q4_0"), message);
    }

    /** 10 000 changes of what is before the weights: the file is a model, or refused with one line. */
    @Test
    void mutations() {
        var kinds = List.of("llama", "qwen3", "phi3", "gemma2").stream().map(k -> new Tiny(k).builder().bytes()).toList();
        var random = new Random(2);
        int refused = 0;
        for (int i = 0; i < 10_000; i++) {
            var bytes = kinds.get(i % kinds.size()).clone();
            for (int n = random.nextInt(1, 3); n > 0; n--) {
                int at = random.nextInt(4096);
                switch (random.nextInt(3)) {
                    case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                    case 1 -> bytes[at] = (byte) random.nextInt(256);
                    default -> ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(at, (int) Math.pow(-2, random.nextInt(32)));
                }
            }
            try (var arena = Arena.ofConfined(); var c = new GgufCheckpoint(new GgufFile(Path.of("m.gguf"), MemorySegment.ofArray(bytes), arena), Arena.ofConfined(), 0)) {
                for (var w : Weight.values()) {
                    for (int layer = 0; layer < c.architecture().layers(); layer++) {
                        var m = c.weight(w, layer);
                        if (m != null) {
                            m.read(m.rows() - 1, new float[m.columns()], 0);
                        }
                    }
                }
                assertTrue(c.tokenizerJson().length > 0 && c.provenance().size() >= 3);
            } catch (ConversionException e) {
                assertEquals(1, e.getMessage().lines().count(), e.getMessage());
                refused++;
            }
        }
        assertTrue(refused > 5000 && refused < 10_000, refused + " refused");
    }
}
