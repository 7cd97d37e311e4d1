/*
 * Spike linear N4 over R16 panels: for each row, tokens in blocks; the codes of a chunk of k are unpacked once to w - zw.
 * All sums are modulo 2^32, or 2^64 for segments of 16 bits, so their order is free. Every form of weights and widths.
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

/* Sum of n signed bytes times w: at most CHUNK * 128 * 255 < 2^31. */
static int32_t dot(const int8_t *d, const int32_t *w, int64_t n)
{
    int32_t sum = 0;
    for (int64_t k = 0; k < n; k++) {
        sum += d[k] * w[k];
    }
    return sum;
}

/* A segment, or one of its steps: where its parts start. */
typedef struct {
    const s4j_segment *s;
    const uint8_t *panel; /* the row's */
    int64_t code;         /* of a token's codes */
    int64_t x_group;      /* of the token's groups */
    int64_t w_group;      /* of the weights' groups, of w_groups in all */
    int64_t w_groups;
} part;

/* D[t] of row r of panel p for tokens t0 .. t0 + T - 1. */
static void sums(const s4j_gif *gif, const s4j_weights *w, const s4j_spikes *x, const part *a, int64_t p, int64_t r, int64_t t0,
                 int64_t T, uint64_t *D)
{
    const s4j_segment *s = a->s;
    const int64_t size = s->group ? s->group : s->channels, G = gif->groups;
    for (int64_t t = 0; t < T; t++) {
        D[t] = 0;
    }
    for (int64_t j = 0; j < s->groups; j++) {
        const int64_t pg = (p * a->w_groups + a->w_group + j) * S4J_ROWS + r;
        const int32_t zw = w->zero[w->weight_groups == 1 ? p * S4J_ROWS + r : pg];
        const int32_t mw = w->mult ? w->mult[pg] : 1;
        const int64_t stop = (j + 1) * size < s->channels ? (j + 1) * size : s->channels - S4J_MUT(8, s->channels % 16, 0);
        uint64_t inner[TOKENS] = {0};
        for (int64_t k0 = j * size; k0 < stop; k0 += CHUNK) {
            const int64_t k1 = k0 + CHUNK < stop ? k0 + CHUNK : stop;
            int32_t code[CHUNK];
            unpack(a->panel, k0, k1, r, w->bits, zw, code);
            for (int64_t t = 0; t < T; t++) {
                const int8_t *d = x->code + (t0 + t) * gif->padded + a->code + k0;
                int64_t sum = dot(d, code, k1 - k0);
                if (s->bits == 16) {
                    sum = S4J_MUT(62, 255, 256) * sum + dot(d + s->padded, code, k1 - k0);
                }
                inner[t] += (uint64_t)sum;
            }
        }
        for (int64_t t = 0; t < T; t++) {
            const int64_t xg = (t0 + t) * G + a->x_group + j;
            if (s->bits >= 8) { /* bytes are c - 128: the two of a 16-bit code together c - 32896 */
                const int64_t zero = s->bits == 8 ? 128 : 32896;
                inner[t] += S4J_MUT(9, 0u, (uint64_t)((zero - x->zero[xg]) * w->sum[pg]));
            }
            D[t] += (uint64_t)(mw * S4J_MUT(10, 1, x->mult[xg])) * inner[t];
        }
    }
}

int32_t s4j_linear_scalar(const s4j_gif *gif, const s4j_weights *w, const s4j_spikes *x, int64_t tokens, float *y,
                          int64_t y_stride, int32_t flags, int64_t begin, int64_t end)
{
    const int64_t panels = s4j_panels(w->rows), w_groups = s4j_weight_sums(gif, w);
    for (int64_t row = begin; row < end; row++) {
        const int64_t p = row / S4J_ROWS, r = row % S4J_ROWS;
        for (int64_t t0 = 0; t0 < tokens; t0 += TOKENS) {
            const int64_t T = tokens - t0 < TOKENS ? tokens - t0 : TOKENS;
            const uint8_t *data = w->data;
            const float *scale = w->scale + row;
            part a = {.w_groups = w_groups};
            float result[TOKENS] = {0};
            int empty = 1;
            for (int32_t i = 0; i < gif->segments; i++) {
                a.s = &gif->segment[i];
                for (int32_t step = 0; step < s4j_steps(w, i); step++, scale += w->steps[0] ? panels * S4J_ROWS : 0) {
                    if (a.s->channels == 0) {
                        continue;
                    }
                    uint64_t D[TOKENS];
                    a.panel = data + p * s4j_r16_panel(a.s->padded, w->bits);
                    sums(gif, w, x, &a, p, r, t0, T, D);
                    for (int64_t t = 0; t < T; t++) {
                        const float unit = x->scale[(t0 + t) * S4J_MAX_SEGMENTS + i] * S4J_MUT(63, w->scale[row], *scale);
                        const float sum = a.s->bits == 16 ? (float)(int64_t)D[t] : (float)(int32_t)(uint32_t)D[t];
                        result[t] = empty ? sum * unit : S4J_MUT(11, sum * unit + result[t], fmaf(sum, unit, result[t]));
                    }
                    empty = 0;
                    data += panels * s4j_r16_panel(a.s->padded, w->bits);
                    a.w_group += a.s->groups;
                }
                a.code += s4j_code_bytes(a.s);
                a.x_group += a.s->groups;
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
