/* Online rotation N9. */
#include "common/hadamard.h"
#include "common/kernels.h"

int32_t s4j_hadamard_scalar(float *x, int64_t x_stride, int64_t channels, int64_t begin, int64_t end)
{
    for (int64_t r = begin; r < end; r++) {
        s4j_hadamard_row(x + r * x_stride, channels);
    }
    return S4J_OK;
}
