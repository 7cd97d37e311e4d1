/* Dense linear: DOT256 (N1) over float R16 panels; a panel's 16 rows are 16 lanes. */
#include "common/kernels.h"
#include "common/layout.h"
#include "common/numerics.h"

static float weight(const s4j_dense_weights *w, int64_t panel, int64_t k, int64_t r)
{
    const int64_t at = panel * s4j_pad(w->channels, 64) * S4J_ROWS;
    return w->dtype == S4J_F32 ? ((const float *)w->data)[at + s4j_r16_f32(k, r)]
                               : s4j_bf16(((const uint16_t *)w->data)[at + s4j_r16_bf16(k, r)]);
}

int32_t s4j_dense_scalar(const s4j_dense_weights *w, const float *x, int64_t x_stride, int64_t tokens, float *y,
                         int64_t y_stride, int32_t flags, int64_t begin, int64_t end)
{
    for (int64_t t = 0; t < tokens; t++) {
        for (int64_t row = begin; row < end; row += S4J_ROWS) {
            const int64_t live = end - row < S4J_ROWS ? end - row : S4J_ROWS;
            float total[S4J_ROWS] = {0};
            for (int64_t k0 = 0; k0 < w->channels; k0 += S4J_MUT(13, w->channels, 256)) {
                const int64_t stop = S4J_MUT(13, w->channels, k0 + 256 < w->channels ? k0 + 256 : w->channels);
                float acc[S4J_ROWS] = {0};
                for (int64_t k = k0; k < stop; k++) {
                    for (int64_t r = 0; r < S4J_ROWS; r++) {
                        acc[r] = fmaf(weight(w, row / S4J_ROWS, k, r), x[t * x_stride + k], acc[r]);
                    }
                }
                for (int64_t r = 0; r < S4J_ROWS; r++) {
                    total[r] += acc[r];
                }
            }
            for (int64_t r = 0; r < live; r++) {
                float *out = y + t * y_stride + row + r;
                const float v = w->bias ? total[r] + w->bias[row + r] : total[r];
                *out = flags & S4J_ADD ? *out + v : v;
            }
        }
    }
    return S4J_OK;
}
