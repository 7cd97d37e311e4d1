/* SiLU * up, N9. */
#include "avx2/avx2.h"
#include "common/kernels.h"

S4J_INLINE __m256 silu_mul(__m256 g, __m256 u)
{
    __m256 e = exp_ps(_mm256_xor_ps(g, _mm256_set1_ps(-0.0f)));
    return _mm256_mul_ps(_mm256_div_ps(g, _mm256_add_ps(_mm256_set1_ps(1.0f), e)), u);
}

int32_t s4j_silu_mul_avx2(const float *gate_up, int64_t stride, int64_t channels, float *y, int64_t y_stride, int64_t begin,
                          int64_t end)
{
    for (int64_t row = begin; row < end; row++) {
        const float *g = gate_up + row * stride, *u = g + channels;
        float *out = y + row * y_stride;
        int64_t i = 0;
        for (; i + 8 <= channels; i += 8) {
            _mm256_storeu_ps(out + i, silu_mul(_mm256_loadu_ps(g + i), _mm256_loadu_ps(u + i)));
        }
        if (i < channels) {
            __m256i live = lanes(channels - i);
            _mm256_maskstore_ps(out + i, live, silu_mul(_mm256_maskload_ps(g + i, live), _mm256_maskload_ps(u + i, live)));
        }
    }
    return S4J_OK;
}
