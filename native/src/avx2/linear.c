/*
 * Spike linear N4 over R16 panels, AVX2.
 *
 * A panel is 16 rows; one ymm holds 8 rows x 4 k ("half a quad": dword r = row r, byte j = k+j). The activation dword of a
 * token is broadcast, vpmaddubsw multiplies u8 weight codes by signed bytes, and vpaddw accumulates in int16 for as many
 * instructions as cannot overflow (int16_budget). vpmaddwd by ones, or by m*mw of a group (<= 16065), widens to int32.
 * 8-bit weights from A6 on would saturate vpmaddubsw: they run as u16 x s16 vpmaddwd over even and odd k.
 *
 * gemm (6 tokens and more) unpacks the codes of a panel once per k block and token block into L1; gemv (1 to 5 tokens) reads
 * packed codes straight from memory, each byte once.
 */
#include "avx2/tile.h"
#include "common/kernels.h"
#include "common/layout.h"

enum { TOKENS = 192 }; /* of a block: 12 KiB of sums and as much of outputs */

/* ---- gemv: 1 to 5 tokens, codes straight from memory ---------------------------------------------------------------- */

enum { AHEAD = 2048 }; /* bytes of software prefetch: the hardware's stops at 4 KiB pages */

/* acc16 += the products of one packed vector: 64 bytes, 32 / bits k a row. */
S4J_INLINE void vector_u8(const int T, const int bits, const uint8_t *p, const int8_t *x, int64_t xs, __m256i acc[][2])
{
    const __m256i mask = _mm256_set1_epi8((char)((1 << bits) - 1));
    const __m256i v0 = load(p), v1 = load(p + 32);
#pragma GCC unroll 4
    for (int q = 0; q < 8 / bits; q++) {
        __m256i w0 = _mm256_and_si256(S4J_MUT(35, !q, q) ? _mm256_srli_epi16(v0, S4J_MUT(35, 8 / bits - 1 - q, q) * bits) : v0, mask);
        __m256i w1 = _mm256_and_si256(q ? _mm256_srli_epi16(v1, q * bits) : v1, mask);
#pragma GCC unroll 5
        for (int t = 0; t < T; t++) {
            mac_u8(&acc[t][0], &acc[t][1], w0, w1, x + t * xs + 4 * q);
        }
    }
}

S4J_INLINE void gemv_u8(const int T, const int bits, const panel_t *p, const int8_t *x, int64_t xs, const int32_t *mult, int64_t ms,
                    int32_t *D)
{
    const int64_t step = 32 / bits; /* k a vector */
    const uint8_t *w = p->data;
    for (int64_t k = 0, g = 0; k < p->channels;) {
        int64_t end = min64((g + 1) * p->group, p->channels); /* of the group */
        __m256i sum[5][2];
        for (int t = 0; t < T; t++) {
            sum[t][0] = load(D + ROWS * t);
            sum[t][1] = load(D + ROWS * t + 8);
        }
        __m256i f[5][2];
        for (int t = 0; t < T; t++) {
            __m256i m = _mm256_set1_epi16(mult ? (int16_t)mult[t * ms + g] : 1);
            for (int h = 0; h < 2; h++) {
                f[t][h] = p->mult ? _mm256_mullo_epi16(m, pairs_of(p->mult + ROWS * g + 8 * h)) : m;
            }
        }
        while (k < end) {
            int64_t e = min64(k + p->budget, end);
            __m256i acc[5][2];
            for (int t = 0; t < T; t++) {
                acc[t][0] = acc[t][1] = _mm256_setzero_si256();
            }
            for (; k < e; k += step, w += 64) {
                _mm_prefetch((const char *)w + AHEAD, _MM_HINT_T0);
                vector_u8(T, bits, w, x + k, xs, acc);
            }
            for (int t = 0; t < T; t++) {
                for (int h = 0; h < 2; h++) {
                    sum[t][h] = _mm256_add_epi32(sum[t][h], _mm256_madd_epi16(acc[t][h], f[t][h]));
                }
            }
        }
        for (int t = 0; t < T; t++) {
            store(D + ROWS * t, sum[t][0]);
            store(D + ROWS * t + 8, sum[t][1]);
        }
        g++;
    }
}

S4J_INLINE void gemv_s16(const int T, const panel_t *p, const int8_t *x, int64_t xs, const int32_t *mult, int64_t ms, int32_t *D)
{
    const __m256i mask = _mm256_set1_epi16(0xff);
    const uint8_t *w = p->data;
    for (int64_t k = 0, g = 0; k < p->channels; g++) {
        int64_t end = min64((g + 1) * p->group, p->channels);
        __m256i acc[5][2];
        for (int t = 0; t < T; t++) {
            acc[t][0] = acc[t][1] = _mm256_setzero_si256();
        }
        for (; k < end; k += 4, w += 64) {
            _mm_prefetch((const char *)w + AHEAD, _MM_HINT_T0);
            __m256i a = load(w), b = load(w + 32);
            __m256i ae = _mm256_and_si256(a, mask), be = _mm256_and_si256(b, mask);
            a = _mm256_srli_epi16(a, 8);
            b = _mm256_srli_epi16(b, 8);
#pragma GCC unroll 5
            for (int t = 0; t < T; t++) {
                __m256i d = broadcast(x + t * xs + k);
                __m256i o = odd_s16(d), e = even_s16(d);
                acc[t][0] = _mm256_add_epi32(acc[t][0], _mm256_add_epi32(_mm256_madd_epi16(ae, e), _mm256_madd_epi16(a, o)));
                acc[t][1] = _mm256_add_epi32(acc[t][1], _mm256_add_epi32(_mm256_madd_epi16(be, e), _mm256_madd_epi16(b, o)));
            }
        }
        add_group(T, p, mult, ms, g, acc, D);
    }
}

S4J_INLINE void gemv_bits(const int T, int32_t bits, const panel_t *p, const int8_t *x, int64_t xs, const int32_t *mult, int64_t ms,
                      int32_t *D)
{
    if (bits == 4) {
        gemv_u8(T, 4, p, x, xs, mult, ms, D);
    } else if (bits == 2) {
        gemv_u8(T, 2, p, x, xs, mult, ms, D);
    } else {
        gemv_s16(T, p, x, xs, mult, ms, D);
    }
}

static void gemv(const panel_t *p, int32_t bits, const int8_t *x, int64_t xs, const int32_t *mult, int64_t ms, int64_t tokens,
                 int32_t *D)
{
    switch (tokens) {
    case 1: gemv_bits(1, bits, p, x, xs, mult, ms, D); break;
    case 2: gemv_bits(2, bits, p, x, xs, mult, ms, D); break;
    case 3: gemv_bits(3, bits, p, x, xs, mult, ms, D); break;
    case 4: gemv_bits(4, bits, p, x, xs, mult, ms, D); break;
    default: gemv_bits(5, bits, p, x, xs, mult, ms, D); break;
    }
}

/* ---- zero points and epilogue --------------------------------------------------------------------------------------- */

/* D -= sum over groups of mw*zw * m*sum (+ at B = 8: mw*wsum * m*(128 - z)) for T tokens, whose sums stay in registers. zero, mult,
 * sums: of the panel's group 0 of the segment; zero_step: 16, or 0 with one zw a row; i: index of the first token's group 0. */
S4J_INLINE void zero_points_of(const int T, const s4j_segment *s, const uint8_t *zero, int64_t zero_step, const uint8_t *mult,
                               const int32_t *wsum, const s4j_spikes *x, int64_t i, int64_t G, int32_t *D)
{
    __m256i v[4][2];
    for (int t = 0; t < T; t++) {
        v[t][0] = load(D + ROWS * t);
        v[t][1] = load(D + ROWS * t + 8);
    }
    for (int64_t g = 0; g < s->groups; g++, i++) {
        __m256i zw[2], ws[2];
        for (int h = 0; h < 2; h++) {
            __m256i mw = mult ? bytes_of(mult + ROWS * g + 8 * h) : _mm256_set1_epi32(1);
            zw[h] = _mm256_mullo_epi32(mw, bytes_of(zero + zero_step * g + 8 * h));
            ws[h] = s->bits == 8 ? _mm256_mullo_epi32(mw, load(wsum + ROWS * g + 8 * h)) : mw;
        }
#pragma GCC unroll 4
        for (int t = 0; t < T; t++) {
            const uint32_t m = (uint32_t)x->mult[i + t * G];
            const __m256i sum = _mm256_set1_epi32((int32_t)(m * (uint32_t)x->sum[i + t * G]));
            for (int h = 0; h < 2; h++) {
                v[t][h] = _mm256_sub_epi32(v[t][h], _mm256_mullo_epi32(zw[h], sum));
            }
            if (s->bits == 8) {
                const __m256i z = _mm256_set1_epi32((int32_t)(m * (S4J_MUT(33, 0u, 128u) - (uint32_t)x->zero[i + t * G])));
                for (int h = 0; h < 2; h++) {
                    v[t][h] = _mm256_add_epi32(v[t][h], _mm256_mullo_epi32(ws[h], z));
                }
            }
        }
    }
    for (int t = 0; t < T; t++) {
        store(D + ROWS * t, v[t][0]);
        store(D + ROWS * t + 8, v[t][1]);
    }
}

static void zero_points(const s4j_segment *s, const uint8_t *zero, int64_t zero_step, const uint8_t *mult, const int32_t *wsum,
                        const s4j_spikes *x, int64_t group, int64_t G, int64_t tokens, int64_t token, int32_t *D)
{
    int64_t i = token * G + group;
    for (; tokens >= 4; tokens -= 4, i += 4 * G, D += 4 * ROWS) {
        zero_points_of(4, s, zero, zero_step, mult, wsum, x, i, G, D);
    }
    for (; tokens > 0; tokens--, i += G, D += ROWS) {
        zero_points_of(1, s, zero, zero_step, mult, wsum, x, i, G, D);
    }
}

/* Y[t] = cvt(D)*(s*s_w) for the first segment, else fma into it. */
static void scale_sums(const int32_t *D, const float *s, int64_t tokens, const float *sw, int first, float *Y)
{
    for (int h = 0; h < 2; h++) {
        __m256 w = _mm256_loadu_ps(sw + 8 * h);
        for (int64_t t = 0; t < tokens; t++) {
            __m256 f = _mm256_mul_ps(_mm256_set1_ps(s[4 * t]), w);
            __m256 v = _mm256_cvtepi32_ps(load(D + ROWS * t + 8 * h));
            float *y = Y + ROWS * t + 8 * h;
            _mm256_storeu_ps(y, first ? _mm256_mul_ps(v, f) : S4J_MUT(34, _mm256_add_ps(_mm256_mul_ps(v, f), _mm256_loadu_ps(y)), _mm256_fmadd_ps(v, f, _mm256_loadu_ps(y))));
        }
    }
}

/* Bias, S4J_ADD and the store of `rows` (1..16) rows. */
static void finish(const float *Y, const float *bias, int64_t tokens, int32_t flags, int64_t rows, float *y, int64_t y_stride)
{
    for (int h = 0; 8 * h < rows; h++) {
        __m256 b = bias ? _mm256_loadu_ps(bias + 8 * h) : _mm256_setzero_ps();
        for (int64_t t = 0; t < tokens; t++) {
            float *out = y + t * y_stride + 8 * h;
            __m256 v = _mm256_loadu_ps(Y + ROWS * t + 8 * h);
            if (bias) {
                v = _mm256_add_ps(v, b);
            }
            put_lanes(out, v, S4J_MUT(37, 8, rows - 8 * h), flags & S4J_ADD);
        }
    }
}

/* One panel for up to TOKENS tokens from `token` on. */
static void panel(const s4j_gif *gif, const s4j_weights *w, const s4j_spikes *x, int64_t token, int64_t tokens, int64_t row,
                  int64_t rows, float *y, int64_t y_stride, int32_t flags)
{
    int32_t D[TOKENS * ROWS] __attribute__((aligned(64)));
    float Y[TOKENS * ROWS] __attribute__((aligned(64)));
    const int64_t panels = s4j_panels(w->rows), p = row / ROWS, G = gif->groups;
    const uint8_t *data = w->data;
    int64_t channel = 0, group = 0;
    int first = 1;
    for (int32_t i = 0; i < gif->segments; i++) {
        const s4j_segment *s = &gif->segment[i];
        if (s->channels == 0) {
            continue;
        }
        const int64_t channels = S4J_MUT(36, s->channels / 16 * 16, s4j_pad(s->channels, 16));
        const int64_t bytes = s4j_r16_panel(s->padded, w->bits);
        const uint8_t *mult = w->mult ? w->mult + (p * G + group) * ROWS : NULL;
        panel_t part = {
            .data = data + p * bytes,
            .mult = mult,
            .channels = channels,
            .group = s->groups > 1 ? s->group : channels,
            .budget = int16_budget(w->bits, s->bits),
        };
        const int32_t *m = w->mult || s->act_group ? x->mult + token * G + group : NULL;
        memset(D, 0, (size_t)tokens * ROWS * sizeof *D);
        (tokens < TILE ? gemv : gemm)(&part, w->bits, x->code + token * gif->padded + channel, gif->padded, m, G, tokens, D);
        zero_points(s, w->zero + (w->weight_groups == 1 ? p : p * G + group) * ROWS, w->weight_groups == 1 ? 0 : ROWS, mult,
                    w->sum ? w->sum + (p * G + group) * ROWS : NULL, x, group, G, tokens, token, D);
        scale_sums(D, x->scale + 4 * token + i, tokens, w->scale + row, first, Y);
        first = 0;
        data += panels * bytes;
        channel += s->padded;
        group += s->groups;
    }
    finish(Y, w->bias ? w->bias + row : NULL, tokens, flags, rows, y + token * y_stride + row, y_stride);
}

int32_t s4j_linear_avx2(const s4j_gif *gif, const s4j_weights *w, const s4j_spikes *x, int64_t tokens, float *y, int64_t y_stride,
                        int32_t flags, int64_t begin, int64_t end)
{
    if (w->steps[0] || s4j_has_bits(gif, 16)) { /* no recipe's hot path */
        return s4j_linear_scalar(gif, w, x, tokens, y, y_stride, flags, begin, end);
    }
    for (int64_t t = 0; t < tokens; t += TOKENS) {
        for (int64_t row = begin; row < end; row += ROWS) {
            panel(gif, w, x, t, min64(TOKENS, tokens - t), row, min64(ROWS, end - row), y, y_stride, flags);
        }
    }
    return S4J_OK;
}
