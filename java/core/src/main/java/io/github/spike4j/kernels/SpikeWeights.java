package io.github.spike4j.kernels;

import java.lang.foreign.MemorySegment;

/**
 * Integer weights of a linear (the C struct {@code s4j_weights}); sizes are checked once, here. Padded rows = rows rounded up to 16,
 * panels = padded rows / 16, G = the input group's groups. {@code Layouts} of {@code io.github.spike4j.format} packs codes.
 */
public final class SpikeWeights {
    /** Where the codes lie (SPEC.md, "Layouts"). The order is the C enum's. */
    public enum Layout {
        /** 16-row panels of 64-byte vectors. */
        R16,
        /** K-major columns, 4 bits. */
        C1,
        /** Bit planes in 64-bit words, 8-row panels, at most 2 bits. */
        P64
    }

    /** Most planes of a segment. */
    private static final int MAX_STEPS = 16;

    private final GifSpec spec;
    private final int rows;
    private final int bits;
    private final Layout layout;
    private final int weightGroups;
    private final int[] steps;
    private final int groups;
    private final MemorySegment data;
    private final MemorySegment scale;
    private final MemorySegment zero;
    private final MemorySegment mult;
    private final MemorySegment sum;
    private final MemorySegment bias;
    private volatile Object peer;

    /**
     * @param spec the input group
     * @param steps multi-step weights: planes of codes and scales by segment, 1..16 each, without groups, in R16; null for one
     * @param rows real output rows
     * @param bits storage width of a code: 2, 4 or 8
     * @param layout of {@code data}
     * @param weightGroups 1 (one zero point a row) or G
     * @param data codes
     * @param scale f32 [padded rows]; with steps [sum of steps][padded rows]
     * @param zero u8 [panels][weightGroups][16]
     * @param mult u8 [panels][G][16], or null for 1
     * @param sum i32 [panels][G][16], sums of (w - zw), with steps G times its steps for each segment; null unless a segment has 8 or 16
     *     bits or the layout is P64
     * @param bias f32 [padded rows] or null
     * @throws IllegalArgumentException naming what does not fit
     */
    public SpikeWeights(GifSpec spec, int[] steps, int rows, int bits, Layout layout, int weightGroups, MemorySegment data,
            MemorySegment scale, MemorySegment zero, MemorySegment mult, MemorySegment sum, MemorySegment bias) {
        GifSpec.require(rows > 0, "rows", rows);
        GifSpec.require(bits == 2 || bits == 4 || bits == 8 || (bits == 1 && layout == Layout.P64), "weight bits (2, 4, 8)", bits);
        GifSpec.require(weightGroups == 1 || weightGroups == spec.groups(), "weight groups (1 or " + spec.groups() + ")", weightGroups);
        GifSpec.require(mult == null || weightGroups == spec.groups(), "weight groups with sub-scales", weightGroups);
        boolean sums = layout == Layout.P64 || spec.hasBits(8);
        GifSpec.require(!sums || sum != null, "absent weight sums with 8-bit activations, rows", rows);
        GifSpec.require(layout != Layout.P64 || !spec.hasBits(16), "width of activations in bit planes", 16);
        int planes = steps == null ? 1 : 0;
        int sumsOfRow = steps == null ? spec.groups() : 0;
        long channels = 0;
        GifSpec.require(steps == null || layout == Layout.R16 && mult == null && steps.length == spec.segments().size(), "steps", rows);
        for (int i = 0; i < spec.segments().size(); i++) {
            var s = spec.segments().get(i);
            int n = steps == null ? 1 : steps[i];
            GifSpec.require(n >= 1 && n <= MAX_STEPS && (steps == null || s.group() == 0), "steps of a segment (1..16, no groups)", n);
            channels += (long) n * s.padded();
            if (steps != null) {
                planes += n;
                sumsOfRow += n * s.groups();
            }
        }
        long padded = (rows + 15) & -16;
        long rowsOfData = layout == Layout.C1 ? (rows + 31) & -32 : padded;
        long bytes = layout == Layout.C1 ? rowsOfData / 2 * spec.channels() : rowsOfData * channels * bits / 8;
        this.spec = spec;
        this.rows = rows;
        this.bits = bits;
        this.layout = layout;
        this.weightGroups = weightGroups;
        this.steps = steps == null ? null : steps.clone();
        groups = sumsOfRow;
        this.data = GifSpec.sized(data, bytes, "weight data");
        this.scale = GifSpec.sized(scale, 4 * padded * planes, "weight scales");
        this.zero = GifSpec.sized(zero, padded * weightGroups, "weight zero points");
        this.mult = mult == null ? null : GifSpec.sized(mult, padded * spec.groups(), "weight sub-scales");
        this.sum = sum == null ? null : GifSpec.sized(sum, 4 * padded * groups, "weight sums");
        this.bias = bias == null ? null : GifSpec.sized(bias, 4 * padded, "bias");
    }

    /** The input group. */
    public GifSpec spec() {
        return spec;
    }

    /** Weights of one plane of codes. */
    public SpikeWeights(GifSpec spec, int rows, int bits, Layout layout, int weightGroups, MemorySegment data, MemorySegment scale,
            MemorySegment zero, MemorySegment mult, MemorySegment sum, MemorySegment bias) {
        this(spec, null, rows, bits, layout, weightGroups, data, scale, zero, mult, sum, bias);
    }

    /** Whether these are multi-step weights. */
    public boolean stepped() {
        return steps != null;
    }

    /** Planes of codes, and scales, of a segment. */
    public int steps(int segment) {
        return steps == null ? 1 : steps[segment];
    }

    /** Groups of {@link #sum()}: those of the spec, or, with steps, each segment's as often as it has steps. */
    public int groups() {
        return groups;
    }

    /** Real output rows. */
    public int rows() {
        return rows;
    }

    /** Storage width of a code. */
    public int bits() {
        return bits;
    }

    /** Layout of {@link #data()}. */
    public Layout layout() {
        return layout;
    }

    /** 1, or the groups of the spec. */
    public int weightGroups() {
        return weightGroups;
    }

    /** Codes. */
    public MemorySegment data() {
        return data;
    }

    /** f32 [padded rows], or [sum of steps][padded rows]. */
    public MemorySegment scale() {
        return scale;
    }

    /** u8 [panels][weightGroups][16]. */
    public MemorySegment zero() {
        return zero;
    }

    /** u8 [panels][G][16] or null. */
    public MemorySegment mult() {
        return mult;
    }

    /** i32 [panels][groups][16] or null. */
    public MemorySegment sum() {
        return sum;
    }

    /** f32 [padded rows] or null. */
    public MemorySegment bias() {
        return bias;
    }

    /** Bytes that one token's linear must read. */
    public long bytes() {
        return data.byteSize() + scale.byteSize() + zero.byteSize() + (mult == null ? 0 : mult.byteSize())
                + (sum == null ? 0 : sum.byteSize()) + (bias == null ? 0 : bias.byteSize());
    }

    /** Backends cache their own form of this descriptor here. */
    public Object peer() {
        return peer;
    }

    /** See {@link #peer()}. */
    public void peer(Object value) {
        peer = value;
    }
}
