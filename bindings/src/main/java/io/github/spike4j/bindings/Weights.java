package io.github.spike4j.bindings;

import io.github.spike4j.bindings.ffi.Spike4jH;
import io.github.spike4j.bindings.ffi.s4j_weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Integer weights of a linear, {@code s4j_weights}, over memory that the caller keeps alive (usually a mapped file). Sizes and
 * alignment of every part are checked here once, so that a call checks its row range only.
 */
public final class Weights {
    /** How the codes lie in memory; those that a function of this ABI reads. */
    public enum Layout {
        /** 16-row panels of 64-byte vectors. */
        R16,
        /** Bit planes in 64-bit words, at most 2 bits. */
        P64;

        int value() {
            return switch (this) {
                case R16 -> Spike4jH.S4J_LAYOUT_R16();
                case P64 -> Spike4jH.S4J_LAYOUT_P64();
            };
        }
    }

    /**
     * Where the parts of a weight tensor lie. Panels are 16 rows; G is {@link GifSpec#groups()}.
     *
     * @param data  codes, 64-byte aligned: padded rows * padded channels * bits / 8 bytes; with steps a plane a step
     * @param scale f32 {@code [padded rows]}; with steps {@code [sum of steps][padded rows]}
     * @param zero  u8 {@code [panels][weightGroups][16]}
     * @param mult  u8 {@code [panels][G][16]}, 1..63; or null for 1
     * @param sum   i32 {@code [panels][G][16]}, with steps G counts each of them; may be null if no segment has 8 or 16 bits and the layout
     *              is R16
     * @param bias  f32 {@code [padded rows]}; or null
     */
    public record Parts(MemorySegment data, MemorySegment scale, MemorySegment zero, MemorySegment mult, MemorySegment sum,
            MemorySegment bias) {
    }

    private static final int MAX_STEPS = 16;

    private final GifSpec gif;
    private final long rows;
    private final Layout layout;
    private final boolean hasSum;
    private final MemorySegment struct;

    /**
     * @param arena        lives at least as long as the last call that uses this
     * @param gif          the encoding of the input
     * @param parts        the memory
     * @param rows         real output rows, at least 1
     * @param weightGroups 1 (one zero point a row) or {@link GifSpec#groups()}
     * @param bits         storage width of a code: 2, 4 or 8; P64: 1 or 2
     * @param layout       how the codes lie in memory
     * @param steps        multi-step weights: planes of codes by segment, 1..16 each, over R16 without groups; empty for one
     * @throws IllegalArgumentException naming the part that does not fit
     */
    public Weights(Arena arena, GifSpec gif, Parts parts, long rows, long weightGroups, int bits, Layout layout,
            int... steps) {
        Check.within("rows", rows, 1, 1L << 31);
        Check.that(weightGroups == 1 || weightGroups == gif.groups(), "weightGroups", "1 or " + gif.groups(), weightGroups);
        Check.that(layout == Layout.R16 ? bits == 2 || bits == 4 || bits == 8 : bits == 1 || bits == 2, "bits",
                layout == Layout.R16 ? "2, 4 or 8" : "1 or 2", bits);
        if (layout == Layout.P64 && gif.isGrouped()) {
            throw new IllegalArgumentException("layout: expected segments without groups for P64, got groups");
        }
        if (parts.mult == null && weightGroups != 1) {
            throw new IllegalArgumentException("mult: expected sub-scales with " + weightGroups + " weight groups, got null");
        }
        if (parts.sum == null && (gif.needsSum() || layout == Layout.P64)) {
            throw new IllegalArgumentException("sum: expected sums (an 8-bit segment or layout P64), got null");
        }
        Check.that(layout == Layout.R16 || !gif.isWide(), "gif", "segments of at most 8 bits for P64", 16);
        boolean stepped = steps.length > 0;
        if (stepped) {
            Check.that(steps.length == gif.segments().size(), "steps", "one number for each segment", steps.length);
            Check.that(layout == Layout.R16 && parts.mult == null && !gif.isGrouped(), "steps", "layout R16 and no groups", steps.length);
        }
        long planes = stepped ? 0 : 1;
        long channels = 0;
        long groups = 0;
        for (int i = 0; i < gif.segments().size(); i++) {
            var segment = gif.segments().get(i);
            int n = stepped ? steps[i] : 1;
            Check.within("steps", n, 1, MAX_STEPS);
            planes += stepped ? n : 0;
            channels += n * segment.padded();
            groups += n * segment.groups();
        }
        this.gif = gif;
        this.rows = rows;
        this.layout = layout;
        hasSum = parts.sum != null;
        long padded = Check.pad(rows, 16);
        // channels is a multiple of 64, so a row is a whole number of bytes.
        Check.memory("data", parts.data, padded, channels * bits / Byte.SIZE, 64);
        Check.memory("scale", parts.scale, padded, planes * Float.BYTES, Float.BYTES);
        Check.memory("zero", parts.zero, padded, weightGroups, 1);
        optional("mult", parts.mult, padded, groups, 1);
        optional("sum", parts.sum, padded, groups * Integer.BYTES, Integer.BYTES);
        optional("bias", parts.bias, padded, Float.BYTES, Float.BYTES);
        struct = s4j_weights.allocate(arena);
        s4j_weights.data(struct, parts.data);
        s4j_weights.scale(struct, parts.scale);
        s4j_weights.zero(struct, parts.zero);
        s4j_weights.mult(struct, orNull(parts.mult));
        s4j_weights.sum(struct, orNull(parts.sum));
        s4j_weights.bias(struct, orNull(parts.bias));
        s4j_weights.rows(struct, rows);
        s4j_weights.weight_groups(struct, weightGroups);
        s4j_weights.bits(struct, bits);
        s4j_weights.layout(struct, layout.value());
        for (int i = 0; i < steps.length; i++) {
            s4j_weights.steps(struct, i, steps[i]);
        }
    }

    static void optional(String name, MemorySegment memory, long count, long size, long alignment) {
        if (memory != null) {
            Check.memory(name, memory, count, size, alignment);
        }
    }

    static MemorySegment orNull(MemorySegment memory) {
        return memory == null ? MemorySegment.NULL : memory;
    }

    /** The encoding of the input. */
    public GifSpec gif() {
        return gif;
    }

    /** Real output rows. */
    public long rows() {
        return rows;
    }

    /** How the codes lie in memory. */
    public Layout layout() {
        return layout;
    }

    boolean hasSum() {
        return hasSum;
    }

    MemorySegment struct() {
        return struct;
    }
}
