package io.github.spike4j.bindings;

import io.github.spike4j.bindings.ffi.Spike4jH;
import io.github.spike4j.bindings.ffi.s4j_attention;
import io.github.spike4j.bindings.ffi.s4j_kv_head;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** The attention of one layer, {@code s4j_attention}: validated once, then immutable native memory of the given arena. */
public final class AttentionSpec {
    /** Positions of a KV page. */
    public static final int PAGE = Spike4jH.S4J_PAGE();
    private static final long PAGE_ALIGNMENT = 64;
    /** Bound of the library on a page's offset in its block. */
    private static final long MOST_OFFSET = 1L << 40;

    /**
     * Code widths, 2..8 each.
     *
     * @param q         queries
     * @param k         ordinary K channels
     * @param kSalient  salient K channels
     * @param v         ordinary V channels
     * @param vSalient  salient V channels: {@code v} or {@code v + 1}
     */
    public record Bits(int q, int k, int kSalient, int v, int vSalient) {
        /** @throws IllegalArgumentException naming the width that is out of range */
        public Bits {
            Check.within("bits.q", q, 2, 8);
            Check.within("bits.k", k, 2, 8);
            Check.within("bits.kSalient", kSalient, 2, 8);
            Check.within("bits.v", v, 2, 8);
            Check.within("bits.vSalient", vSalient, v, Math.min(v + 1, 8));
        }
    }

    /**
     * What becomes of a product of query and key.
     *
     * @param kappa   factor on scores, positive; (float) (1 / sqrt(headDim)) in most models
     * @param softcap soft cap of scores; 0 is none
     * @param window  positions that a token sees, its own included; 0 is all
     */
    public record Scores(float kappa, float softcap, long window) {
        /** @throws IllegalArgumentException naming what is out of range */
        public Scores {
            Check.that(kappa > 0 && Float.isFinite(kappa), "scores.kappa", "a positive number", kappa);
            Check.that(softcap >= 0 && Float.isFinite(softcap), "scores.softcap", "0 or a positive number", softcap);
            Check.within("scores.window", window, 0, Integer.MAX_VALUE);
        }
    }

    private final long heads;
    private final long kvHeads;
    private final long headDim;
    private final long qPadded;
    private final long blockBytes;
    private final boolean dense;
    private final MemorySegment struct;

    private AttentionSpec(Arena arena, long heads, long kvHeads, long headDim, Scores scores, long qPadded, long blockBytes,
            boolean dense) {
        Check.within("headDim", headDim, 2, 256);
        Check.that(headDim % 2 == 0, "headDim", "an even number", headDim);
        Check.within("kvHeads", kvHeads, 1, 1 << 16);
        Check.within("heads", heads, 1, 1 << 16);
        Check.that(heads % kvHeads == 0, "heads", "a multiple of the kv heads, " + kvHeads, heads);
        this.heads = heads;
        this.kvHeads = kvHeads;
        this.headDim = headDim;
        this.qPadded = qPadded;
        this.blockBytes = blockBytes;
        this.dense = dense;
        struct = s4j_attention.allocate(arena);
        s4j_attention.heads(struct, heads);
        s4j_attention.kv_heads(struct, kvHeads);
        s4j_attention.head_dim(struct, headDim);
        s4j_attention.q_padded(struct, qPadded);
        s4j_attention.window(struct, scores.window());
        s4j_attention.kappa(struct, scores.kappa());
        s4j_attention.softcap(struct, scores.softcap());
    }

    /**
     * Spiking attention.
     *
     * @param arena  lives at least as long as the last call that uses this
     * @param heads  query heads, a multiple of the kv heads
     * @param scores factor, cap and window of the scores
     * @param kv     the kv heads
     * @param bits   code widths
     * @param sharedK one range for both segments of K; not with frozen ranges
     * @param hadamard q and k are rotated, head by head, after RoPE
     * @throws IllegalArgumentException naming what is out of range
     */
    public static AttentionSpec spiking(Arena arena, int heads, int headDim, Scores scores, List<KvHead> kv, Bits bits, boolean sharedK,
            boolean hadamard) {
        Check.that(!kv.isEmpty(), "kv heads", "at least 1", 0);
        boolean frozenK = kv.getFirst().frozenK() != null;
        boolean frozenV = kv.getFirst().frozenV() != null;
        Check.that(!frozenK || !sharedK, "sharedK", "ranges of K by token", 1);
        long qPadded = 0;
        long blockBytes = 0;
        for (int i = 0; i < kv.size(); i++) {
            var head = kv.get(i);
            var name = "kv head " + i;
            Check.that(head.kPerm().length == headDim, name + ": kPerm.length", "headDim, " + headDim, head.kPerm().length);
            Check.that(head.vPerm().length == headDim, name + ": vPerm.length", "headDim, " + headDim, head.vPerm().length);
            Check.permutation(name + ": kPerm", head.kPerm());
            Check.permutation(name + ": vPerm", head.vPerm());
            Check.within(name + ": kSalient", head.kSalient(), 0, headDim);
            Check.within(name + ": vSalient", head.vSalient(), 0, headDim);
            frozen(name + ": frozenK", head.frozenK(), frozenK, headDim);
            frozen(name + ": frozenV", head.frozenV(), frozenV, headDim);
            checkOffset(name, head.pageOffset());
            qPadded = Math.max(qPadded, Check.pad(headDim - head.kSalient(), 16) + Check.pad(head.kSalient(), 16));
            blockBytes = Math.max(blockBytes, head.pageOffset()
                    + pageBytes(headDim, head.kSalient(), head.vSalient(), bits));
        }
        var spec = new AttentionSpec(arena, heads, kv.size(), headDim, scores, Check.pad(qPadded, 64), blockBytes, false);
        var array = s4j_kv_head.allocateArray(kv.size(), arena);
        for (int i = 0; i < kv.size(); i++) {
            var head = kv.get(i);
            var to = s4j_kv_head.asSlice(array, i);
            s4j_kv_head.k_perm(to, arena.allocateFrom(ValueLayout.JAVA_INT, head.kPerm()));
            s4j_kv_head.v_perm(to, arena.allocateFrom(ValueLayout.JAVA_INT, head.vPerm()));
            if (frozenK) {
                s4j_kv_head.k_scale(to, arena.allocateFrom(ValueLayout.JAVA_FLOAT, head.frozenK().scale()));
                s4j_kv_head.k_zero(to, arena.allocateFrom(ValueLayout.JAVA_BYTE, head.frozenK().zero()));
            }
            if (frozenV) {
                s4j_kv_head.v_scale(to, arena.allocateFrom(ValueLayout.JAVA_FLOAT, head.frozenV().scale()));
                s4j_kv_head.v_zero(to, arena.allocateFrom(ValueLayout.JAVA_BYTE, head.frozenV().zero()));
            }
            s4j_kv_head.k_channels(to, 0, headDim - head.kSalient());
            s4j_kv_head.k_channels(to, 1, head.kSalient());
            s4j_kv_head.v_channels(to, 0, headDim - head.vSalient());
            s4j_kv_head.v_channels(to, 1, head.vSalient());
            s4j_kv_head.page_offset(to, head.pageOffset());
        }
        s4j_attention.kv_head(spec.struct, array);
        s4j_attention.q_bits(spec.struct, bits.q());
        s4j_attention.k_bits(spec.struct, 0, bits.k());
        s4j_attention.k_bits(spec.struct, 1, bits.kSalient());
        s4j_attention.v_bits(spec.struct, 0, bits.v());
        s4j_attention.v_bits(spec.struct, 1, bits.vSalient());
        s4j_attention.k_mode(spec.struct, frozenK ? Spike4jH.S4J_K_FROZEN() : sharedK ? Spike4jH.S4J_K_SHARED() : Spike4jH.S4J_K_TOKEN());
        s4j_attention.v_mode(spec.struct, frozenV ? Spike4jH.S4J_V_FROZEN() : Spike4jH.S4J_V_TOKEN());
        s4j_attention.hadamard(spec.struct, hadamard ? 1 : 0);
        return spec;
    }

    /** Ranges by channel are there for all kv heads or for none. */
    private static void frozen(String name, KvHead.Frozen ranges, boolean wanted, int headDim) {
        Check.that((ranges != null) == wanted, name, "frozen ranges for all kv heads or for none", headDim);
        if (ranges != null) {
            Check.that(ranges.scale().length == headDim, name + ".scale", "headDim values", ranges.scale().length);
            Check.that(ranges.zero().length == headDim, name + ".zero", "headDim values", ranges.zero().length);
        }
    }

    /**
     * Dense reference attention over f32 pages.
     *
     * @param scores      factor, cap and window of the scores
     * @param pageOffsets byte offset of each kv head's page in a block, multiples of 64
     */
    public static AttentionSpec dense(Arena arena, int heads, int headDim, Scores scores, long... pageOffsets) {
        long blockBytes = 0;
        for (int i = 0; i < pageOffsets.length; i++) {
            checkOffset("kv head " + i, pageOffsets[i]);
            blockBytes = Math.max(blockBytes, pageOffsets[i] + densePageBytes(headDim));
        }
        var spec = new AttentionSpec(arena, heads, pageOffsets.length, headDim, scores, Check.pad(headDim, 64), blockBytes, true);
        var array = s4j_kv_head.allocateArray(pageOffsets.length, arena);
        for (int i = 0; i < pageOffsets.length; i++) {
            s4j_kv_head.page_offset(s4j_kv_head.asSlice(array, i), pageOffsets[i]);
        }
        s4j_attention.kv_head(spec.struct, array);
        // The widths are not used, but the library holds all attentions to the same ranges.
        s4j_attention.q_bits(spec.struct, 8);
        for (int i = 0; i < 2; i++) {
            s4j_attention.k_bits(spec.struct, i, 8);
            s4j_attention.v_bits(spec.struct, i, 8);
        }
        return spec;
    }

    /** Bytes of a kv head's page in the spiking cache: {@link #PAGE} positions, a multiple of 64. */
    public static long pageBytes(int headDim, int kSalient, int vSalient, Bits bits) {
        long codes = Check.pad(headDim - kSalient, 16) * stored(bits.k()) + Check.pad(kSalient, 16) * stored(bits.kSalient())
                + Check.pad(headDim - vSalient, 32) * stored(bits.v()) + Check.pad(vSalient, 32) * stored(bits.vSalient());
        // k_scale[2], v_scale, k_sum[2] of 4 bytes; k_zero[2], v_zero[2] of 1 byte.
        return PAGE * (codes / Byte.SIZE + 5 * 4 + 4);
    }

    /** Bytes of a kv head's page in the dense cache. */
    public static long densePageBytes(int headDim) {
        return 2L * PAGE * headDim * Float.BYTES;
    }

    private static long stored(int bits) {
        return bits <= 4 ? 4 : 8;
    }

    private static void checkOffset(String name, long offset) {
        Check.within(name + ": pageOffset", offset, 0, MOST_OFFSET);
        Check.that(offset % PAGE_ALIGNMENT == 0, name + ": pageOffset", "a multiple of 64", offset);
    }

    /** Query heads. */
    public long heads() {
        return heads;
    }

    /** K and V heads. */
    public long kvHeads() {
        return kvHeads;
    }

    /** Channels of a head. */
    public long headDim() {
        return headDim;
    }

    /** Signed bytes of an encoded query. */
    public long queryBytes() {
        return qPadded;
    }

    /** Smallest size of a KV block that holds all pages of this layer. */
    public long blockBytes() {
        return blockBytes;
    }

    /** Whether this is the dense reference. */
    public boolean isDense() {
        return dense;
    }

    MemorySegment struct() {
        return struct;
    }
}
