/*
 * Dense linear, DOT256 (N1): lanes are rows, so the order of a lane's sum is k ascending. A block of 256 k is one step of every
 * tile: 16 rows x 6 tokens in 12 accumulators, then added to the totals. bf16 is widened to f32 once a block of tokens, or in
 * registers for up to 5 tokens, where two panels run side by side: one fma chain a half panel would be bound by its latency.
 */
#include "avx2/avx2.h"
#include "common/kernels.h"
#include "common/layout.h"

enum { ROWS = S4J_ROWS, TILE = 6, TOKENS = 96, BLOCK = S4J_MUT(45, 512, 256), AHEAD = 2048 };

/* a0 += w0 * x, a1 += w1 * x; in assembly for the same reason as mac_u8. */
S4J_INLINE void mac_f32(__m256 *a0, __m256 *a1, __m256 w0, __m256 w1, const float *x)
{
    __m256 d;
    __asm__("vbroadcastss %[x], %[d]\n\t"
            "vfmadd231ps %[d], %[w0], %[a0]\n\t"
            "vfmadd231ps %[d], %[w1], %[a1]"
            : [a0] "+x"(*a0), [a1] "+x"(*a1), [d] "=&x"(d)
            : [w0] "x"(w0), [w1] "x"(w1), [x] "m"(*x));
}

S4J_INLINE __m256 low_bf16(__m256i v)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(v, 16));
}

S4J_INLINE __m256 high_bf16(__m256i v)
{
    return _mm256_castsi256_ps(_mm256_and_si256(v, _mm256_set1_epi32((int)0xffff0000)));
}

S4J_INLINE void tile(const int T, const float *w, const float *x, int64_t xs, int64_t n, float *total)
{
    __m256 acc[TILE][2];
    for (int t = 0; t < T; t++) {
        acc[t][0] = acc[t][1] = _mm256_setzero_ps();
    }
    const float *x0 = x, *x3 = T > 3 ? x + 3 * xs : x;
    for (int64_t k = 0; k < n; k++) {
        __m256 w0 = _mm256_loadu_ps(w + ROWS * k), w1 = _mm256_loadu_ps(w + ROWS * k + 8);
#pragma GCC unroll 6
        for (int t = 0; t < T; t++) {
            mac_f32(&acc[t][0], &acc[t][1], w0, w1, (t < 3 ? x0 + t * xs : x3 + (t - 3) * xs) + k);
        }
    }
    for (int t = 0; t < T; t++) {
        for (int h = 0; h < 2; h++) {
            float *o = total + ROWS * t + 8 * h;
            _mm256_storeu_ps(o, _mm256_add_ps(_mm256_loadu_ps(o), acc[t][h]));
        }
    }
}

static void tile_any(int64_t T, const float *w, const float *x, int64_t xs, int64_t n, float *total)
{
    switch (T) {
    case 1: tile(1, w, x, xs, n, total); break;
    case 2: tile(2, w, x, xs, n, total); break;
    case 3: tile(3, w, x, xs, n, total); break;
    case 4: tile(4, w, x, xs, n, total); break;
    case 5: tile(5, w, x, xs, n, total); break;
    default: tile(6, w, x, xs, n, total); break;
    }
}

/* Adds to total[t][16] of one panel, n > 5 tokens. */
static void gemm(const void *panel, int32_t dtype, int64_t channels, const float *x, int64_t xs, int64_t tokens, float *total)
{
    float wide[BLOCK * ROWS] __attribute__((aligned(64)));
    for (int64_t k0 = 0; k0 < channels; k0 += BLOCK) {
        const int64_t n = min64(BLOCK, channels - k0);
        const float *w = wide;
        if (dtype == S4J_F32) {
            w = (const float *)panel + ROWS * k0;
        } else {
            const uint16_t *p = (const uint16_t *)panel + ROWS * k0;
            for (int64_t k = 0; k < n; k += 2, p += 2 * ROWS) { /* an odd last k is followed by a pad */
                for (int h = 0; h < 2; h++) {
                    __m256i v = load(p + ROWS * h);
                    _mm256_store_ps(wide + ROWS * k + 8 * h, low_bf16(v));
                    _mm256_store_ps(wide + ROWS * (k + 1) + 8 * h, high_bf16(v));
                }
            }
        }
        for (int64_t t = 0; t < tokens; t += TILE) {
            tile_any(min64(TILE, tokens - t), w, x + t * xs + k0, xs, n, total + ROWS * t);
        }
    }
}

/* Adds to total[panel][t][16] of P panels `step` bytes apart, T tokens, straight from memory. */
S4J_INLINE void gemv(const int P, const int T, const int bf16, const uint8_t *w, int64_t step, int64_t channels, const float *x,
                     int64_t xs, float *total)
{
    for (int64_t k0 = 0; k0 < channels; k0 += BLOCK) {
        const int64_t end = min64(k0 + BLOCK, channels);
        __m256 acc[2][5][2];
        for (int p = 0; p < P; p++) {
            for (int t = 0; t < T; t++) {
                acc[p][t][0] = acc[p][t][1] = _mm256_setzero_ps();
            }
        }
        if (!bf16) {
            for (int64_t k = k0; k < end; k++, w += 64) {
#pragma GCC unroll 2
                for (int p = 0; p < P; p++) {
                    const uint8_t *v = w + p * step;
                    _mm_prefetch((const char *)v + AHEAD, _MM_HINT_T0);
                    __m256 w0 = _mm256_castsi256_ps(load(v)), w1 = _mm256_castsi256_ps(load(v + 32));
#pragma GCC unroll 5
                    for (int t = 0; t < T; t++) {
                        mac_f32(&acc[p][t][0], &acc[p][t][1], w0, w1, x + t * xs + k);
                    }
                }
            }
        } else {
            int64_t k = k0;
            for (; k + 2 <= end; k += 2, w += 64) {
#pragma GCC unroll 2
                for (int p = 0; p < P; p++) {
                    const uint8_t *v = w + p * step;
                    _mm_prefetch((const char *)v + AHEAD, _MM_HINT_T0);
                    __m256i w0 = load(v), w1 = load(v + 32);
#pragma GCC unroll 5
                    for (int t = 0; t < T; t++) {
                        mac_f32(&acc[p][t][0], &acc[p][t][1], low_bf16(w0), low_bf16(w1), x + t * xs + k);
                        mac_f32(&acc[p][t][0], &acc[p][t][1], high_bf16(w0), high_bf16(w1), x + t * xs + k + 1);
                    }
                }
            }
            for (; k < end; k++) { /* the odd last channel */
                for (int p = 0; p < P; p++) {
                    __m256 w0 = low_bf16(load(w + p * step)), w1 = low_bf16(load(w + p * step + 32));
                    for (int t = 0; t < T; t++) {
                        mac_f32(&acc[p][t][0], &acc[p][t][1], w0, w1, x + t * xs + k);
                    }
                }
            }
        }
        for (int p = 0; p < P; p++) {
            for (int t = 0; t < T; t++) {
                for (int h = 0; h < 2; h++) {
                    float *o = total + (p * T + t) * ROWS + 8 * h;
                    _mm256_storeu_ps(o, _mm256_add_ps(_mm256_loadu_ps(o), acc[p][t][h]));
                }
            }
        }
    }
}

static void gemv_any(int64_t P, int64_t T, int bf16, const uint8_t *w, int64_t step, int64_t channels, const float *x, int64_t xs,
                     float *total)
{
#define CASE(p, t)                                            \
    case 10 * p + t:                                          \
        if (bf16) {                                           \
            gemv(p, t, 1, w, step, channels, x, xs, total);   \
        } else {                                              \
            gemv(p, t, 0, w, step, channels, x, xs, total);   \
        }                                                     \
        break
    switch (10 * P + T) {
        CASE(2, 1);
        CASE(2, 2);
        CASE(1, 1);
        CASE(1, 2);
        CASE(1, 3);
        CASE(1, 4);
        CASE(1, 5);
    default: break;
    }
#undef CASE
}

static void finish(const float *total, const float *bias, int64_t tokens, int32_t flags, int64_t rows, float *y, int64_t ys)
{
    for (int h = 0; 8 * h < rows; h++) {
        for (int64_t t = 0; t < tokens; t++) {
            float *out = y + t * ys + 8 * h;
            __m256 v = _mm256_loadu_ps(total + ROWS * t + 8 * h);
            if (bias) {
                v = _mm256_add_ps(v, _mm256_loadu_ps(bias + 8 * h));
            }
            put_lanes(out, v, rows - 8 * h, flags & S4J_ADD);
        }
    }
}

int32_t s4j_dense_avx2(const s4j_dense_weights *w, const float *x, int64_t x_stride, int64_t tokens, float *y, int64_t y_stride,
                       int32_t flags, int64_t begin, int64_t end)
{
    const int bf16 = w->dtype == S4J_BF16;
    const int64_t step = s4j_pad(w->channels, 64) * ROWS * (bf16 ? 2 : 4);
    float total[TOKENS * ROWS] __attribute__((aligned(64)));
    for (int64_t t = 0; t < tokens; t += TOKENS) {
        const int64_t T = min64(TOKENS, tokens - t);
        const float *in = x + t * x_stride;
        for (int64_t row = begin, P; row < end; row += P * ROWS) {
            const uint8_t *panel = (const uint8_t *)w->data + row / ROWS * step;
            P = T <= 2 && end - row > ROWS ? 2 : 1;
            memset(total, 0, (size_t)(P * T * ROWS) * sizeof *total);
            if (T < TILE) {
                gemv_any(P, T, bf16, panel, step, w->channels, in, x_stride, total);
            } else {
                gemm(panel, w->dtype, w->channels, in, x_stride, T, total);
            }
            for (int64_t p = 0; p < P; p++) {
                const int64_t first = row + p * ROWS;
                finish(total + p * T * ROWS, w->bias ? w->bias + first : NULL, T, flags, min64(ROWS, end - first),
                       y + t * y_stride + first, y_stride);
            }
        }
    }
    return S4J_OK;
}
