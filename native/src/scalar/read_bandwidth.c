/* XOR of all 64-bit words. */
#include "common/kernels.h"

int32_t s4j_read_bandwidth_scalar(const void *data, int64_t bytes, uint64_t *out)
{
    const uint64_t *p = data, *end = p + bytes / 8;
    uint64_t x[4] = {0};
    for (; p < end; p += 8) {
        for (int i = 0; i < 4; i++) {
            x[i] ^= p[i] ^ p[i + 4];
        }
    }
    *out = x[0] ^ x[1] ^ x[2] ^ x[3];
    return S4J_OK;
}
