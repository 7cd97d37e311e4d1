/*
 * Q, K and V of tokens into their integer forms: rotation N5, encode N3, queries and KV pages as N7 and N8 read them.
 * A head has at most 256 channels, so its values fit on the stack in permuted order.
 */
#include "common/hadamard.h"
#include "common/kernels.h"
#include "common/layout.h"
#include "common/numerics.h"
#include "common/rope.h"

enum { MOST = 256 };

typedef struct {
    float hi, lo;
} range;

/* Range of n values, zero included. */
static range range_of(const float *x, int64_t n)
{
    range a = {0};
    for (int64_t i = 0; i < n; i++) {
        a.hi = x[i] > a.hi ? x[i] : a.hi;
        a.lo = x[i] < a.lo ? x[i] : a.lo;
    }
    return a;
}

/* v = q or k as it is encoded: rotated, permuted, and (q, frozen) scaled. */
static void rotate(const s4j_attention *a, const s4j_kv_head *head, const float *x, const float *rope, int query, float *v)
{
    const int64_t d = a->head_dim;
    float y[MOST];
    for (int64_t c = 0; c < d; c++) {
        y[c] = s4j_rotated(x, rope, d, c);
    }
    if (a->hadamard) {
        s4j_hadamard_row(y, d);
    }
    for (int64_t c = 0; c < d; c++) {
        v[c] = y[head->k_perm[c]];
        if (query && a->k_mode == S4J_K_FROZEN) {
            v[c] *= head->k_scale[c];
        }
    }
}

/* Everything that the token encodes is finite: q and k as above, v. */
static int token_is_finite(const s4j_attention *a, const float *qkv, const float *rope)
{
    const int64_t d = a->head_dim, group = a->heads / a->kv_heads;
    for (int64_t h = 0; h < a->heads + a->kv_heads; h++) {
        const s4j_kv_head *head = &a->kv_head[h < a->heads ? h / group : h - a->heads];
        float v[MOST];
        rotate(a, head, qkv + h * d, rope, h < a->heads, v);
        for (int64_t c = 0; c < d; c++) {
            if (!s4j_finite(v[c])) {
                return 0;
            }
        }
    }
    for (int64_t i = (a->heads + a->kv_heads) * d; i < (a->heads + 2 * a->kv_heads) * d; i++) {
        if (!s4j_finite(qkv[i])) {
            return 0;
        }
    }
    return 1;
}

static int32_t append_query(const s4j_attention *a, const s4j_kv_head *head, const float *x, const float *rope,
                            const s4j_queries *q, int64_t slot)
{
    const int64_t d = a->head_dim;
    const int32_t levels = s4j_levels(a->q_bits);
    float v[MOST];
    rotate(a, head, x, rope, 1, v);
    const range r = range_of(v, d);
    const float s = s4j_gif_scale(r.hi, r.lo, levels);
    const int32_t z = s4j_gif_zero(r.lo, s, levels);
    int8_t *code = q->code + slot * a->q_padded;
    int32_t *sum = q->sum + slot * 2, silent = 0;
    memset(code, 0, (size_t)a->q_padded);
    sum[0] = sum[1] = 0;
    for (int64_t c = 0; c < d; c++) {
        const int salient = c >= head->k_channels[0];
        const int64_t at = salient ? s4j_pad(head->k_channels[0], 16) + c - head->k_channels[0] : c;
        const int32_t u = s4j_gif_code(v[c], s, z, levels), byte = u - s4j_offset(a->q_bits, z);
        code[at] = (int8_t)byte;
        if (a->k_mode == S4J_K_FROZEN) {
            sum[0] += byte * head->k_zero[c];
        } else {
            sum[salient] += byte;
        }
        silent += u == z;
    }
    q->scale[slot] = s;
    q->zero[slot] = z;
    return silent;
}

static void put_k(const s4j_page *page, uint8_t *base, int segment, int64_t at, int64_t k, int32_t code)
{
    const int32_t width = page->k_width[segment];
    uint8_t *panel = base + page->k[segment] + at / S4J_ROWS * s4j_r16_panel(page->k_padded[segment], width);
    uint8_t *byte = panel + s4j_r16_byte(k, at % S4J_ROWS, width);
    const int32_t shift = s4j_r16_shift(k, width);
    *byte = (uint8_t)((*byte & ~(s4j_levels(width) << shift)) | code << shift);
}

static void put_v(const s4j_page *page, uint8_t *base, int segment, int64_t at, int64_t c, int32_t code)
{
    const int32_t width = page->v_width[segment];
    uint8_t *byte = base + page->v[segment] + at * page->v_row[segment] + s4j_v_byte(c, width);
    const int32_t shift = s4j_v_shift(c, width);
    *byte = (uint8_t)((*byte & ~(s4j_levels(width) << shift)) | code << shift);
}

/* All codes and parameters of position `at` to 0, pads included. */
static void clear(const s4j_page *page, uint8_t *base, int64_t at)
{
    for (int i = 0; i < 2; i++) {
        for (int64_t k = 0; k < page->k_padded[i]; k++) {
            put_k(page, base, i, at, k, 0);
        }
        memset(base + page->v[i] + at * page->v_row[i], 0, (size_t)page->v_row[i]);
        ((float *)(void *)(base + page->k_scale))[i * S4J_PAGE + at] = 0.0f;
        ((int32_t *)(void *)(base + page->k_sum))[i * S4J_PAGE + at] = 0;
        base[page->k_zero + i * S4J_PAGE + at] = 0;
        base[page->v_zero + i * S4J_PAGE + at] = 0;
    }
    ((float *)(void *)(base + page->v_scale))[at] = 0.0f;
}

/* K: each segment has its own range (N3), or both have one. Frozen: ranges of the model, a channel each. */
static int32_t append_key(const s4j_attention *a, const s4j_kv_head *head, const s4j_page *page, const float *x,
                          const float *rope, uint8_t *base, int64_t at)
{
    int32_t silent = 0;
    float all[MOST];
    rotate(a, head, x, rope, 0, all);
    for (int64_t i = 0, first = 0; i < 2; first += head->k_channels[i], i++) {
        const int64_t n = head->k_channels[i];
        const int32_t levels = s4j_levels(a->k_bits[i]);
        const float *v = all + first;
        const range r = a->k_mode == S4J_K_SHARED ? range_of(all, S4J_MUT(64, head->k_channels[0], a->head_dim)) : range_of(v, n);
        float s = s4j_gif_scale(r.hi, r.lo, levels);
        int32_t z = s4j_gif_zero(r.lo, s, levels), sum = 0;
        for (int64_t c = 0; c < n; c++) {
            if (a->k_mode == S4J_K_FROZEN) {
                s = head->k_scale[first + c];
                z = head->k_zero[first + c];
            }
            const int32_t code = s4j_gif_code(v[c], s, z, levels);
            put_k(page, base, (int)i, at, c, code);
            sum += code - z;
            silent += code == z;
        }
        if (n > 0 && a->k_mode != S4J_K_FROZEN) {
            ((float *)(void *)(base + page->k_scale))[i * S4J_PAGE + at] = s;
            base[page->k_zero + i * S4J_PAGE + at] = (uint8_t)z;
        }
        ((int32_t *)(void *)(base + page->k_sum))[i * S4J_PAGE + at] = sum;
    }
    return silent;
}

/* V: one range for all channels, N8. Frozen: ranges of the model, a channel each. */
static int32_t append_value(const s4j_attention *a, const s4j_kv_head *head, const s4j_page *page, const float *x,
                            uint8_t *base, int64_t at)
{
    const range r = range_of(x, a->head_dim);
    const float s = s4j_gif_scale(r.hi, r.lo, s4j_levels(a->v_bits[0]));
    const int frozen = a->v_mode == S4J_V_FROZEN;
    int32_t silent = 0;
    for (int64_t i = 0, first = 0; i < 2; first += head->v_channels[i], i++) {
        const int32_t levels = s4j_levels(a->v_bits[i]);
        float si = i == 0 ? s : S4J_MUT(17, s4j_gif_scale(r.hi, r.lo, levels), s * s4j_v_ratio(a));
        int32_t z = s4j_gif_zero(r.lo, si, levels);
        const int stored = head->v_channels[i] > 0 && !frozen;
        base[page->v_zero + i * S4J_PAGE + at] = stored ? (uint8_t)z : 0;
        for (int64_t c = 0; c < head->v_channels[i]; c++) {
            if (frozen) {
                si = head->v_scale[first + c];
                z = head->v_zero[first + c];
            }
            const int32_t code = s4j_gif_code(x[head->v_perm[first + c]], si, z, levels);
            put_v(page, base, (int)i, at, c, code);
            silent += code == z;
        }
    }
    ((float *)(void *)(base + page->v_scale))[at] = frozen ? 1.0f : s;
    return silent;
}

int32_t s4j_append_scalar(const s4j_attention *a, const float *qkv, int64_t qkv_stride, const float *rope,
                          const s4j_sequence *seq, int64_t seqs, const s4j_queries *q, int64_t begin, int64_t end)
{
    const int64_t d = a->head_dim, group = a->heads / a->kv_heads;
    int32_t status = S4J_OK;
    for (int64_t r = begin; r < end; r++) {
        const s4j_sequence *s = s4j_sequence_of(seq, seqs, r);
        if (!s) {
            continue;
        }
        const int64_t position = s->position + r - s->row, at = position % S4J_PAGE;
        const float *row = qkv + r * qkv_stride, *angles = rope + position * d;
        const int finite = token_is_finite(a, row, angles);
        int32_t silent = 0;
        for (int64_t h = 0; h < a->heads; h++) {
            const int64_t slot = r * a->heads + h;
            if (finite) {
                silent += append_query(a, &a->kv_head[h / group], row + h * d, angles, q, slot);
            } else {
                memset(q->code + slot * a->q_padded, 0, (size_t)a->q_padded);
                q->scale[slot] = 0.0f;
                q->zero[slot] = q->sum[2 * slot] = q->sum[2 * slot + 1] = 0;
            }
        }
        for (int64_t h = 0; h < a->kv_heads; h++) {
            const s4j_kv_head *head = &a->kv_head[h];
            const s4j_page page = s4j_page_of(a, head);
            uint8_t *base = s->blocks[position / S4J_PAGE] + head->page_offset;
            clear(&page, base, at);
            if (finite) {
                silent += append_key(a, head, &page, row + (a->heads + h) * d, angles, base, at);
                silent += append_value(a, head, &page, row + (a->heads + a->kv_heads + h) * d, base, at);
            }
        }
        q->silent[r] = finite ? silent : -1;
        status = finite ? status : S4J_E_NONFINITE;
    }
    return status;
}
