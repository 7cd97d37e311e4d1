package io.github.spike4j.runtime;

import static io.github.spike4j.kernels.Numerics.activate;
import static io.github.spike4j.kernels.Numerics.bf16;
import static io.github.spike4j.kernels.Numerics.bounded;
import static io.github.spike4j.kernels.Numerics.clamp;
import static io.github.spike4j.kernels.Numerics.code;
import static io.github.spike4j.kernels.Numerics.exp;
import static io.github.spike4j.kernels.Numerics.finite;
import static io.github.spike4j.kernels.Numerics.levels;
import static io.github.spike4j.kernels.Numerics.rint;
import static io.github.spike4j.kernels.Numerics.scale;
import static io.github.spike4j.kernels.Numerics.zero;

import io.github.spike4j.kernels.Activation;
import io.github.spike4j.kernels.AttentionSpec;
import io.github.spike4j.kernels.AttentionSpec.KvHead;
import io.github.spike4j.kernels.AttentionSpec.PageField;
import io.github.spike4j.kernels.DenseWeights;
import io.github.spike4j.kernels.GifSpec;
import io.github.spike4j.kernels.Kernels;
import io.github.spike4j.kernels.Numerics;
import io.github.spike4j.kernels.Queries;
import io.github.spike4j.kernels.Sequences;
import io.github.spike4j.kernels.SpikeWeights;
import io.github.spike4j.kernels.Spikes;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The readable reference: every kernel in scalar Java, line by line after SPEC.md, "Numerics". The Vector API backend extends it and
 * overrides what gains. Scratch arrays live per thread, so that nothing is allocated in steady state.
 */
public class JavaKernels extends Kernels {
    static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED;
    static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED;
    static final ValueLayout.OfLong I64 = ValueLayout.JAVA_LONG_UNALIGNED;
    static final ValueLayout.OfShort I16 = ValueLayout.JAVA_SHORT_UNALIGNED;
    static final ValueLayout.OfByte I8 = ValueLayout.JAVA_BYTE;
    /** Fixed point of softmax weights, N8. */
    static final float ONE_22 = 0x1p22f;

    /** Per-thread scratch. */
    static final class Scratch {
        float[] values = new float[0];
        float[] weights = new float[0];
        final float[] head = new float[256];
        final float[] rotated = new float[256];
        final float[] lanes = new float[32];

        float[] values(int n) {
            return values.length >= n ? values : (values = new float[n]);
        }

        float[] weights(int n) {
            return weights.length >= n ? weights : (weights = new float[grown(n)]);
        }
    }

    /** Room for one more position each token: it doubles. */
    static int grown(int n) {
        return Integer.highestOneBit(2 * n - 1);
    }

    static final ThreadLocal<Scratch> SCRATCH = ThreadLocal.withInitial(Scratch::new);

    @Override
    public String backend() {
        return "scalar";
    }

    @Override
    public String tier() {
        return "java";
    }

    // ------------------------------------------------------------------ float rows

    /** N1: SUM32 of the squares of a row. */
    static float sumOfSquares(MemorySegment x, long first, int n, float[] lanes) {
        float total = 0;
        for (int block = 0; block < n; block += 512) {
            java.util.Arrays.fill(lanes, 0);
            int end = Math.min(n, block + 512);
            for (int i = block; i < end; i++) {
                float v = x.get(F32, 4 * (first + i));
                lanes[i & 31] = Math.fma(v, v, lanes[i & 31]);
            }
            for (int h = 16; h > 0; h >>= 1) {
                for (int j = 0; j < h; j++) {
                    lanes[j] += lanes[j + h];
                }
            }
            total += lanes[0];
        }
        return total;
    }

    // ------------------------------------------------------------------ encode

    @Override
    public boolean encode(GifSpec spec, MemorySegment x, int xStride, Spikes out, int begin, int end) {
        out.check(spec, end);
        float[] v = SCRATCH.get().values(spec.channels());
        boolean ok = true;
        for (int r = begin; r < end; r++) {
            boolean finite = true;
            for (int k = 0; k < spec.channels(); k++) {
                v[k] = x.get(F32, 4 * ((long) r * xStride + spec.source(k)));
                finite &= finite(v[k]);
            }
            out.silent().set(I32, 4L * r, finite ? encodeRow(spec, v, out, r) : silenceRow(spec, out, r));
            ok &= finite;
        }
        return ok;
    }

    private static int silenceRow(GifSpec spec, Spikes out, int r) {
        out.code().asSlice((long) r * spec.padded(), spec.padded()).fill((byte) 0);
        out.scale().asSlice(16L * r, 16).fill((byte) 0);
        for (int j = 0; j < spec.groups(); j++) {
            putGroup(out, (long) r * spec.groups() + j, 0, 1, 0);
        }
        return -1;
    }

    static void putGroup(Spikes out, long index, int z, int m, int sum) {
        out.zero().set(I32, 4 * index, z);
        out.mult().set(I32, 4 * index, m);
        out.sum().set(I32, 4 * index, sum);
    }

    /** One finite row, permuted in {@code v}; returns the silent codes. */
    private int encodeRow(GifSpec spec, float[] v, Spikes out, int r) {
        var segments = spec.segments();
        int silent = 0;
        int first = 0;
        long at = (long) r * spec.padded();
        long group = (long) r * spec.groups();
        for (int i = 0; i < GifSpec.MAX_SEGMENTS; i++) {
            float base = 0;
            if (i < segments.size() && segments.get(i).channels() > 0) {
                var s = segments.get(i);
                int levels = levels(s.bits());
                float clip = spec.clip(s.rangeSet());
                int n = s.channels();
                int groupSize = s.group() == 0 ? n : s.group();
                int actGroup = s.actGroup();
                if (actGroup == 0) {
                    float hi = 0;
                    float lo = 0;
                    int k = 0;
                    for (var other : segments) {
                        for (int c = 0; c < other.channels(); c++, k++) {
                            if (other.rangeSet() == s.rangeSet()) {
                                hi = Math.max(hi, v[k]);
                                lo = Math.min(lo, v[k]);
                            }
                        }
                    }
                    hi *= clip;
                    lo *= clip;
                    base = scale(hi, lo, levels);
                    int z = zero(lo, base, levels);
                    for (int j = 0; j * groupSize < n; j++) {
                        silent += encodeGroup(v, first + j * groupSize, Math.min(groupSize, n - j * groupSize), base, z, s, out,
                                at + j * groupSize, group + j, 1);
                    }
                } else {
                    float top = 0;
                    for (int a = 0; a < n; a += actGroup) {
                        top = Math.max(top, raw(v, first + a, Math.min(actGroup, n - a), clip, levels));
                    }
                    base = bounded(top, levels) / s.maxMultiplier();
                    for (int a = 0; a < n; a += actGroup) {
                        int length = Math.min(actGroup, n - a);
                        float q = Math.min(raw(v, first + a, length, clip, levels) / base, s.maxMultiplier());
                        float t = rint(q);
                        int m = Math.max(1, (int) (t < q ? t + 1 : t));
                        float sj = base * m;
                        float lo = 0;
                        for (int c = 0; c < length; c++) {
                            lo = Math.min(lo, v[first + a + c]);
                        }
                        int z = zero(lo * clip, sj, levels);
                        for (int g = 0; g < length; g += groupSize) {
                            silent += encodeGroup(v, first + a + g, Math.min(groupSize, length - g), sj, z, s, out, at + a + g,
                                    group + (a + g) / groupSize, m);
                        }
                    }
                }
                for (int plane = 0; plane < s.codeBytes(); plane += s.padded()) {
                    for (int pad = n; pad < s.padded(); pad++) {
                        out.code().set(I8, at + plane + pad, (byte) 0);
                    }
                }
                first += n;
                at += s.codeBytes();
                group += s.groups();
            }
            out.scale().set(F32, 16L * r + 4 * i, base);
        }
        return silent;
    }

    /** N3: (hi - lo) / levels of one activation group, zero forced in, then clipped. */
    private static float raw(float[] v, int first, int n, float clip, int levels) {
        float hi = 0;
        float lo = 0;
        for (int c = 0; c < n; c++) {
            hi = Math.max(hi, v[first + c]);
            lo = Math.min(lo, v[first + c]);
        }
        return (hi * clip - lo * clip) / levels;
    }

    /** Codes of channels [first, first + n) into byte {@code at}; returns how many are silent. */
    int encodeGroup(float[] v, int first, int n, float s, int z, GifSpec.Segment segment, Spikes out, long at, long group, int m) {
        int bits = segment.bits();
        if (bits == 16) {
            return encodeWide(v, first, n, s, z, segment.padded(), out, at, group, m);
        }
        int levels = levels(bits);
        int offset = bits == 8 ? 128 : z;
        int sum = 0;
        int silent = 0;
        for (int c = 0; c < n; c++) {
            int code = code(v[first + c], s, z, levels);
            out.code().set(I8, at + c, (byte) (code - offset));
            sum += code - offset;
            silent += code == z ? 1 : 0;
        }
        putGroup(out, group, z, m, sum);
        return silent;
    }

    /** The same at 16 bits: two planes of bytes, {@code plane} apart; no sum. */
    private static int encodeWide(float[] v, int first, int n, float s, int z, int plane, Spikes out, long at, long group, int m) {
        int silent = 0;
        for (int c = 0; c < n; c++) {
            int code = code(v[first + c], s, z, levels(16));
            out.code().set(I8, at + c, (byte) ((code >> 8) - 128));
            out.code().set(I8, at + plane + c, (byte) ((code & 255) - 128));
            silent += code == z ? 1 : 0;
        }
        putGroup(out, group, z, m, 0);
        return silent;
    }

    @Override
    public void spikeSteps(MemorySegment codes, int n, int bits, int count, MemorySegment steps) {
        int most = levels(bits);
        for (int i = 0; i < n; i++) {
            int potential = codes.get(I8, i) & 255;
            for (int t = 0; t < count; t++) {
                int fired = t == count - 1 ? potential : Math.min(potential, most);
                steps.set(I8, (long) t * n + i, (byte) fired);
                potential -= fired;
            }
        }
    }

    @Override
    public void planes(GifSpec spec, Spikes x, MemorySegment planes, int begin, int end) {
        x.check(spec, end);
        for (int r = begin; r < end; r++) {
            long word = (long) r * spec.planeWords();
            int first = 0;
            for (var s : spec.segments()) {
                for (int b = 0; b < s.bits(); b++) {
                    for (int w = 0; w < s.padded() / 64; w++) {
                        long bitsOfWord = 0;
                        for (int i = 0; i < 64 && 64 * w + i < s.channels(); i++) {
                            bitsOfWord |= (long) (x.codeAt(spec, r, first + 64 * w + i) >> b & 1) << i;
                        }
                        planes.set(I64, 8 * word++, bitsOfWord);
                    }
                }
                first += s.channels();
            }
        }
    }

    // ------------------------------------------------------------------ linears

    /** Code of row {@code r} (0..15) and channel {@code k} of an R16 panel at byte {@code panel}. */
    static int r16(MemorySegment data, long panel, int k, int r, int bits) {
        int perVector = 32 / bits;
        int b = data.get(I8, panel + (long) (k / perVector) * 64 + 4 * r + (k & 3));
        return b >> (k % perVector / 4) * bits & levels(bits);
    }

    @Override
    public void linear(SpikeWeights w, Spikes x, int tokens, MemorySegment y, int yStride, boolean add, int begin, int end) {
        checkRange(w.rows(), begin, end);
        GifSpec spec = w.spec();
        x.check(spec, tokens);
        int panels = (w.rows() + 15) / 16;
        for (int o = begin; o < end; o++) {
            int p = o >> 4;
            int lane = o & 15;
            for (int t = 0; t < tokens; t++) {
                long data = 0;
                int code = 0;
                int group = 0;
                int sums = 0;
                int scales = 0;
                float result = 0;
                boolean empty = true;
                for (int i = 0; i < spec.segments().size(); i++) {
                    var s = spec.segments().get(i);
                    for (int step = 0; step < w.steps(i); step++, scales += w.stepped() ? panels * 16 : 0) {
                        if (s.channels() > 0) {
                            long panel = data + (long) p * 2 * s.padded() * w.bits();
                            float d = s.bits() == 16 ? (float) wideDot(w, x, s, t, panel, code, group, sums, p, lane)
                                    : (float) dot(w, x, s, t, panel, code, group, sums, p, lane);
                            float unit = x.scale().get(F32, 16L * t + 4 * i) * w.scale().get(F32, 4L * (scales + o));
                            result = empty ? d * unit : Math.fma(d, unit, result);
                            empty = false;
                        }
                        data += (long) panels * 2 * s.padded() * w.bits();
                        sums += s.groups();
                    }
                    code += s.codeBytes();
                    group += s.groups();
                }
                store(y, (long) t * yStride + o, result, w.bias(), o, add);
            }
        }
    }

    /** D of one segment, modulo 2^32: sums over groups j of mw m (sum d w - zw sum d [+ (128 - z) sum (w - zw)]). */
    private static int dot(SpikeWeights w, Spikes x, GifSpec.Segment s, int t, long panel, int code, int group, int sums, int p, int lane) {
        GifSpec spec = w.spec();
        int size = s.group() == 0 ? s.channels() : s.group();
        long row = (long) t * spec.padded() + code;
        int total = 0;
        for (int j = 0; j < s.groups(); j++) {
            int last = Math.min(s.channels(), (j + 1) * size);
            int sum = 0;
            for (int k = j * size; k < last; k++) {
                sum += x.code().get(I8, row + k) * r16(w.data(), panel, k, lane, w.bits());
            }
            long g = (long) t * spec.groups() + group + j;
            total += x.mult().get(I32, 4 * g) * weighted(w, x, s, sum, g, sums + j, p, lane);
        }
        return total;
    }

    /** D of one segment of 16 bits, modulo 2^64: sums over groups j of mw m (sum (256 hi + lo) (w - zw) + (32896 - z) sum (w - zw)). */
    private static long wideDot(SpikeWeights w, Spikes x, GifSpec.Segment s, int t, long panel, int code, int group, int sums, int p,
            int lane) {
        GifSpec spec = w.spec();
        int size = s.group() == 0 ? s.channels() : s.group();
        long row = (long) t * spec.padded() + code;
        long total = 0;
        for (int j = 0; j < s.groups(); j++) {
            int last = Math.min(s.channels(), (j + 1) * size);
            long g = (long) t * spec.groups() + group + j;
            int z = x.zero().get(I32, 4 * g);
            int zw = weightZero(w, sums + j, p, lane);
            long sum = (long) (32896 - z) * w.sum().get(I32, 4 * (((long) p * w.groups() + sums + j) * 16 + lane));
            for (int k = j * size; k < last; k++) {
                int d = 256 * x.code().get(I8, row + k) + x.code().get(I8, row + s.padded() + k);
                sum += (long) d * (r16(w.data(), panel, k, lane, w.bits()) - zw);
            }
            total += (long) x.mult().get(I32, 4 * g) * weightMult(w, sums + j, p, lane) * sum;
        }
        return total;
    }

    /** zw of group j. */
    private static int weightZero(SpikeWeights w, int j, int p, int lane) {
        return w.zero().get(I8, ((long) p * w.weightGroups() + (w.weightGroups() == 1 ? 0 : j)) * 16 + lane) & 255;
    }

    /** mw of group j. */
    private static int weightMult(SpikeWeights w, int j, int p, int lane) {
        return w.mult() == null ? 1 : w.mult().get(I8, ((long) p * w.groups() + j) * 16 + lane) & 255;
    }

    /** mw * (sum d w - zw sum d [+ (128 - z) sum (w - zw)]) of one group; g is the token's, j the weights'. */
    static int weighted(SpikeWeights w, Spikes x, GifSpec.Segment s, int sum, long g, int j, int p, int lane) {
        sum -= weightZero(w, j, p, lane) * x.sum().get(I32, 4 * g);
        if (s.bits() == 8) {
            sum += (128 - x.zero().get(I32, 4 * g)) * w.sum().get(I32, 4 * (((long) p * w.groups() + j) * 16 + lane));
        }
        return weightMult(w, j, p, lane) * sum;
    }

    @Override
    public void linearPlanes(SpikeWeights w, Spikes x, MemorySegment planes, int tokens, MemorySegment y, int yStride, boolean add,
            int begin, int end) {
        checkRange(w.rows(), begin, end);
        GifSpec spec = w.spec();
        x.check(spec, tokens);
        long padded = (w.rows() + 15) & -16;
        for (int t = 0; t < tokens; t++) {
            for (int o = begin; o < end; o++) {
                long planeWord = (long) t * spec.planeWords();
                long weightWord = 0;
                float result = 0;
                boolean empty = true;
                for (int i = 0, group = 0; i < spec.segments().size(); group += spec.segments().get(i).groups(), i++) {
                    var s = spec.segments().get(i);
                    int words = s.padded() / 64;
                    if (s.channels() > 0) {
                        int sum = 0;
                        for (int a = 0; a < s.bits(); a++) {
                            for (int b = 0; b < w.bits(); b++) {
                                int ones = 0;
                                for (int k = 0; k < words; k++) {
                                    ones += Long.bitCount(planes.get(I64, 8 * (planeWord + (long) a * words + k)) & w.data().get(I64,
                                            8 * (weightWord + (((long) (o / 8) * words + k) * w.bits() + b) * 8 + (o & 7))));
                                }
                                sum += ones << (a + b);
                            }
                        }
                        // sum (c - z)(w - zw) = sum c w - zw sum c - z sum (w - zw); sum c from the signed bytes
                        long g = (long) t * spec.groups() + group;
                        int z = x.zero().get(I32, 4 * g);
                        int codes = x.sum().get(I32, 4 * g) + (s.bits() == 8 ? 128 : z) * s.channels();
                        int zw = w.zero().get(I8, (long) o) & 255;
                        int d = sum - zw * codes - z * w.sum().get(I32, 4 * (((long) (o >> 4) * spec.groups() + group) * 16 + (o & 15)));
                        float unit = x.scale().get(F32, 16L * t + 4 * i) * w.scale().get(F32, 4L * o);
                        result = empty ? d * unit : Math.fma((float) d, unit, result);
                        empty = false;
                    }
                    planeWord += (long) s.bits() * words;
                    weightWord += padded * words * w.bits();
                }
                store(y, (long) t * yStride + o, result, w.bias(), o, add);
            }
        }
    }

    static void store(MemorySegment y, long index, float result, MemorySegment bias, int o, boolean add) {
        if (bias != null) {
            result += bias.get(F32, 4L * o);
        }
        y.set(F32, 4 * index, add ? y.get(F32, 4 * index) + result : result);
    }

    static void checkRange(int rows, int begin, int end) {
        if (begin < 0 || begin > end || end > rows || begin % 16 != 0 || (end % 16 != 0 && end != rows)) {
            throw new IllegalArgumentException("output rows [" + begin + ", " + end + ") of " + rows
                    + ": both ends must be multiples of 16, or the end the last row");
        }
    }

    @Override
    public void dense(DenseWeights w, MemorySegment x, int xStride, int tokens, MemorySegment y, int yStride, boolean add, int begin,
            int end) {
        checkRange(w.rows(), begin, end);
        int padded = (w.channels() + 63) & -64;
        for (int o = begin; o < end; o++) {
            long panel = (long) (o >> 4) * 16 * padded;
            int lane = o & 15;
            for (int t = 0; t < tokens; t++) {
                float total = 0;
                for (int block = 0; block < w.channels(); block += 256) {
                    float acc = 0;
                    int last = Math.min(w.channels(), block + 256);
                    for (int k = block; k < last; k++) {
                        float weight = w.bf16()
                                ? bf16(w.data().get(I16, 2 * (panel + (long) (k >> 1) * 32 + 2 * lane + (k & 1))))
                                : w.data().get(F32, 4 * (panel + (long) k * 16 + lane));
                        acc = Math.fma(weight, x.get(F32, 4 * ((long) t * xStride + k)), acc);
                    }
                    total += acc;
                }
                store(y, (long) t * yStride + o, total, w.bias(), o, add);
            }
        }
    }

    // ------------------------------------------------------------------ rows of floats

    @Override
    public boolean rmsNorm(MemorySegment x, int xStride, MemorySegment weight, int channels, float eps, MemorySegment y, int yStride,
            boolean add, int begin, int end) {
        float[] lanes = SCRATCH.get().lanes;
        boolean ok = true;
        for (int row = begin; row < end; row++) {
            long from = (long) row * xStride;
            long to = (long) row * yStride;
            float sum = sumOfSquares(x, from, channels, lanes);
            boolean finite = finite(sum);
            float r = finite ? 1f / (float) Math.sqrt(sum / channels + eps) : Float.NaN;
            for (int i = 0; i < channels; i++) {
                float v = x.get(F32, 4 * (from + i)) * r * weight.get(F32, 4L * i);
                y.set(F32, 4 * (to + i), add ? y.get(F32, 4 * (to + i)) + v : v);
            }
            ok &= finite;
        }
        return ok;
    }

    @Override
    public void glu(Activation activation, MemorySegment gateUp, int stride, int channels, MemorySegment y, int yStride, int begin, int end) {
        for (int r = begin; r < end; r++) {
            for (int i = 0; i < channels; i++) {
                float g = gateUp.get(F32, 4 * ((long) r * stride + i));
                float u = gateUp.get(F32, 4 * ((long) r * stride + channels + i));
                y.set(F32, 4 * ((long) r * yStride + i), activate(activation, g) * u);
            }
        }
    }

    @Override
    public void hadamard(MemorySegment x, int xStride, int channels, int begin, int end) {
        float[] v = SCRATCH.get().values(channels);
        for (int r = begin; r < end; r++) {
            MemorySegment.copy(x, F32, 4L * r * xStride, v, 0, channels);
            hadamard(v, channels);
            MemorySegment.copy(v, 0, x, F32, 4L * r * xStride, channels);
        }
    }

    /** N9: the first n values, in blocks of the largest power of two that divides n. */
    static void hadamard(float[] v, int n) {
        int block = Integer.lowestOneBit(n);
        float scale = (float) (1 / Math.sqrt(block));
        for (int h = 1; h < block; h *= 2) {
            for (int i = 0; i < n; i += 2 * h) {
                for (int j = i; j < i + h; j++) {
                    float a = v[j];
                    float b = v[j + h];
                    v[j] = a + b;
                    v[j + h] = a - b;
                }
            }
        }
        for (int i = 0; i < n; i++) {
            v[i] *= scale;
        }
    }

    @Override
    public void embed(MemorySegment table, boolean bf16, int vocab, int channels, float scale, MemorySegment ids, MemorySegment y,
            int yStride, int begin, int end) {
        for (int i = begin; i < end; i++) {
            int id = ids.get(I32, 4L * i);
            if (id < 0 || id >= vocab) {
                throw new IllegalArgumentException("token id " + id + " is outside the vocabulary of " + vocab);
            }
        }
        for (int i = begin; i < end; i++) {
            long row = (long) ids.get(I32, 4L * i) * channels;
            for (int c = 0; c < channels; c++) {
                float v = bf16 ? bf16(table.get(I16, 2 * (row + c))) : table.get(F32, 4 * (row + c));
                y.set(F32, 4 * ((long) i * yStride + c), scale == 1 ? v : v * scale);
            }
        }
    }

    @Override
    public void softcap(MemorySegment x, int xStride, int channels, float cap, int begin, int end) {
        for (int r = begin; r < end; r++) {
            for (int i = 0; i < channels; i++) {
                long at = 4 * ((long) r * xStride + i);
                x.set(F32, at, Numerics.softcap(x.get(F32, at), cap));
            }
        }
    }

    @Override
    public int argmax(MemorySegment x, int n) {
        int best = 0;
        float top = x.get(F32, 0);
        for (int i = 0; i < n; i++) {
            float v = x.get(F32, 4L * i);
            if (v != v) {
                return -1;
            }
            if (v > top) {
                top = v;
                best = i;
            }
        }
        return best;
    }

    // ------------------------------------------------------------------ attention

    /** N5: rotated channel {@code c} of the head whose values start at float {@code x}. */
    static float rotated(MemorySegment qkv, long x, MemorySegment rope, long angles, int d, int c) {
        int half = d / 2;
        int i = c < half ? c : c - half;
        float x0 = qkv.get(F32, 4 * (x + i));
        float x1 = qkv.get(F32, 4 * (x + half + i));
        float cos = rope.get(F32, 4 * (angles + i));
        float sin = rope.get(F32, 4 * (angles + half + i));
        return c < half ? Math.fma(x0, cos, -(x1 * sin)) : Math.fma(x1, cos, x0 * sin);
    }

    @Override
    public boolean append(AttentionSpec spec, MemorySegment qkv, int qkvStride, MemorySegment rope, Sequences seq, Queries q, int begin,
            int end) {
        q.check(spec, end);
        boolean ok = true;
        for (int s = 0; s < seq.count(); s++) {
            int last = Math.min(end, seq.row(s) + seq.rows(s));
            for (int r = Math.max(begin, seq.row(s)); r < last; r++) {
                int position = seq.position(s) + r - seq.row(s);
                MemorySegment block = seq.table(s).block(position / AttentionSpec.PAGE);
                ok &= appendToken(spec, qkv, (long) r * qkvStride, rope, (long) position * spec.headDim(), block,
                        position % AttentionSpec.PAGE, q, r);
            }
        }
        return ok;
    }

    /** q or k of a head as it is encoded, into v: rotated, permuted, and (q, frozen K) scaled. Returns whether all of it is finite. */
    private static boolean rotate(AttentionSpec a, KvHead head, MemorySegment qkv, long x, MemorySegment rope, long angles, boolean query,
            float[] v) {
        int d = a.headDim();
        float[] y = SCRATCH.get().rotated;
        for (int c = 0; c < d; c++) {
            y[c] = rotated(qkv, x, rope, angles, d, c);
        }
        if (a.coding().hadamard()) {
            hadamard(y, d);
        }
        boolean finite = true;
        for (int c = 0; c < d; c++) {
            v[c] = y[head.kPerm()[c]];
            if (query && a.frozenK()) {
                v[c] *= head.kScale()[c];
            }
            finite &= finite(v[c]);
        }
        return finite;
    }

    private static boolean appendToken(AttentionSpec a, MemorySegment qkv, long row, MemorySegment rope, long angles, MemorySegment block,
            int at, Queries q, int r) {
        int d = a.headDim();
        int kv = a.kvHeads().size();
        int group = a.heads() / kv;
        float[] v = SCRATCH.get().head;
        boolean finite = true;
        for (int h = 0; h < a.heads() + kv; h++) {
            KvHead head = a.kvHeads().get(h < a.heads() ? h / group : h - a.heads());
            finite &= rotate(a, head, qkv, row + (long) h * d, rope, angles, h < a.heads(), v);
        }
        for (int i = (a.heads() + kv) * d; i < (a.heads() + 2 * kv) * d; i++) {
            finite &= finite(qkv.get(F32, 4 * (row + i)));
        }
        int silent = 0;
        for (int h = 0; h < a.heads(); h++) {
            silent += appendQuery(a, a.kvHeads().get(h / group), qkv, row + (long) h * d, rope, angles, q, (long) r * a.heads() + h, finite, v);
        }
        for (int h = 0; h < kv; h++) {
            clearPosition(a, h, block, at);
            if (finite) {
                silent += appendKey(a, h, qkv, row + (long) (a.heads() + h) * d, rope, angles, block, at, v);
                silent += appendValue(a, h, qkv, row + (long) (a.heads() + kv + h) * d, block, at);
            }
        }
        q.silent().set(I32, 4L * r, finite ? silent : -1);
        return finite;
    }

    private static int appendQuery(AttentionSpec a, KvHead head, MemorySegment qkv, long x, MemorySegment rope, long angles, Queries q,
            long slot, boolean finite, float[] v) {
        int d = a.headDim();
        int levels = levels(a.qBits());
        float hi = 0;
        float lo = 0;
        if (finite) {
            rotate(a, head, qkv, x, rope, angles, true, v);
        }
        for (int c = 0; c < d && finite; c++) {
            hi = Math.max(hi, v[c]);
            lo = Math.min(lo, v[c]);
        }
        float s = finite ? scale(hi, lo, levels) : 0;
        int z = finite ? zero(lo, s, levels) : 0;
        int offset = a.qBits() == 8 ? 128 : z;
        int ordinary = d - head.kSalient();
        int silent = 0;
        int sum0 = 0;
        int sum1 = 0;
        long code = slot * a.qPadded();
        for (int i = 0; i < a.qPadded(); i++) { // fill would need a slice, an object
            q.code().set(I8, code + i, (byte) 0);
        }
        for (int c = 0; c < d && finite; c++) {
            int u = code(v[c], s, z, levels);
            int b = u - offset;
            q.code().set(I8, code + (c < ordinary ? c : AttentionSpec.pad(ordinary, 16) + c - ordinary), (byte) b);
            if (a.frozenK()) {
                sum0 += b * head.kZero()[c];
            } else if (c < ordinary) {
                sum0 += b;
            } else {
                sum1 += b;
            }
            silent += u == z ? 1 : 0;
        }
        q.scale().set(F32, 4 * slot, s);
        q.zero().set(I32, 4 * slot, z);
        q.sum().set(I32, 8 * slot, sum0);
        q.sum().set(I32, 8 * slot + 4, sum1);
        return silent;
    }

    private static void putNibbleOrByte(MemorySegment block, long at, int width, int shift, int code) {
        block.set(I8, at, (byte) (width == 8 ? code : block.get(I8, at) & ~(15 << shift) | code << shift));
    }

    private static void putK(AttentionSpec a, int h, int segment, MemorySegment block, int at, int k, int code) {
        KvHead head = a.kvHeads().get(h);
        int width = AttentionSpec.storage(a.kBits()[segment]);
        int padded = AttentionSpec.pad(segment == 0 ? a.headDim() - head.kSalient() : head.kSalient(), 16);
        int perVector = 32 / width;
        long byteAt = head.pageOffset() + a.offset(h, segment == 0 ? PageField.K0 : PageField.K1) + (long) (at / 16) * 2 * padded * width
                + (long) (k / perVector) * 64 + 4 * (at % 16) + (k & 3);
        putNibbleOrByte(block, byteAt, width, k % perVector / 4 * width, code);
    }

    private static void putV(AttentionSpec a, int h, int segment, MemorySegment block, int at, int c, int code) {
        KvHead head = a.kvHeads().get(h);
        int width = AttentionSpec.storage(a.vBits()[segment]);
        int padded = AttentionSpec.pad(segment == 0 ? a.headDim() - head.vSalient() : head.vSalient(), 32);
        long row = head.pageOffset() + a.offset(h, segment == 0 ? PageField.V0 : PageField.V1) + (long) at * padded * width / 8;
        putNibbleOrByte(block, row + (width == 8 ? c : c / 32 * 16 + c % 16), width, width == 8 ? 0 : c % 32 / 16 * 4, code);
    }

    private static void clearPosition(AttentionSpec a, int h, MemorySegment block, int at) {
        KvHead head = a.kvHeads().get(h);
        int d = a.headDim();
        for (int i = 0; i < 2; i++) {
            int k = AttentionSpec.pad(i == 0 ? d - head.kSalient() : head.kSalient(), 16);
            int c = AttentionSpec.pad(i == 0 ? d - head.vSalient() : head.vSalient(), 32);
            for (int j = 0; j < k; j++) {
                putK(a, h, i, block, at, j, 0);
            }
            for (int j = 0; j < c; j++) {
                putV(a, h, i, block, at, j, 0);
            }
            putMeta(a, h, block, at, i, 0, 0, 0, 0);
        }
        block.set(F32, head.pageOffset() + a.offset(h, PageField.V_SCALE) + 4L * at, 0);
    }

    private static void putMeta(AttentionSpec a, int h, MemorySegment block, int at, int i, float kScale, int kSum, int kZero, int vZero) {
        long page = a.kvHeads().get(h).pageOffset();
        int index = i * AttentionSpec.PAGE + at;
        block.set(F32, page + a.offset(h, PageField.K_SCALE) + 4L * index, kScale);
        block.set(I32, page + a.offset(h, PageField.K_SUM) + 4L * index, kSum);
        block.set(I8, page + a.offset(h, PageField.K_ZERO) + index, (byte) kZero);
        block.set(I8, page + a.offset(h, PageField.V_ZERO) + index, (byte) vZero);
    }

    /** K: every segment has its own range, or both one, or the frozen ones of its channels. */
    private static int appendKey(AttentionSpec a, int h, MemorySegment qkv, long x, MemorySegment rope, long angles, MemorySegment block,
            int at, float[] v) {
        KvHead head = a.kvHeads().get(h);
        boolean shared = a.coding().k() == AttentionSpec.Coding.K.SHARED;
        int silent = 0;
        int first = 0;
        rotate(a, head, qkv, x, rope, angles, false, v);
        for (int i = 0; i < 2; i++) {
            int n = i == 0 ? a.headDim() - head.kSalient() : head.kSalient();
            int levels = levels(a.kBits()[i]);
            float hi = 0;
            float lo = 0;
            for (int c = shared ? 0 : first; c < (shared ? a.headDim() : first + n); c++) {
                hi = Math.max(hi, v[c]);
                lo = Math.min(lo, v[c]);
            }
            float s = scale(hi, lo, levels);
            int z = zero(lo, s, levels);
            int sum = 0;
            for (int c = 0; c < n; c++) {
                if (a.frozenK()) {
                    s = head.kScale()[first + c];
                    z = head.kZero()[first + c];
                }
                int code = code(v[first + c], s, z, levels);
                putK(a, h, i, block, at, c, code);
                sum += code - z;
                silent += code == z ? 1 : 0;
            }
            boolean stored = n > 0 && !a.frozenK();
            putMeta(a, h, block, at, i, stored ? s : 0, sum, stored ? z : 0, 0);
            first += n;
        }
        return silent;
    }

    /** V: one range for all channels; the salient ones at s * kv (N8). Frozen: those of the channels, pages as if s = 1 and z = 0. */
    private static int appendValue(AttentionSpec a, int h, MemorySegment qkv, long x, MemorySegment block, int at) {
        KvHead head = a.kvHeads().get(h);
        float hi = 0;
        float lo = 0;
        for (int c = 0; c < a.headDim(); c++) {
            hi = Math.max(hi, qkv.get(F32, 4 * (x + c)));
            lo = Math.min(lo, qkv.get(F32, 4 * (x + c)));
        }
        float s = scale(hi, lo, levels(a.vBits()[0]));
        int silent = 0;
        int first = 0;
        for (int i = 0; i < 2; i++) {
            int n = i == 0 ? a.headDim() - head.vSalient() : head.vSalient();
            int levels = levels(a.vBits()[i]);
            float si = i == 0 ? s : s * vRatio(a);
            int z = zero(lo, si, levels);
            boolean stored = n > 0 && !a.frozenV();
            block.set(I8, head.pageOffset() + a.offset(h, PageField.V_ZERO) + (long) i * AttentionSpec.PAGE + at, (byte) (stored ? z : 0));
            for (int c = 0; c < n; c++) {
                if (a.frozenV()) {
                    si = head.vScale()[first + c];
                    z = head.vZero()[first + c];
                }
                int code = code(qkv.get(F32, 4 * (x + head.vPerm()[first + c])), si, z, levels);
                putV(a, h, i, block, at, c, code);
                silent += code == z ? 1 : 0;
            }
            first += n;
        }
        block.set(F32, head.pageOffset() + a.offset(h, PageField.V_SCALE) + 4L * at, a.frozenV() ? 1 : s);
        return silent;
    }

    /** kv of N8: the salient V channels' scale over the ordinary ones'. */
    static float vRatio(AttentionSpec a) {
        return (float) levels(a.vBits()[0]) / (float) levels(a.vBits()[1]);
    }

    @Override
    public long attendScratch(AttentionSpec spec, int context) {
        return 64;
    }

    @Override
    public void attend(AttentionSpec a, Queries q, Sequences seq, MemorySegment out, int outStride, MemorySegment scratch, int begin,
            int end, int headBegin, int headEnd) {
        q.check(a, end);
        int group = a.heads() / a.kvHeads().size();
        for (int s = 0; s < seq.count(); s++) {
            int last = Math.min(end, seq.row(s) + seq.rows(s));
            for (int r = Math.max(begin, seq.row(s)); r < last; r++) {
                int positions = seq.position(s) + r - seq.row(s) + 1;
                for (int h = headBegin * group; h < headEnd * group; h++) {
                    attendHead(a, h / group, q, (long) r * a.heads() + h, seq.table(s), positions, out,
                            (long) r * outStride + (long) h * a.headDim());
                }
            }
        }
    }

    void attendHead(AttentionSpec a, int h, Queries q, long slot, Sequences.BlockTable table, int positions,
            MemorySegment out, long to) {
        KvHead head = a.kvHeads().get(h);
        float[] e = SCRATCH.get().weights(positions);
        int from = a.scores().firstSeen(positions - 1);
        float top = Float.NEGATIVE_INFINITY;
        for (int t = from; t < positions; t++) {
            e[t] = score(a, h, q, slot, table.block(t / AttentionSpec.PAGE), t % AttentionSpec.PAGE);
            top = Math.max(top, e[t]);
        }
        long sum = 0;
        float most = 0;
        long scales = head.pageOffset() + a.offset(h, PageField.V_SCALE);
        for (int t = from; t < positions; t++) {
            float p = exp(e[t] - top);
            sum += (int) rint(p * ONE_22);
            e[t] = p * table.block(t / AttentionSpec.PAGE).get(F32, scales + 4L * (t % AttentionSpec.PAGE));
            most = Math.max(most, e[t]);
        }
        float g = ONE_22 / most;
        long zeros = head.pageOffset() + a.offset(h, PageField.V_ZERO);
        int first = 0;
        for (int i = 0; i < 2; i++) {
            int n = i == 0 ? a.headDim() - head.vSalient() : head.vSalient();
            int width = AttentionSpec.storage(a.vBits()[i]);
            int stride = AttentionSpec.pad(n, 32) * width / 8;
            long data = head.pageOffset() + a.offset(h, i == 0 ? PageField.V0 : PageField.V1);
            float unit = (i == 0 ? most : most * vRatio(a)) / (float) sum;
            for (int c = 0; c < n; c++) {
                long acc = 0;
                for (int t = from; t < positions && most > 0; t++) {
                    MemorySegment block = table.block(t / AttentionSpec.PAGE);
                    int at = t % AttentionSpec.PAGE;
                    long row = data + (long) at * stride;
                    int code = width == 8 ? block.get(I8, row + c) & 255
                            : block.get(I8, row + c / 32 * 16 + c % 16) >> c % 32 / 16 * 4 & 15;
                    int z = block.get(I8, zeros + (long) i * AttentionSpec.PAGE + at) & 255;
                    acc += (long) (int) rint(e[t] * g) * (code - z);
                }
                out.set(F32, 4 * (to + head.vPerm()[first + c]), value(a, head, first + c, acc, sum, unit));
            }
            first += n;
        }
    }

    /** N8: the output of permuted V channel c. Frozen: every s_v is 1, so R is 1 and the a are the l. */
    static float value(AttentionSpec a, KvHead head, int c, long acc, long sum, float unit) {
        return a.frozenV() ? (float) (acc - head.vZero()[c] * sum) * (head.vScale()[c] / (float) sum) : (float) acc * unit;
    }

    /** N7: the score of a query against one cached position. */
    private static float score(AttentionSpec a, int h, Queries q, long slot, MemorySegment block, int at) {
        KvHead head = a.kvHeads().get(h);
        long page = head.pageOffset();
        long code = slot * a.qPadded();
        int total = -q.sum().get(I32, 8 * slot);
        float b = 0;
        boolean empty = true;
        for (int i = 0; i < 2; i++) {
            int n = i == 0 ? a.headDim() - head.kSalient() : head.kSalient();
            if (n > 0) {
                int width = AttentionSpec.storage(a.kBits()[i]);
                int padded = AttentionSpec.pad(n, 16);
                long panel = page + a.offset(h, i == 0 ? PageField.K0 : PageField.K1) + (long) (at / 16) * 2 * padded * width;
                int d = 0;
                for (int k = 0; k < n; k++) {
                    d += q.code().get(I8, code + k) * r16(block, panel, k, at % 16, width);
                }
                int index = i * AttentionSpec.PAGE + at;
                if (a.qBits() == 8) {
                    d += (128 - q.zero().get(I32, 4 * slot)) * block.get(I32, page + a.offset(h, PageField.K_SUM) + 4L * index);
                }
                total += d;
                d -= (block.get(I8, page + a.offset(h, PageField.K_ZERO) + index) & 255) * q.sum().get(I32, 8 * slot + 4L * i);
                float s = block.get(F32, page + a.offset(h, PageField.K_SCALE) + 4L * index);
                b = empty ? d * s : Math.fma((float) d, s, b);
                empty = false;
                code += padded;
            }
        }
        float score = (a.frozenK() ? (float) total : b) * (q.scale().get(F32, 4 * slot) * a.scores().kappa());
        return a.scores().softcap() > 0 ? Numerics.softcap(score, a.scores().softcap()) : score;
    }

    // ------------------------------------------------------------------ dense attention

    @Override
    public void denseAppend(AttentionSpec a, MemorySegment qkv, int qkvStride, MemorySegment rope, Sequences seq, int begin, int end) {
        int d = a.headDim();
        int kv = a.kvHeads().size();
        float[] v = SCRATCH.get().head;
        for (int s = 0; s < seq.count(); s++) {
            int last = Math.min(end, seq.row(s) + seq.rows(s));
            for (int r = Math.max(begin, seq.row(s)); r < last; r++) {
                int position = seq.position(s) + r - seq.row(s);
                int at = position % AttentionSpec.PAGE;
                MemorySegment block = seq.table(s).block(position / AttentionSpec.PAGE);
                for (int h = 0; h < a.heads() + 2 * kv; h++) {
                    long x = (long) r * qkvStride + (long) h * d;
                    for (int c = 0; c < d; c++) {
                        v[c] = h < a.heads() + kv ? rotated(qkv, x, rope, (long) position * d, d, c) : qkv.get(F32, 4 * (x + c));
                    }
                    for (int c = 0; c < d; c++) {
                        if (h < a.heads()) {
                            qkv.set(F32, 4 * (x + c), v[c]);
                        } else {
                            boolean key = h < a.heads() + kv;
                            long page = a.kvHeads().get(key ? h - a.heads() : h - a.heads() - kv).pageOffset();
                            block.set(F32, page + 4L * (key ? c * AttentionSpec.PAGE + at : (AttentionSpec.PAGE + at) * d + c), v[c]);
                        }
                    }
                }
            }
        }
    }

    @Override
    public void denseAttend(AttentionSpec a, MemorySegment qkv, int qkvStride, Sequences seq, MemorySegment out, int outStride,
            MemorySegment scratch, int begin, int end, int headBegin, int headEnd) {
        int group = a.heads() / a.kvHeads().size();
        for (int s = 0; s < seq.count(); s++) {
            int last = Math.min(end, seq.row(s) + seq.rows(s));
            for (int r = Math.max(begin, seq.row(s)); r < last; r++) {
                for (int h = headBegin * group; h < headEnd * group; h++) {
                    denseHead(a, a.kvHeads().get(h / group).pageOffset(), qkv, (long) r * qkvStride + (long) h * a.headDim(),
                            seq.table(s), seq.position(s) + r - seq.row(s) + 1, out, (long) r * outStride + (long) h * a.headDim());
                }
            }
        }
    }

    private static void denseHead(AttentionSpec a, long page, MemorySegment qkv, long x, Sequences.BlockTable table, int positions,
            MemorySegment out, long to) {
        int d = a.headDim();
        float[] e = SCRATCH.get().weights(positions);
        int from = a.scores().firstSeen(positions - 1);
        int first = from & -256; // blocks are absolute
        float top = Float.NEGATIVE_INFINITY;
        for (int t = from; t < positions; t++) {
            MemorySegment block = table.block(t / AttentionSpec.PAGE);
            float acc = 0;
            for (int c = 0; c < d; c++) {
                acc = Math.fma(block.get(F32, page + 4L * (c * AttentionSpec.PAGE + t % AttentionSpec.PAGE)), qkv.get(F32, 4 * (x + c)), acc);
            }
            e[t] = acc * a.scores().kappa();
            e[t] = a.scores().softcap() > 0 ? Numerics.softcap(e[t], a.scores().softcap()) : e[t];
            top = Math.max(top, e[t]);
        }
        float sum = 0;
        for (int block = first; block < positions; block += 256) {
            float part = 0;
            for (int t = Math.max(block, from); t < Math.min(positions, block + 256); t++) {
                e[t] = exp(e[t] - top);
                part += e[t];
            }
            sum += part;
        }
        for (int c = 0; c < d; c++) {
            float total = 0;
            for (int block = first; block < positions; block += 256) {
                float acc = 0;
                for (int t = Math.max(block, from); t < Math.min(positions, block + 256); t++) {
                    acc = Math.fma(e[t], table.block(t / AttentionSpec.PAGE).get(F32,
                            page + 4L * ((AttentionSpec.PAGE + t % AttentionSpec.PAGE) * d + c)), acc);
                }
                total += acc;
            }
            out.set(F32, 4 * (to + c), total / sum);
        }
    }

    // ------------------------------------------------------------------ bounds

    @Override
    public long readBandwidth(MemorySegment data) {
        long x = 0;
        for (long i = 0; i + 8 <= data.byteSize(); i += 8) {
            x ^= data.get(I64, i);
        }
        return x;
    }

    @Override
    public long gemmPeak(int weightBits, int actBits, long iterations) {
        return 0;
    }
}
