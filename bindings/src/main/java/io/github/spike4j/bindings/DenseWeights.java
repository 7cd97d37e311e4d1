package io.github.spike4j.bindings;

import io.github.spike4j.bindings.ffi.s4j_dense_weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Float weights in layout R16, {@code s4j_dense_weights}, over memory that the caller keeps alive. */
public final class DenseWeights {
    private final long rows;
    private final long channels;
    private final MemorySegment struct;

    /**
     * @param arena    lives at least as long as the last call that uses this
     * @param data     {@code pad16(rows) * pad64(channels)} elements, 64-byte aligned
     * @param bias     f32 {@code [pad16(rows)]}; or null
     * @param rows     real output rows, at least 1
     * @param channels real input channels, at least 1
     * @param dtype    element type
     * @throws IllegalArgumentException naming the part that does not fit
     */
    public DenseWeights(Arena arena, MemorySegment data, MemorySegment bias, long rows, long channels, DType dtype) {
        Check.within("rows", rows, 1, 1L << 31);
        Check.within("channels", channels, 1, 1L << 31);
        Check.memory("data", data, Check.pad(rows, 16), Check.pad(channels, 64) * dtype.bytes(), 64);
        Weights.optional("bias", bias, Check.pad(rows, 16), Float.BYTES, Float.BYTES);
        this.rows = rows;
        this.channels = channels;
        struct = s4j_dense_weights.allocate(arena);
        s4j_dense_weights.data(struct, data);
        s4j_dense_weights.bias(struct, Weights.orNull(bias));
        s4j_dense_weights.rows(struct, rows);
        s4j_dense_weights.channels(struct, channels);
        s4j_dense_weights.dtype(struct, dtype.value());
    }

    /** Real output rows. */
    public long rows() {
        return rows;
    }

    /** Real input channels. */
    public long channels() {
        return channels;
    }

    MemorySegment struct() {
        return struct;
    }
}
