/* Scores N7 and order-free softmax times V N8, one query head at a time. Scratch: a float for each position. */
#include "common/kernels.h"
#include "common/layout.h"
#include "common/numerics.h"

static int32_t k_code(const s4j_page *page, const uint8_t *base, int segment, int64_t at, int64_t k)
{
    const int32_t width = page->k_width[segment];
    return s4j_r16_code(base + page->k[segment] + at / S4J_ROWS * s4j_r16_panel(page->k_padded[segment], width), k,
                        at % S4J_ROWS, width);
}

static int32_t v_code(const s4j_page *page, const uint8_t *base, int segment, int64_t at, int64_t c)
{
    const int32_t width = page->v_width[segment];
    const uint8_t byte = base[page->v[segment] + at * page->v_row[segment] + s4j_v_byte(c, width)];
    return byte >> s4j_v_shift(c, width) & s4j_levels(width);
}

/* Score of query slot against position `at` of a page. */
static float score(const s4j_attention *a, const s4j_kv_head *head, const s4j_page *page, const s4j_queries *q, int64_t slot,
                   const uint8_t *base, int64_t at)
{
    const float *scale = (const float *)(const void *)(base + page->k_scale);
    const int32_t *k_sum = (const int32_t *)(const void *)(base + page->k_sum);
    const int8_t *code = q->code + slot * a->q_padded;
    int32_t frozen = -q->sum[2 * slot]; /* sum over both segments */
    float b = 0.0f;
    int empty = 1;
    for (int i = 0; i < 2; i++) {
        const int64_t n = head->k_channels[i];
        if (n == 0) {
            continue;
        }
        int32_t D = 0;
        for (int64_t k = 0; k < n; k++) {
            D += code[k] * k_code(page, base, i, at, k);
        }
        if (a->q_bits == 8) { /* the byte is c - 128 */
            D += (128 - q->zero[slot]) * k_sum[i * S4J_PAGE + at];
        }
        frozen += D;
        D -= S4J_MUT(18, 0, base[page->k_zero + i * S4J_PAGE + at]) * q->sum[2 * slot + i];
        const float s = scale[i * S4J_PAGE + at];
        b = empty ? (float)D * s : fmaf((float)D, s, b);
        empty = 0;
        code += page->k_padded[i];
    }
    const float S = (a->k_mode == S4J_K_FROZEN ? (float)frozen : b) * (q->scale[slot] * a->kappa);
    return a->softcap > 0.0f ? S4J_MUT(30, S, s4j_softcapped(S, a->softcap)) : S;
}

static void attend_head(const s4j_attention *a, const s4j_kv_head *head, const s4j_queries *q, int64_t slot,
                        const s4j_sequence *seq, int64_t positions, float *e, float *out)
{
    const s4j_page page = s4j_page_of(a, head);
    const int64_t from = s4j_first_seen(a, positions - 1) + S4J_MUT(49, a->window > 1, 0);
    float top = -INFINITY;
    for (int64_t t = from; t < positions; t++) {
        e[t] = score(a, head, &page, q, slot, seq->blocks[t / S4J_PAGE] + head->page_offset, t % S4J_PAGE);
        top = e[t] > top ? e[t] : top;
    }
    int64_t L = 0;
    float R = 0.0f; /* largest e * s_v */
    for (int64_t t = from; t < positions; t++) {
        const uint8_t *base = seq->blocks[t / S4J_PAGE] + head->page_offset;
        e[t] = s4j_exp(e[t] - top);
        L += (int64_t)s4j_rint(e[t] * 0x1p22f);
        e[t] *= ((const float *)(const void *)(base + page.v_scale))[t % S4J_PAGE];
        R = e[t] > R ? e[t] : R;
    }
    const float g = 0x1p22f / R; /* frozen V: every s_v is 1, so R = 1 and a = l */
    const int frozen = a->v_mode == S4J_V_FROZEN;
    for (int i = 0, first = 0; i < 2; first += (int)head->v_channels[i], i++) {
        const float unit = (i == 0 ? R : R * s4j_v_ratio(a)) / (float)L;
        for (int64_t c = 0; c < head->v_channels[i]; c++) {
            int64_t N = 0;
            for (int64_t t = from; t < positions; t++) {
                const uint8_t *base = seq->blocks[t / S4J_PAGE] + head->page_offset;
                const int32_t z = base[page.v_zero + i * S4J_PAGE + t % S4J_PAGE];
                const float share = s4j_clamp(e[t] * g, 0.0f, 0x1p22f); /* already there, unless a token was not finite */
                N += (int64_t)s4j_rint(share) * (v_code(&page, base, i, t % S4J_PAGE, c) - z);
            }
            N = S4J_MUT(19, (int64_t)(int32_t)(uint32_t)(uint64_t)N, N);
            out[head->v_perm[first + c]] = frozen ? (float)(N - S4J_MUT(65, 0, head->v_zero[first + c]) * L) * (head->v_scale[first + c] / (float)L)
                                                  : (float)N * unit;
        }
    }
}

int32_t s4j_attend_scalar(const s4j_attention *a, const s4j_queries *q, const s4j_sequence *seq, int64_t seqs, float *out,
                          int64_t out_stride, void *scratch, int64_t scratch_bytes, int64_t begin, int64_t end,
                          int64_t head_begin, int64_t head_end)
{
    (void)scratch_bytes;
    const int64_t group = a->heads / a->kv_heads;
    for (int64_t r = begin; r < end; r++) {
        const s4j_sequence *s = s4j_sequence_of(seq, seqs, r);
        if (!s) {
            continue;
        }
        for (int64_t h = head_begin * group; h < head_end * group; h++) {
            attend_head(a, &a->kv_head[h / group], q, r * a->heads + h, s, s->position + r - s->row + S4J_MUT(20, s->position > 0 ? 0 : 1, 1), scratch,
                        out + r * out_stride + h * a->head_dim);
        }
    }
    return S4J_OK;
}
