/*
 * The inner loop of the scalar linear itself, as the compiler makes it: signed bytes times codes as ints, over a chunk of k that
 * stays in L1. Unlike the other tiers it loads, as that loop does. The barrier keeps every pass from being folded into one.
 */
#include "common/kernels.h"

enum { CHUNK = 256 /* of the linear */ };

int32_t s4j_gemm_peak_scalar(int32_t weight_bits, int32_t act_bits, int64_t iterations, int64_t *macs, int64_t *sink)
{
    int8_t d[CHUNK];
    int32_t code[CHUNK];
    for (int k = 0; k < CHUNK; k++) {
        d[k] = (int8_t)(k % act_bits);
        code[k] = k % weight_bits;
    }
    uint32_t total = 0;
    for (int64_t n = 0; n < iterations; n++) {
        __asm__ volatile("" : : "r"(d), "r"(code) : "memory");
        int32_t sum = 0;
        for (int64_t k = 0; k < CHUNK; k++) {
            sum += d[k] * code[k];
        }
        total += (uint32_t)sum;
    }
    *macs = CHUNK * iterations;
    *sink = total;
    return S4J_OK;
}
