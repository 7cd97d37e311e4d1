/* Soft cap of N6 in place, 8 channels a step. */
#include "avx2/avx2.h"
#include "common/kernels.h"

int32_t s4j_softcap_avx2(float *x, int64_t x_stride, int64_t channels, float cap, int64_t begin, int64_t end)
{
    const __m256 most = _mm256_set1_ps(cap);
    for (int64_t r = begin; r < end; r++) {
        float *row = x + r * x_stride;
        int64_t i = 0;
        for (; i + 8 <= channels; i += 8) {
            _mm256_storeu_ps(row + i, softcap_ps(_mm256_loadu_ps(row + i), most));
        }
        if (i < channels) {
            const __m256i live = lanes(channels - i);
            _mm256_maskstore_ps(row + i, live, softcap_ps(_mm256_maskload_ps(row + i, live), most));
        }
    }
    return S4J_OK;
}
