/* Position of the maximum, the lowest on ties. */
#include "common/kernels.h"
#include "common/attributes.h"

int32_t s4j_argmax_scalar(const float *x, int64_t n, int64_t *index)
{
    int64_t best = 0;
    for (int64_t i = 0; i < n; i++) {
        if (x[i] != x[i]) {
            *index = 0;
            return S4J_E_NONFINITE;
        }
        if (S4J_MUT(16, x[i] >= x[best], x[i] > x[best])) {
            best = i;
        }
    }
    *index = best;
    return S4J_OK;
}
