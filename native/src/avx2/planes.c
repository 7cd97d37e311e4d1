/* Codes to bit planes: bit b of 32 codes is one vpmovmskb after a shift that brings it to the sign bits. */
#include "avx2/avx2.h"
#include "common/kernels.h"
#include "common/layout.h"

/* The unsigned codes of 16 channels from k on; past the segment 0. */
static __m128i codes16(const s4j_segment *s, const int8_t *code, const int32_t *zero, int64_t k)
{
    const int64_t live = s->channels - k;
    if (live <= 0) {
        return _mm_setzero_si128();
    }
    const int32_t offset = s4j_offset(s->bits, zero[s->group ? k / s->group : 0]);
    const __m128i c = _mm_add_epi8(_mm_loadu_si128((const __m128i *)(const void *)(code + k)), _mm_set1_epi8((char)offset));
    const __m128i index = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm_and_si128(c, _mm_cmpgt_epi8(_mm_set1_epi8((char)S4J_MUT(46, 16, min64(live, 16))), index));
}

int32_t s4j_planes_avx2(const s4j_gif *gif, const s4j_spikes *x, uint64_t *planes, int64_t begin, int64_t end)
{
    const int64_t stride = s4j_plane_words(gif);
    for (int64_t r = begin; r < end; r++) {
        const int8_t *code = x->code + r * gif->padded;
        const int32_t *zero = x->zero + r * gif->groups;
        uint64_t *out = planes + r * stride;
        for (int32_t i = 0; i < gif->segments; i++) {
            const s4j_segment *s = &gif->segment[i];
            const int64_t words = s->padded / 64;
            for (int64_t w = 0; w < words; w++) {
                __m256i c[2];
                for (int h = 0; h < 2; h++) {
                    const int64_t k = 64 * w + 32 * h;
                    c[h] = _mm256_set_m128i(codes16(s, code, zero, k + 16), codes16(s, code, zero, k));
                }
                for (int32_t b = 0; b < s->bits; b++) {
                    const __m128i up = _mm_cvtsi32_si128(7 - b);
                    const uint32_t low = (uint32_t)_mm256_movemask_epi8(_mm256_sll_epi16(c[0], up));
                    const uint32_t high = (uint32_t)_mm256_movemask_epi8(_mm256_sll_epi16(c[1], up));
                    out[b * words + w] = (uint64_t)high << 32 | low;
                }
            }
            out += words * s->bits;
            code += s->padded;
            zero += s->groups;
        }
    }
    return S4J_OK;
}
