/*
 * The GEMM's mix on registers: 12 accumulators, vpmaddubsw + vpaddw, widened by vpmaddwd + vpaddd as often as the width asks;
 * where int16 saturates at once, vpmaddwd + vpaddd on 16 products. One iteration is 16 rows x 6 tokens x 4 k between
 * widenings of `budget` k.
 */
#include "avx2/avx2.h"
#include "common/kernels.h"

int32_t s4j_gemm_peak_avx2(int32_t weight_bits, int32_t act_bits, int64_t iterations, int64_t *macs, int64_t *sink)
{
    const int64_t budget = int16_budget(weight_bits, act_bits);
    const int64_t quads = budget ? min64(budget / 4, 128) : 1;
    __m256i a[6][2], w0 = _mm256_set1_epi8(1), w1 = _mm256_set1_epi8(2), d = _mm256_set1_epi8(1);
    __m256i wide = _mm256_setzero_si256();
    const __m256i one = _mm256_set1_epi16(1);
    for (int t = 0; t < 6; t++) {
        a[t][0] = a[t][1] = _mm256_setzero_si256();
    }
    for (int64_t n = 0; n < iterations;) {
        for (int64_t e = min64(n + quads, iterations); n < e; n++) {
#pragma GCC unroll 6
            for (int t = 0; t < 6; t++) {
                __m256i u, v;
                if (budget) {
                    __asm__ volatile("vpmaddubsw %[d], %[w0], %[u]\n\tvpmaddubsw %[d], %[w1], %[v]\n\t"
                                     "vpaddw %[u], %[a0], %[a0]\n\tvpaddw %[v], %[a1], %[a1]"
                                     : [a0] "+x"(a[t][0]), [a1] "+x"(a[t][1]), [u] "=&x"(u), [v] "=&x"(v)
                                     : [w0] "x"(w0), [w1] "x"(w1), [d] "x"(d));
                } else {
                    __asm__ volatile("vpmaddwd %[d], %[w0], %[u]\n\tvpmaddwd %[d], %[w1], %[v]\n\t"
                                     "vpaddd %[u], %[a0], %[a0]\n\tvpaddd %[v], %[a1], %[a1]"
                                     : [a0] "+x"(a[t][0]), [a1] "+x"(a[t][1]), [u] "=&x"(u), [v] "=&x"(v)
                                     : [w0] "x"(w0), [w1] "x"(w1), [d] "x"(d));
                }
            }
        }
        for (int t = 0; t < 6 && budget; t++) {
            for (int h = 0; h < 2; h++) {
                wide = _mm256_add_epi32(wide, _mm256_madd_epi16(a[t][h], one));
                a[t][h] = _mm256_setzero_si256();
            }
        }
    }
    for (int t = 0; t < 6; t++) {
        wide = _mm256_add_epi32(wide, _mm256_add_epi32(a[t][0], a[t][1]));
    }
    *macs = iterations * (budget ? 16 * 6 * 4 : 16 * 6 * 2);
    *sink = sum_epi32(wide);
    return S4J_OK;
}
