/*
 * Spike linear N4 over bit planes (P64): sum c w = sum over planes a, b of 2^(a+b) popcount(c_a & w_b). Then
 * sum (c - z)(w - zw) = sum c w - zw sum c - z sum (w - zw).
 */
#include <math.h>

#include "common/kernels.h"
#include "common/layout.h"

int32_t s4j_linear_planes_scalar(const s4j_gif *gif, const s4j_weights *w, const s4j_spikes *x, const uint64_t *planes,
                                 int64_t tokens, float *y, int64_t y_stride, int32_t flags, int64_t begin, int64_t end)
{
    const uint64_t *data0 = (const uint64_t *)(const void *)w->data;
    const int64_t stride = s4j_plane_words(gif), rows = s4j_panels(w->rows) * S4J_ROWS, G = gif->groups;
    for (int64_t t = 0; t < tokens; t++) {
        for (int64_t row = begin; row < end; row++) {
            const int64_t p = row / S4J_ROWS, r = row % S4J_ROWS;
            const int32_t zw = w->zero[p * S4J_ROWS + r];
            const uint64_t *data = data0, *code = planes + t * stride;
            int64_t g = 0;
            float result = 0.0f;
            for (int32_t i = 0; i < gif->segments; i++) {
                const s4j_segment *s = &gif->segment[i];
                if (s->channels == 0) {
                    continue;
                }
                const int64_t words = s->padded / 64;
                uint32_t D = 0;
                for (int64_t k = 0; k < words; k++) {
                    for (int32_t b = 0; b < w->bits; b++) {
                        const uint64_t weight = data[s4j_p64_word(row, k, b, words, w->bits)];
                        for (int32_t a = 0; a < s->bits; a++) {
                            D += (uint32_t)__builtin_popcountll(weight & code[a * words + k]) << (a + b);
                        }
                    }
                }
                const int64_t xg = t * G + g;
                const uint32_t z = (uint32_t)x->zero[xg];
                const uint32_t sum = (uint32_t)x->sum[xg] + (uint32_t)s->channels * (uint32_t)s4j_offset(s->bits, x->zero[xg]);
                D -= (uint32_t)zw * sum;
                D -= S4J_MUT(12, 0u, z) * (uint32_t)w->sum[(p * G + g) * S4J_ROWS + r];
                const float scale = x->scale[t * S4J_MAX_SEGMENTS + i] * w->scale[row];
                result = g == 0 ? (float)(int32_t)D * scale : fmaf((float)(int32_t)D, scale, result);
                data += rows * words * w->bits;
                code += words * s->bits;
                g++;
            }
            float *out = y + t * y_stride + row;
            const float v = w->bias ? result + w->bias[row] : result;
            *out = flags & S4J_ADD ? *out + v : v;
        }
    }
    return S4J_OK;
}
