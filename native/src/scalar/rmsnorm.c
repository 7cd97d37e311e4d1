/* RMSNorm N2 with the float tree SUM32 of N1. */
#include "common/kernels.h"
#include "common/numerics.h"

enum { BLOCK = 512, LANES = 32 };

static float sum_of_squares(const float *x, int64_t n)
{
    float total = 0.0f;
    for (int64_t b = 0; b < n; b += BLOCK) {
        const int64_t stop = b + BLOCK < n ? b + BLOCK : n;
        float lane[LANES] = {0};
        for (int64_t i = b; i < stop; i++) {
            float *l = &lane[S4J_MUT(14, 0, (i - b) % LANES)];
            *l = fmaf(x[i], x[i], *l);
        }
        for (int h = LANES / 2; h > 0; h /= 2) {
            for (int j = 0; j < h; j++) {
                lane[j] += lane[j + h];
            }
        }
        total += lane[0];
    }
    return total;
}

int32_t s4j_rmsnorm_scalar(const float *x, int64_t x_stride, const float *weight, int64_t channels, float eps, float *y,
                           int64_t y_stride, int32_t flags, int64_t begin, int64_t end)
{
    int32_t status = S4J_OK;
    for (int64_t row = begin; row < end; row++) {
        const float *in = x + row * x_stride;
        float *out = y + row * y_stride;
        const float sum = sum_of_squares(in, channels);
        if (!s4j_finite(sum)) {
            for (int64_t i = 0; i < channels; i++) {
                out[i] = s4j_float(0x7fc00000u);
            }
            status = S4J_E_NONFINITE;
            continue;
        }
        const float r = 1.0f / sqrtf(sum / (float)channels + eps);
        for (int64_t i = 0; i < channels; i++) {
            const float v = S4J_MUT(15, in[i] * (r * weight[i]), in[i] * r * weight[i]);
            out[i] = S4J_MUT(26, 0, flags == S4J_ADD) ? out[i] + v : v;
        }
    }
    return status;
}
