/* The scalar mix: multiply and add of ints, eight chains. The barrier keeps the compiler from folding or vectorizing them. */
#include "common/kernels.h"

int32_t s4j_gemm_peak_scalar(int32_t weight_bits, int32_t act_bits, int64_t iterations, int64_t *macs, int64_t *sink)
{
    uint32_t acc[8] = {0}, w = (uint32_t)weight_bits, d = (uint32_t)act_bits;
    for (int64_t n = 0; n < iterations; n++) {
        __asm__ volatile("" : "+r"(w), "+r"(d));
        for (int i = 0; i < 8; i++) {
            acc[i] += w * d + (uint32_t)i;
            __asm__ volatile("" : "+r"(acc[i]));
        }
    }
    uint32_t total = 0;
    for (int i = 0; i < 8; i++) {
        total += acc[i];
    }
    *macs = 8 * iterations;
    *sink = total;
    return S4J_OK;
}
