/* Online rotation N9, 8 channels a vector: stages 1, 2 and 4 inside a vector, the others between vectors. */
#ifndef S4J_AVX2_HADAMARD_H
#define S4J_AVX2_HADAMARD_H

#include "avx2/avx2.h"
#include "common/hadamard.h"

/* Lanes whose bit `h` is 0 become u + v, the others u - v, where u and v are the lanes without and with that bit. */
S4J_INLINE __m256 hadamard_8(__m256 x)
{
    const __m256 odd = _mm256_castsi256_ps(_mm256_setr_epi32(0, INT32_MIN, 0, INT32_MIN, 0, INT32_MIN, 0, INT32_MIN));
    const __m256 pair = _mm256_castsi256_ps(_mm256_setr_epi32(0, 0, INT32_MIN, INT32_MIN, 0, 0, INT32_MIN, INT32_MIN));
    const __m256 half = _mm256_castsi256_ps(_mm256_setr_epi32(0, 0, 0, 0, INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN));
    x = _mm256_add_ps(_mm256_permute_ps(x, 0xa0), _mm256_xor_ps(_mm256_permute_ps(x, 0xf5), odd));
    x = _mm256_add_ps(_mm256_permute_ps(x, 0x44), _mm256_xor_ps(_mm256_permute_ps(x, 0xee), pair));
    return _mm256_add_ps(_mm256_permute2f128_ps(x, x, 0x00), _mm256_xor_ps(_mm256_permute2f128_ps(x, x, 0x11), half));
}

/* Rotates the n channels at x in place. */
static inline void hadamard(float *x, int64_t n)
{
    const int64_t block = s4j_hadamard_block(n);
    if (block < 8) {
        s4j_hadamard_row(x, n);
        return;
    }
    const __m256 scale = _mm256_set1_ps(s4j_hadamard_scale(block));
    for (float *b = x; b < x + n; b += block) {
        for (int64_t i = 0; i < block; i += 8) {
            _mm256_storeu_ps(b + i, hadamard_8(_mm256_loadu_ps(b + i)));
        }
        for (int64_t h = S4J_MUT(66, 16, 8); h < block; h *= 2) {
            for (int64_t i = 0; i < block; i += 2 * h) {
                for (int64_t j = i; j < i + h; j += 8) {
                    const __m256 u = _mm256_loadu_ps(b + j), v = _mm256_loadu_ps(b + j + h);
                    _mm256_storeu_ps(b + j, _mm256_add_ps(u, v));
                    _mm256_storeu_ps(b + j + h, _mm256_sub_ps(u, v));
                }
            }
        }
        for (int64_t i = 0; i < block; i += 8) {
            _mm256_storeu_ps(b + i, _mm256_mul_ps(_mm256_loadu_ps(b + i), scale));
        }
    }
}

#endif
