/* XOR of all 64-bit words: four independent chains, prefetched like the GEMVs. */
#include "avx2/avx2.h"
#include "common/kernels.h"

int32_t s4j_read_bandwidth_avx2(const void *data, int64_t bytes, uint64_t *out)
{
    const uint8_t *p = data, *end = p + bytes;
    __m256i x[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (; p < end; p += 64) {
        _mm_prefetch((const char *)p + 2048, _MM_HINT_T0);
        x[0] = _mm256_xor_si256(x[0], load(p));
        x[1] = _mm256_xor_si256(x[1], load(p + 32));
    }
    uint64_t w[4];
    store(w, _mm256_xor_si256(x[0], x[1]));
    *out = w[0] ^ w[1] ^ w[2] ^ w[3];
    return S4J_OK;
}
