package io.github.spike4j.kernels;

import java.lang.foreign.MemorySegment;

/** Float weights in layout R16 (the C struct {@code s4j_dense_weights}), k padded to 64, rows to 16. */
public final class DenseWeights {
    private final int rows;
    private final int channels;
    private final boolean bf16;
    private final MemorySegment data;
    private final MemorySegment bias;
    private volatile Object peer;

    /**
     * @param rows real output rows
     * @param channels input channels
     * @param bf16 bfloat16, else float32
     * @param data R16 panels
     * @param bias f32 [padded rows] or null
     */
    public DenseWeights(int rows, int channels, boolean bf16, MemorySegment data, MemorySegment bias) {
        GifSpec.require(rows > 0, "rows", rows);
        GifSpec.require(channels > 0, "channels", channels);
        long paddedRows = (rows + 15) & -16;
        this.rows = rows;
        this.channels = channels;
        this.bf16 = bf16;
        this.data = GifSpec.sized(data, paddedRows * ((channels + 63) & -64) * (bf16 ? 2 : 4), "dense weight data");
        this.bias = bias == null ? null : GifSpec.sized(bias, 4 * paddedRows, "bias");
    }

    /** Real output rows. */
    public int rows() {
        return rows;
    }

    /** Input channels. */
    public int channels() {
        return channels;
    }

    /** True for bfloat16, false for float32. */
    public boolean bf16() {
        return bf16;
    }

    /** R16 panels. */
    public MemorySegment data() {
        return data;
    }

    /** f32 [padded rows] or null. */
    public MemorySegment bias() {
        return bias;
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
