/* Dense attention's append: q rotated in place, rotated k and v to the page (K f32 [d][S4J_PAGE], V f32 [S4J_PAGE][d]). */
#include "common/kernels.h"
#include "common/layout.h"
#include "common/rope.h"

int32_t s4j_dense_append_scalar(const s4j_attention *a, float *qkv, int64_t qkv_stride, const float *rope,
                                const s4j_sequence *seq, int64_t seqs, int64_t begin, int64_t end)
{
    const int64_t d = a->head_dim;
    for (int64_t r = begin; r < end; r++) {
        const s4j_sequence *s = s4j_sequence_of(seq, seqs, r);
        if (!s) {
            continue;
        }
        const int64_t position = s->position + r - s->row, at = position % S4J_PAGE;
        const float *angles = rope + S4J_MUT(24, s->position, position) * d;
        float *row = qkv + r * qkv_stride;
        for (int64_t h = 0; h < a->heads; h++) {
            for (int64_t c = 0; c < d / 2; c++) {
                float *x = row + h * d;
                const float y0 = s4j_rotated(x, angles, d, c), y1 = s4j_rotated(x, angles, d, c + d / 2);
                x[c] = y0;
                x[c + d / 2] = y1;
            }
        }
        for (int64_t h = 0; h < a->kv_heads; h++) {
            float *keys = (float *)(void *)(s->blocks[position / S4J_PAGE] + a->kv_head[h].page_offset);
            float *values = keys + d * S4J_PAGE;
            const float *k = row + (a->heads + h) * d, *v = k + a->kv_heads * d;
            for (int64_t c = 0; c < d; c++) {
                keys[c * S4J_PAGE + at] = s4j_rotated(k, angles, d, c);
                values[at * d + c] = v[c];
            }
        }
    }
    return S4J_OK;
}
