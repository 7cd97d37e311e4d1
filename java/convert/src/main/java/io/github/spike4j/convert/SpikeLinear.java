package io.github.spike4j.convert;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

import io.github.spike4j.convert.importer.Matrix;
import io.github.spike4j.format.Encoding;
import io.github.spike4j.format.Layout;
import io.github.spike4j.format.Layouts;
import io.github.spike4j.format.Segment;
import io.github.spike4j.kernels.Numerics;

/**
 * A linear as integers: what the file stores of it.
 *
 * @param data         codes in layout R16
 * @param scale        {@code [16 P]}
 * @param zero         {@code [P, weightGroups, 16]}
 * @param mult         {@code [P, G, 16]} or null
 * @param sum          {@code [P, G, 16]} or null
 * @param weightGroups 1 or G
 * @param worst        by segment: largest sum of a row over its groups of mw * max(P, N), see N4 "Limits"
 */
record SpikeLinear(MemorySegment data, float[] scale, byte[] zero, byte[] mult, int[] sum, int weightGroups, long[] worst) {
    /** Caps on mw that are tried one after the other. */
    private static final int[] CAPS = {63, 31, 15, 7, 1};
    /** Shrinks of a range that the clipping search tries: 1, 0.98, ... 0.30. */
    private static final int SHRINKS = 36;

    /**
     * How weights become codes.
     *
     * @param bits      of a code
     * @param group     channels of one sub-scale inside a segment, or 0
     * @param search    whether the clipping of each range is searched
     * @param symmetric zero point in the middle, one scale a row (lm_head)
     */
    record Weights(int bits, int group, boolean search, boolean symmetric) { }

    /**
     * Rounds to nearest. A row's range (or that of each of its groups) holds zero and is shrunk by the p of 1, 0.98, ... 0.30 that
     * minimises the sum of {@code importance * error^2}; the first of equals wins. Groups: base = largest scale of a group / cap, mw = the
     * scale in bases, rounded up.
     *
     * @param rows       weights in source order
     * @param channels   their permutation
     * @param segments   of the input group; maxMultiplier is not used
     * @param importance by permuted channel: mean x^2
     */
    static SpikeLinear quantize(String name, Matrix rows, Channels channels, Segment[] segments, Weights how, double[] importance,
            Workers workers, Arena arena) {
        boolean grouped = how.group > 0;
        for (int cap : CAPS) {
            var linear = new Builder(name, rows, channels, segments, how, importance, cap).build(workers, arena);
            if (linear.fits(segments)) {
                return linear;
            }
            if (!grouped) {
                break;
            }
        }
        throw new ConversionException(name + ": " + rows.columns() + " channels at " + how.bits + "-bit weights and " + segments[0].bits()
                + "-bit activations can exceed 32-bit sums; use fewer bits");
    }

    /** As {@link #quantize}, but of the shape alone: arrays of that size, no data, as loose a bound as there is. */
    static SpikeLinear planned(int rows, Segment[] segments, Weights how) {
        int panels = Layouts.panels(rows);
        int groups = Arrays.stream(segments).mapToInt(Segment::groups).sum();
        int weightGroups = how.group > 0 ? groups : 1;
        return new SpikeLinear(null, new float[16 * panels], new byte[16 * panels * weightGroups],
                how.group > 0 ? new byte[16 * panels * groups] : null, needsSums(segments) ? new int[16 * panels * groups] : null, weightGroups,
                new long[segments.length]);
    }

    /** Whether activations have 8 or 16 bits: N4 adds the weights' sums. */
    static boolean needsSums(Segment[] segments) {
        return Arrays.stream(segments).anyMatch(s -> s.channels() > 0 && s.bits() >= 8);
    }

    private boolean fits(Segment[] segments) {
        for (int s = 0; s < segments.length; s++) {
            if (maxMultiplier(segments[s].bits(), worst[s]) < 1) {
                return false;
            }
        }
        return true;
    }

    /** M of a segment: the largest at most 255 with (2^bits - 1) M worst <= 2^31 - 1; 0 if there is none. 16 bits have 64-bit sums. */
    static int maxMultiplier(int bits, long worst) {
        return worst == 0 || bits == 16 ? 255 : (int) Math.min(255, Integer.MAX_VALUE / (((1L << bits) - 1) * worst));
    }

    private static final class Builder {
        private final String name;
        private final Matrix rows;
        private final int[] permutation;
        private final Segment[] segments;
        private final Weights how;
        private final double[] importance;
        private final int cap;
        private final int levels;
        private final int groups;
        private final int[] segmentChannels;
        private final int storage;

        private MemorySegment data;
        private float[] scale;
        private byte[] zero;
        private byte[] mult;
        private int[] sum;

        Builder(String name, Matrix rows, Channels channels, Segment[] segments, Weights how, double[] importance, int cap) {
            this.name = name;
            this.rows = rows;
            this.permutation = channels.permutation();
            this.segments = segments;
            this.how = how;
            this.importance = importance;
            this.cap = cap;
            levels = (1 << how.bits) - 1;
            groups = Arrays.stream(segments).mapToInt(Segment::groups).sum();
            segmentChannels = Arrays.stream(segments).mapToInt(Segment::channels).toArray();
            storage = Encoding.ofCodes(how.bits).bits();
        }

        SpikeLinear build(Workers workers, Arena arena) {
            int panels = Layouts.panels(rows.rows());
            int weightGroups = how.group > 0 ? groups : 1;
            data = arena.allocate(Layouts.weightBytes(Layout.R16, Encoding.ofCodes(how.bits), rows.rows(), segmentChannels), 64);
            scale = new float[16 * panels];
            zero = new byte[16 * panels * weightGroups];
            mult = how.group > 0 ? new byte[16 * panels * groups] : null;
            sum = needsSums(segments) ? new int[16 * panels * groups] : null;
            var worst = new long[panels][segments.length];
            workers.run(panels, p -> new Panel(p, worst[p]).quantize());
            var most = new long[segments.length];
            for (var w : worst) {
                for (int s = 0; s < most.length; s++) {
                    most[s] = Math.max(most[s], w[s]);
                }
            }
            return new SpikeLinear(data, scale, zero, mult, sum, weightGroups, most);
        }

        /** Sixteen rows. */
        private final class Panel {
            private final int panel;
            private final long[] worst;
            private final int k = permutation.length;
            private final float[] source = new float[k];
            private final float[] w = new float[k];
            private final float[] error = new float[k];
            private final int count;
            private final byte[] codes;

            Panel(int panel, long[] worst) {
                this.panel = panel;
                this.worst = worst;
                count = Math.min(16, rows.rows() - 16 * panel);
                codes = new byte[count * k];
            }

            void quantize() {
                if (mult != null) {
                    Arrays.fill(mult, panel * groups * 16, (panel + 1) * groups * 16, (byte) 1);
                }
                for (int r = 0; r < count; r++) {
                    rows.read(16 * panel + r, source, 0);
                    for (int c = 0; c < k; c++) {
                        w[c] = source[permutation[c]];
                        if (!Float.isFinite(w[c])) {
                            throw new ConversionException(name + ": a weight is not finite: row " + (16 * panel + r) + ", channel " + permutation[c]);
                        }
                    }
                    if (how.symmetric) {
                        symmetric(r);
                    } else if (how.group > 0) {
                        grouped(r);
                    } else {
                        plain(r);
                    }
                }
                Layouts.packR16(codes, 16 * panel, count, rows.rows(), segmentChannels, storage, data);
            }

            private void symmetric(int r) {
                float most = Math.max(max(0, k), -min(0, k));
                float s = Numerics.clamp(most / (levels / 2), 1e-5f, 1e4f);
                row(r, s, levels / 2 + 1);
            }

            private void plain(int r) {
                float hi = max(0, k);
                float lo = min(0, k);
                float p = shrink(0, k, hi, lo);
                float s = Numerics.scale(hi * p, lo * p, levels);
                row(r, s, Numerics.zero(lo * p, s, levels));
            }

            /** One scale and zero point for the row. */
            private void row(int r, float s, int z) {
                scale[16 * panel + r] = s;
                zero[16 * panel + r] = (byte) z;
                encode(r, 0, k, s, z);
                int first = 0;
                int g = 0;
                for (int i = 0; i < segments.length; i++) {
                    int step = segments[i].group() == 0 ? Math.max(1, segments[i].channels()) : segments[i].group();
                    int end = first + segments[i].channels();
                    for (int from = first; from < end; from += step) {
                        account(r, i, g++, from, Math.min(end, from + step), z, 1);
                    }
                    first = end;
                }
            }

            private void grouped(int r) {
                int[] from = new int[groups];
                float[] hi = new float[groups];
                float[] lo = new float[groups];
                float most = 0;
                int n = 0;
                int first = 0;
                for (var segment : segments) {
                    int end = first + segment.channels();
                    for (int at = first; at < end; at += how.group) {
                        int last = Math.min(end, at + how.group);
                        float h = max(at, last);
                        float l = min(at, last);
                        float p = shrink(at, last, h, l);
                        for (int sub = at; sub < last; sub += segment.group()) {
                            from[n] = sub;
                            hi[n] = h * p;
                            lo[n++] = l * p;
                        }
                        most = Math.max(most, (h * p - l * p) / levels);
                    }
                    first = end;
                }
                float base = Numerics.clamp(most, 1e-5f, 1e4f) / cap;
                scale[16 * panel + r] = base;
                int g = 0;
                first = 0;
                for (int i = 0; i < segments.length; i++) {
                    int end = first + segments[i].channels();
                    for (int last; g < groups && from[g] < end; g++) {
                        last = Math.min(end, from[g] + segments[i].group());
                        float raw = (hi[g] - lo[g]) / levels;
                        int m = Math.max(1, (int) Math.ceil(Math.min(raw / base, cap)));
                        float s = base * m;
                        int z = Numerics.zero(lo[g], s, levels);
                        int at = (panel * groups + g) * 16 + r;
                        mult[at] = (byte) m;
                        zero[at] = (byte) z;
                        encode(r, from[g], last, s, z);
                        account(r, i, g, from[g], last, z, m);
                    }
                    first = end;
                }
            }

            private float max(int from, int to) {
                float m = 0;
                for (int c = from; c < to; c++) {
                    m = Math.max(m, w[c]);
                }
                return m;
            }

            private float min(int from, int to) {
                float m = 0;
                for (int c = from; c < to; c++) {
                    m = Math.min(m, w[c]);
                }
                return m;
            }

            private float shrink(int from, int to, float hi, float lo) {
                float best = 1;
                double least = Double.POSITIVE_INFINITY;
                for (int i = 0; i < (how.search ? SHRINKS : 1); i++) {
                    float p = (100 - 2 * i) / 100f;
                    float s = Numerics.scale(hi * p, lo * p, levels);
                    float z = Numerics.zero(lo * p, s, levels);
                    for (int c = from; c < to; c++) {
                        float q = Numerics.clamp(Numerics.rint(Numerics.clamp(w[c] / s, -0x1p21f, 0x1p21f)) + z, 0, levels);
                        error[c] = w[c] - (q - z) * s;
                    }
                    double cost = 0;
                    for (int c = from; c < to; c++) {
                        cost += importance[c] * ((double) error[c] * error[c]);
                    }
                    if (cost < least) {
                        least = cost;
                        best = p;
                    }
                }
                return best;
            }

            private void encode(int r, int from, int to, float s, int z) {
                for (int c = from; c < to; c++) {
                    codes[r * k + c] = (byte) Numerics.code(w[c], s, z, levels);
                }
            }

            /** Adds group {@code g} of segment {@code i} to the sums and bounds. */
            private void account(int r, int i, int g, int from, int to, int z, int m) {
                long positive = 0;
                long negative = 0;
                for (int c = from; c < to; c++) {
                    int d = (codes[r * k + c] & 0xff) - z;
                    positive += Math.max(d, 0);
                    negative += Math.max(-d, 0);
                }
                if (sum != null) {
                    sum[(panel * groups + g) * 16 + r] = (int) (positive - negative);
                }
                rowWorst[i] += m * Math.max(positive, negative);
                if (g == lastGroup(i)) {
                    worst[i] = Math.max(worst[i], rowWorst[i]);
                    rowWorst[i] = 0;
                }
            }

            private final long[] rowWorst = new long[segments.length];

            private int lastGroup(int segment) {
                int g = -1;
                for (int i = 0; i <= segment; i++) {
                    g += segments[i].groups();
                }
                return g;
            }
        }
    }
}
