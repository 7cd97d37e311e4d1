/*
 * spike4j.h - the only public CPU header of Spike4J: GIF spike encoding, exact integer linears, paged
 * integer attention and the dense reference path of LLaMA-family models.
 *
 * CONTRACT
 *  - C11, fixed-width types; no struct by value, no callbacks, no thread-local state. Nothing prints, allocates, locks,
 *    aborts or exits. Every function that can fail returns an s4j_status (0 or negative).
 *  - Kernels are pure and single-threaded: they read and write only the ranges stated here, for the rows [begin, end)
 *    asked for. Different threads may work on disjoint ranges of the same buffers at the same time.
 *  - Sizes and strides are int64_t. Strides count ELEMENTS of the pointed-to type, sizes of raw memory are bytes. Rows, tokens,
 *    channels and positions, and the ends of their ranges, are at most INT32_MAX. Reserved fields are 0.
 *  - Pointers need the natural alignment of their element type; layout data (weights, KV pages) needs 64 bytes.
 *  - The functions check counts, ranges and options and return S4J_E_ARGUMENT; they cannot check buffer sizes: the caller
 *    must (the Java layer does before each call).
 *  - Results are defined bit for bit by weights-format/SPEC.md, section "Numerics" (N0..N11); every tier gives the same bits.
 *    The caller runs with MXCSR default (round to nearest even, no FTZ, no DAZ).
 *  - ABI: S4J_ABI_VERSION is checked at load. Adding functions raises it by 1; changing anything raises it by 1 too until 1.0.
 */
#ifndef SPIKE4J_H
#define SPIKE4J_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define S4J_API __declspec(dllexport)
#else
#define S4J_API __attribute__((visibility("default")))
#endif

#define S4J_ABI_VERSION 2

/* Segments of an input group; range sets have the same bound. */
#define S4J_MAX_SEGMENTS 4
/* Positions of a KV page. */
#define S4J_PAGE 64

enum s4j_status {
    S4J_OK = 0,
    S4J_E_ARGUMENT = -1,    /* a count, range, option or null pointer is not allowed */
    S4J_E_NONFINITE = -2,   /* a row holds NaN or infinity (or its sum of squares overflows); see each function */
    S4J_E_UNSUPPORTED = -3, /* the tier is unknown to this build, CPU or operating system */
};

enum s4j_tier {
    S4J_TIER_SCALAR = 0,
    S4J_TIER_AVX2 = 1,    /* AVX2 FMA F16C BMI2 and YMM state */
    S4J_TIER_AVXVNNI = 2, /* avx2 + AVX-VNNI */
    S4J_TIER_AVX512 = 3,  /* F CD BW DQ VL IFMA VBMI VBMI2 VNNI BITALG VPOPCNTDQ GFNI and ZMM/opmask state */
    S4J_TIER_AMX = 4,     /* avx512 + AMX-TILE, AMX-INT8, tile state and the OS permission */
    S4J_TIER_COUNT = 5,
};

/* Layouts of weight data, weights-format/SPEC.md section "Layouts". */
enum s4j_layout {
    S4J_LAYOUT_R16 = 0, /* 16-row panels of 64-byte vectors */
    S4J_LAYOUT_C1 = 1,  /* K-major columns, 4 bits */
    S4J_LAYOUT_P64 = 2, /* bit planes in 64-bit words, 8-row panels, at most 2 bits */
};

enum s4j_dtype {
    S4J_F32 = 0,
    S4J_BF16 = 1,
};

enum s4j_k_mode {
    S4J_K_TOKEN = 0,  /* K ranges per token and kv head, one for each segment (causal, exact) */
    S4J_K_FROZEN = 1, /* K ranges per channel, frozen at calibration */
    S4J_K_SHARED = 2, /* as S4J_K_TOKEN, one range for both segments */
};

enum s4j_v_mode {
    S4J_V_TOKEN = 0,  /* V ranges per token and kv head */
    S4J_V_FROZEN = 1, /* V ranges per channel, frozen at calibration */
};

/* Flags of s4j_linear, s4j_linear_planes, s4j_dense, s4j_rmsnorm. */
enum s4j_linear_flag {
    S4J_STORE = 0, /* y = result */
    S4J_ADD = 1,   /* y = y + result (the residual, N9) */
};

/* The function of the gate, N9. */
enum s4j_activation {
    S4J_SILU = 0,
    S4J_GELU_TANH = 1,
};

/* ------------------------------------------------------------------ library ------------------------------------------ */

/* A tier's function table; immutable, lives as long as the library. */
typedef struct s4j_kernels s4j_kernels;

/* S4J_ABI_VERSION of the built library. */
S4J_API int32_t s4j_abi_version(void);

/* N0: sets the calling thread's rounding to nearest even, without FTZ and DAZ (libraries built for fast math change them, and new
 * threads inherit them). Returns 1 if something was otherwise, else 0. */
S4J_API int32_t s4j_reset_float_environment(void);

/* The best tier that this build, the CPU and the operating system support (an enum s4j_tier). */
S4J_API int32_t s4j_best_tier(void);

/* Writes the table of `tier` to *out: the tier's own kernels over those of lower tiers over scalar.
 * S4J_E_UNSUPPORTED if the tier is not compiled in or not supported here (*out is set to NULL). */
S4J_API int32_t s4j_kernels_of(int32_t tier, const s4j_kernels **out);

/* ------------------------------------------------------------------ GIF encode, N3 ----------------------------------- */

/* A segment: consecutive channels (after the permutation) with one width and one range set. */
typedef struct s4j_segment {
    int64_t channels;       /* real channels, >= 0; an empty segment is skipped */
    int64_t padded;         /* channels rounded up to a multiple of 64 */
    int64_t groups;         /* group == 0 ? (channels > 0) : ceil(channels / group) */
    int32_t bits;           /* B, 2..8 or 16 */
    int32_t range_set;      /* 0..3 */
    int32_t act_group;      /* channels of one activation sub-scale (a multiple of 16), or 0: the range set's scale */
    int32_t max_multiplier; /* M, 1..255 */
    int32_t group;          /* channels over which sums are kept: the finer of act_group and the weight group (each a
                               multiple of 16 and one a multiple of the other); 0 when both are 0 */
    int32_t reserved;       /* 0 */
} s4j_segment;

/* The encoding of an input group: the channels that feed the same linears. */
typedef struct s4j_gif {
    int64_t channels;    /* K: sum of segment channels */
    int64_t padded;      /* bytes of a row of codes: sum of segment padded, those of 16 bits twice */
    int64_t groups;      /* G: sum of segment groups */
    const int32_t *perm; /* [channels] source channel of permuted channel k, a permutation of 0..K-1; NULL = identity */
    s4j_segment segment[S4J_MAX_SEGMENTS];
    float clip[S4J_MAX_SEGMENTS]; /* by range set: factor on hi and lo, in (0, 1] */
    int32_t segments;             /* 1..4 */
    int32_t reserved;             /* 0 */
} s4j_gif;

/* Encoded rows (tokens) of an input group, structure of arrays. Row r of an array of width w starts at r * w. */
typedef struct s4j_spikes {
    int8_t *code;    /* [rows][padded] d = c - z (B <= 7) or c - 128 (B = 8), segments in order; pads are 0.
                        B = 16: the plane of c / 256 - 128, then that of c % 256 - 128, each segment padded */
    float *scale;    /* [rows][4] s of each segment (base with activation groups); unused segments are 0 */
    int32_t *zero;   /* [rows][G] z of each group */
    int32_t *mult;   /* [rows][G] m of each group; 1 without activation groups */
    int32_t *sum;    /* [rows][G] sum of the group's signed bytes over its real channels; 0 for B = 16 */
    int32_t *silent; /* [rows] channels with c == z; -1 for a row that is not finite */
} s4j_spikes;

/* Encodes rows [begin, end) of x (row r at x + r * x_stride, gif->channels floats) into out. A row with NaN or infinity gets
 * silent = -1, its codes, sums and scales are 0, mult 1, zero 0; the other rows are encoded and S4J_E_NONFINITE is returned. */
S4J_API int32_t s4j_encode(const s4j_kernels *k, const s4j_gif *gif, const float *x, int64_t x_stride,
                           const s4j_spikes *out, int64_t begin, int64_t end);

/* Multi-step form of unsigned codes (N3): step t of code c fires
 * min(mem, 2^bits - 1), mem = c - what fired before; the last step fires all that is left.
 * codes: [n]; steps: [count][n], step t at steps + t * n; 1 <= count <= 16, 1 <= bits <= 8. Their sum over t is the code. */
S4J_API int32_t s4j_spike_steps(const s4j_kernels *k, const uint8_t *codes, int64_t n, int32_t bits, int32_t count,
                                uint8_t *steps);

/* Bit-plane form ("packed spike-bit matrix") of encoded rows [begin, end): bit i of word w of plane b of segment s is bit b of
 * the UNSIGNED code c of channel 64*w + i; pads are 0. planes: [rows][words] with, per row, the segments in order, each
 * [bits][padded / 64] words; the row stride is sum(bits * padded / 64) over the segments. No segment has 16 bits. */
S4J_API int32_t s4j_planes(const s4j_kernels *k, const s4j_gif *gif, const s4j_spikes *x, uint64_t *planes,
                           int64_t begin, int64_t end);

/* ------------------------------------------------------------------ spike linear, N4 --------------------------------- */

/* Integer weights of a linear (or of several that share their input group, rows concatenated). */
typedef struct s4j_weights {
    const uint8_t *data;   /* codes in `layout`, segments in order, 64-byte aligned */
    const float *scale;    /* [padded rows] s_w; pads 0; with steps [sum of steps][padded rows] */
    const uint8_t *zero;   /* [panels][weight_groups][16] zw */
    const uint8_t *mult;   /* [panels][G][16] mw, 1..63; NULL = 1 (then weight_groups is 1) */
    const int32_t *sum;    /* [panels][G][16] sum of (w - zw) over the group's real channels; with steps [panels][sum of the
                              steps of segments that are not empty][16]; needed when a segment has B = 8 or 16 (and by
                              s4j_linear_planes), else may be NULL */
    const float *bias;     /* [padded rows] or NULL */
    int64_t rows;          /* real output rows; padded rows = rows rounded up to 16, panels = padded rows / 16 */
    int64_t weight_groups; /* 1 (one zw a row) or G (zw by group) */
    int32_t bits;          /* storage width of a code: 2, 4 or 8 */
    int32_t layout;        /* enum s4j_layout */
    int32_t steps[S4J_MAX_SEGMENTS]; /* multi-step weights: planes of codes and scales by segment of the gif, 1..16 each (0 for
                              absent segments), in `data` one after the other; all 0: one. R16 without groups only */
} s4j_weights;

/* y[t][o] (+)= linear of encoded row t, for tokens t in [0, tokens) and output rows o in [begin, end), N4.
 * begin is a multiple of 16; end is a multiple of 16 or w->rows. y: row t at y + t * y_stride.
 * Layout R16 (all tiers). A 16-bit segment is summed modulo 2^64. The result of a row that was not finite is unspecified but finite or NaN, never a fault. */
S4J_API int32_t s4j_linear(const s4j_kernels *k, const s4j_gif *gif, const s4j_weights *w, const s4j_spikes *x,
                           int64_t tokens, float *y, int64_t y_stride, int32_t flags, int64_t begin, int64_t end);

/* The same sums by AND + popcount over bit planes (layout P64: bits 1 or 2, segments of at most 8 bits without groups, w->sum
 * needed, no steps).
 * x supplies scale, zero, mult and sum; planes as written by s4j_planes. */
S4J_API int32_t s4j_linear_planes(const s4j_kernels *k, const s4j_gif *gif, const s4j_weights *w, const s4j_spikes *x,
                                  const uint64_t *planes, int64_t tokens, float *y, int64_t y_stride, int32_t flags,
                                  int64_t begin, int64_t end);

/* ------------------------------------------------------------------ dense linear, N1 DOT256 -------------------------- */

/* Float weights in layout R16 (f32: one k a dword; bf16: two), k padded to 64. */
typedef struct s4j_dense_weights {
    const void *data;
    const float *bias; /* [padded rows] or NULL */
    int64_t rows;
    int64_t channels;
    int32_t dtype; /* enum s4j_dtype */
    int32_t reserved; /* 0 */
} s4j_dense_weights;

/* y[t][o] (+)= DOT256(w[o], x[t]) + bias[o] for t in [0, tokens), o in [begin, end) as in s4j_linear. */
S4J_API int32_t s4j_dense(const s4j_kernels *k, const s4j_dense_weights *w, const float *x, int64_t x_stride, int64_t tokens,
                          float *y, int64_t y_stride, int32_t flags, int64_t begin, int64_t end);

/* ------------------------------------------------------------------ rows of floats ----------------------------------- */

/* RMSNorm N2 of rows [begin, end): y (+)= (x * r) * weight. A row whose SUM32 is not finite becomes all NaN and
 * S4J_E_NONFINITE is returned after all rows. y may be x. eps is finite and not negative. */
S4J_API int32_t s4j_rmsnorm(const s4j_kernels *k, const float *x, int64_t x_stride, const float *weight, int64_t channels,
                            float eps, float *y, int64_t y_stride, int32_t flags, int64_t begin, int64_t end);

/* N9, gated unit: y[r][i] = activation(gate_up[r][i]) * gate_up[r][channels + i], rows [begin, end); enum s4j_activation. */
S4J_API int32_t s4j_glu(const s4j_kernels *k, int32_t activation, const float *gate_up, int64_t stride, int64_t channels,
                        float *y, int64_t y_stride, int64_t begin, int64_t end);

/* N9, online rotation of rows [begin, end) in place: block-diagonal Hadamards of n, the largest power of two that divides
 * channels, over n consecutive channels each. */
S4J_API int32_t s4j_hadamard(const s4j_kernels *k, float *x, int64_t x_stride, int64_t channels, int64_t begin, int64_t end);

/* Embedding rows: y[i] = table[ids[i]] * scale, i in [begin, end). table: row-major [vocab][channels] of dtype. scale is positive
 * and finite. An id outside 0..vocab-1 gives S4J_E_ARGUMENT before anything is written. */
S4J_API int32_t s4j_embed(const s4j_kernels *k, const void *table, int32_t dtype, int64_t vocab, int64_t channels, float scale,
                          const int32_t *ids, float *y, int64_t y_stride, int64_t begin, int64_t end);

/* N6 softcap in place: x[r][i] = cap tanh(x[r][i] / cap), rows [begin, end). cap is positive and finite. */
S4J_API int32_t s4j_softcap(const s4j_kernels *k, float *x, int64_t x_stride, int64_t channels, float cap, int64_t begin,
                            int64_t end);

/* *index = position of the maximum of x[0..n), the lowest one on ties. S4J_E_NONFINITE (index 0) if a NaN is present. n >= 1. */
S4J_API int32_t s4j_argmax(const s4j_kernels *k, const float *x, int64_t n, int64_t *index);

/* ------------------------------------------------------------------ attention, N5 N7 N8 ------------------------------ */

/* One kv head of one layer. K and V channels are permuted: ordinary first, then salient.
 *
 * Its page (S4J_PAGE positions) in the spiking cache, each part 64-byte aligned, in this order:
 *   K ordinary   4 R16 panels of 16 positions, k padded to 16: S4J_PAGE * pad16(k_channels[0]) * kb0 / 8 bytes
 *   K salient    the same with k_channels[1], kb1                      (kb, vb: 4 if bits <= 4, else 8)
 *   V ordinary   row-major [S4J_PAGE][pad32(v_channels[0]) * vb0 / 8]; 4 bits: byte i of block q (16 bytes) holds channel
 *                32q+i in its low and 32q+16+i in its high nibble; 8 bits: one byte a channel
 *   V salient    the same with v_channels[1], vb1
 *   k_scale f32 [2][S4J_PAGE], v_scale f32 [S4J_PAGE], k_sum i32 [2][S4J_PAGE] (sum of k - z), k_zero u8 [2][S4J_PAGE],
 *   v_zero u8 [2][S4J_PAGE]
 * Frozen K: k_scale and k_zero are 0. Frozen V: v_scale is 1 and v_zero 0, so that N8's a is l.
 * Codes of positions not yet written are arbitrary; no result depends on them. */
typedef struct s4j_kv_head {
    const int32_t *k_perm; /* [head_dim] source channel of permuted channel */
    const int32_t *v_perm; /* [head_dim] */
    const float *k_scale;  /* [head_dim] by permuted channel; S4J_K_FROZEN only, else NULL */
    const uint8_t *k_zero; /* [head_dim] by permuted channel; S4J_K_FROZEN only, else NULL */
    const float *v_scale;  /* the same for V; S4J_V_FROZEN only, else NULL */
    const uint8_t *v_zero;
    int64_t k_channels[2]; /* ordinary, salient; sum = head_dim */
    int64_t v_channels[2];
    int64_t page_offset;   /* byte offset of this (layer, kv head)'s page in a block, a multiple of 64, at most 2^40 */
} s4j_kv_head;

/* The attention of one layer. Query head h reads kv head h / (heads / kv_heads). */
typedef struct s4j_attention {
    const s4j_kv_head *kv_head; /* [kv_heads]; dense attention uses page_offset only */
    int64_t heads;     /* 1..65536, a multiple of kv_heads */
    int64_t kv_heads;
    int64_t head_dim;  /* even, 2..256 */
    int64_t q_padded;  /* stride of a query's codes: at least pad16(k_channels[0]) + pad16(k_channels[1]) of each kv head,
                          a multiple of 64, at most 4096 */
    int64_t window;    /* a position sees itself and the window - 1 before it; 0: all before it */
    float kappa;       /* factor on scores, positive and finite; (float) (1 / sqrt(head_dim)) in most models */
    float softcap;     /* soft cap of scores (N6), finite; 0: none */
    int32_t q_bits;    /* 2..8 */
    int32_t k_bits[2]; /* ordinary, salient, 2..8 */
    int32_t v_bits[2]; /* ordinary, salient, 2..8; the salient width is v_bits[0] + 1 or equal */
    int32_t k_mode;    /* enum s4j_k_mode */
    int32_t v_mode;    /* enum s4j_v_mode */
    int32_t hadamard;  /* 1: q and k are rotated by N9, head by head, after N5; else 0 */
} s4j_attention;

/* Consecutive tokens of one session inside a batch. */
typedef struct s4j_sequence {
    int64_t row;      /* first token's row in the batch */
    int64_t rows;     /* tokens, >= 1; row + rows and position + rows are at most INT32_MAX */
    int64_t position; /* position of the first token */
    uint8_t *const *blocks; /* [ceil((position + rows) / S4J_PAGE)] KV blocks, each 64-byte aligned; a call
                               looks only at those that its rows read or write */
} s4j_sequence;

/* Encoded queries of a batch. */
typedef struct s4j_queries {
    int8_t *code;    /* [rows][heads][q_padded] d (q_bits <= 7) or c - 128 (8); K segment 0 padded to 16, then segment 1 */
    float *scale;    /* [rows][heads] s_q */
    int32_t *zero;   /* [rows][heads] z */
    int32_t *sum;    /* [rows][heads][2] sum of the signed bytes by K segment; frozen: [0] = sum of byte * k_zero, [1] = 0 */
    int32_t *silent; /* [rows] silent codes of Q, K and V of the token, -1 if it is not finite */
} s4j_queries;

/* N5, N3, N7, N8 for token rows [begin, end) of the batch: rotates q and k, encodes Q into `q`, K and V into the pages.
 * qkv: row r = q [heads][head_dim], k [kv_heads][head_dim], v [kv_heads][head_dim] at qkv + r * qkv_stride (read only).
 * rope: [positions][head_dim]: cos of head_dim/2 angles, then sin. Rows of no sequence are skipped.
 * A token that is not finite gets silent = -1, zero codes and scales; S4J_E_NONFINITE after all rows.
 * Rows may be split over threads in any way. */
S4J_API int32_t s4j_append(const s4j_kernels *k, const s4j_attention *a, const float *qkv, int64_t qkv_stride,
                           const float *rope, const s4j_sequence *seq, int64_t seqs, const s4j_queries *q, int64_t begin,
                           int64_t end);

/* Bytes of scratch that s4j_attend and s4j_dense_attend need for sequences of up to `context` positions. */
S4J_API int64_t s4j_attend_scratch(const s4j_attention *a, int64_t context);

/* N7, N8: out[r][h] for token rows [begin, end) and query heads of kv heads [head_begin, head_end).
 * out: row r = [heads][head_dim] (channels in the model's order, not permuted) at out + r * out_stride.
 * scratch: 64-byte aligned, s4j_attend_scratch bytes, private to the caller. */
S4J_API int32_t s4j_attend(const s4j_kernels *k, const s4j_attention *a, const s4j_queries *q, const s4j_sequence *seq,
                           int64_t seqs, float *out, int64_t out_stride, void *scratch, int64_t scratch_bytes,
                           int64_t begin, int64_t end, int64_t head_begin, int64_t head_end);

/* Dense reference attention. A page is K f32 [head_dim][S4J_PAGE] (transposed), then V f32 [S4J_PAGE][head_dim].
 * s4j_dense_append rotates q in place in qkv and writes k, v of rows [begin, end) to the pages (k is rotated too). */
S4J_API int32_t s4j_dense_append(const s4j_kernels *k, const s4j_attention *a, float *qkv, int64_t qkv_stride,
                                 const float *rope, const s4j_sequence *seq, int64_t seqs, int64_t begin, int64_t end);
S4J_API int32_t s4j_dense_attend(const s4j_kernels *k, const s4j_attention *a, const float *qkv, int64_t qkv_stride,
                                 const s4j_sequence *seq, int64_t seqs, float *out, int64_t out_stride, void *scratch,
                                 int64_t scratch_bytes, int64_t begin, int64_t end, int64_t head_begin, int64_t head_end);

/* ------------------------------------------------------------------ bounds for benchmarks ---------------------------- */

/* Reads `bytes` (a multiple of 64) of data and returns their 64-bit XOR in *out: the read bandwidth of a mapping. */
S4J_API int32_t s4j_read_bandwidth(const s4j_kernels *k, const void *data, int64_t bytes, uint64_t *out);

/* Runs `iterations` of the spike GEMM's inner instruction mix for `weight_bits` x `act_bits` in registers only (no loads; the
 * scalar tier's own loop, from L1) and writes the multiply-accumulates done to *macs. *sink keeps the result alive. */
S4J_API int32_t s4j_gemm_peak(const s4j_kernels *k, int32_t weight_bits, int32_t act_bits, int64_t iterations, int64_t *macs,
                              int64_t *sink);

#ifdef __cplusplus
}
#endif

#endif
