/* y = (g / (1 + exp(-g))) * u, N9. */
#include "common/kernels.h"
#include "common/numerics.h"

int32_t s4j_silu_mul_scalar(const float *gate_up, int64_t stride, int64_t channels, float *y, int64_t y_stride, int64_t begin,
                            int64_t end)
{
    for (int64_t r = begin; r < end; r++) {
        const float *gate = gate_up + r * stride, *up = gate + channels;
        for (int64_t i = 0; i < channels; i++) {
            const float below = 1.0f + s4j_exp(-gate[i]);
            y[r * y_stride + i] = S4J_MUT(22, gate[i] * (1.0f / below), gate[i] / below) * up[i];
        }
    }
    return S4J_OK;
}
