/* Online rotation N9. */
#include "avx2/hadamard.h"
#include "common/kernels.h"

int32_t s4j_hadamard_avx2(float *x, int64_t x_stride, int64_t channels, int64_t begin, int64_t end)
{
    for (int64_t r = begin; r < end; r++) {
        hadamard(x + r * x_stride, channels);
    }
    return S4J_OK;
}
