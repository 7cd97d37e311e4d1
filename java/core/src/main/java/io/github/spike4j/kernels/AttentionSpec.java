package io.github.spike4j.kernels;

import java.util.List;

/**
 * Geometry and quantization of one layer's attention (the C structs {@code s4j_attention} and {@code s4j_kv_head}, which draw the page).
 *
 * @param heads query heads, a multiple of the kv heads
 * @param headDim even, 2..256
 * @param scores factor, cap and window of the scores
 * @param coding what else the ranges of K and V hang on
 * @param dense the f32 reference attention: only {@code pageOffset} of the heads counts
 */
public record AttentionSpec(int heads, int headDim, Scores scores, boolean dense, int qBits, int[] kBits, int[] vBits, Coding coding,
        List<KvHead> kvHeads, Peer peer) {
    /** Positions of a page. */
    public static final int PAGE = 64;

    /**
     * What becomes of a product of query and key.
     *
     * @param kappa   factor on scores, positive
     * @param softcap soft cap of scores; 0 is none
     * @param window  positions that a token sees, its own included; 0 is all
     */
    public record Scores(float kappa, float softcap, int window) {
        /** Checks every range. */
        public Scores {
            GifSpec.require(kappa > 0 && Float.isFinite(kappa), "factor on scores (positive)", kappa);
            GifSpec.require(softcap >= 0 && Float.isFinite(softcap), "soft cap of scores (0 or positive)", softcap);
            GifSpec.require(window >= 0, "window (0 or positive)", window);
        }

        /** 1 / sqrt(headDim), no cap, no window. */
        public static Scores of(int headDim) {
            return new Scores((float) (1 / StrictMath.sqrt(headDim)), 0, 0);
        }

        /** The first position that position {@code p} sees. */
        public int firstSeen(int p) {
            return window > 0 && p >= window ? p + 1 - window : 0;
        }
    }

    /**
     * How K and V get their ranges (N7, N8).
     *
     * @param hadamard q and k are rotated, head by head, after N5 (N9)
     */
    public record Coding(K k, V v, boolean hadamard) {
        /** A range of each token and kv head, K's two segments apart. */
        public static final Coding TOKEN = new Coding(K.TOKEN, V.TOKEN, false);

        /** Ranges of K. */
        public enum K {
            /** By token and kv head, one for each segment. */
            TOKEN,
            /** By channel, from calibration. */
            FROZEN,
            /** By token and kv head, one for both segments. */
            SHARED
        }

        /** Ranges of V. */
        public enum V {
            /** By token and kv head. */
            TOKEN,
            /** By channel, from calibration. The pages hold scales of 1 and zero points of 0. */
            FROZEN
        }
    }

    /**
     * One kv head. Channels are permuted: ordinary first, then salient.
     *
     * @param kPerm source channel of each permuted K channel, [headDim]
     * @param kScale by permuted channel, frozen K only, else null
     * @param kZero by permuted channel, frozen K only, else null
     * @param vScale by permuted channel, frozen V only, else null
     * @param vZero by permuted channel, frozen V only, else null
     * @param kSalient salient K channels
     * @param pageOffset byte offset of this (layer, kv head)'s page in a block, a multiple of 64
     */
    public record KvHead(int[] kPerm, int[] vPerm, float[] kScale, int[] kZero, float[] vScale, int[] vZero, int kSalient, int vSalient, long pageOffset) {}

    /** A mutable cell in which a backend caches its own form of the descriptor. */
    public static final class Peer {
        /** Built on first use by a backend. */
        public volatile Object value;
    }

    /** Checks every range. */
    public AttentionSpec {
        GifSpec.require(headDim >= 2 && headDim <= 256 && headDim % 2 == 0, "head size (even, 2..256)", headDim);
        GifSpec.require(!kvHeads.isEmpty() && heads % kvHeads.size() == 0, "query heads (a multiple of the kv heads)", heads);
        kvHeads = List.copyOf(kvHeads);
        for (var h : kvHeads) {
            GifSpec.require(h.pageOffset % 64 == 0, "page offset (a multiple of 64)", h.pageOffset);
            if (!dense) {
                GifSpec.require(h.kPerm.length == headDim && h.vPerm.length == headDim, "permutation length", h.kPerm.length);
                GifSpec.require(h.kSalient >= 0 && h.kSalient <= headDim, "salient K channels", h.kSalient);
                GifSpec.require(h.vSalient >= 0 && h.vSalient <= headDim, "salient V channels", h.vSalient);
                GifSpec.require(coding.k != Coding.K.FROZEN || (h.kScale.length == headDim && h.kZero.length == headDim), "frozen K ranges", headDim);
                GifSpec.require(coding.v != Coding.V.FROZEN || (h.vScale.length == headDim && h.vZero.length == headDim), "frozen V ranges", headDim);
            }
        }
    }

    /** Whether K has ranges by channel. */
    public boolean frozenK() {
        return coding.k == Coding.K.FROZEN;
    }

    /** Whether V has ranges by channel. */
    public boolean frozenV() {
        return coding.v == Coding.V.FROZEN;
    }

    /** Stride of a query's codes: both K segments padded to 16, the largest over kv heads, rounded up to 64. */
    public int qPadded() {
        int max = 0;
        for (var h : kvHeads) {
            max = Math.max(max, pad(headDim - h.kSalient, 16) + pad(h.kSalient, 16));
        }
        return pad(max, 64);
    }

    /** Bytes of kv head {@code h}'s page, a multiple of 64. */
    public long pageBytes(int h) {
        if (dense) {
            return 2L * PAGE * headDim * 4;
        }
        return offset(h, PageField.END);
    }

    /** The parts of a page, in order. */
    public enum PageField {
        /** K codes of the ordinary channels. */
        K0,
        /** K codes of the salient channels. */
        K1,
        /** V codes of the ordinary channels. */
        V0,
        /** V codes of the salient channels. */
        V1,
        /** f32 [2][PAGE]. */
        K_SCALE,
        /** f32 [PAGE]. */
        V_SCALE,
        /** i32 [2][PAGE]. */
        K_SUM,
        /** u8 [2][PAGE]. */
        K_ZERO,
        /** u8 [2][PAGE]. */
        V_ZERO,
        /** The page's size. */
        END
    }

    private static final PageField[] PAGE_FIELDS = PageField.values();

    /** Byte offset of a part inside kv head {@code h}'s page. */
    public long offset(int h, PageField field) {
        var head = kvHeads.get(h);
        return offset(headDim, kBits, vBits, head.kSalient, head.vSalient, field);
    }

    /** Bytes of a kv head's page in spiking attention, a multiple of 64. */
    public static long pageBytes(int headDim, int[] kBits, int[] vBits, int kSalient, int vSalient) {
        return offset(headDim, kBits, vBits, kSalient, vSalient, PageField.END);
    }

    private static long offset(int headDim, int[] kBits, int[] vBits, int kSalient, int vSalient, PageField field) {
        long at = 0;
        for (var f : PAGE_FIELDS) {
            if (f == field) {
                return at;
            }
            at += pad((int) switch (f) {
                case K0 -> (long) PAGE * pad(headDim - kSalient, 16) * storage(kBits[0]) / 8;
                case K1 -> (long) PAGE * pad(kSalient, 16) * storage(kBits[1]) / 8;
                case V0 -> (long) PAGE * pad(headDim - vSalient, 32) * storage(vBits[0]) / 8;
                case V1 -> (long) PAGE * pad(vSalient, 32) * storage(vBits[1]) / 8;
                case K_SCALE, K_SUM -> 2L * PAGE * 4;
                case V_SCALE -> (long) PAGE * 4;
                case K_ZERO, V_ZERO -> 2L * PAGE;
                case END -> 0L;
            }, 64);
        }
        throw new AssertionError(field);
    }

    /** Storage width of codes of {@code bits} bits in the cache: 4 or 8. */
    public static int storage(int bits) {
        return bits <= 4 ? 4 : 8;
    }

    /** {@code n} rounded up to a multiple of {@code to}, a power of two. */
    public static int pad(int n, int to) {
        return (n + to - 1) & -to;
    }
}
