/* RMSNorm N2. SUM32: lane j of 32 is lane j%8 of ymm j/8, so the tree's steps 16 and 8 are adds of whole registers. */
#include "avx2/avx2.h"
#include "common/kernels.h"
#include "common/numerics.h"

enum { BLOCK = 512 };

static float sum32_block(const float *x, int64_t n)
{
    __m256 a[4];
    for (int j = 0; j < 4; j++) {
        a[j] = _mm256_setzero_ps();
    }
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) {
        for (int j = 0; j < 4; j++) {
            __m256 v = _mm256_loadu_ps(x + i + 8 * j);
            a[j] = _mm256_fmadd_ps(v, v, a[j]);
        }
    }
    for (int j = 0; i < n; i += 8, j++) { /* fma(0, 0, a) == a: absent elements change nothing */
        __m256 v = _mm256_maskload_ps(x + i, lanes(n - i));
        a[j] = _mm256_fmadd_ps(v, v, a[j]);
    }
    a[0] = S4J_MUT(40, _mm256_add_ps(_mm256_add_ps(a[0], a[1]), _mm256_add_ps(a[2], a[3])),
                   _mm256_add_ps(_mm256_add_ps(a[0], a[2]), _mm256_add_ps(a[1], a[3])));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a[0]), _mm256_extractf128_ps(a[0], 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* out (+)= (in * r) * weight; the residual has a loop of its own, for a choice in each step costs a fifth. */
S4J_INLINE void scale_row(const int add, const float *in, float r, const float *weight, int64_t channels, float *out)
{
    const __m256 factor = _mm256_set1_ps(r);
    int64_t i = 0;
    for (; i + 8 <= channels; i += 8) {
        const __m256 v = _mm256_mul_ps(_mm256_loadu_ps(in + i), factor);
        put_lanes(out + i, _mm256_mul_ps(v, _mm256_loadu_ps(weight + i)), 8, add);
    }
    for (; i < channels; i++) {
        const float v = in[i] * r * weight[i];
        out[i] = S4J_MUT(52, 0, add) ? out[i] + v : v;
    }
}

int32_t s4j_rmsnorm_avx2(const float *x, int64_t x_stride, const float *weight, int64_t channels, float eps, float *y,
                         int64_t y_stride, int32_t flags, int64_t begin, int64_t end)
{
    int32_t status = S4J_OK;
    for (int64_t row = begin; row < end; row++) {
        const float *in = x + row * x_stride;
        float *out = y + row * y_stride;
        float sum = 0.0f;
        for (int64_t i = 0; i < channels; i += BLOCK) {
            sum += sum32_block(in + i, min64(BLOCK, channels - i));
        }
        float r = 1.0f / sqrtf(sum / (float)channels + eps);
        if (!s4j_finite(sum)) {
            status = S4J_E_NONFINITE;
            r = s4j_float(0x7fc00000u);
        }
        if (flags == S4J_ADD) {
            scale_row(1, in, r, weight, channels, out);
        } else {
            scale_row(0, in, r, weight, channels, out);
        }
    }
    return status;
}
