/*
 * The GEMM's mix on registers: 12 accumulators, vpmaddubsw + vpaddw, widened by vpmaddwd + vpaddd as often as the widths ask;
 * where int16 saturates at once, vpmaddwd + vpaddd on half as many products. An iteration is one tile step: 16 rows x 6 tokens x
 * 4 k (or 2).
 */
#include "avx2/avx2.h"
#include "common/kernels.h"

enum { TILE = 6 };

/* n steps on zeroed accumulators, then their widened sum. */
S4J_INLINE __m256i steps(const int s16, int64_t n, __m256i w, __m256i d)
{
    __m256i a[TILE][2];
    for (int t = 0; t < TILE; t++) {
        a[t][0] = a[t][1] = _mm256_setzero_si256();
    }
    for (; n > 0; n--) {
#pragma GCC unroll 6
        for (int t = 0; t < TILE; t++) {
            __m256i u, v;
            if (s16) {
                __asm__("vpmaddwd %[d], %[w], %[u]\n\tvpmaddwd %[d], %[w], %[v]\n\t"
                        "vpaddd %[u], %[a0], %[a0]\n\tvpaddd %[v], %[a1], %[a1]"
                        : [a0] "+x"(a[t][0]), [a1] "+x"(a[t][1]), [u] "=&x"(u), [v] "=&x"(v)
                        : [w] "x"(w), [d] "x"(d));
            } else {
                __asm__("vpmaddubsw %[d], %[w], %[u]\n\tvpmaddubsw %[d], %[w], %[v]\n\t"
                        "vpaddw %[u], %[a0], %[a0]\n\tvpaddw %[v], %[a1], %[a1]"
                        : [a0] "+x"(a[t][0]), [a1] "+x"(a[t][1]), [u] "=&x"(u), [v] "=&x"(v)
                        : [w] "x"(w), [d] "x"(d));
            }
        }
    }
    __m256i sum = _mm256_setzero_si256();
    for (int t = 0; t < TILE; t++) {
        for (int h = 0; h < 2; h++) {
            sum = _mm256_add_epi32(sum, s16 ? a[t][h] : _mm256_madd_epi16(a[t][h], _mm256_set1_epi16(1)));
        }
    }
    return sum;
}

int32_t s4j_gemm_peak_avx2(int32_t weight_bits, int32_t act_bits, int64_t iterations, int64_t *macs, int64_t *sink)
{
    const int64_t budget = int16_budget(weight_bits, act_bits), most = budget ? min64(budget / 4, 128) : 128;
    const __m256i w = _mm256_set1_epi8((char)weight_bits), d = _mm256_set1_epi8((char)act_bits);
    __m256i sum = _mm256_setzero_si256();
    for (int64_t n = 0; n < iterations; n += most) {
        const int64_t count = min64(most, iterations - n);
        sum = _mm256_add_epi32(sum, budget ? steps(0, count, w, d) : steps(1, count, w, d));
    }
    *macs = iterations * 16 * TILE * (budget ? 4 : 2);
    *sink = sum_epi32(sum);
    return S4J_OK;
}
