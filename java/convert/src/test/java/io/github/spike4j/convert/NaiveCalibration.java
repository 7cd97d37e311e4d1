package io.github.spike4j.convert;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The forward pass of {@link TinyModel} in plain double loops, and the paper's scores from their definitions. */
final class NaiveCalibration {
    /** Hugging Face names of the linears that read a site. */
    static final Map<String, List<String>> MEMBERS = Map.of("attn_in", List.of("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            "attn_out", List.of("self_attn.o_proj"), "ffn_in", List.of("mlp.gate_proj", "mlp.up_proj"), "ffn_hidden", List.of("mlp.down_proj"));

    /** Inputs of a site, all tokens, and its weights [outputs][inputs]. */
    record Site(List<double[]> inputs, List<double[][]> weights) {
        double[] meanSquare() {
            return mean(x -> c -> x[c] * x[c]);
        }

        double[] score(Recipe recipe, int member) {
            return switch (recipe.saliency()) {
                case MAX -> {
                    var max = new double[inputs.getFirst().length];
                    for (var x : inputs) {
                        for (int c = 0; c < max.length; c++) {
                            // float: query heads of a kv head have equal outputs at the first position, and ties count
                            max[c] = Math.max(max[c], (float) Math.abs(x[c]));
                        }
                    }
                    yield max;
                }
                case PAPER -> {
                    var w = weights.get(member);
                    yield mean(x -> {
                        var y = times(w, x);
                        return c -> {
                            double back = 0;
                            for (int o = 0; o < y.length; o++) {
                                back += y[o] * w[o][c];
                            }
                            return x[c] * back;
                        };
                    });
                }
                case GAIN -> {
                    var w = weights.get(member);
                    yield mean(x -> c -> {
                        double norm = 0;
                        for (var row : w) {
                            norm += row[c] * row[c];
                        }
                        double few = x[c] - rounded(x, c, recipe.activationBits());
                        double many = x[c] - rounded(x, c, recipe.salientBits());
                        return norm * (few * few - many * many);
                    });
                }
                case RANDOM -> throw new IllegalArgumentException();
            };
        }

        /** Sum of the members' scores, each over its L1 norm. */
        double[] shared(Recipe recipe) {
            var all = new double[inputs.getFirst().length];
            for (int m = 0; m < weights.size(); m++) {
                var one = score(recipe, m);
                double norm = java.util.Arrays.stream(one).map(Math::abs).sum();
                for (int c = 0; c < all.length; c++) {
                    all[c] += one[c] / norm;
                }
            }
            return all;
        }

        private interface Term {
            double at(int channel);
        }

        private double[] mean(java.util.function.Function<double[], Term> terms) {
            var sum = new double[inputs.getFirst().length];
            for (var x : inputs) {
                var term = terms.apply(x);
                for (int c = 0; c < sum.length; c++) {
                    sum[c] += term.at(c) / inputs.size();
                }
            }
            return sum;
        }

        private static double rounded(double[] x, int c, int bits) {
            double hi = 0;
            double lo = 0;
            for (double v : x) {
                hi = Math.max(hi, v);
                lo = Math.min(lo, v);
            }
            int top = (1 << bits) - 1;
            double s = Math.max((hi - lo) / top, 1e-5);
            double z = Math.rint(-lo / s);
            return (Math.min(Math.max(Math.rint(x[c] / s) + z, 0), top) - z) * s;
        }
    }

    /** Rotated K, or V, of all tokens by kv channel. */
    record Range(double[] max, double[] high, double[] low) {
        Range(int channels) {
            this(new double[channels], new double[channels], new double[channels]);
        }

        void add(double[] x) {
            for (int c = 0; c < x.length; c++) {
                max[c] = Math.max(max[c], Math.abs(x[c]));
                high[c] = Math.max(high[c], x[c]);
                low[c] = Math.min(low[c], x[c]);
            }
        }
    }

    final List<Map<String, Site>> layers = new ArrayList<>();
    final List<Range> keys = new ArrayList<>();
    final List<Range> values = new ArrayList<>();
    private final TinyModel model;

    NaiveCalibration(TinyModel model, Recipe recipe, String text) {
        this.model = model;
        var ids = text.getBytes(StandardCharsets.US_ASCII);
        int length = TinyModel.CONTEXT;
        int count = Math.min(recipe.calibrationSegments(), ids.length / length);
        var residual = new ArrayList<double[][]>();
        for (int s = 0; s < count; s++) {
            int start = s * (ids.length - length) / (count - 1);
            var x = new double[length][];
            for (int t = 0; t < length; t++) {
                x[t] = matrix("model.embed_tokens", TinyModel.VOCAB)[ids[start + t]];
            }
            residual.add(x);
        }
        for (int l = 0; l < TinyModel.LAYERS; l++) {
            layer(l, residual);
        }
    }

    private void layer(int l, List<double[][]> residual) {
        var p = "model.layers." + l + ".";
        var sites = new HashMap<String, Site>();
        MEMBERS.forEach((name, members) -> sites.put(name, new Site(new ArrayList<>(),
                members.stream().map(m -> matrix(p + m, model.shapes.get(p + m + ".weight")[0])).toList())));
        int kvWidth = TinyModel.KV_HEADS * TinyModel.D;
        var ofKeys = new Range(kvWidth);
        var ofValues = new Range(kvWidth);
        for (var x : residual) {
            int n = x.length;
            var q = new double[n][];
            var k = new double[n][];
            var v = new double[n][];
            for (int t = 0; t < n; t++) {
                var in = normed(x[t], p + "input_layernorm");
                sites.get("attn_in").inputs.add(in);
                q[t] = rotated(times(sites.get("attn_in").weights.get(0), in), t);
                k[t] = rotated(times(sites.get("attn_in").weights.get(1), in), t);
                v[t] = times(sites.get("attn_in").weights.get(2), in);
                ofKeys.add(k[t]);
                ofValues.add(v[t]);
            }
            for (int t = 0; t < n; t++) {
                var out = new double[TinyModel.HEADS * TinyModel.D];
                for (int h = 0; h < TinyModel.HEADS; h++) {
                    int at = h / (TinyModel.HEADS / TinyModel.KV_HEADS) * TinyModel.D;
                    double total = 0;
                    for (int s = 0; s <= t; s++) {
                        double score = 0;
                        for (int c = 0; c < TinyModel.D; c++) {
                            score += q[t][h * TinyModel.D + c] * k[s][at + c];
                        }
                        double e = Math.exp(score / Math.sqrt(TinyModel.D));
                        total += e;
                        for (int c = 0; c < TinyModel.D; c++) {
                            out[h * TinyModel.D + c] += e * v[s][at + c];
                        }
                    }
                    for (int c = 0; c < TinyModel.D; c++) {
                        out[h * TinyModel.D + c] /= total;
                    }
                }
                sites.get("attn_out").inputs.add(out);
                add(x, t, times(sites.get("attn_out").weights.getFirst(), out));
                var in = normed(x[t], p + "post_attention_layernorm");
                sites.get("ffn_in").inputs.add(in);
                var gate = times(sites.get("ffn_in").weights.get(0), in);
                var up = times(sites.get("ffn_in").weights.get(1), in);
                var hidden = new double[gate.length];
                for (int c = 0; c < hidden.length; c++) {
                    hidden[c] = gate[c] / (1 + Math.exp(-gate[c])) * up[c];
                }
                sites.get("ffn_hidden").inputs.add(hidden);
                add(x, t, times(sites.get("ffn_hidden").weights.getFirst(), hidden));
            }
        }
        layers.add(sites);
        keys.add(ofKeys);
        values.add(ofValues);
    }

    private double[][] matrix(String name, int rows) {
        var values = model.weights.get(name + ".weight");
        var m = new double[rows][values.length / rows];
        for (int i = 0; i < values.length; i++) {
            m[i / m[0].length][i % m[0].length] = values[i];
        }
        return m;
    }

    private double[] normed(double[] x, String name) {
        var w = model.weights.get(name + ".weight");
        double square = 0;
        for (double v : x) {
            square += v * v;
        }
        double r = 1 / Math.sqrt(square / x.length + 1e-5);
        var y = new double[x.length];
        for (int c = 0; c < y.length; c++) {
            y[c] = x[c] * r * w[c];
        }
        return y;
    }

    private static double[] rotated(double[] x, int t) {
        var y = new double[x.length];
        int half = TinyModel.D / 2;
        for (int i = 0; i < x.length; i++) {
            int c = i % TinyModel.D;
            double angle = t * Math.pow(10000, -2.0 * (c % half) / TinyModel.D);
            y[i] = c < half ? x[i] * Math.cos(angle) - x[i + half] * Math.sin(angle) : x[i] * Math.cos(angle) + x[i - half] * Math.sin(angle);
        }
        return y;
    }

    private static double[] times(double[][] w, double[] x) {
        var y = new double[w.length];
        for (int o = 0; o < y.length; o++) {
            for (int c = 0; c < x.length; c++) {
                y[o] += w[o][c] * x[c];
            }
        }
        return y;
    }

    private static void add(double[][] x, int t, double[] y) {
        x[t] = x[t].clone();
        for (int c = 0; c < y.length; c++) {
            x[t][c] += y[c];
        }
    }
}
