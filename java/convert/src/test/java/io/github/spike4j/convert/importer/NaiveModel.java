package io.github.spike4j.convert.importer;

import io.github.spike4j.convert.importer.Checkpoint.Weight;
import io.github.spike4j.format.Architecture;
import java.util.Arrays;

/** An imported model as weights-format/SPEC.md defines it, in plain loops of double. */
public final class NaiveModel {
    /** Sees the input of every linear, token by token. */
    public interface Observer {
        void input(Weight linear, int layer, double[] x);
    }

    private final Checkpoint source;
    private final Architecture a;
    private final Observer observer;

    NaiveModel(Checkpoint source) {
        this(source, (linear, layer, x) -> { });
    }

    public NaiveModel(Checkpoint source, Observer observer) {
        this.source = source;
        this.observer = observer;
        a = source.architecture();
    }

    /** Logits after each of the ids. */
    public double[][] logits(int[] ids) {
        var x = new double[ids.length][];
        var row = new float[a.hidden()];
        for (int t = 0; t < ids.length; t++) {
            source.weight(Weight.EMBEDDING, 0).read(ids[t], row, 0);
            x[t] = new double[a.hidden()];
            for (int c = 0; c < row.length; c++) {
                x[t][c] = row[c] * a.embeddingScale();
            }
        }
        for (int l = 0; l < a.layers(); l++) {
            var attended = attention(x, l);
            for (int t = 0; t < x.length; t++) {
                add(x[t], norm(linear(attended[t], Weight.O, l), Weight.ATTENTION_POST_NORM, l));
                var h = norm(x[t], Weight.FFN_NORM, l);
                var gate = linear(h, Weight.GATE, l);
                var up = linear(h, Weight.UP, l);
                for (int i = 0; i < gate.length; i++) {
                    double g = gate[i];
                    gate[i] = up[i] * switch (a.activation()) {
                        case "silu" -> g / (1 + Math.exp(-g));
                        case "gelu_tanh" -> .5 * g * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (g + .044715 * g * g * g)));
                        default -> throw new AssertionError(a.activation());
                    };
                }
                add(x[t], norm(linear(gate, Weight.DOWN, l), Weight.FFN_POST_NORM, l));
            }
        }
        var logits = new double[ids.length][];
        for (int t = 0; t < ids.length; t++) {
            logits[t] = Arrays.stream(linear(norm(x[t], Weight.NORM, 0), Weight.LM_HEAD, 0)).map(v -> capped(v, a.logitsSoftcap())).toArray();
        }
        return logits;
    }

    private double[][] attention(double[][] x, int l) {
        int d = a.headDim();
        var q = new double[x.length][];
        var k = new double[x.length][];
        var v = new double[x.length][];
        var out = new double[x.length][a.heads() * d];
        int window = a.layerWindows().get(l) == 0 ? Integer.MAX_VALUE : a.layerWindows().get(l);
        for (int t = 0; t < x.length; t++) {
            var h = norm(x[t], Weight.ATTENTION_NORM, l);
            q[t] = rotate(linear(h, Weight.Q, l), Weight.Q_NORM, t, l);
            k[t] = rotate(linear(h, Weight.K, l), Weight.K_NORM, t, l);
            v[t] = linear(h, Weight.V, l);
            for (int head = 0; head < a.heads(); head++) {
                int kv = head / (a.heads() / a.kvHeads()) * d;
                var e = new double[t + 1];
                for (int s = Math.max(0, t - window + 1); s <= t; s++) {
                    for (int c = 0; c < d; c++) {
                        e[s] += q[t][head * d + c] * k[s][kv + c];
                    }
                    e[s] = Math.exp(capped(e[s] * a.attentionScale(), a.attentionSoftcap()));
                }
                double sum = Arrays.stream(e).sum();
                for (int s = 0; s <= t; s++) {
                    for (int c = 0; c < d; c++) {
                        out[t][head * d + c] += e[s] / sum * v[s][kv + c];
                    }
                }
            }
        }
        return out;
    }

    private double[] rotate(double[] x, Weight norm, int position, int l) {
        int d = a.headDim();
        for (int h = 0; h < x.length; h += d) {
            System.arraycopy(norm(Arrays.copyOfRange(x, h, h + d), norm, l), 0, x, h, d);
            for (int i = 0; i < d / 2 && a.layerRopes().get(l) >= 0; i++) {
                var rope = a.ropes().get(a.layerRopes().get(l));
                double period = rope.periods().get(i);
                if (period != 0) {
                    double cos = Math.cos(position / period) * rope.magnitude();
                    double sin = Math.sin(position / period) * rope.magnitude();
                    double first = x[h + i];
                    double second = x[h + i + d / 2];
                    x[h + i] = first * cos - second * sin;
                    x[h + i + d / 2] = second * cos + first * sin;
                }
            }
        }
        return x;
    }

    private static double capped(double x, double cap) {
        return cap == 0 ? x : Math.tanh(x / cap) * cap;
    }

    private static void add(double[] x, double[] y) {
        for (int i = 0; i < x.length; i++) {
            x[i] += y[i];
        }
    }

    /** Unchanged where the model has no such norm. */
    private double[] norm(double[] x, Weight which, int l) {
        var w = source.weight(which, l);
        if (w == null) {
            return x;
        }
        double square = Arrays.stream(x).map(v -> v * v).sum();
        var factors = w.values();
        var y = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            y[i] = x[i] / Math.sqrt(square / x.length + a.normEps()) * factors[i];
        }
        return y;
    }

    private double[] linear(double[] x, Weight which, int l) {
        observer.input(which, l, x);
        var w = source.weight(which, l);
        var bias = which == Weight.LM_HEAD ? null : source.weight(which.bias(), l);
        var b = bias == null ? new float[w.rows()] : bias.values();
        var row = new float[w.columns()];
        var y = new double[w.rows()];
        for (int r = 0; r < y.length; r++) {
            w.read(r, row, 0);
            y[r] = b[r];
            for (int c = 0; c < row.length; c++) {
                y[r] += row[c] * x[c];
            }
        }
        return y;
    }
}
