package io.github.spike4j;

import io.github.spike4j.TinyModel.Kind;
import io.github.spike4j.TinyModel.Lin;
import io.github.spike4j.format.InputGroup;

/**
 * The forward pass written from the numerics page alone: plain arrays, plain loops, every position anew, no cache, no layout, no sums kept
 * for later. It shares no code with the engine.
 */
final class Oracle {
    private final TinyModel m;
    /** Codes equal to their zero points in all that was encoded so far. */
    long silent;

    Oracle(TinyModel m) {
        this.m = m;
    }

    /** Logits after each token. */
    float[][] logits(int... ids) {
        int hidden = m.a.hidden();
        var x = new float[ids.length][];
        for (int t = 0; t < ids.length; t++) {
            x[t] = java.util.Arrays.copyOfRange(m.embedding, ids[t] * hidden, (ids[t] + 1) * hidden);
            for (int i = 0; i < hidden; i++) {
                x[t][i] *= m.a.embeddingScale();
            }
        }
        for (int l = 0; l < m.a.layers(); l++) {
            var name = "layers." + l + ".";
            var qkv = new float[ids.length][];
            for (int t = 0; t < ids.length; t++) {
                var n = rmsNorm(x[t], m.norms.get(name + "attn_norm"));
                qkv[t] = m.linears.containsKey(name + "attn_qkv") ? linear(name + "attn_qkv", n)
                        : concat(linear(name + "attn_q", n), linear(name + "attn_k", n), linear(name + "attn_v", n));
                for (int h = 0; m.a.qkNorm() && h < m.a.heads() + m.a.kvHeads(); h++) {
                    var head = java.util.Arrays.copyOfRange(qkv[t], h * m.a.headDim(), (h + 1) * m.a.headDim());
                    var normed = rmsNorm(head, m.norms.get(name + (h < m.a.heads() ? "q_norm" : "k_norm")));
                    System.arraycopy(normed, 0, qkv[t], h * m.a.headDim(), normed.length);
                }
            }
            var out = m.spiking() ? attention(l, qkv) : denseAttention(l, qkv);
            for (int t = 0; t < ids.length; t++) {
                add(x[t], after(name + "attn_post_norm", linear(name + "attn_o", out[t])));
                var gateUp = linear(name + "ffn_gate_up", rmsNorm(x[t], m.norms.get(name + "ffn_norm")));
                int half = gateUp.length / 2;
                var h = new float[half];
                for (int i = 0; i < half; i++) {
                    float g = gateUp[i];
                    float cubic = g * Math.fma(g * g, 0x1.2444f2p-4f, 0x1.988454p+0f);
                    h[i] = (g / (1 + exp(m.a.activation().equals("silu") ? -g : -cubic))) * gateUp[half + i];
                }
                add(x[t], after(name + "ffn_post_norm", linear(name + "ffn_down", h)));
            }
        }
        var logits = new float[ids.length][];
        for (int t = 0; t < ids.length; t++) {
            logits[t] = linear("lm_head", rmsNorm(x[t], m.norms.get("final_norm")));
            for (int i = 0; i < logits[t].length; i++) {
                logits[t][i] = capped(logits[t][i], m.a.logitsSoftcap());
            }
        }
        return logits;
    }

    private float[] after(String norm, float[] y) {
        return m.norms.containsKey(norm) ? rmsNorm(y, m.norms.get(norm)) : y;
    }

    /** N6. */
    private static float capped(float x, float cap) {
        if (cap == 0) {
            return x;
        }
        float u = exp(-2 * Math.abs(x / cap));
        float y = ((1 - u) / (1 + u)) * cap;
        return x < 0 ? -y : y;
    }

    /** First position that position t sees. */
    private int first(int layer, int t) {
        int window = m.a.layerWindows().get(layer);
        return window == 0 ? 0 : Math.max(0, t - window + 1);
    }

    private static float[] concat(float[]... parts) {
        var all = new float[java.util.Arrays.stream(parts).mapToInt(p -> p.length).sum()];
        int at = 0;
        for (var p : parts) {
            System.arraycopy(p, 0, all, at, p.length);
            at += p.length;
        }
        return all;
    }

    private static void add(float[] x, float[] y) {
        for (int i = 0; i < x.length; i++) {
            x[i] += y[i];
        }
    }

    /** N2; fewer than 512 channels are one block of N1. */
    private float[] rmsNorm(float[] x, float[] w) {
        var lane = new float[32];
        for (int i = 0; i < x.length; i++) {
            lane[i % 32] = Math.fma(x[i], x[i], lane[i % 32]);
        }
        for (int h = 16; h > 0; h /= 2) {
            for (int j = 0; j < h; j++) {
                lane[j] += lane[j + h];
            }
        }
        float r = 1 / (float) Math.sqrt(lane[0] / x.length + m.a.normEps());
        var y = new float[x.length];
        for (int i = 0; i < x.length; i++) {
            y[i] = (x[i] * r) * w[i];
        }
        return y;
    }

    /** N6. */
    static float exp(float v) {
        float x = Math.min(Math.max(v, -87), 88);
        float n = (float) Math.rint(x * 0x1.715476p+0f);
        float r = Math.fma(n, -0x1.62e4p-1f, x);
        r = Math.fma(n, -0x1.7f7d1cp-20f, r);
        float p = 0x1.a0d2cep-13f;
        for (float c : new float[] {0x1.6e879cp-10f, 0x1.11121p-7f, 0x1.555382p-5f, 0x1.555554p-3f, 0.5f, 1, 1}) {
            p = Math.fma(p, r, c);
        }
        return Float.intBitsToFloat(Float.floatToRawIntBits(p) + ((int) n << 23));
    }

    private static float clamp(float x, float low, float high) {
        return Math.min(Math.max(x, low), high);
    }

    private static int code(float x, float s, int z, int top) {
        return (int) clamp((float) Math.rint(clamp(x / s, -0x1p21f, 0x1p21f)) + z, 0, top);
    }

    private static int zero(float lo, float s, int top) {
        return (int) Math.rint(clamp(-lo / s, 0, top));
    }

    /** Group of each permuted channel, counted over all segments. */
    static int[] groupOf(InputGroup g) {
        var out = new int[g.channels()];
        int at = 0;
        int first = 0;
        for (var s : g.segments()) {
            for (int i = 0; i < s.channels(); i++) {
                out[at++] = first + (s.group() == 0 ? 0 : i / s.group());
            }
            first += s.groups();
        }
        return out;
    }

    /** N3 and N4 of one row. */
    private float[] linear(String name, float[] source) {
        Lin w = m.linears.get(name);
        if (w.dense() != null) {
            return dense(w, source);
        }
        var group = m.groups.get(w.input());
        if (group.hadamard()) {
            source = hadamard(source);
        }
        int[] perm = m.permutations.get(w.input());
        var x = new float[perm.length];
        for (int k = 0; k < x.length; k++) {
            x[k] = source[perm[k]];
        }
        int n = group.segments().size();
        var scale = new float[n];
        var c = new int[x.length];
        var z = new int[x.length];
        var mult = new int[x.length];
        int first = 0;
        for (int i = 0; i < n; i++) {
            var s = group.segments().get(i);
            int top = (1 << s.bits()) - 1;
            float clip = group.clip().get(s.rangeSet());
            float floor = s.bits() == 16 ? 1e-9f : 1e-5f;
            if (s.actGroup() == 0) {
                float hi = 0;
                float lo = 0;
                int at = 0;
                for (var other : group.segments()) {
                    for (int k = 0; k < other.channels(); k++, at++) {
                        if (other.rangeSet() == s.rangeSet()) {
                            hi = Math.max(hi, x[at]);
                            lo = Math.min(lo, x[at]);
                        }
                    }
                }
                hi *= clip;
                lo *= clip;
                scale[i] = clamp((hi - lo) / top, floor, 1e4f);
                for (int k = first; k < first + s.channels(); k++) {
                    z[k] = zero(lo, scale[i], top);
                    mult[k] = 1;
                    c[k] = code(x[k], scale[i], z[k], top);
                }
            } else {
                int count = (s.channels() + s.actGroup() - 1) / s.actGroup();
                var raw = new float[count];
                var lows = new float[count];
                float most = 0;
                for (int j = 0; j < count; j++) {
                    float hi = 0;
                    for (int k = j * s.actGroup(); k < Math.min(s.channels(), (j + 1) * s.actGroup()); k++) {
                        hi = Math.max(hi, x[first + k]);
                        lows[j] = Math.min(lows[j], x[first + k]);
                    }
                    lows[j] *= clip;
                    raw[j] = (hi * clip - lows[j]) / top;
                    most = Math.max(most, raw[j]);
                }
                scale[i] = clamp(most, floor, 1e4f) / s.maxMultiplier();
                for (int k = 0; k < s.channels(); k++) {
                    int j = k / s.actGroup();
                    int multiple = Math.max(1, (int) Math.ceil(Math.min(raw[j] / scale[i], s.maxMultiplier())));
                    float sj = scale[i] * multiple;
                    mult[first + k] = multiple;
                    z[first + k] = zero(lows[j], sj, top);
                    c[first + k] = code(x[first + k], sj, z[first + k], top);
                }
            }
            first += s.channels();
        }
        for (int k = 0; k < x.length; k++) {
            silent += c[k] == z[k] ? 1 : 0;
        }
        int[] groupOf = groupOf(group);
        var y = new float[w.rows()];
        for (int o = 0; o < w.rows(); o++) {
            boolean empty = true;
            int from = 0;
            int code = o * (w.codes().length / w.rows());
            int plane = 0;
            for (int i = 0; i < n; i++) {
                int end = from + group.segments().get(i).channels();
                for (int step = 0; step < (w.steps() == null ? 1 : w.steps()[i]); step++) {
                    float ws = w.scale()[w.steps() == null ? o : plane++ * w.rows() + o];
                    if (from == end) {
                        continue;
                    }
                    var d = java.math.BigInteger.ZERO;
                    for (int k = from; k < end; k++) {
                        int g = groupOf[k];
                        int zw = w.zero()[o][w.zero()[o].length == 1 ? 0 : g];
                        int mw = w.mult() == null ? 1 : w.mult()[o][g];
                        d = d.add(java.math.BigInteger.valueOf((long) mw * mult[k] * (c[k] - z[k]) * ((w.codes()[code++] & 255) - zw)));
                    }
                    float sum = group.segments().get(i).bits() == 16 ? (float) d.longValue() : (float) d.intValue();
                    y[o] = empty ? sum * (scale[i] * ws) : Math.fma(sum, scale[i] * ws, y[o]);
                    empty = false;
                }
                from = end;
            }
            y[o] += w.bias() == null ? 0 : w.bias()[o];
        }
        return y;
    }

    /** N1, DOT256; fewer than 256 channels are one block. */
    private static float[] dense(Lin w, float[] x) {
        var y = new float[w.rows()];
        for (int o = 0; o < y.length; o++) {
            for (int k = 0; k < x.length; k++) {
                y[o] = Math.fma(w.dense()[o * w.channels() + k], x[k], y[o]);
            }
            y[o] += w.bias() == null ? 0 : w.bias()[o];
        }
        return y;
    }

    /** N9: in each block of n channels, n the largest power of two that divides them all, channel i becomes sum of (-1)^|i & j| x_j. */
    private static float[] hadamard(float[] x) {
        int n = 1;
        while (x.length % (2 * n) == 0) {
            n *= 2;
        }
        var y = x.clone();
        for (int h = 1; h < n; h *= 2) {
            var next = new float[y.length];
            for (int i = 0; i < y.length; i++) {
                next[i] = (i & h) == 0 ? y[i] + y[i + h] : y[i - h] - y[i];
            }
            y = next;
        }
        for (int i = 0; i < y.length; i++) {
            y[i] *= (float) (1 / Math.sqrt(n));
        }
        return y;
    }

    /** N5, and N9 if there is more. */
    private float[] rotated(int layer, float[] qkv, int head, int position) {
        int d = m.a.headDim();
        var y = java.util.Arrays.copyOfRange(qkv, head * d, head * d + d);
        var rope = m.a.layerRopes().get(layer) < 0 ? null : m.a.ropes().get(m.a.layerRopes().get(layer));
        for (int i = 0; rope != null && i < d / 2; i++) {
            double period = rope.periods().get(i);
            float c = period == 0 ? 1 : (float) (StrictMath.cos(position / period) * rope.magnitude());
            float s = period == 0 ? 0 : (float) (StrictMath.sin(position / period) * rope.magnitude());
            float x0 = qkv[head * d + i];
            float x1 = qkv[head * d + d / 2 + i];
            y[i] = Math.fma(x0, c, -(x1 * s));
            y[d / 2 + i] = Math.fma(x1, c, x0 * s);
        }
        return m.kind == Kind.OPTIONS ? hadamard(y) : y;
    }

    /** N7, N8. */
    private float[][] attention(int layer, float[][] qkv) {
        int d = m.a.headDim();
        int heads = m.a.heads();
        int kvHeads = m.a.kvHeads();
        boolean frozen = m.kind == Kind.FROZEN;
        var out = new float[qkv.length][heads * d];
        for (int h = 0; h < heads; h++) {
            int g = h / (heads / kvHeads);
            var name = "layers." + layer + ".";
            int[] kPerm = m.permutations.get(name + "k" + g);
            int[] vPerm = m.permutations.get(name + "v" + g);
            int kOrdinary = d - m.kSalient[layer][g];
            int vOrdinary = d - m.vSalient[layer][g];
            for (int t = 0; t < qkv.length; t++) {
                var q = rotated(layer, qkv[t], h, t);
                var qp = new float[d];
                float hi = 0;
                float lo = 0;
                for (int c = 0; c < d; c++) {
                    qp[c] = frozen ? q[kPerm[c]] * m.kScale.get(name + g)[c] : q[kPerm[c]];
                    hi = Math.max(hi, qp[c]);
                    lo = Math.min(lo, qp[c]);
                }
                int qTop = (1 << m.qBits) - 1;
                float qs = clamp((hi - lo) / qTop, 1e-5f, 1e4f);
                int qz = zero(lo, qs, qTop);
                for (float v : qp) {
                    silent += code(v, qs, qz, qTop) == qz ? 1 : 0;
                }
                boolean first = h % (heads / kvHeads) == 0;
                int from0 = first(layer, t);
                var e = new float[t + 1];
                float top = Float.NEGATIVE_INFINITY;
                for (int p = from0; p <= t; p++) {
                    var k = rotated(layer, qkv[p], heads + g, p);
                    float b = 0;
                    boolean empty = true;
                    int total = 0;
                    for (int i = 0; i < 2; i++) {
                        int from = i == 0 ? 0 : kOrdinary;
                        int to = i == 0 ? kOrdinary : d;
                        if (from == to) {
                            continue;
                        }
                        int kTop = (1 << m.kBits[i]) - 1;
                        float khi = 0;
                        float klo = 0;
                        boolean shared = m.kind == Kind.OPTIONS;
                        for (int c = shared ? 0 : from; c < (shared ? d : to); c++) {
                            khi = Math.max(khi, k[kPerm[c]]);
                            klo = Math.min(klo, k[kPerm[c]]);
                        }
                        float ks = clamp((khi - klo) / kTop, 1e-5f, 1e4f);
                        int sum = 0;
                        for (int c = from; c < to; c++) {
                            float s = frozen ? m.kScale.get(name + g)[c] : ks;
                            int z = frozen ? m.kZero.get(name + g)[c] : zero(klo, ks, kTop);
                            silent += first && p == t && code(k[kPerm[c]], s, z, kTop) == z ? 1 : 0;
                            sum += (code(qp[c], qs, qz, qTop) - qz) * (code(k[kPerm[c]], s, z, kTop) - z);
                        }
                        total += sum;
                        b = empty ? (float) sum * ks : Math.fma((float) sum, ks, b);
                        empty = false;
                    }
                    e[p] = capped((frozen ? (float) total : b) * (qs * m.a.attentionScale()), m.a.attentionSoftcap());
                    top = Math.max(top, e[p]);
                }
                if (m.kind == Kind.OPTIONS) {
                    frozenValues(qkv, heads + kvHeads + g, vPerm, vOrdinary, from0, e, top, out[t], h * d, first, m.vScale.get(name + g),
                            m.vZero.get(name + g));
                } else {
                    values(qkv, heads + kvHeads + g, vPerm, vOrdinary, from0, e, top, out[t], h * d, first);
                }
            }
        }
        return out;
    }

    /** N8 with frozen ranges, of one query head. */
    private void frozenValues(float[][] qkv, int head, int[] perm, int ordinary, int from, float[] score, float top, float[] out, int at,
            boolean count, float[] scale, int[] zero) {
        var l = new long[score.length];
        long sum = 0;
        for (int p = from; p < l.length; p++) {
            l[p] = (long) Math.rint(exp(score[p] - top) * 0x1p22f);
            sum += l[p];
        }
        for (int c = 0; c < perm.length; c++) {
            long n = 0;
            for (int p = from; p < l.length; p++) {
                int code = code(qkv[p][head * perm.length + perm[c]], scale[c], zero[c], (1 << m.vBits[c < ordinary ? 0 : 1]) - 1);
                silent += count && p == l.length - 1 && code == zero[c] ? 1 : 0;
                n += l[p] * code;
            }
            out[at + perm[c]] = (float) (n - zero[c] * sum) * (scale[c] / (float) sum);
        }
    }

    /** N8 of one query head. */
    private void values(float[][] qkv, int head, int[] perm, int ordinary, int from, float[] score, float top, float[] out, int at,
            boolean count) {
        int d = perm.length;
        int n = score.length;
        long sum = 0;
        float most = 0;
        var w = new float[n];
        var low = new float[n];
        var scale = new float[n];
        int vTop = (1 << m.vBits[0]) - 1;
        for (int p = from; p < n; p++) {
            float hi = 0;
            for (int c = 0; c < d; c++) {
                hi = Math.max(hi, qkv[p][head * d + c]);
                low[p] = Math.min(low[p], qkv[p][head * d + c]);
            }
            scale[p] = clamp((hi - low[p]) / vTop, 1e-5f, 1e4f);
            float e = exp(score[p] - top);
            sum += (int) Math.rint(e * 0x1p22f);
            w[p] = e * scale[p];
            most = Math.max(most, w[p]);
        }
        float g = 0x1p22f / most;
        int salientTop = (1 << m.vBits[1]) - 1;
        float ratio = (float) vTop / (float) salientTop;
        for (int c = 0; c < d; c++) {
            boolean salient = c >= ordinary;
            int max = salient ? salientTop : vTop;
            long acc = 0;
            for (int p = from; p < n; p++) {
                float s = salient ? scale[p] * ratio : scale[p];
                int z = zero(low[p], s, max);
                int code = code(qkv[p][head * d + perm[c]], s, z, max);
                silent += count && p == n - 1 && code == z ? 1 : 0;
                acc += (long) (int) Math.rint(w[p] * g) * (code - z);
            }
            out[at + perm[c]] = (float) acc * ((salient ? most * ratio : most) / (float) sum);
        }
    }

    /** The float reference; fewer than 256 channels and positions are one block. */
    private float[][] denseAttention(int layer, float[][] qkv) {
        int d = m.a.headDim();
        int heads = m.a.heads();
        int kvHeads = m.a.kvHeads();
        var out = new float[qkv.length][heads * d];
        for (int h = 0; h < heads; h++) {
            int g = h / (heads / kvHeads);
            for (int t = 0; t < qkv.length; t++) {
                var q = rotated(layer, qkv[t], h, t);
                int first = first(layer, t);
                var e = new float[t + 1];
                float top = Float.NEGATIVE_INFINITY;
                for (int p = first; p <= t; p++) {
                    var k = rotated(layer, qkv[p], heads + g, p);
                    for (int c = 0; c < d; c++) {
                        e[p] = Math.fma(q[c], k[c], e[p]);
                    }
                    e[p] = capped(e[p] * m.a.attentionScale(), m.a.attentionSoftcap());
                    top = Math.max(top, e[p]);
                }
                float sum = 0;
                for (int p = first; p <= t; p++) {
                    e[p] = exp(e[p] - top);
                    sum += e[p];
                }
                for (int c = 0; c < d; c++) {
                    float acc = 0;
                    for (int p = first; p <= t; p++) {
                        acc = Math.fma(e[p], qkv[p][(heads + kvHeads + g) * d + c], acc);
                    }
                    out[t][h * d + c] = acc / sum;
                }
            }
        }
        return out;
    }
}
