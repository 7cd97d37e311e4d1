/*
 * Dense attention N8. Scores: 16 positions in lanes, sequential fma over d. V: channels in lanes (16 an inner step, or 8, or a
 * masked rest), positions ascending in absolute blocks of 256; so every sum has the order of its definition. Up to 4 heads of a
 * kv head share the loads. Scratch: a float for each head and position.
 */
#include "avx2/avx2.h"
#include "common/kernels.h"
#include "common/layout.h"
#include "common/numerics.h"

enum { BLOCK = S4J_MUT(48, 512, 256), HEADS = 4 };

/* e[h][at .. at+15] = scores of 16 positions, keys: [d][S4J_PAGE] at the first of them. */
S4J_INLINE void score16(const int H, const float *keys, const float *q, int64_t d, float kappa, float *e, int64_t stride)
{
    __m256 acc[HEADS][2];
    for (int h = 0; h < H; h++) {
        acc[h][0] = acc[h][1] = _mm256_setzero_ps();
    }
    for (int64_t c = 0; c < d; c++) {
        const __m256 k0 = _mm256_loadu_ps(keys + c * S4J_PAGE), k1 = _mm256_loadu_ps(keys + c * S4J_PAGE + 8);
        for (int h = 0; h < H; h++) {
            const __m256 x = _mm256_set1_ps(q[h * d + c]);
            acc[h][0] = _mm256_fmadd_ps(k0, x, acc[h][0]);
            acc[h][1] = _mm256_fmadd_ps(k1, x, acc[h][1]);
        }
    }
    for (int h = 0; h < H; h++) {
        _mm256_storeu_ps(e + h * stride, _mm256_mul_ps(acc[h][0], _mm256_set1_ps(kappa)));
        _mm256_storeu_ps(e + h * stride + 8, _mm256_mul_ps(acc[h][1], _mm256_set1_ps(kappa)));
    }
}

/* sum[h][8] += e * v (heads BLOCK floats apart) for `n` positions of a page, 8 channels. */
S4J_INLINE void values8(const int H, const float *v, int64_t d, __m256i live, int64_t n, const float *e, int64_t stride,
                        float *sum)
{
    __m256 acc[HEADS];
    for (int h = 0; h < H; h++) {
        acc[h] = _mm256_loadu_ps(sum + h * BLOCK);
    }
    for (int64_t t = 0; t < n; t++, v += d) {
        const __m256 x = _mm256_maskload_ps(v, live);
        for (int h = 0; h < H; h++) {
            acc[h] = _mm256_fmadd_ps(_mm256_set1_ps(e[h * stride + t]), x, acc[h]);
        }
    }
    for (int h = 0; h < H; h++) {
        _mm256_storeu_ps(sum + h * BLOCK, acc[h]);
    }
}

/* exp of the scores of positions [from, n) in place, of lanes beside them too; returns L. */
static float exponentials(float *e, int64_t from, int64_t n, float softcap)
{
    const __m256 lowest = _mm256_set1_ps(-INFINITY);
    const int64_t first = from / 8 * 8;
    for (int64_t t = first; softcap > 0.0f && t < n; t += 8) {
        _mm256_storeu_ps(e + t, softcap_ps(_mm256_loadu_ps(e + t), _mm256_set1_ps(softcap)));
    }
    for (int64_t t = first; t < from; t++) {
        e[t] = -INFINITY;
    }
    __m256 top8 = lowest;
    for (int64_t t = first; t < n; t += 8) {
        const __m256 live = _mm256_castsi256_ps(lanes(n - t));
        top8 = _mm256_max_ps(top8, _mm256_blendv_ps(lowest, _mm256_loadu_ps(e + t), live));
    }
    const __m256 top = _mm256_set1_ps(max_ps(top8));
    for (int64_t t = first; t < n; t += 8) {
        _mm256_storeu_ps(e + t, exp_ps(_mm256_sub_ps(_mm256_loadu_ps(e + t), top)));
    }
    float L = 0.0f;
    for (int64_t b = from / BLOCK * BLOCK; b < n; b += BLOCK) {
        float sum = 0.0f;
        for (int64_t t = max64(b, from); t < n && t < b + BLOCK; t++) {
            sum += e[t];
        }
        L += sum;
    }
    return L;
}

S4J_INLINE void attend(const int H, const s4j_attention *a, const s4j_sequence *s, int64_t page_offset, const float *q,
                       int64_t positions, float *e, float *out)
{
    const int64_t d = a->head_dim, from = s4j_first_seen(a, positions - 1);
    const int64_t stride = s4j_pad(positions, S4J_PAGE);
    float L[HEADS], N[HEADS][BLOCK] = {{0}}, sum[HEADS][BLOCK];
    for (int64_t t = from / 16 * 16; t < positions; t += 16) {
        const float *keys = (const float *)(const void *)(s->blocks[t / S4J_PAGE] + page_offset) + t % S4J_PAGE;
        score16(H, keys, q, d, a->kappa, e + t, stride);
    }
    for (int h = 0; h < H; h++) {
        L[h] = exponentials(e + h * stride, from, positions, a->softcap);
    }
    for (int64_t b = S4J_MUT(55, from, from / BLOCK * BLOCK); b < positions; b += BLOCK) {
        memset(sum, 0, sizeof sum);
        for (int64_t t = max64(b, from), stop; t < positions && t < b + BLOCK; t = stop) {
            const float *v = (const float *)(const void *)(s->blocks[t / S4J_PAGE] + page_offset) + d * (S4J_PAGE + t % S4J_PAGE);
            stop = t / S4J_PAGE * S4J_PAGE + S4J_PAGE;
            for (int64_t c = 0; c < d; c += 8) {
                values8(H, v + c, d, lanes(d - c), min64(stop, positions) - t, e + t, stride, sum[0] + c);
            }
        }
        for (int h = 0; h < H; h++) {
            for (int64_t c = 0; c < d; c++) {
                N[h][c] += sum[h][c];
            }
        }
    }
    for (int h = 0; h < H; h++) {
        for (int64_t c = 0; c < d; c++) {
            out[h * d + c] = N[h][c] / L[h];
        }
    }
}

int32_t s4j_dense_attend_avx2(const s4j_attention *a, const float *qkv, int64_t qkv_stride, const s4j_sequence *seq, int64_t seqs,
                              float *out, int64_t out_stride, void *scratch, int64_t scratch_bytes, int64_t begin, int64_t end,
                              int64_t head_begin, int64_t head_end)
{
    (void)scratch_bytes;
    const int64_t group = a->heads / a->kv_heads, d = a->head_dim;
    for (int64_t r = begin; r < end; r++) {
        const s4j_sequence *s = s4j_sequence_of(seq, seqs, r);
        if (!s) {
            continue;
        }
        const int64_t positions = s->position + r - s->row + 1;
        for (int64_t kv = head_begin; kv < head_end; kv++) {
            const int64_t page = a->kv_head[kv].page_offset;
            for (int64_t h = kv * group, n; h < (kv + 1) * group; h += n) {
                const float *q = qkv + r * qkv_stride + h * d;
                float *o = out + r * out_stride + h * d;
                n = (kv + 1) * group - h >= HEADS ? HEADS : 1;
                if (n == HEADS) {
                    attend(HEADS, a, s, page, q, positions, scratch, o);
                } else {
                    attend(1, a, s, page, q, positions, scratch, o);
                }
            }
        }
    }
    return S4J_OK;
}
