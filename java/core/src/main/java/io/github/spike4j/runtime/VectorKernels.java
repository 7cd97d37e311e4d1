package io.github.spike4j.runtime;

import static io.github.spike4j.kernels.Numerics.code;
import static io.github.spike4j.kernels.Numerics.finite;
import static io.github.spike4j.kernels.Numerics.levels;

import io.github.spike4j.kernels.Activation;
import io.github.spike4j.kernels.AttentionSpec;
import io.github.spike4j.kernels.AttentionSpec.PageField;
import io.github.spike4j.kernels.DenseWeights;
import io.github.spike4j.kernels.GifSpec;
import io.github.spike4j.kernels.Numerics;
import io.github.spike4j.kernels.Queries;
import io.github.spike4j.kernels.Sequences;
import io.github.spike4j.kernels.SpikeWeights;
import io.github.spike4j.kernels.Spikes;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * The Vector API backend: encode, linears, norms and attention in 256-bit vectors; the rest is inherited.
 *
 * <p>The Vector API has no vpmaddubsw, so products are formed in 16-bit lanes. A dword of an R16 vector holds four bytes of one row; as
 * shorts, {@code (x >> shift) & mask} is a pair of weights k, k + 2 of that row, which meets the pair (d[k], d[k + 2]) broadcast as one
 * int. Sums stay in 16 bits for as many products as the widths allow, then both halves of a dword go to its row's 32-bit sum.
 */
public final class VectorKernels extends JavaKernels {
    private static final VectorSpecies<Float> F = FloatVector.SPECIES_256;
    private static final VectorSpecies<Integer> I = IntVector.SPECIES_256;
    private static final VectorSpecies<Short> S = ShortVector.SPECIES_256;
    private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
    /** Tokens of a GEMM tile, rows of half a panel. */
    private static final int TILE = 8;

    /** Per-thread scratch, grown to the largest use. */
    private static final class Work {
        short[] weights = new short[0];
        float[] floats = new float[0];
        int[] pairs = new int[0];
        int[] sums = new int[TILE * TILE];
        int[] totals = new int[0];
        /** Zero points, sub-scales and sums of 8 rows, each [groups][8]. */
        int[] rows = new int[0];
        final int[] ints = new int[8];
        /** Zero points of a page, sums of a head's channels. */
        final int[] zeros = new int[AttentionSpec.PAGE];
        final long[] sums64 = new long[256];

        short[] weights(int n) {
            return weights.length >= n ? weights : (weights = new short[n]);
        }

        float[] floats(int n) {
            return floats.length >= n ? floats : (floats = new float[n]);
        }

        int[] pairs(int n) {
            return pairs.length >= n ? pairs : (pairs = new int[n]);
        }

        int[] rows(int n) {
            return rows.length >= n ? rows : (rows = new int[n]);
        }

        int[] totals(int n) {
            return totals.length >= n ? totals : (totals = new int[grown(n)]);
        }
    }

    private static final ThreadLocal<Work> WORK = ThreadLocal.withInitial(Work::new);

    @Override
    public String backend() {
        return "vector";
    }

    // ------------------------------------------------------------------ spike linear

    /** Products of a weight code and a signed byte that a 16-bit lane holds: |d| is below 2^B, or at most 128 at 8 bits. */
    private static int budget(int weightBits, int actBits) {
        return Math.max(1, Short.MAX_VALUE / (levels(weightBits) * (actBits == 8 ? 128 : levels(actBits))));
    }

    @Override
    public void linear(SpikeWeights w, Spikes x, int tokens, MemorySegment y, int yStride, boolean add, int begin, int end) {
        checkRange(w.rows(), begin, end);
        GifSpec spec = w.spec();
        if (w.stepped() || spec.hasBits(16)) { // no recipe's hot path
            super.linear(w, x, tokens, y, yStride, add, begin, end);
            return;
        }
        x.check(spec, tokens);
        Work work = WORK.get();
        int bits = w.bits();
        int perToken = spec.padded() / 2; // one int carries two channels
        int[] pairs = work.pairs((tokens + TILE) * perToken); // [tile][channel pair][token of the tile]
        int tiles = (tokens + TILE - 1) / TILE;
        Arrays.fill(pairs, (tiles - 1) * TILE * perToken, tiles * TILE * perToken, 0);
        for (int t = 0; t < tokens; t++) {
            pairsOf(x.code(), (long) t * spec.padded(), spec.padded(), pairs, t / TILE * TILE * perToken + t % TILE, TILE);
        }
        short[] panel = work.weights(spec.padded() * TILE);
        int segments = spec.segments().size();
        int[] totals = work.totals(segments * TILE * TILE);
        int panels = (w.rows() + 15) / 16;
        for (int row = begin; row < end; row += TILE) {
            int p = row >> 4;
            int half = row & 8;
            long data = 0;
            for (int i = 0, first = 0; i < segments; i++) {
                int padded = spec.segments().get(i).padded();
                unpack(w.data(), data + (long) p * 2 * padded * bits + 4L * half, padded, bits, panel, first * TILE);
                data += (long) panels * 2 * padded * bits;
                first += padded;
            }
            loadRows(w, p, half, work);
            for (int tile = 0; tile < tiles; tile++) {
                int most = Math.min(TILE, tokens - tile * TILE);
                Arrays.fill(totals, 0, segments * TILE * TILE, 0);
                for (int i = 0, first = 0, group = 0; i < segments; i++) {
                    var s = spec.segments().get(i);
                    int size = s.group() == 0 ? s.padded() : s.group();
                    int budget = budget(bits, s.bits());
                    for (int j = 0; j < s.groups(); j++) {
                        int from = j * size;
                        int to = j == s.groups() - 1 ? s.padded() : from + size; // pads are zero bytes
                        tile(panel, (first + from) * TILE, (to - from) / 2, pairs, (tile * perToken + (first + from) / 2) * TILE, budget, most,
                                work.sums);
                        addGroup(w, x, s.bits(), group + j, tile * TILE, most, work, totals, i * TILE * TILE);
                    }
                    first += s.padded();
                    group += s.groups();
                }
                for (int t = 0; t < most; t++) {
                    finish(w, x, totals, t, tile * TILE + t, row, Math.min(TILE, end - row), y, yStride, add);
                }
            }
        }
    }

    /** Zero points, sub-scales and sums of 8 rows of a panel as ints, by group. */
    private static void loadRows(SpikeWeights w, int p, int half, Work work) {
        int groups = w.spec().groups();
        int[] rows = work.rows(3 * groups * TILE);
        for (int j = 0; j < groups; j++) {
            long zero = ((long) p * w.weightGroups() + (w.weightGroups() == 1 ? 0 : j)) * 16 + half;
            long group = ((long) p * groups + j) * 16 + half;
            bytes(w.zero(), zero).intoArray(rows, j * TILE);
            if (w.mult() != null) {
                bytes(w.mult(), group).intoArray(rows, (groups + j) * TILE);
            }
            if (w.sum() != null) {
                IntVector.fromMemorySegment(I, w.sum(), 4 * group, LE).intoArray(rows, (2 * groups + j) * TILE);
            }
        }
    }

    /** Eight unsigned bytes as ints. */
    private static IntVector bytes(MemorySegment from, long at) {
        return (IntVector) ByteVector.fromMemorySegment(ByteVector.SPECIES_64, from, at, LE).convertShape(VectorOperators.ZERO_EXTEND_B2I, I, 0);
    }

    /** totals[t] += m mw (sum d w - zw sum d [+ (128 - z) sum (w - zw)]) of one group, 8 rows at a time. */
    private static void addGroup(SpikeWeights w, Spikes x, int bits, int j, int token, int tokens, Work work, int[] totals, int at) {
        int groups = w.spec().groups();
        int[] rows = work.rows;
        IntVector zero = IntVector.fromArray(I, rows, j * TILE);
        for (int t = 0; t < tokens; t++) {
            long g = 4 * ((long) (token + t) * groups + j);
            IntVector sum = IntVector.fromArray(I, work.sums, t * TILE).sub(zero.mul(x.sum().get(I32, g)));
            if (bits == 8) {
                sum = sum.add(IntVector.fromArray(I, rows, (2 * groups + j) * TILE).mul(128 - x.zero().get(I32, g)));
            }
            if (w.mult() != null) {
                sum = sum.mul(IntVector.fromArray(I, rows, (groups + j) * TILE));
            }
            IntVector.fromArray(I, totals, at + t * TILE).add(sum.mul(x.mult().get(I32, g))).intoArray(totals, at + t * TILE);
        }
    }

    private static void finish(SpikeWeights w, Spikes x, int[] totals, int t, int token, int row, int rows, MemorySegment y, int yStride,
            boolean add) {
        FloatVector result = FloatVector.zero(F);
        FloatVector scale = FloatVector.fromMemorySegment(F, w.scale(), 4L * row, LE);
        boolean empty = true;
        var segments = w.spec().segments();
        for (int i = 0; i < segments.size(); i++) {
            if (segments.get(i).channels() > 0) {
                FloatVector d = toFloat(IntVector.fromArray(I, totals, (i * TILE + t) * TILE));
                FloatVector unit = scale.mul(x.scale().get(F32, 16L * token + 4 * i));
                result = empty ? d.mul(unit) : d.fma(unit, result);
                empty = false;
            }
        }
        put(result, w.bias(), y, (long) token * yStride, row, rows, add);
    }

    /** Stores up to 8 output rows of a token. */
    private static void put(FloatVector result, MemorySegment bias, MemorySegment y, long at, int row, int rows, boolean add) {
        if (rows == TILE) {
            if (bias != null) {
                result = result.add(FloatVector.fromMemorySegment(F, bias, 4L * row, LE));
            }
            if (add) {
                result = FloatVector.fromMemorySegment(F, y, 4 * (at + row), LE).add(result);
            }
            result.intoMemorySegment(y, 4 * (at + row), LE);
            return;
        }
        float[] lanes = SCRATCH.get().lanes;
        result.intoArray(lanes, 0);
        for (int r = 0; r < rows; r++) {
            store(y, at + row + r, lanes[r], bias, row + r, add);
        }
    }

    /** Activation bytes as pairs in the order of the unpacked weight vectors: (k0 + 4i + odd, k0 + 4i + odd + 2). */
    private static void pairsOf(MemorySegment code, long from, int n, int[] pairs, int to, int stride) {
        for (int k = 0; k < n; k += 4, to += 2 * stride) {
            int d = code.get(I32, from + k);
            // bytes 0, 2 and bytes 1, 3, each sign-extended to 16 bits
            pairs[to] = (byte) d & 0xffff | (byte) (d >> 16) << 16;
            pairs[to + stride] = (byte) (d >> 8) & 0xffff | d >> 24 << 16;
        }
    }

    /** Rows [half, half + 8) of a panel's segment as 16-bit lanes: for each 4 channels a vector of pairs (0, 2), one of (1, 3). */
    private static void unpack(MemorySegment data, long at, int padded, int bits, short[] out, int to) {
        short mask = (short) levels(bits);
        for (int k = 0; k < padded; k += 32 / bits, at += 64) {
            ShortVector x = ByteVector.fromMemorySegment(ByteVector.SPECIES_256, data, at, LE).reinterpretAsShorts();
            for (int shift = 0; shift < 8; shift += bits, to += 32) {
                x.lanewise(VectorOperators.LSHR, shift).and(mask).intoArray(out, to);
                x.lanewise(VectorOperators.LSHR, shift + 8).and(mask).intoArray(out, to + 16);
            }
        }
    }

    private static IntVector widen(IntVector sum, ShortVector c) {
        IntVector both = c.reinterpretAsInts();
        return sum.add(both.lanewise(VectorOperators.LSHL, 16).lanewise(VectorOperators.ASHR, 16)).add(both.lanewise(VectorOperators.ASHR, 16));
    }

    private static ShortVector pair(int[] a, int at) {
        return IntVector.broadcast(I, a[at]).reinterpretAsShorts();
    }

    /** sums[t][row] of 8 rows x up to 8 tokens over n weight vectors; a holds the pairs [n][8] from a0. */
    private static void tile(short[] w, int from, int n, int[] a, int a0, int budget, int tokens, int[] sums) {
        Arrays.fill(sums, 0);
        for (int v = 0; v < n; v += budget) {
            int stop = Math.min(n, v + budget);
            if (tokens > 2) {
                block8(w, from, v, stop, a, a0, sums);
            } else {
                for (int t = 0; t < tokens; t++) {
                    block1(w, from, v, stop, a, a0 + t, sums, t * TILE);
                }
            }
        }
    }

    private static void block1(short[] w, int from, int v, int stop, int[] a, int a0, int[] sums, int at) {
        ShortVector c = ShortVector.zero(S);
        for (int u = v; u < stop; u++) {
            c = c.add(ShortVector.fromArray(S, w, from + u * 16).mul(pair(a, a0 + u * TILE)));
        }
        widen(sums, at, c);
    }

    /** The hot loop: 8 sums in registers, int loop variables and no other live vectors, so that C2 spills none. */
    private static void block8(short[] w, int from, int v, int stop, int[] a, int a0, int[] sums) {
        ShortVector c0 = ShortVector.zero(S), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
        for (int u = v; u < stop; u++) {
            ShortVector x = ShortVector.fromArray(S, w, from + u * 16);
            int k = a0 + u * TILE;
            c0 = c0.add(x.mul(pair(a, k)));
            c1 = c1.add(x.mul(pair(a, k + 1)));
            c2 = c2.add(x.mul(pair(a, k + 2)));
            c3 = c3.add(x.mul(pair(a, k + 3)));
            c4 = c4.add(x.mul(pair(a, k + 4)));
            c5 = c5.add(x.mul(pair(a, k + 5)));
            c6 = c6.add(x.mul(pair(a, k + 6)));
            c7 = c7.add(x.mul(pair(a, k + 7)));
        }
        widen(sums, 0, c0);
        widen(sums, 8, c1);
        widen(sums, 16, c2);
        widen(sums, 24, c3);
        widen(sums, 32, c4);
        widen(sums, 40, c5);
        widen(sums, 48, c6);
        widen(sums, 56, c7);
    }

    private static void widen(int[] sums, int at, ShortVector c) {
        widen(IntVector.fromArray(I, sums, at), c).intoArray(sums, at);
    }

    // ------------------------------------------------------------------ dense linear

    @Override
    public void dense(DenseWeights w, MemorySegment x, int xStride, int tokens, MemorySegment y, int yStride, boolean add, int begin,
            int end) {
        checkRange(w.rows(), begin, end);
        Work work = WORK.get();
        int channels = w.channels();
        int padded = (channels + 63) & -64;
        float[] panel = work.floats(padded * TILE);
        float[] rows = SCRATCH.get().values(TILE * channels);
        for (int t0 = 0; t0 < tokens; t0 += 4) {
            int most = Math.min(4, tokens - t0);
            Arrays.fill(rows, 0, 4 * channels, 0);
            for (int t = 0; t < most; t++) {
                MemorySegment.copy(x, F32, 4L * (t0 + t) * xStride, rows, t * channels, channels);
            }
            for (int row = begin; row < end; row += TILE) {
                long at = (long) (row >> 4) * 16 * padded;
                if (w.bf16()) {
                    for (int k = 0; k < channels; k += 2) {
                        IntVector both = IntVector.fromMemorySegment(I, w.data(), 2 * (at + (long) k * 16) + 4L * (row & 8), LE);
                        both.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(panel, k * TILE);
                        both.and(0xffff0000).reinterpretAsFloats().intoArray(panel, (k + 1) * TILE);
                    }
                } else {
                    for (int k = 0; k < channels; k++) {
                        FloatVector.fromMemorySegment(F, w.data(), 4 * (at + (long) k * 16 + (row & 8)), LE).intoArray(panel, k * TILE);
                    }
                }
                dot4(panel, rows, channels, w, row, Math.min(TILE, end - row), t0, most, y, yStride, add);
            }
        }
    }

    /** DOT256 of 8 rows (lanes) and 4 tokens. */
    private static void dot4(float[] w, float[] x, int n, DenseWeights weights, int row, int rows, int t0, int tokens, MemorySegment y,
            int yStride, boolean add) {
        FloatVector s0 = FloatVector.zero(F), s1 = s0, s2 = s0, s3 = s0;
        for (int block = 0; block < n; block += 256) {
            int stop = Math.min(n, block + 256);
            FloatVector c0 = FloatVector.zero(F), c1 = c0, c2 = c0, c3 = c0;
            for (int k = block; k < stop; k++) {
                FloatVector v = FloatVector.fromArray(F, w, k * TILE);
                c0 = v.fma(FloatVector.broadcast(F, x[k]), c0);
                c1 = v.fma(FloatVector.broadcast(F, x[n + k]), c1);
                c2 = v.fma(FloatVector.broadcast(F, x[2 * n + k]), c2);
                c3 = v.fma(FloatVector.broadcast(F, x[3 * n + k]), c3);
            }
            s0 = s0.add(c0);
            s1 = s1.add(c1);
            s2 = s2.add(c2);
            s3 = s3.add(c3);
        }
        put(s0, weights.bias(), y, (long) t0 * yStride, row, rows, add);
        if (tokens > 1) {
            put(s1, weights.bias(), y, (long) (t0 + 1) * yStride, row, rows, add);
        }
        if (tokens > 2) {
            put(s2, weights.bias(), y, (long) (t0 + 2) * yStride, row, rows, add);
        }
        if (tokens > 3) {
            put(s3, weights.bias(), y, (long) (t0 + 3) * yStride, row, rows, add);
        }
    }

    // ------------------------------------------------------------------ encode, norm, activation

    private static FloatVector rint(FloatVector x) {
        return x.add(0x1.8p23f).sub(0x1.8p23f);
    }

    private static FloatVector exp(FloatVector x) {
        FloatVector v = x.max(-87f).min(88f); // a NaN stays one in Java's max and min
        FloatVector n = rint(v.mul(0x1.715476p+0f));
        FloatVector r = n.fma(FloatVector.broadcast(F, -0x1.62e4p-1f), v);
        r = n.fma(FloatVector.broadcast(F, -0x1.7f7d1cp-20f), r);
        FloatVector p = FloatVector.broadcast(F, 0x1.a0d2cep-13f);
        p = p.fma(r, FloatVector.broadcast(F, 0x1.6e879cp-10f));
        p = p.fma(r, FloatVector.broadcast(F, 0x1.11121p-7f));
        p = p.fma(r, FloatVector.broadcast(F, 0x1.555382p-5f));
        p = p.fma(r, FloatVector.broadcast(F, 0x1.555554p-3f));
        p = p.fma(r, FloatVector.broadcast(F, 0.5f));
        p = p.fma(r, FloatVector.broadcast(F, 1f));
        p = p.fma(r, FloatVector.broadcast(F, 1f));
        return p.reinterpretAsInts().add(toInt(n).lanewise(VectorOperators.LSHL, 23)).reinterpretAsFloats();
    }

    private static FloatVector softcap(FloatVector x, float cap) {
        FloatVector u = exp(x.div(cap).abs().mul(-2f));
        FloatVector y = u.neg().add(1f).div(u.add(1f)).mul(cap);
        return y.reinterpretAsInts().and(0x7fffffff).or(x.reinterpretAsInts().and(0x80000000)).reinterpretAsFloats();
    }

    private static IntVector toInt(FloatVector x) {
        return (IntVector) x.convertShape(VectorOperators.F2I, I, 0);
    }

    @Override
    int encodeGroup(float[] v, int first, int n, float s, int z, GifSpec.Segment segment, Spikes out, long at, long group, int m) {
        int bits = segment.bits();
        if (bits == 16) {
            return super.encodeGroup(v, first, n, s, z, segment, out, at, group, m);
        }
        int levels = levels(bits);
        int offset = bits == 8 ? 128 : z;
        int sum = 0;
        int silent = 0;
        int[] codes = WORK.get().ints;
        int c = 0;
        for (; c + 8 <= n; c += 8) {
            FloatVector x = FloatVector.fromArray(F, v, first + c).div(s).max(-0x1p21f).min(0x1p21f);
            toInt(rint(x).add(z).max(0).min(levels)).intoArray(codes, 0);
            for (int i = 0; i < 8; i++) {
                int d = codes[i] - offset;
                out.code().set(I8, at + c + i, (byte) d);
                sum += d;
                silent += codes[i] == z ? 1 : 0;
            }
        }
        for (; c < n; c++) {
            int code = code(v[first + c], s, z, levels);
            out.code().set(I8, at + c, (byte) (code - offset));
            sum += code - offset;
            silent += code == z ? 1 : 0;
        }
        putGroup(out, group, z, m, sum);
        return silent;
    }

    @Override
    public boolean rmsNorm(MemorySegment x, int xStride, MemorySegment weight, int channels, float eps, MemorySegment y, int yStride,
            boolean add, int begin, int end) {
        float[] lanes = SCRATCH.get().lanes;
        boolean ok = true;
        for (int row = begin; row < end; row++) {
            long from = (long) row * xStride;
            long to = (long) row * yStride;
            float sum = sum32(x, from, channels, lanes);
            boolean finite = finite(sum);
            float r = finite ? 1f / (float) Math.sqrt(sum / channels + eps) : Float.NaN;
            int i = 0;
            for (; i + 8 <= channels; i += 8) {
                FloatVector v = FloatVector.fromMemorySegment(F, x, 4 * (from + i), LE).mul(r)
                        .mul(FloatVector.fromMemorySegment(F, weight, 4L * i, LE));
                (add ? FloatVector.fromMemorySegment(F, y, 4 * (to + i), LE).add(v) : v).intoMemorySegment(y, 4 * (to + i), LE);
            }
            for (; i < channels; i++) {
                store(y, to + i, x.get(F32, 4 * (from + i)) * r * weight.get(F32, 4L * i), null, 0, add);
            }
            ok &= finite;
        }
        return ok;
    }

    /** SUM32 with lanes 0..7, 8..15, ... in four vectors; a ragged end goes through the scalar form. */
    private static float sum32(MemorySegment x, long first, int n, float[] lanes) {
        if (n % 32 != 0) {
            return sumOfSquares(x, first, n, lanes);
        }
        float total = 0;
        for (int block = 0; block < n; block += 512) {
            int stop = Math.min(n, block + 512);
            FloatVector a = FloatVector.zero(F), b = a, c = a, d = a;
            for (int i = block; i < stop; i += 32) {
                FloatVector v0 = FloatVector.fromMemorySegment(F, x, 4 * (first + i), LE);
                FloatVector v1 = FloatVector.fromMemorySegment(F, x, 4 * (first + i + 8), LE);
                FloatVector v2 = FloatVector.fromMemorySegment(F, x, 4 * (first + i + 16), LE);
                FloatVector v3 = FloatVector.fromMemorySegment(F, x, 4 * (first + i + 24), LE);
                a = v0.fma(v0, a);
                b = v1.fma(v1, b);
                c = v2.fma(v2, c);
                d = v3.fma(v3, d);
            }
            a.add(c).add(b.add(d)).intoArray(lanes, 0);
            for (int h = 4; h > 0; h >>= 1) {
                for (int j = 0; j < h; j++) {
                    lanes[j] += lanes[j + h];
                }
            }
            total += lanes[0];
        }
        return total;
    }

    @Override
    public void glu(Activation activation, MemorySegment gateUp, int stride, int channels, MemorySegment y, int yStride, int begin, int end) {
        int whole = channels & -8;
        for (int r = begin; r < end; r++) {
            long from = (long) r * stride;
            for (int i = 0; i < whole; i += 8) {
                FloatVector g = FloatVector.fromMemorySegment(F, gateUp, 4 * (from + i), LE);
                FloatVector u = FloatVector.fromMemorySegment(F, gateUp, 4 * (from + channels + i), LE);
                FloatVector t = switch (activation) {
                    case SILU -> g;
                    case GELU_TANH -> g.mul(g).fma(FloatVector.broadcast(F, 0x1.2444f2p-4f), FloatVector.broadcast(F, 0x1.988454p+0f)).mul(g);
                };
                g.div(exp(t.neg()).add(1f)).mul(u).intoMemorySegment(y, 4 * ((long) r * yStride + i), LE);
            }
            for (int i = whole; i < channels; i++) {
                float g = gateUp.get(F32, 4 * (from + i));
                y.set(F32, 4 * ((long) r * yStride + i), Numerics.activate(activation, g) * gateUp.get(F32, 4 * (from + channels + i)));
            }
        }
    }

    @Override
    public void softcap(MemorySegment x, int xStride, int channels, float cap, int begin, int end) {
        int whole = channels & -8;
        for (int r = begin; r < end; r++) {
            for (int i = 0; i < whole; i += 8) {
                long at = 4 * ((long) r * xStride + i);
                softcap(FloatVector.fromMemorySegment(F, x, at, LE), cap).intoMemorySegment(x, at, LE);
            }
            for (int i = whole; i < channels; i++) {
                long at = 4 * ((long) r * xStride + i);
                x.set(F32, at, Numerics.softcap(x.get(F32, at), cap));
            }
        }
    }

    // ------------------------------------------------------------------ attention

    /** As the inherited form, with scores of 8 positions and sums of 8 channels at a time. */
    @Override
    void attendHead(AttentionSpec a, int h, Queries q, long slot, Sequences.BlockTable table, int positions, MemorySegment out, long to) {
        var head = a.kvHeads().get(h);
        Work work = WORK.get();
        float[] e = SCRATCH.get().weights((positions + 7) & -8);
        int from = a.scores().firstSeen(positions - 1);
        scores(a, h, q, slot, table, from & -8, positions, e, work);
        float top = Float.NEGATIVE_INFINITY;
        for (int t = from; t < positions; t++) {
            top = Math.max(top, e[t]);
        }
        long sum = 0;
        float most = 0;
        long scales = head.pageOffset() + a.offset(h, PageField.V_SCALE);
        for (int t0 = from & -8; t0 < positions; t0 += 8) {
            FloatVector p = exp(FloatVector.fromArray(F, e, t0).sub(top));
            toInt(rint(p.mul(ONE_22))).intoArray(work.ints, 0);
            MemorySegment block = table.block(t0 / AttentionSpec.PAGE);
            p.mul(FloatVector.fromMemorySegment(F, block, scales + 4L * (t0 % AttentionSpec.PAGE), LE)).intoArray(e, t0);
            for (int t = Math.max(t0, from); t < Math.min(positions, t0 + 8); t++) {
                sum += work.ints[t - t0];
                most = Math.max(most, e[t]);
            }
        }
        float g = ONE_22 / most;
        int[] amounts = work.totals(positions + 8);
        for (int t = from; t < positions; t++) {
            amounts[t] = most > 0 ? (int) Numerics.rint(e[t] * g) : 0;
        }
        int first = 0;
        for (int i = 0; i < 2; i++) {
            int n = i == 0 ? a.headDim() - head.vSalient() : head.vSalient();
            if (n > 0) {
                values(a, h, i, n, table, from, positions, amounts, sum, (i == 0 ? most : most * vRatio(a)) / (float) sum, first, out, to);
            }
            first += n;
        }
    }

    /**
     * N8: channels of one V segment, a page and 8 channels at a time; |a (v - z)| is at most 2^22 (2^B - 1), which bounds the positions
     * of a 32-bit sum.
     */
    private static void values(AttentionSpec a, int h, int i, int n, Sequences.BlockTable table, int from, int positions, int[] amounts,
            long sum, float unit, int first, MemorySegment out, long to) {
        var head = a.kvHeads().get(h);
        int width = AttentionSpec.storage(a.vBits()[i]);
        int stride = AttentionSpec.pad(n, 32) * width / 8;
        long data = head.pageOffset() + a.offset(h, i == 0 ? PageField.V0 : PageField.V1);
        long zeros = head.pageOffset() + a.offset(h, PageField.V_ZERO) + (long) i * AttentionSpec.PAGE;
        int budget = Math.max(1, (int) ((long) Integer.MAX_VALUE / ((long) levels(a.vBits()[i]) << 22)));
        int[] part = WORK.get().ints;
        int[] zero = WORK.get().zeros;
        long[] sums = WORK.get().sums64;
        Arrays.fill(sums, 0, n, 0);
        for (int page = from & -AttentionSpec.PAGE; page < positions; page += AttentionSpec.PAGE) {
            MemorySegment block = table.block(page / AttentionSpec.PAGE);
            int rows = Math.min(AttentionSpec.PAGE, positions - page);
            for (int t = 0; t < AttentionSpec.PAGE; t += 8) {
                bytes(block, zeros + t).intoArray(zero, t);
            }
            for (int c = 0; c < n; c += 8) {
                int shift = width == 8 ? 0 : c % 32 / 16 * 4;
                long column = data + (width == 8 ? c : c / 32 * 16 + c % 16);
                int mask = levels(width);
                for (int t = Math.max(0, from - page); t < rows; t += budget) {
                    int stop = Math.min(rows, t + budget);
                    IntVector acc = IntVector.zero(I);
                    for (int u = t; u < stop; u++) {
                        IntVector code = bytes(block, column + (long) u * stride).lanewise(VectorOperators.LSHR, shift).and(mask);
                        acc = acc.add(code.sub(zero[u]).mul(amounts[page + u]));
                    }
                    acc.intoArray(part, 0);
                    for (int lane = 0; lane < Math.min(8, n - c); lane++) {
                        sums[c + lane] += part[lane];
                    }
                }
            }
        }
        for (int c = 0; c < n; c++) {
            out.set(F32, 4 * (to + head.vPerm()[first + c]), value(a, head, first + c, sums[c], sum, unit));
        }
    }

    /** N7: scores of positions [from, positions), 8 (half a K panel) at a time. */
    private static void scores(AttentionSpec a, int h, Queries q, long slot, Sequences.BlockTable table, int from, int positions, float[] e,
            Work work) {
        var head = a.kvHeads().get(h);
        int[] pairs = work.pairs(a.qPadded() / 2);
        pairsOf(q.code(), slot * a.qPadded(), a.qPadded(), pairs, 0, 1);
        float unit = q.scale().get(F32, 4 * slot) * a.scores().kappa();
        float cap = a.scores().softcap();
        int queryZero = q.zero().get(I32, 4 * slot);
        for (int t = from; t < positions; t += 8) {
            MemorySegment block = table.block(t / AttentionSpec.PAGE);
            int at = t % AttentionSpec.PAGE;
            IntVector total = IntVector.broadcast(I, -q.sum().get(I32, 8 * slot));
            FloatVector b = FloatVector.zero(F);
            boolean empty = true;
            int pair = 0;
            for (int i = 0; i < 2; i++) {
                int n = i == 0 ? a.headDim() - head.kSalient() : head.kSalient();
                if (n == 0) {
                    continue;
                }
                int width = AttentionSpec.storage(a.kBits()[i]);
                int padded = AttentionSpec.pad(n, 16);
                long panel = head.pageOffset() + a.offset(h, i == 0 ? PageField.K0 : PageField.K1) + (long) (at / 16) * 2 * padded * width
                        + 4L * (at & 8);
                scoreSums(block, panel, padded, width, budget(a.kBits()[i], a.qBits()), pairs, pair, work.ints);
                IntVector d = IntVector.fromArray(I, work.ints, 0);
                long index = 4L * (i * AttentionSpec.PAGE + at);
                if (a.qBits() == 8) {
                    d = d.add(IntVector.fromMemorySegment(I, block, head.pageOffset() + a.offset(h, PageField.K_SUM) + index, LE)
                            .mul(128 - queryZero));
                }
                total = total.add(d);
                IntVector zeros = bytes(block, head.pageOffset() + a.offset(h, PageField.K_ZERO) + index / 4);
                FloatVector f = toFloat(d.sub(zeros.mul(q.sum().get(I32, 8 * slot + 4L * i))));
                FloatVector s = FloatVector.fromMemorySegment(F, block, head.pageOffset() + a.offset(h, PageField.K_SCALE) + index, LE);
                b = empty ? f.mul(s) : f.fma(s, b);
                empty = false;
                pair += padded / 2;
            }
            FloatVector score = (a.frozenK() ? toFloat(total) : b).mul(unit);
            (cap > 0 ? softcap(score, cap) : score).intoArray(e, t);
        }
    }

    private static FloatVector toFloat(IntVector x) {
        return (FloatVector) x.convertShape(VectorOperators.I2F, F, 0);
    }

    /** Sums of q times k codes for 8 positions of a K panel. In an array: too large to be inlined, it would return an object. */
    private static void scoreSums(MemorySegment block, long at, int padded, int width, int budget, int[] pairs, int pair, int[] sums) {
        IntVector sum = IntVector.zero(I);
        int products = 32 / width / 2; // of a lane and vector
        long end = at + 2L * padded * width;
        if (budget < products) {
            for (; at < end; at += 64, pair += 2) {
                ShortVector x = codes(block, at);
                sum = widen(widen(sum, x.and((short) 255).mul(pair(pairs, pair))), x.lanewise(VectorOperators.LSHR, 8).mul(pair(pairs, pair + 1)));
            }
            sum.intoArray(sums, 0);
            return;
        }
        while (at < end) {
            long stop = Math.min(end, at + 64L * (budget / products));
            ShortVector c = ShortVector.zero(S);
            if (width == 4) {
                for (; at < stop; at += 64, pair += 4) {
                    ShortVector x = codes(block, at);
                    c = c.add(x.and((short) 15).mul(pair(pairs, pair))).add(nibble(x, 8).mul(pair(pairs, pair + 1)))
                            .add(nibble(x, 4).mul(pair(pairs, pair + 2))).add(nibble(x, 12).mul(pair(pairs, pair + 3)));
                }
            } else {
                for (; at < stop; at += 64, pair += 2) {
                    ShortVector x = codes(block, at);
                    c = c.add(x.and((short) 255).mul(pair(pairs, pair))).add(x.lanewise(VectorOperators.LSHR, 8).mul(pair(pairs, pair + 1)));
                }
            }
            sum = widen(sum, c);
        }
        sum.intoArray(sums, 0);
    }

    private static ShortVector codes(MemorySegment data, long at) {
        return ByteVector.fromMemorySegment(ByteVector.SPECIES_256, data, at, LE).reinterpretAsShorts();
    }

    private static ShortVector nibble(ShortVector x, int shift) {
        return x.lanewise(VectorOperators.LSHR, shift).and((short) 15);
    }
}
