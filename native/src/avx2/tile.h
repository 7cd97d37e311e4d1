/*
 * The integer tiles of the spike linear and of attention's scores: a panel of 16 rows (weights, or positions of K) times up to
 * 6 rows of signed bytes (tokens, or queries).
 */
#ifndef S4J_AVX2_TILE_H
#define S4J_AVX2_TILE_H

#include "avx2/avx2.h"
#include "common/layout.h"

enum {
    ROWS = S4J_ROWS, /* of a panel */
    TILE = 6,        /* tokens of a tile: 12 int16 accumulators, 2 weights, 1 activation, 1 product */
    KBLOCK = 1152,   /* k of unpacked weights: 18 KiB; four times the 288 that W4A4 sums in int16 */
    KBLOCK_S16 = 256 /* the same for u16 codes */
};

/* What the kernels need of one segment of one panel. */
typedef struct {
    const uint8_t *data; /* packed codes of the panel */
    const uint8_t *mult; /* [groups][16] mw, or NULL */
    int64_t channels;    /* rounded up to 16: the pads to 64 are all zero */
    int64_t group;       /* channels of a group; all if there is one */
    int64_t budget;      /* k before int16 must be widened; 0: the s16 form */
} panel_t;

/* 8 u8 of p as dwords with the value in both int16 halves. */
S4J_INLINE __m256i pairs_of(const uint8_t *p)
{
    __m256i v = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
    return _mm256_or_si256(v, _mm256_slli_epi32(v, 16));
}

S4J_INLINE __m256i bytes_of(const uint8_t *p)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
}

/* Codes of k [k0, k1) of a panel to u8 vectors, 64 bytes (16 rows) a quad. */
S4J_INLINE void unpack(int32_t bits, const uint8_t *data, int64_t k0, int64_t k1, uint8_t *out)
{
    const uint8_t *p = data + k0 * ROWS * bits / 8;
    const uint8_t *end = data + k1 * ROWS * bits / 8;
    if (bits == 4) {
        const __m256i mask = _mm256_set1_epi8(15);
        for (; p < end; p += 64, out += 128) {
            __m256i a = load(p), b = load(p + 32);
            store(out, _mm256_and_si256(a, mask));
            store(out + 32, _mm256_and_si256(b, mask));
            store(out + 64, _mm256_and_si256(_mm256_srli_epi16(a, 4), mask));
            store(out + 96, _mm256_and_si256(_mm256_srli_epi16(b, 4), mask));
        }
    } else {
        const __m256i mask = _mm256_set1_epi8(3);
        for (; p < end; p += 64, out += 256) {
            __m256i a = load(p), b = load(p + 32);
            for (int i = 0; i < 4; i++) {
                store(out + 64 * i, _mm256_and_si256(_mm256_srli_epi16(a, 2 * i), mask));
                store(out + 64 * i + 32, _mm256_and_si256(_mm256_srli_epi16(b, 2 * i), mask));
            }
        }
    }
}

/* 8 k of a tile into int16 accumulators: `first` sets them. */
S4J_INLINE void two_quads(const int T, const int first, const uint8_t *w, const int8_t *x0, const int8_t *x3, int64_t xs,
                          __m256i acc[][2])
{
#pragma GCC unroll 2
    for (int q = 0; q < 2; q++) {
        __m256i w0 = load(w + 64 * q), w1 = load(w + 64 * q + 32);
#pragma GCC unroll 6
        for (int t = 0; t < T; t++) {
            const int8_t *x = (t < 3 ? x0 + t * xs : x3 + (t - 3) * xs) + 4 * q;
            if (first && q == 0) {
                mul_u8(&acc[t][0], &acc[t][1], w0, w1, x);
            } else {
                mac_u8(&acc[t][0], &acc[t][1], w0, w1, x);
            }
        }
    }
}

/* What widens a group's int16 sums to int32: m*mw (at most 16065) by token and half panel, in both halves of a dword. */
S4J_INLINE void group_factors(const int T, const panel_t *p, const int32_t *mult, int64_t ms, int64_t g, __m256i f[][2])
{
    const __m256i one = _mm256_set1_epi16(1);
    __m256i mw[2] = {one, one};
    if (p->mult) {
        mw[0] = pairs_of(p->mult + ROWS * g);
        mw[1] = pairs_of(p->mult + ROWS * g + 8);
    }
    for (int t = 0; t < T; t++) {
        __m256i m = mult ? _mm256_set1_epi16((int16_t)mult[t * ms + g]) : one;
        for (int h = 0; h < 2; h++) {
            f[t][h] = p->mult ? _mm256_mullo_epi16(mw[h], m) : m;
        }
    }
}

/* D[t][16] += the tile's sums over the next n * 8 k, which int16 holds. `whole`: they are all of group g, whose factors
 * come after them, when registers are free; else the factors stand in f. */
S4J_INLINE void step_u8(const int T, const int whole, const panel_t *p, const uint8_t *wb, const int8_t *x, int64_t xs, int64_t n, const int32_t *mult,
                        int64_t ms, int64_t g, __m256i f[][2], int32_t *D)
{
    const int8_t *x3 = T > 3 ? x + 3 * xs : x; /* two bases: x86 has no address of base + 5 * stride */
    __m256i acc[TILE][2];
    two_quads(T, 1, wb, x, x3, xs, acc);
    while (--n > 0) {
        two_quads(T, 0, wb += 128, x += 8, x3 += 8, xs, acc);
    }
    if (whole) {
        group_factors(T, p, mult, ms, g, f);
    }
    for (int t = 0; t < T; t++) {
        for (int h = 0; h < 2; h++) {
            int32_t *d = D + ROWS * t + 8 * h;
            store(d, _mm256_add_epi32(load(d), _mm256_madd_epi16(acc[t][h], f[t][h])));
        }
    }
}

/* D[t][16] += the tile's sums over k [k0, k1); wb: unpacked codes of k0, x: codes of channel 0 of the segment. */
S4J_INLINE void tile_u8(const int T, const panel_t *p, const uint8_t *wb, const int8_t *x, int64_t xs, const int32_t *mult,
                    int64_t ms, int64_t k0, int64_t k1, int32_t *D)
{
    x += k0;
    for (int64_t k = k0, g = k0 / p->group; k < k1; g++) {
        const int64_t end = min64((g + 1) * p->group, k1);
        __m256i f[TILE][2];
        if (p->budget >= end - k) {
            step_u8(T, 1, p, wb, x, xs, (end - k) / 8, mult, ms, g, f, D);
            wb += (end - k) * ROWS;
            x += end - k;
            k = end;
            continue;
        }
        group_factors(T, p, mult, ms, g, f);
        for (int64_t n; k < end; k += n, x += n, wb += n * ROWS) {
            n = min64(p->budget, end - k);
            step_u8(T, 0, p, wb, x, xs, n / 8, mult, ms, g, f, D);
        }
    }
}

/* 8-bit codes as u16: per quad 2 ymm of even k, 2 of odd k (rows 0..7, 8..15). */
S4J_INLINE void unpack_s16(const uint8_t *data, int64_t k0, int64_t k1, uint8_t *out)
{
    const __m256i mask = _mm256_set1_epi16(0xff);
    for (const uint8_t *p = data + k0 * ROWS, *end = data + k1 * ROWS; p < end; p += 64, out += 128) {
        __m256i a = load(p), b = load(p + 32);
        store(out, _mm256_and_si256(a, mask));
        store(out + 32, _mm256_and_si256(b, mask));
        store(out + 64, _mm256_srli_epi16(a, 8));
        store(out + 96, _mm256_srli_epi16(b, 8));
    }
}

/* D[t][16] += a group's int32 sums times m*mw. */
S4J_INLINE void add_group(const int T, const panel_t *p, const int32_t *mult, int64_t ms, int64_t g, __m256i acc[][2], int32_t *D)
{
    for (int t = 0; t < T; t++) {
        for (int h = 0; h < 2; h++) {
            int32_t *d = D + ROWS * t + 8 * h;
            __m256i v = acc[t][h];
            if (mult != NULL) {
                __m256i m = _mm256_set1_epi32(mult[t * ms + g]);
                if (p->mult != NULL) {
                    m = _mm256_mullo_epi32(m, bytes_of(p->mult + ROWS * g + 8 * h));
                }
                v = _mm256_mullo_epi32(v, m);
            }
            store(d, _mm256_add_epi32(load(d), v));
        }
    }
}

S4J_INLINE void tile_s16(const int T, const panel_t *p, const uint8_t *wb, const int8_t *x, int64_t xs, const int32_t *mult,
                     int64_t ms, int64_t k0, int64_t k1, int32_t *D)
{
    /* the tile's bytes as s16, per quad a dword of even and a dword of odd k: [t][k/4][2] dwords */
    int32_t xb[TILE][KBLOCK_S16 / 2] __attribute__((aligned(32)));
    for (int t = 0; t < T; t++) {
        for (int64_t k = k0; k < k1; k += 32) {
            __m256i v = load(x + t * xs + k);
            __m256i e = even_s16(v), o = odd_s16(v);
            __m256i lo = _mm256_unpacklo_epi32(e, o), hi = _mm256_unpackhi_epi32(e, o);
            store(&xb[t][(k - k0) / 2], _mm256_permute2x128_si256(lo, hi, 0x20));
            store(&xb[t][(k - k0) / 2 + 8], _mm256_permute2x128_si256(lo, hi, 0x31));
        }
    }
    for (int64_t k = k0; k < k1;) {
        int64_t g = k / p->group;
        int64_t e = min64(k1, (g + 1) * p->group);
        __m256i acc[TILE][2];
        for (int t = 0; t < T; t++) {
            acc[t][0] = acc[t][1] = _mm256_setzero_si256();
        }
        const uint8_t *w = wb + (k - k0) * ROWS * 2;
        const int32_t *xq = &xb[0][(k - k0) / 2];
        for (int64_t n = (e - k) / 4; n > 0; n--, xq += 2, w += 128) {
#pragma GCC unroll 2
            for (int q = 0; q < 2; q++) {
                __m256i w0 = load(w + 64 * q), w1 = load(w + 64 * q + 32);
#pragma GCC unroll 6
                for (int t = 0; t < T; t++) {
                    mac_s16(&acc[t][0], &acc[t][1], w0, w1, xq + t * (KBLOCK_S16 / 2) + q);
                }
            }
        }
        add_group(T, p, mult, ms, g, acc, D);
        k = e;
    }
}

#define TILES(name)                                                                                                              \
    static void name##_any(int64_t T, const panel_t *p, const uint8_t *wb, const int8_t *x, int64_t xs, const int32_t *mult,     \
                           int64_t ms, int64_t k0, int64_t k1, int32_t *D)                                                       \
    {                                                                                                                            \
        switch (T) {                                                                                                             \
        case 1: name(1, p, wb, x, xs, mult, ms, k0, k1, D); break;                                                               \
        case 2: name(2, p, wb, x, xs, mult, ms, k0, k1, D); break;                                                               \
        case 3: name(3, p, wb, x, xs, mult, ms, k0, k1, D); break;                                                               \
        case 4: name(4, p, wb, x, xs, mult, ms, k0, k1, D); break;                                                               \
        case 5: name(5, p, wb, x, xs, mult, ms, k0, k1, D); break;                                                               \
        default: name(6, p, wb, x, xs, mult, ms, k0, k1, D); break;                                                              \
        }                                                                                                                        \
    }
TILES(tile_u8)
TILES(tile_s16)

/* D[t][16] += sums of the segment's channels for `tokens` encoded rows. */
static void gemm(const panel_t *p, int32_t bits, const int8_t *x, int64_t xs, const int32_t *mult, int64_t ms, int64_t tokens,
                 int32_t *D)
{
    uint8_t wb[KBLOCK * ROWS] __attribute__((aligned(64)));
    int64_t block = p->budget ? KBLOCK : KBLOCK_S16;
    for (int64_t k0 = 0; k0 < p->channels; k0 += block) {
        int64_t k1 = min64(k0 + block, p->channels);
        const uint8_t *w = wb;
        if (!p->budget) {
            unpack_s16(p->data, k0, k1, wb);
        } else if (bits == 8) {
            w = p->data + k0 * ROWS;
        } else {
            unpack(bits, p->data, k0, k1, wb);
        }
        /* The next block's codes come into L2 while this one's tiles run: a burst of 4 KiB is too short for the hardware. */
        const char *ahead = (const char *)p->data + k1 * ROWS * bits / 8;
        const char *stop = ahead + block * ROWS * bits / 8;
        const int64_t lines = (block * ROWS * bits / 8 * TILE / tokens + 63) / 64;
        for (int64_t t = 0; t < tokens; t += TILE) {
            for (int64_t i = 0; i < lines && ahead < stop; i++, ahead += 64) {
                _mm_prefetch(ahead, _MM_HINT_T1);
            }
            (p->budget ? tile_u8_any : tile_s16_any)(min64(TILE, tokens - t), p, w, x + t * xs, xs, mult ? mult + t * ms : NULL,
                                                     ms, k0, k1, D + t * ROWS);
        }
    }
}

#endif
