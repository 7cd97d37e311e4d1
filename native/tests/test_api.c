/* The argument checks of the exported functions, and the tables. Every wrong argument gives S4J_E_ARGUMENT and writes nothing. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#include "spike4j.h"

static int failures;

static void expect(int64_t want, int64_t got, const char *what)
{
    if (want != got) {
        printf("FAIL %s: want %lld, got %lld\n", what, (long long)want, (long long)got);
        failures++;
    }
}

#define REFUSED(call) expect(S4J_E_ARGUMENT, call, #call)
#define FINE(call) expect(S4J_OK, call, #call)

static _Alignas(64) uint8_t data[16 * 64];
static float x[128], y[512];
static int8_t code[64];
static int32_t ints[64];
static uint64_t planes[64];

static void tables(void)
{
    const s4j_kernels *k = NULL;
    expect(S4J_ABI_VERSION, s4j_abi_version(), "version");
    REFUSED(s4j_kernels_of(0, NULL));
    for (int32_t tier = -1; tier <= S4J_TIER_COUNT; tier++) {
        const int32_t status = s4j_kernels_of(tier, &k);
        expect(status == S4J_OK, k != NULL, "table and status");
        expect(1, status == S4J_OK || status == S4J_E_UNSUPPORTED, "status of a tier");
        if (tier < 0 || tier == S4J_TIER_COUNT) {
            expect(S4J_E_UNSUPPORTED, status, "unknown tier");
        }
    }
    FINE(s4j_kernels_of(S4J_TIER_SCALAR, &k));
    FINE(s4j_kernels_of(s4j_best_tier(), &k));
}

/* N0: what a library of fast math, or a thread that inherits from one, would leave behind is found and mended. */
static void float_environment(void)
{
#if defined(__SSE2__)
    static const unsigned WRONG[] = {0x8000, 0x0040, 0x2000, 0x4000, 0xe040}; /* FTZ, DAZ, down, up, all */
    const unsigned before = _mm_getcsr();
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        volatile float small = 0x1p-126f, half = 0.5f, odd = 0x1.000002p0f;
        _mm_setcsr(_mm_getcsr() | WRONG[i]);
        expect(1, s4j_reset_float_environment(), "a changed float environment");
        expect(1, small * half > 0.0f && small * half * half > 0.0f, "denormals are kept");
        expect(1, odd * half + 0x1p-25f == 0x1.000004p-1f && half + 0x1p-25f == half, "half to even");
        expect(0, s4j_reset_float_environment(), "a float environment that was reset");
        expect(before & 0x1f80, _mm_getcsr() & 0xffc0, "exception masks stay");
    }
#endif
    expect(0, s4j_reset_float_environment(), "the default float environment");
}

static void linears(const s4j_kernels *k)
{
    s4j_gif gif = {.channels = 20, .padded = 64, .groups = 1, .segments = 1, .clip = {1, 1, 1, 1}};
    gif.segment[0] = (s4j_segment){20, 64, 1, 4, 0, 0, 1, 0, 0};
    s4j_spikes s = {code, x, ints, ints + 1, ints + 2, ints + 3};
    s4j_weights w = {data, x, data, NULL, NULL, NULL, 16, 1, 4, S4J_LAYOUT_R16, {0}};
    FINE(s4j_encode(k, &gif, y, 20, &s, 0, 1));
    FINE(s4j_linear(k, &gif, &w, &s, 1, y, 16, 0, 0, 16));
    FINE(s4j_linear(k, &gif, &w, &s, 0, y, 16, 0, 16, 16));
    REFUSED(s4j_encode(NULL, &gif, y, 20, &s, 0, 1));
    REFUSED(s4j_encode(k, &gif, NULL, 20, &s, 0, 1));
    REFUSED(s4j_encode(k, &gif, y, 20, &s, 1, 0));
    REFUSED(s4j_encode(k, &gif, y, 20, &s, -1, 1));
    REFUSED(s4j_linear(k, &gif, &w, &s, -1, y, 16, 0, 0, 16));
    REFUSED(s4j_linear(k, &gif, &w, &s, 1, y, 16, 2, 0, 16));
    REFUSED(s4j_linear(k, &gif, &w, &s, 1, y, 16, 0, 8, 16));
    REFUSED(s4j_linear(k, &gif, &w, &s, 1, y, 16, 0, 0, 8));
    REFUSED(s4j_linear(k, &gif, &w, &s, 1, y, 16, 0, 0, 32));
#define BAD_GIF(change)                               \
    do {                                              \
        s4j_gif bad = gif;                            \
        bad.change;                                   \
        REFUSED(s4j_encode(k, &bad, y, 20, &s, 0, 1)); \
    } while (0)
    BAD_GIF(segments = 0);
    BAD_GIF(segments = 5);
    BAD_GIF(channels = 21);
    BAD_GIF(padded = 128);
    BAD_GIF(groups = 2);
    BAD_GIF(clip[0] = 0.0f);
    BAD_GIF(clip[0] = 1.5f);
    BAD_GIF(clip[0] = NAN);
    BAD_GIF(segment[0].channels = -1);
    BAD_GIF(segment[0].padded = 128);
    BAD_GIF(segment[0].groups = 0);
    BAD_GIF(segment[0].bits = 1);
    BAD_GIF(segment[0].bits = 9);
    BAD_GIF(segment[0].bits = 16); /* two planes of 64 */
    BAD_GIF(segment[0].range_set = 4);
    BAD_GIF(segment[0].act_group = 16);
    BAD_GIF(segment[0].group = 8);
    BAD_GIF(segment[0].max_multiplier = 0);
    BAD_GIF(segment[0].max_multiplier = 256);
    BAD_GIF(segment[0].reserved = 1);
    BAD_GIF(reserved = 1);
    BAD_GIF(segment[0].channels = INT64_MAX);
    s4j_gif huge = gif; /* each segment is allowed, their sum is not */
    huge.segments = 2;
    huge.segment[0] = huge.segment[1] = (s4j_segment){INT32_MAX, INT64_C(1) << 31, 1, 4, 0, 0, 1, 0, 0};
    huge.channels = 2 * (int64_t)INT32_MAX;
    huge.padded = INT64_C(1) << 32;
    huge.groups = 2;
    REFUSED(s4j_planes(k, &huge, &s, planes, 0, 0));
    REFUSED(s4j_encode(k, &gif, y, 20, &s, INT64_MAX, INT64_MAX));
    REFUSED(s4j_linear(k, &gif, &w, &s, INT64_MAX, y, 16, 0, 16, 16));
#define BAD_WEIGHTS(change)                                           \
    do {                                                              \
        s4j_weights bad = w;                                          \
        bad.change;                                                   \
        REFUSED(s4j_linear(k, &gif, &bad, &s, 1, y, 16, 0, 0, 16)); \
    } while (0)
    BAD_WEIGHTS(data = NULL);
    BAD_WEIGHTS(data = data + 1);
    BAD_WEIGHTS(scale = NULL);
    BAD_WEIGHTS(zero = NULL);
    BAD_WEIGHTS(bits = 3);
    BAD_WEIGHTS(rows = 0);
    BAD_WEIGHTS(rows = INT64_MAX);
    BAD_WEIGHTS(weight_groups = 2);
    BAD_WEIGHTS(layout = S4J_LAYOUT_C1);
    BAD_WEIGHTS(steps[0] = 17);
    BAD_WEIGHTS(steps[1] = 1);
    BAD_WEIGHTS(layout = S4J_LAYOUT_P64);
    s4j_gif wide = gif;
    wide.segment[0].bits = 8; /* needs sums */
    REFUSED(s4j_linear(k, &wide, &w, &s, 1, y, 16, 0, 0, 16));
    wide.segment[0].bits = 16; /* sums, too; and no bit planes */
    wide.padded = 128;
    REFUSED(s4j_linear(k, &wide, &w, &s, 1, y, 16, 0, 0, 16));
    REFUSED(s4j_planes(k, &wide, &s, planes, 0, 0));
    s4j_weights two = w;
    two.steps[0] = 2;
    two.rows = 8;
    FINE(s4j_linear(k, &gif, &two, &s, 1, y, 16, 0, 0, 8));
    two.mult = data; /* steps or groups */
    REFUSED(s4j_linear(k, &gif, &two, &s, 1, y, 16, 0, 0, 8));
    two.mult = NULL;
    two.layout = S4J_LAYOUT_P64;
    two.bits = 2;
    two.sum = ints;
    REFUSED(s4j_linear_planes(k, &gif, &two, &s, planes, 1, y, 16, 0, 0, 8));
    REFUSED(s4j_linear_planes(k, &gif, &w, &s, planes, 1, y, 16, 0, 0, 16));
    s4j_dense_weights d = {data, NULL, 1, 1, S4J_F32, 0};
    FINE(s4j_dense(k, &d, x, 1, 1, y, 1, 0, 0, 1));
    s4j_dense_weights e = d;
    e.dtype = 2;
    REFUSED(s4j_dense(k, &e, x, 1, 1, y, 1, 0, 0, 1));
    e = d;
    e.reserved = 1;
    REFUSED(s4j_dense(k, &e, x, 1, 1, y, 1, 0, 0, 1));
    e = d;
    e.channels = INT64_MAX;
    REFUSED(s4j_dense(k, &e, x, 1, 1, y, 1, 0, 0, 1));
    e = d;
    e.rows = INT64_MAX;
    REFUSED(s4j_dense(k, &e, x, 1, 1, y, 1, 0, 0, 1));
}

static void rows(const s4j_kernels *k)
{
    const int32_t ids[2] = {0, 7};
    int64_t index, macs, sink;
    uint64_t word;
    uint8_t step[16];
    REFUSED(s4j_rmsnorm(k, x, 1, x, 0, 1e-5f, y, 1, S4J_STORE, 0, 1));
    REFUSED(s4j_rmsnorm(k, x, 1, x, 1, NAN, y, 1, S4J_STORE, 0, 1));
    REFUSED(s4j_rmsnorm(k, x, 1, x, 1, INFINITY, y, 1, S4J_STORE, 0, 1));
    REFUSED(s4j_rmsnorm(k, x, 1, x, 1, 1e-5f, y, 1, 2, 0, 1));
    REFUSED(s4j_glu(k, S4J_SILU, x, 2, 0, y, 1, 0, 1));
    REFUSED(s4j_glu(k, 2, x, 2, 1, y, 1, 0, 1));
    REFUSED(s4j_glu(k, -1, x, 2, 1, y, 1, 0, 1));
    REFUSED(s4j_hadamard(k, y, 1, 0, 0, 1));
    REFUSED(s4j_hadamard(k, y, 1, INT64_MAX, 0, 1));
    y[0] = 5.0f;
    REFUSED(s4j_embed(k, x, S4J_F32, 7, 1, 1.0f, ids, y, 1, 0, 2));
    expect(5, (int64_t)y[0], "embed wrote before it refused");
    const float factors[] = {0.0f, -1.0f, NAN, INFINITY};
    for (int i = 0; i < 4; i++) {
        REFUSED(s4j_embed(k, x, S4J_F32, 8, 1, factors[i], ids, y, 1, 0, 2));
        REFUSED(s4j_softcap(k, y, 1, 1, factors[i], 0, 1));
    }
    FINE(s4j_softcap(k, y, 1, 1, 1.0f, 0, 1));
    REFUSED(s4j_softcap(k, NULL, 1, 1, 1.0f, 0, 1));
    REFUSED(s4j_softcap(k, y, 1, 0, 1.0f, 0, 1));
    REFUSED(s4j_softcap(k, y, 1, INT64_MAX, 1.0f, 0, 1));
    REFUSED(s4j_softcap(k, y, 1, 1, 1.0f, 1, 0));
    REFUSED(s4j_argmax(k, x, 0, &index));
    REFUSED(s4j_spike_steps(k, data, 1, 0, 1, step));
    REFUSED(s4j_spike_steps(k, data, 1, 4, 17, step));
    REFUSED(s4j_spike_steps(k, data, INT64_MAX, 4, 16, step));
    REFUSED(s4j_rmsnorm(k, x, 1, x, INT64_MAX, 1e-5f, y, 1, S4J_STORE, 0, 1));
    REFUSED(s4j_glu(k, S4J_SILU, x, 2, INT64_MAX, y, 1, 0, 1));
    REFUSED(s4j_embed(k, x, S4J_F32, INT64_MAX, 1, 1.0f, ids, y, 1, 0, 1));
    REFUSED(s4j_read_bandwidth(k, data, 63, &word));
    REFUSED(s4j_gemm_peak(k, 3, 4, 1, &macs, &sink));
    REFUSED(s4j_gemm_peak(k, 4, 9, 1, &macs, &sink));
}

static void attention(const s4j_kernels *k)
{
    static _Alignas(64) uint8_t block[64 * 64], scratch[16384];
    uint8_t *blocks[1] = {block};
    const int32_t perm[4] = {0, 1, 2, 3};
    s4j_kv_head head = {perm, perm, NULL, NULL, NULL, NULL, {4, 0}, {4, 0}, 0};
    s4j_attention a = {&head, 2, 1, 4, 64, 0, 0.5f, 0.0f, 4, {4, 5}, {4, 5}, S4J_K_TOKEN, S4J_V_TOKEN, 0};
    s4j_sequence seq = {0, 1, 0, blocks};
    static int8_t q_code[2 * 64];
    s4j_queries q = {q_code, x, ints, ints + 2, ints + 8};
    const int64_t bytes = s4j_attend_scratch(&a, 1);
    expect(1, bytes > 0 && bytes <= (int64_t)sizeof scratch, "scratch");
    FINE(s4j_append(k, &a, y, 16, y, &seq, 1, &q, 0, 1));
    FINE(s4j_attend(k, &a, &q, &seq, 1, y, 8, scratch, bytes, 0, 1, 0, 1));
    REFUSED(s4j_attend(k, &a, &q, &seq, 1, y, 8, scratch, bytes - 1, 0, 1, 0, 1));
    REFUSED(s4j_attend(k, &a, &q, &seq, 1, y, 8, scratch + 1, bytes, 0, 1, 0, 1));
    REFUSED(s4j_attend(k, &a, &q, &seq, 1, y, 8, scratch, bytes, 0, 1, 0, 2));
#define BAD_ATTENTION(change)                                          \
    do {                                                               \
        s4j_attention good = a;                                        \
        s4j_kv_head good_head = head;                                  \
        s4j_sequence good_seq = seq;                                   \
        uint8_t *good_block = blocks[0];                               \
        change;                                                        \
        REFUSED(s4j_append(k, &a, y, 16, y, &seq, 1, &q, 0, 1));       \
        a = good;                                                      \
        head = good_head;                                              \
        seq = good_seq;                                                \
        blocks[0] = good_block;                                        \
    } while (0)
    BAD_ATTENTION(a.heads = 0);
    BAD_ATTENTION(a.kv_heads = 0);
    BAD_ATTENTION(a.head_dim = 3);
    BAD_ATTENTION(a.head_dim = 258);
    BAD_ATTENTION(a.q_padded = 32);
    BAD_ATTENTION(a.window = -1);
    BAD_ATTENTION(a.window = INT64_C(1) << 31);
    BAD_ATTENTION(a.kappa = 0.0f);
    BAD_ATTENTION(a.kappa = NAN);
    BAD_ATTENTION(a.kappa = INFINITY);
    BAD_ATTENTION(a.softcap = -1.0f);
    BAD_ATTENTION(a.softcap = NAN);
    BAD_ATTENTION(a.softcap = INFINITY);
    BAD_ATTENTION(a.q_bits = 9);
    BAD_ATTENTION(a.k_bits[1] = 1);
    BAD_ATTENTION(a.v_bits[1] = 6);
    BAD_ATTENTION(a.k_mode = 3);
    BAD_ATTENTION(a.v_mode = 2);
    BAD_ATTENTION(a.v_mode = S4J_V_FROZEN);
    BAD_ATTENTION(a.hadamard = 2);
    BAD_ATTENTION(a.k_mode = S4J_K_FROZEN);
    BAD_ATTENTION(head.k_perm = NULL);
    BAD_ATTENTION(head.k_channels[0] = 3);
    BAD_ATTENTION(head.page_offset = 32);
    BAD_ATTENTION(seq.rows = 0);
    BAD_ATTENTION(seq.position = -1);
    BAD_ATTENTION(seq.blocks = NULL);
    BAD_ATTENTION(a.heads = INT64_C(1) << 58);
    BAD_ATTENTION(a.heads = 65537);
    BAD_ATTENTION(a.q_padded = INT64_C(1) << 40);
    BAD_ATTENTION(head.page_offset = INT64_MAX / 64 * 64);
    BAD_ATTENTION(seq.row = INT64_MAX);
    BAD_ATTENTION(seq.rows = INT64_MAX);
    BAD_ATTENTION(seq.row = INT32_MAX);
    BAD_ATTENTION(seq.position = INT32_MAX);
    BAD_ATTENTION(seq.position = INT64_MAX);
    BAD_ATTENTION(blocks[0] = NULL);
    BAD_ATTENTION(blocks[0] = block + 32);
    REFUSED(s4j_append(k, &a, y, 16, y, &seq, 1, &q, INT64_MAX, INT64_MAX));

    /* sizes whose scratch would overflow; the dense pair checks as the spiking one */
    seq.position = (INT64_C(1) << 59) - 1;
    REFUSED(s4j_attend(k, &a, &q, &seq, 1, y, 8, scratch, sizeof scratch, 0, 1, 0, 1));
    REFUSED(s4j_dense_attend(k, &a, y, 16, &seq, 1, y, 8, scratch, sizeof scratch, 0, 1, 0, 1));
    REFUSED(s4j_dense_append(k, &a, y, 16, y, &seq, 1, 0, 1));
    seq.position = 64; /* two pages, one or the other missing: append needs the last, attend both */
    uint8_t *second[2] = {block, NULL};
    seq.blocks = second;
    REFUSED(s4j_append(k, &a, y, 16, y, &seq, 1, &q, 0, 1));
    REFUSED(s4j_attend(k, &a, &q, &seq, 1, y, 8, scratch, sizeof scratch, 0, 1, 0, 1));
    REFUSED(s4j_dense_attend(k, &a, y, 16, &seq, 1, y, 8, scratch, sizeof scratch, 0, 1, 0, 1));
    second[0] = NULL, second[1] = block;
    FINE(s4j_append(k, &a, y, 16, y, &seq, 1, &q, 0, 1)); /* its rope table: position 64 x 4 floats */
    REFUSED(s4j_attend(k, &a, &q, &seq, 1, y, 8, scratch, sizeof scratch, 0, 1, 0, 1));
    FINE(s4j_attend(k, &a, &q, &seq, 1, y, 8, scratch, sizeof scratch, 0, 0, 0, 1)); /* no rows */
    a.window = 1; /* the first page is out of sight */
    FINE(s4j_attend(k, &a, &q, &seq, 1, y, 8, scratch, sizeof scratch, 0, 1, 0, 1));
    a.window = 2;
    REFUSED(s4j_attend(k, &a, &q, &seq, 1, y, 8, scratch, sizeof scratch, 0, 1, 0, 1));
    REFUSED(s4j_dense_attend(k, &a, y, 16, &seq, 1, y, 8, scratch, sizeof scratch, 0, 1, 0, 1));
    a.window = 0;
    expect(S4J_E_ARGUMENT, s4j_attend_scratch(NULL, 1), "scratch of nothing");
    expect(S4J_E_ARGUMENT, s4j_attend_scratch(&a, INT64_C(1) << 31), "scratch of too many positions");
    a.heads = INT64_C(1) << 58;
    expect(S4J_E_ARGUMENT, s4j_attend_scratch(&a, 1), "scratch of too many heads");
}

int main(void)
{
    const s4j_kernels *k;
    tables();
    float_environment();
    if (s4j_kernels_of(s4j_best_tier(), &k) == S4J_OK) {
        linears(k);
        rows(k);
        attention(k);
    }
    printf("%d failures\n", failures);
    return failures != 0;
}
