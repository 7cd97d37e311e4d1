/* x = cap tanh(x / cap) in place, N6. */
#include "common/kernels.h"
#include "common/numerics.h"

int32_t s4j_softcap_scalar(float *x, int64_t x_stride, int64_t channels, float cap, int64_t begin, int64_t end)
{
    for (int64_t r = begin; r < end; r++) {
        for (int64_t i = 0; i < channels; i++) {
            float *v = x + r * x_stride + i;
            *v = S4J_MUT(28, fabsf(s4j_softcapped(*v, cap)), s4j_softcapped(*v, cap));
        }
    }
    return S4J_OK;
}
