/* Gated units of N9, 8 channels a step. */
#include "avx2/avx2.h"
#include "common/kernels.h"

S4J_INLINE __m256 glu(const int gelu, __m256 g, __m256 u)
{
    __m256 t = g;
    if (gelu) {
        const __m256 cubic = _mm256_set1_ps(0x1.2444f2p-4f), linear = _mm256_set1_ps(0x1.988454p+0f), g2 = _mm256_mul_ps(g, g);
        t = _mm256_mul_ps(g, S4J_MUT(53, _mm256_add_ps(_mm256_mul_ps(g2, cubic), linear), _mm256_fmadd_ps(g2, cubic, linear)));
    }
    const __m256 e = exp_ps(_mm256_xor_ps(t, _mm256_set1_ps(-0.0f)));
    return _mm256_mul_ps(_mm256_div_ps(g, _mm256_add_ps(_mm256_set1_ps(1.0f), e)), u);
}

S4J_INLINE void row(const int gelu, const float *g, const float *u, int64_t channels, float *out)
{
    int64_t i = 0;
    for (; i + 8 <= channels; i += 8) {
        _mm256_storeu_ps(out + i, glu(gelu, _mm256_loadu_ps(g + i), _mm256_loadu_ps(u + i)));
    }
    if (i < channels) {
        const __m256i live = lanes(channels - i);
        _mm256_maskstore_ps(out + i, live, glu(gelu, _mm256_maskload_ps(g + i, live), _mm256_maskload_ps(u + i, live)));
    }
}

int32_t s4j_glu_avx2(int32_t activation, const float *gate_up, int64_t stride, int64_t channels, float *y, int64_t y_stride,
                     int64_t begin, int64_t end)
{
    for (int64_t r = begin; r < end; r++) {
        const float *g = gate_up + r * stride;
        if (activation == S4J_GELU_TANH) {
            row(1, g, g + channels, channels, y + r * y_stride);
        } else {
            row(0, g, g + channels, channels, y + r * y_stride);
        }
    }
    return S4J_OK;
}
