/*
 * Spike linear N4 over bit planes (P64), 8 rows in the 64-bit lanes of two ymm. Popcount by vpshufb of nibbles; bytes hold
 * cnt(w_0 & x) + 2 cnt(w_1 & x) <= 24 a word, so up to 10 words are summed before vpsadbw.
 */
#include "avx2/avx2.h"
#include "common/kernels.h"
#include "common/layout.h"

enum { WORDS = S4J_MUT(47, 11, 10), LANES = 8 };

S4J_INLINE __m256i popcount8(__m256i v)
{
    const __m256i low = _mm256_set1_epi8(15);
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3,
                                           3, 4);
    return _mm256_add_epi8(_mm256_shuffle_epi8(table, _mm256_and_si256(v, low)),
                           _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(v, 4), low)));
}

/* sum of c * w of 8 rows over a segment, modulo 2^32; data: the rows' words, code: the token's planes. */
S4J_INLINE __m256i products(const int bits, const uint64_t *data, const uint64_t *code, int64_t words, int32_t act_bits)
{
    __m256i D[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (int64_t k0 = 0; k0 < words; k0 += WORDS) {
        const int64_t k1 = min64(k0 + WORDS, words);
        for (int32_t a = 0; a < act_bits; a++) {
            __m256i acc[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
            for (int64_t k = k0; k < k1; k++) {
                const __m256i x = _mm256_set1_epi64x((int64_t)code[a * words + k]);
                for (int h = 0; h < 2; h++) {
                    const uint64_t *w = data + k * bits * LANES + 4 * h;
                    __m256i n = popcount8(_mm256_and_si256(load(w), x));
                    acc[h] = _mm256_add_epi8(acc[h], n);
                    if (bits == 2) {
                        n = popcount8(_mm256_and_si256(load(w + LANES), x));
                        acc[h] = _mm256_add_epi8(acc[h], _mm256_add_epi8(n, n));
                    }
                }
            }
            for (int h = 0; h < 2; h++) {
                const __m256i sum = _mm256_sad_epu8(acc[h], _mm256_setzero_si256());
                D[h] = _mm256_add_epi64(D[h], _mm256_sll_epi64(sum, _mm_cvtsi32_si128(a)));
            }
        }
    }
    /* low dwords of the 8 lanes, in row order */
    const __m256i even = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
    return _mm256_blend_epi32(_mm256_permutevar8x32_epi32(D[0], even), _mm256_permutevar8x32_epi32(D[1], even), 0xf0);
}

int32_t s4j_linear_planes_avx2(const s4j_gif *gif, const s4j_weights *w, const s4j_spikes *x, const uint64_t *planes,
                               int64_t tokens, float *y, int64_t y_stride, int32_t flags, int64_t begin, int64_t end)
{
    const int64_t stride = s4j_plane_words(gif), rows = s4j_panels(w->rows) * S4J_ROWS, G = gif->groups;
    for (int64_t row = begin; row < end; row += LANES) {
        const int64_t p = row / S4J_ROWS, r = row % S4J_ROWS;
        const __m256i zw = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(w->zero + p * S4J_ROWS + r)));
        const __m256 sw = _mm256_loadu_ps(w->scale + row);
        for (int64_t t = 0; t < tokens; t++) {
            const uint64_t *data = (const uint64_t *)(const void *)w->data, *code = planes + t * stride;
            __m256 v = _mm256_setzero_ps();
            int64_t g = 0;
            for (int32_t i = 0; i < gif->segments; i++) {
                const s4j_segment *s = &gif->segment[i];
                if (s->channels == 0) {
                    continue;
                }
                const int64_t words = s->padded / 64, xg = t * G + g;
                const uint64_t *own = data + s4j_p64_word(row, 0, 0, words, w->bits);
                __m256i D = w->bits == 2 ? products(2, own, code, words, s->bits) : products(1, own, code, words, s->bits);
                const uint32_t offset = (uint32_t)s4j_offset(s->bits, x->zero[xg]);
                const uint32_t sum = (uint32_t)x->sum[xg] + (uint32_t)s->channels * offset;
                D = _mm256_sub_epi32(D, _mm256_mullo_epi32(zw, _mm256_set1_epi32((int32_t)sum)));
                D = _mm256_sub_epi32(D, _mm256_mullo_epi32(load(w->sum + (p * G + g) * S4J_ROWS + r), _mm256_set1_epi32(x->zero[xg])));
                const __m256 f = _mm256_mul_ps(_mm256_set1_ps(x->scale[t * S4J_MAX_SEGMENTS + i]), sw);
                const __m256 d = _mm256_cvtepi32_ps(D);
                v = g == 0 ? _mm256_mul_ps(d, f) : _mm256_fmadd_ps(d, f, v);
                data += rows * words * w->bits;
                code += words * s->bits;
                g++;
            }
            float *out = y + t * y_stride + row;
            if (w->bias) {
                v = _mm256_add_ps(v, _mm256_loadu_ps(w->bias + row));
            }
            put_lanes(out, v, end - row, flags & S4J_ADD);
        }
    }
    return S4J_OK;
}
