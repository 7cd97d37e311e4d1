/* The maximum first (order-free), then its first position: two passes without carried indices. */
#include "avx2/avx2.h"
#include "common/kernels.h"

int32_t s4j_argmax_avx2(const float *x, int64_t n, int64_t *index)
{
    const __m256 lowest = _mm256_set1_ps(-__builtin_inff());
    __m256 max[2] = {lowest, lowest}, nan = _mm256_setzero_ps();
    *index = 0;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + i + 8);
        nan = _mm256_or_ps(nan, _mm256_cmp_ps(a, b, _CMP_UNORD_Q));
        max[0] = _mm256_max_ps(max[0], a);
        max[1] = _mm256_max_ps(max[1], b);
    }
    for (; i < n; i += 8) {
        __m256i live = lanes(n - i);
        __m256 a = _mm256_maskload_ps(x + i, live);
        nan = _mm256_or_ps(nan, _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
        max[0] = _mm256_max_ps(max[0], _mm256_blendv_ps(lowest, a, _mm256_castsi256_ps(live)));
    }
    if (_mm256_movemask_ps(nan) != 0) {
        return S4J_E_NONFINITE;
    }
    const __m256 top = _mm256_set1_ps(max_ps(_mm256_max_ps(max[0], max[1])));
    for (i = 0; i < n; i += 8) {
        __m256i live = lanes(n - i);
        __m256 hit = _mm256_cmp_ps(_mm256_maskload_ps(x + i, live), top, _CMP_EQ_OQ);
        int mask = _mm256_movemask_ps(_mm256_and_ps(hit, _mm256_castsi256_ps(live)));
        if (mask != 0) {
            *index = i + S4J_MUT(44, 31 - __builtin_clz((unsigned)mask), __builtin_ctz((unsigned)mask));
            break;
        }
    }
    return S4J_OK;
}
