package io.github.spike4j.kernels;

import java.lang.foreign.MemorySegment;

/**
 * Integer weights of a linear (the C struct {@code s4j_weights}); sizes are checked once, here. Padded rows = rows rounded up to 16,
 * panels = padded rows / 16, G = the input group's groups.
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

    private final GifSpec spec;
    private final int rows;
    private final int bits;
    private final Layout layout;
    private final int weightGroups;
    private final MemorySegment data;
    private final MemorySegment scale;
    private final MemorySegment zero;
    private final MemorySegment mult;
    private final MemorySegment sum;
    private final MemorySegment bias;
    private volatile Object peer;

    /**
     * @param spec the input group
     * @param rows real output rows
     * @param bits storage width of a code: 2, 4 or 8
     * @param layout of {@code data}
     * @param weightGroups 1 (one zero point a row) or G
     * @param data codes
     * @param scale f32 [padded rows]
     * @param zero u8 [panels][weightGroups][16]
     * @param mult u8 [panels][G][16], or null for 1
     * @param sum i32 [panels][G][16], sums of (w - zw); null unless a segment has 8 bits or the layout is P64
     * @param bias f32 [padded rows] or null
     * @throws IllegalArgumentException naming what does not fit
     */
    public SpikeWeights(GifSpec spec, int rows, int bits, Layout layout, int weightGroups, MemorySegment data, MemorySegment scale,
            MemorySegment zero, MemorySegment mult, MemorySegment sum, MemorySegment bias) {
        GifSpec.require(rows > 0, "rows", rows);
        GifSpec.require(bits == 2 || bits == 4 || bits == 8 || (bits == 1 && layout == Layout.P64), "weight bits (2, 4, 8)", bits);
        GifSpec.require(weightGroups == 1 || weightGroups == spec.groups(), "weight groups (1 or " + spec.groups() + ")", weightGroups);
        GifSpec.require(mult == null || weightGroups == spec.groups(), "weight groups with sub-scales", weightGroups);
        boolean sums = layout == Layout.P64 || spec.segments().stream().anyMatch(s -> s.bits() == 8 && s.channels() > 0);
        GifSpec.require(!sums || sum != null, "absent weight sums with 8-bit activations, rows", rows);
        long padded = (rows + 15) & -16;
        long rowsOfData = layout == Layout.C1 ? (rows + 31) & -32 : padded;
        long bytes = layout == Layout.C1 ? rowsOfData / 2 * spec.channels() : rowsOfData * spec.padded() * bits / 8;
        this.spec = spec;
        this.rows = rows;
        this.bits = bits;
        this.layout = layout;
        this.weightGroups = weightGroups;
        this.data = GifSpec.sized(data, bytes, "weight data");
        this.scale = GifSpec.sized(scale, 4 * padded, "weight scales");
        this.zero = GifSpec.sized(zero, padded * weightGroups, "weight zero points");
        this.mult = mult == null ? null : GifSpec.sized(mult, padded * spec.groups(), "weight sub-scales");
        this.sum = sum == null ? null : GifSpec.sized(sum, 4 * padded * spec.groups(), "weight sums");
        this.bias = bias == null ? null : GifSpec.sized(bias, 4 * padded, "bias");
    }

    /** The input group. */
    public GifSpec spec() {
        return spec;
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

    /** f32 [padded rows]. */
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

    /** i32 [panels][G][16] or null. */
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
