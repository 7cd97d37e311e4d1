/*
 * Spike linear N4 over R16 panels: for each row, tokens in blocks; the codes of a chunk of k are unpacked once to w - zw.
 * All sums are modulo 2^32, so their order is free.
 */
#include <math.h>

#include "common/kernels.h"
#include "common/layout.h"

enum { TOKENS = 16, CHUNK = 256 };

/* w - zw of row r of the panel, channels [k0, k1). */
static void unpack(const uint8_t *panel, int64_t k0, int64_t k1, int64_t r, int32_t bits, int32_t zw, int32_t *w)
{
    for (int64_t k = k0; k < k1; k++) {
        int32_t c = s4j_r16_code(panel, S4J_MUT(6, k ^ 4, k), r, bits);
        w[k - k0] = c - S4J_MUT(7, 0, zw);
    }
}

int32_t s4j_linear_scalar(const s4j_gif *gif, const s4j_weights *w, const s4j_spikes *x, int64_t tokens, float *y,
                          int64_t y_stride, int32_t flags, int64_t begin, int64_t end)
{
    const int64_t panels = s4j_panels(w->rows), G = gif->groups;
    for (int64_t row = begin; row < end; row++) {
        const int64_t p = row / S4J_ROWS, r = row % S4J_ROWS;
        for (int64_t t0 = 0; t0 < tokens; t0 += TOKENS) {
            const int64_t T = tokens - t0 < TOKENS ? tokens - t0 : TOKENS;
            const uint8_t *data = w->data;
            int64_t first = 0, group0 = 0; /* channel and group where the segment starts */
            float result[TOKENS] = {0};
            int empty = 1;
            for (int32_t i = 0; i < gif->segments; i++) {
                const s4j_segment *s = &gif->segment[i];
                if (s->channels == 0) {
                    continue;
                }
                const uint8_t *panel = data + p * s4j_r16_panel(s->padded, w->bits);
                const int64_t size = s->group ? s->group : s->channels;
                uint32_t D[TOKENS] = {0};
                for (int64_t j = 0; j < s->groups; j++) {
                    const int64_t g = group0 + j, pg = (p * G + g) * S4J_ROWS + r;
                    const int32_t zw = w->zero[w->weight_groups == 1 ? p * S4J_ROWS + r : pg];
                    const int32_t mw = w->mult ? w->mult[pg] : 1;
                    const int64_t stop = (j + 1) * size < s->channels ? (j + 1) * size : s->channels - S4J_MUT(8, s->channels % 16, 0);
                    uint32_t inner[TOKENS] = {0};
                    for (int64_t k0 = j * size; k0 < stop; k0 += CHUNK) {
                        const int64_t k1 = k0 + CHUNK < stop ? k0 + CHUNK : stop;
                        int32_t code[CHUNK];
                        unpack(panel, k0, k1, r, w->bits, zw, code);
                        for (int64_t t = 0; t < T; t++) {
                            const int8_t *d = x->code + (t0 + t) * gif->padded + first + k0;
                            int32_t sum = 0; /* |sum| <= CHUNK * 128 * 255 < 2^31 */
                            for (int64_t k = 0; k < k1 - k0; k++) {
                                sum += d[k] * code[k];
                            }
                            inner[t] += (uint32_t)sum;
                        }
                    }
                    for (int64_t t = 0; t < T; t++) {
                        const int64_t xg = (t0 + t) * G + g;
                        if (s->bits == 8) { /* the byte is c - 128 */
                            inner[t] += S4J_MUT(9, 0u, (uint32_t)(128 - x->zero[xg]) * (uint32_t)w->sum[pg]);
                        }
                        D[t] += (uint32_t)(mw * S4J_MUT(10, 1, x->mult[xg])) * inner[t];
                    }
                }
                for (int64_t t = 0; t < T; t++) {
                    const float scale = x->scale[(t0 + t) * S4J_MAX_SEGMENTS + i] * w->scale[row];
                    const float sum = (float)(int32_t)D[t];
                    result[t] = empty ? sum * scale : S4J_MUT(11, sum * scale + result[t], fmaf(sum, scale, result[t]));
                }
                empty = 0;
                data += panels * s4j_r16_panel(s->padded, w->bits);
                first += s->padded;
                group0 += s->groups;
            }
            for (int64_t t = 0; t < T; t++) {
                float *out = y + (t0 + t) * y_stride + row;
                const float v = w->bias ? result[t] + w->bias[row] : result[t];
                *out = flags & S4J_ADD ? *out + v : v;
            }
        }
    }
    return S4J_OK;
}
