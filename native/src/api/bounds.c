/* Bounds for benchmarks. */
#include "api/check.h"

int32_t s4j_read_bandwidth(const s4j_kernels *k, const void *data, int64_t bytes, uint64_t *out)
{
    S4J_REQUIRE(k && bytes >= 0 && bytes % 64 == 0 && (bytes == 0 || s4j_aligned(data, 8)) && out);
    return k->read_bandwidth(data, bytes, out);
}

int32_t s4j_gemm_peak(const s4j_kernels *k, int32_t weight_bits, int32_t act_bits, int64_t iterations, int64_t *macs,
                      int64_t *sink)
{
    S4J_REQUIRE(k && (weight_bits == 2 || weight_bits == 4 || weight_bits == 8) && s4j_bits_ok(act_bits) && iterations >= 0 &&
                macs && sink);
    return k->gemm_peak(weight_bits, act_bits, iterations, macs, sink);
}
