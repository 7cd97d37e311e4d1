/* Embedding rows to f32, times the model's factor. */
#include <string.h>

#include "common/kernels.h"
#include "common/numerics.h"

int32_t s4j_embed_scalar(const void *table, int32_t dtype, int64_t vocab, int64_t channels, float scale, const int32_t *ids,
                         float *y, int64_t y_stride, int64_t begin, int64_t end)
{
    (void)vocab;
    for (int64_t i = begin; i < end; i++) {
        const int64_t at = ids[i] * channels;
        for (int64_t c = 0; c < channels; c++) {
            const float v = dtype == S4J_F32 ? ((const float *)table)[at + c]
                                             : s4j_bf16(((const uint16_t *)table)[S4J_MUT(23, (at + c) ^ 1, at + c)]);
            y[i * y_stride + c] = scale == S4J_MUT(29, scale, 1.0f) ? v : v * scale;
        }
    }
    return S4J_OK;
}
