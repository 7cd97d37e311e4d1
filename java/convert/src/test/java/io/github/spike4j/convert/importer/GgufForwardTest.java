package io.github.spike4j.convert.importer;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.spike4j.SpikeModel;
import io.github.spike4j.convert.ConvertRequest;
import io.github.spike4j.convert.Converter;
import io.github.spike4j.convert.ProgressListener;
import io.github.spike4j.convert.Recipes;
import io.github.spike4j.convert.importer.GgufCheckpointTest.Tiny;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Logits of converted GGUF files against llama.cpp's graphs, written out in plain loops of double over the tensors as they lie in the file:
 * neighbours or halves are rotated where llama.cpp does it, and nothing is permuted.
 */
class GgufForwardTest {
    private static final int[] IDS = {1, 5, 3, 9, 9, 4, 7, 2, 8, 6, 0, 3, 5, 5, 1, 7, 4, 2, 9, 8};
    private static final double EPS = 1e-5f;

    @TempDir
    Path dir;

    private static Tiny tiny(String kind) {
        var tiny = new Tiny(kind);
        tiny.tensors.forEach((name, values) -> {
            // Projections that keep their inputs' size.
            var shape = tiny.shapes.get(name);
            for (int i = 0; shape.length == 2 && i < values.length; i++) {
                values[i] /= (float) Math.sqrt(shape[0]);
            }
        });
        return tiny;
    }

    static List<Tiny> models() {
        var untied = tiny("llama").tensor("output.weight", 24, 10).tensor("rope_freqs.weight", 8).tensor("blk.0.attn_q.bias", 64)
                .tensor("blk.0.attn_k.bias", 32).tensor("blk.2.attn_output.bias", 24).tensor("blk.1.ffn_gate.bias", 20)
                .tensor("blk.1.ffn_up.bias", 20).tensor("blk.3.ffn_down.bias", 24);
        for (int i = 0; i < 8; i++) {
            untied.tensors.get("rope_freqs.weight")[i] = 1 + .5f * i;
        }
        var phi = tiny("phi3").key("rope.dimension_count", 12).key("attention.sliding_window", 5).key("rope.scaling.type", "longrope")
                .key("rope.scaling.original_context_length", 8).key("rope.scaling.attn_factor", 1.2f).tensor("rope_factors_long.weight", 6)
                .tensor("rope_factors_short.weight", 6);
        for (int i = 0; i < 6; i++) {
            phi.tensors.get("rope_factors_long.weight")[i] = 1 + i;
            phi.tensors.get("rope_factors_short.weight")[i] = 1;
        }
        return List.of(untied, tiny("llama").key("attention.sliding_window", 7).key("rope.scaling.factor", 2f), tiny("qwen2"), tiny("qwen3"),
                tiny("smollm3"), phi,
                tiny("granite").key("embedding_scale", 3f).key("residual_scale", .5f).key("attention.scale", .1f).key("logit_scale", 4f),
                tiny("gemma"), tiny("gemma2").key("attention.sliding_window", 6).key("attn_logit_softcapping", 2f).key("final_logit_softcapping", 3f),
                tiny("gemma3").key("attention.sliding_window", 4).key("attention.sliding_window_pattern", 2).key("rope.freq_base_swa", 20f)
                        .key("rope.scaling.type", "linear").key("rope.scaling.factor", 4f));
    }

    @ParameterizedTest
    @MethodSource("models")
    void logits(Tiny tiny) throws IOException {
        var expected = new Graph(tiny).logits();
        var file = tiny.builder().write(dir.resolve("model.gguf"));
        try (var checkpoint = Checkpoint.open(file)) {
            close(expected, new NaiveModel(checkpoint).logits(IDS), 1e-6);
        }
        var converted = Converter.convert(ConvertRequest.of(file, dir.resolve("model.s4j"), Recipes.named("f32")), ProgressListener.none()).file();
        try (var model = SpikeModel.open(converted); var session = model.newSession()) {
            var actual = new double[IDS.length][];
            session.evaluate(IDS, (position, logits) -> actual[position] = IntStream.range(0, logits.length).mapToDouble(i -> logits[i]).toArray());
            close(expected, actual, 1e-4);
        }
    }

    private static void close(double[][] expected, double[][] actual, double tolerance) {
        for (int t = 0; t < expected.length; t++) {
            double largest = Arrays.stream(expected[t]).map(Math::abs).max().orElseThrow();
            for (int i = 0; i < expected[t].length; i++) {
                assertEquals(expected[t][i], actual[t][i], tolerance * largest, "position " + t + ", token " + i);
            }
        }
    }

    /** What llama.cpp computes from a file. */
    private record Graph(Tiny m) {
        private static final int HIDDEN = 24;
        private static final int INNER = 20;
        private static final int D = 16;
        private static final int HEADS = 4;
        private static final int KV_HEADS = 2;

        private double number(String key, double otherwise) {
            return m.keys.get(m.kind + "." + key) instanceof Number n ? n.doubleValue() : otherwise;
        }

        private double[] tensor(String name, int from, int to) {
            var values = m.tensors.get(name);
            return values == null ? null : IntStream.range(from, to < 0 ? values.length : to).mapToDouble(i -> values[i]).toArray();
        }

        private boolean is(String... kinds) {
            return List.of(kinds).contains(m.kind);
        }

        double[][] logits() {
            var h = new double[IDS.length][];
            for (int t = 0; t < h.length; t++) {
                double scale = is("gemma", "gemma2", "gemma3") ? Math.sqrt(HIDDEN) : number("embedding_scale", 1);
                h[t] = Arrays.stream(tensor("token_embd.weight", IDS[t] * HIDDEN, (IDS[t] + 1) * HIDDEN)).map(x -> x * scale).toArray();
            }
            for (int layer = 0; layer < 4; layer++) {
                var p = "blk." + layer + ".";
                var attended = attention(h, layer, p);
                for (int t = 0; t < h.length; t++) {
                    add(h[t], norm(project(p + "attn_output", attended[t], 0, HIDDEN), p + "post_attention_norm.weight"));
                    add(h[t], norm(feedForward(norm(h[t], p + "ffn_norm.weight"), p), p + "post_ffw_norm.weight"));
                }
            }
            var logits = new double[h.length][];
            double cap = number("final_logit_softcapping", 0);
            for (int t = 0; t < h.length; t++) {
                var name = m.tensors.containsKey("output.weight") ? "output" : "token_embd";
                logits[t] = Arrays.stream(project(name, norm(h[t], "output_norm.weight"), 0, 10)).map(x -> x / number("logit_scale", 1))
                        .map(x -> cap == 0 ? x : cap * Math.tanh(x / cap)).toArray();
            }
            return logits;
        }

        private void add(double[] h, double[] y) {
            for (int c = 0; c < HIDDEN; c++) {
                h[c] += y[c] * number("residual_scale", 1);
            }
        }

        /** RMSNorm; the vector itself if there are no weights. */
        private double[] norm(double[] x, String weights) {
            var w = tensor(weights, 0, -1);
            double mean = Arrays.stream(x).map(v -> v * v).sum() / x.length;
            return w == null ? x : IntStream.range(0, x.length).mapToDouble(i -> x[i] / Math.sqrt(mean + EPS) * w[i]).toArray();
        }

        /** Rows {@code first} to {@code first + rows} of a projection. */
        private double[] project(String name, double[] x, int first, int rows) {
            var w = tensor(name + ".weight", 0, -1);
            var bias = tensor(name + ".bias", 0, -1);
            var y = new double[rows];
            for (int r = 0; r < rows; r++) {
                y[r] = bias == null ? 0 : bias[first + r];
                for (int c = 0; c < x.length; c++) {
                    y[r] += w[(first + r) * x.length + c] * x[c];
                }
            }
            return y;
        }

        private double[] feedForward(double[] x, String p) {
            boolean fused = is("phi3");
            var gate = project(p + (fused ? "ffn_up" : "ffn_gate"), x, 0, INNER);
            var up = project(p + "ffn_up", x, fused ? INNER : 0, INNER);
            var y = new double[INNER];
            for (int i = 0; i < INNER; i++) {
                double g = gate[i];
                double activated = is("gemma", "gemma2", "gemma3")
                        ? .5 * g * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * g * (1 + .044715 * g * g))) : g / (1 + Math.exp(-g));
                y[i] = activated * up[i];
            }
            return project(p + "ffn_down", y, 0, HIDDEN);
        }

        private double[][] attention(double[][] h, int layer, String p) {
            int n = h.length;
            var q = new double[n][];
            var k = new double[n][];
            var v = new double[n][];
            boolean fused = is("phi3");
            for (int t = 0; t < n; t++) {
                var x = norm(h[t], p + "attn_norm.weight");
                q[t] = rotated(project(p + (fused ? "attn_qkv" : "attn_q"), x, 0, HEADS * D), p + "attn_q_norm.weight", layer, t);
                k[t] = rotated(project(p + (fused ? "attn_qkv" : "attn_k"), x, fused ? HEADS * D : 0, KV_HEADS * D), p + "attn_k_norm.weight", layer, t);
                v[t] = project(p + (fused ? "attn_qkv" : "attn_v"), x, fused ? (HEADS + KV_HEADS) * D : 0, KV_HEADS * D);
            }
            double scale = number("attention.scale", 1 / Math.sqrt(D));
            double cap = number("attn_logit_softcapping", 0);
            int window = slides(layer) ? (int) number("attention.sliding_window", n) : n;
            var out = new double[n][HEADS * D];
            for (int t = 0; t < n; t++) {
                for (int head = 0; head < HEADS; head++) {
                    int kv = head / (HEADS / KV_HEADS) * D;
                    var weights = new double[t + 1];
                    double sum = 0;
                    for (int s = Math.max(0, t - window + 1); s <= t; s++) {
                        double score = 0;
                        for (int c = 0; c < D; c++) {
                            score += q[t][head * D + c] * k[s][kv + c];
                        }
                        score *= scale;
                        weights[s] = Math.exp(cap == 0 ? score : cap * Math.tanh(score / cap));
                        sum += weights[s];
                    }
                    for (int s = 0; s <= t; s++) {
                        for (int c = 0; c < D; c++) {
                            out[t][head * D + c] += weights[s] / sum * v[s][kv + c];
                        }
                    }
                }
            }
            return out;
        }

        private boolean slides(int layer) {
            int pattern = (int) number("attention.sliding_window_pattern", is("gemma2") ? 2 : 1);
            return pattern == 1 || layer % pattern < pattern - 1;
        }

        /** Heads after norm and ggml_rope_ext. */
        private double[] rotated(double[] x, String norm, int layer, int position) {
            var y = new double[x.length];
            int n = (int) number("rope.dimension_count", D);
            boolean local = is("gemma3") && slides(layer);
            boolean none = is("smollm3") && (layer + 1) % 4 == 0;
            boolean neighbours = is("llama", "smollm3", "granite");
            double base = local ? number("rope.freq_base_swa", 0) : number("rope.freq_base", 0);
            double factor = local ? 1 : number("rope.scaling.factor", 1);
            var factors = tensor(is("phi3") ? "rope_factors_long.weight" : "rope_freqs.weight", 0, -1);
            double magnitude = number("rope.scaling.attn_factor", 1);
            for (int head = 0; head < x.length; head += D) {
                var z = norm(Arrays.copyOfRange(x, head, head + D), norm);
                System.arraycopy(z, 0, y, head, D);
                for (int i = 0; i < n / 2 && !none; i++) {
                    double angle = position * Math.pow(base, -2. * i / n) / factor / (factors == null ? 1 : factors[i]);
                    int a = neighbours ? 2 * i : i;
                    int b = neighbours ? 2 * i + 1 : i + n / 2;
                    y[head + a] = magnitude * (z[a] * Math.cos(angle) - z[b] * Math.sin(angle));
                    y[head + b] = magnitude * (z[a] * Math.sin(angle) + z[b] * Math.cos(angle));
                }
            }
            return y;
        }
    }
}
