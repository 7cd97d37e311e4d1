/*
 * Dense attention N8: score = DOT256 over d, times kappa, soft-capped; e = exp(score - maximum); sums over positions in absolute blocks of
 * 256, sequential from +0 (fma for V, plain adds for L), block sums ascending; out = N / L. Scratch: a float a position.
 */
#include "common/kernels.h"
#include "common/layout.h"
#include "common/numerics.h"

enum { BLOCK = S4J_MUT(25, 1 << 30, 256) };

static const float *page_of(const s4j_attention *a, const s4j_sequence *s, int64_t kv, int64_t t)
{
    return (const float *)(const void *)(s->blocks[t / S4J_PAGE] + a->kv_head[kv].page_offset);
}

static void attend_head(const s4j_attention *a, int64_t kv, const s4j_sequence *s, const float *q, int64_t positions, float *e,
                        float *out)
{
    const int64_t d = a->head_dim; /* at most one block of DOT256 */
    const int64_t from = s4j_first_seen(a, positions - 1), first = from / BLOCK * BLOCK; /* blocks are absolute */
    float top = -INFINITY;
    for (int64_t t = from; t < positions; t++) {
        const float *keys = page_of(a, s, kv, t);
        float dot = 0.0f;
        for (int64_t c = 0; c < d; c++) {
            dot = fmaf(keys[c * S4J_PAGE + t % S4J_PAGE], q[c], dot);
        }
        e[t] = (0.0f + dot) * a->kappa;
        e[t] = a->softcap > 0.0f ? s4j_softcapped(e[t], a->softcap) : e[t];
        top = e[t] > top ? e[t] : top;
    }
    float L = 0.0f;
    for (int64_t b = first; b < positions; b += BLOCK) {
        float sum = 0.0f;
        for (int64_t t = b > from ? b : from; t < positions && t < b + BLOCK; t++) {
            e[t] = s4j_exp(e[t] - top);
            sum += e[t];
        }
        L += sum;
    }
    for (int64_t c = 0; c < d; c++) {
        float N = 0.0f;
        for (int64_t b = S4J_MUT(50, from, first); b < positions; b += BLOCK) {
            float sum = 0.0f;
            for (int64_t t = b > from ? b : from; t < positions && t < b + BLOCK; t++) {
                sum = fmaf(e[t], page_of(a, s, kv, t)[d * S4J_PAGE + t % S4J_PAGE * d + c], sum);
            }
            N += sum;
        }
        out[c] = N / L;
    }
}

int32_t s4j_dense_attend_scalar(const s4j_attention *a, const float *qkv, int64_t qkv_stride, const s4j_sequence *seq,
                                int64_t seqs, float *out, int64_t out_stride, void *scratch, int64_t scratch_bytes,
                                int64_t begin, int64_t end, int64_t head_begin, int64_t head_end)
{
    (void)scratch_bytes;
    const int64_t group = a->heads / a->kv_heads, d = a->head_dim;
    for (int64_t r = begin; r < end; r++) {
        const s4j_sequence *s = s4j_sequence_of(seq, seqs, r);
        if (!s) {
            continue;
        }
        for (int64_t h = head_begin * group; h < head_end * group; h++) {
            attend_head(a, h / group, s, qkv + r * qkv_stride + h * d, s->position + r - s->row + 1, scratch,
                        out + r * out_stride + h * d);
        }
    }
    return S4J_OK;
}
