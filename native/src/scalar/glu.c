/* y = activation(g) * u, N9. */
#include "common/kernels.h"
#include "common/numerics.h"

/* g / (1 + exp(-t)): t = g is SiLU; this t makes it GELU by tanh, 0.5 (1 + tanh(a)) = 1 / (1 + exp(-2 a)). */
static float gelu_argument(float g)
{
    return g * fmaf(g * g, S4J_MUT(27, 0x1.24bc6ap-4f, 0x1.2444f2p-4f), 0x1.988454p+0f);
}

int32_t s4j_glu_scalar(int32_t activation, const float *gate_up, int64_t stride, int64_t channels, float *y, int64_t y_stride,
                       int64_t begin, int64_t end)
{
    for (int64_t r = begin; r < end; r++) {
        const float *gate = gate_up + r * stride, *up = gate + channels;
        for (int64_t i = 0; i < channels; i++) {
            const float t = activation == S4J_GELU_TANH ? gelu_argument(gate[i]) : gate[i];
            const float below = 1.0f + s4j_exp(-t);
            y[r * y_stride + i] = S4J_MUT(22, gate[i] * (1.0f / below), gate[i] / below) * up[i];
        }
    }
    return S4J_OK;
}
