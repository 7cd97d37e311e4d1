/* Spiking and dense attention. */
#include "api/check.h"

/* Bounds that no model reaches and that keep every size below 2^63. */
enum { MOST_HEADS = 65536, MOST_QUERY = 4096 };
static const int64_t MOST_OFFSET = INT64_C(1) << 40;

static int shape_ok(const s4j_attention *a)
{
    if (!a || !a->kv_head || a->kv_heads < 1 || a->heads < 1 || a->heads > MOST_HEADS || a->heads % a->kv_heads != 0 ||
        a->head_dim < 2 || a->head_dim > 256 || a->head_dim % 2 != 0 || !s4j_count_ok(a->window, 0) ||
        !s4j_factor_ok(a->kappa) || !(a->softcap == 0.0f || s4j_factor_ok(a->softcap))) {
        return 0;
    }
    for (int64_t h = 0; h < a->kv_heads; h++) {
        const int64_t offset = a->kv_head[h].page_offset;
        if (offset < 0 || offset > MOST_OFFSET || offset % 64 != 0) {
            return 0;
        }
    }
    return 1;
}

static int split_ok(const int64_t channels[2], int64_t head_dim)
{
    return channels[0] >= 0 && channels[1] >= 0 && channels[0] <= head_dim && channels[1] == head_dim - channels[0];
}

static int attention_ok(const s4j_attention *a)
{
    if (!shape_ok(a) || !s4j_bits_ok(a->q_bits) || !s4j_bits_ok(a->k_bits[0]) || !s4j_bits_ok(a->k_bits[1]) ||
        !s4j_bits_ok(a->v_bits[0]) || !s4j_bits_ok(a->v_bits[1]) || a->v_bits[1] - a->v_bits[0] < 0 ||
        a->v_bits[1] - a->v_bits[0] > 1 || a->q_padded % 64 != 0 || a->q_padded > MOST_QUERY ||
        a->k_mode < S4J_K_TOKEN || a->k_mode > S4J_K_SHARED || a->v_mode < S4J_V_TOKEN || a->v_mode > S4J_V_FROZEN ||
        (a->hadamard != 0 && a->hadamard != 1)) {
        return 0;
    }
    for (int64_t h = 0; h < a->kv_heads; h++) {
        const s4j_kv_head *head = &a->kv_head[h];
        if (!head->k_perm || !head->v_perm || !split_ok(head->k_channels, a->head_dim) ||
            !split_ok(head->v_channels, a->head_dim) ||
            a->q_padded < s4j_pad(head->k_channels[0], 16) + s4j_pad(head->k_channels[1], 16) ||
            (a->k_mode == S4J_K_FROZEN && (!head->k_scale || !head->k_zero)) ||
            (a->v_mode == S4J_V_FROZEN && (!head->v_scale || !head->v_zero))) {
            return 0;
        }
    }
    return 1;
}

/* Blocks that rows [begin, end) touch: of what they see, or (written) of their own positions. */
static int blocks_ok(const s4j_attention *a, const s4j_sequence *s, int64_t begin, int64_t end, int written)
{
    const int64_t first = begin > s->row ? begin : s->row, last = end < s->row + s->rows ? end : s->row + s->rows;
    if (first < last) {
        const int64_t own = s->position + first - s->row, from = written ? own : s4j_first_seen(a, own);
        const int64_t to = s->position + last - 1 - s->row;
        for (int64_t p = from / S4J_PAGE; p <= to / S4J_PAGE; p++) {
            if (!s4j_aligned(s->blocks[p], 64)) {
                return 0;
            }
        }
    }
    return 1;
}

static int sequences_ok(const s4j_attention *a, const s4j_sequence *seq, int64_t seqs, int64_t begin, int64_t end, int written)
{
    if (!s4j_range_ok(begin, end) || !s4j_count_ok(seqs, 0) || (seqs > 0 && !seq)) {
        return 0;
    }
    for (int64_t i = 0; i < seqs; i++) {
        const s4j_sequence *s = &seq[i];
        if (!s4j_count_ok(s->row, 0) || !s4j_count_ok(s->rows, 1) || !s4j_count_ok(s->position, 0) ||
            s->row + s->rows > INT32_MAX || s->position + s->rows > INT32_MAX || !s->blocks ||
            !blocks_ok(a, s, begin, end, written)) {
            return 0;
        }
    }
    return 1;
}

static int queries_ok(const s4j_queries *q)
{
    return q && q->code && q->scale && q->zero && q->sum && q->silent;
}

/* Enough for the longest context that rows [begin, end) see. */
static int scratch_ok(const s4j_attention *a, const s4j_sequence *seq, int64_t seqs, const void *scratch, int64_t bytes,
                      int64_t begin, int64_t end)
{
    int64_t context = 0;
    for (int64_t i = 0; i < seqs; i++) {
        const int64_t last = seq[i].row + seq[i].rows < end ? seq[i].row + seq[i].rows : end;
        if (last > begin && last > seq[i].row && seq[i].position + last - seq[i].row > context) {
            context = seq[i].position + last - seq[i].row;
        }
    }
    return s4j_aligned(scratch, 64) && bytes >= s4j_scratch_bytes(a, context);
}

int32_t s4j_append(const s4j_kernels *k, const s4j_attention *a, const float *qkv, int64_t qkv_stride, const float *rope,
                   const s4j_sequence *seq, int64_t seqs, const s4j_queries *q, int64_t begin, int64_t end)
{
    S4J_REQUIRE(k && attention_ok(a) && qkv && rope && sequences_ok(a, seq, seqs, begin, end, 1) && queries_ok(q));
    return k->append(a, qkv, qkv_stride, rope, seq, seqs, q, begin, end);
}

int64_t s4j_attend_scratch(const s4j_attention *a, int64_t context)
{
    S4J_REQUIRE(shape_ok(a) && s4j_count_ok(context, 0));
    return s4j_scratch_bytes(a, context);
}

int32_t s4j_attend(const s4j_kernels *k, const s4j_attention *a, const s4j_queries *q, const s4j_sequence *seq, int64_t seqs,
                   float *out, int64_t out_stride, void *scratch, int64_t scratch_bytes, int64_t begin, int64_t end,
                   int64_t head_begin, int64_t head_end)
{
    S4J_REQUIRE(k && attention_ok(a) && queries_ok(q) && sequences_ok(a, seq, seqs, begin, end, 0) && out &&
                s4j_range_ok(head_begin, head_end) && head_end <= a->kv_heads &&
                scratch_ok(a, seq, seqs, scratch, scratch_bytes, begin, end));
    return k->attend(a, q, seq, seqs, out, out_stride, scratch, scratch_bytes, begin, end, head_begin, head_end);
}

int32_t s4j_dense_append(const s4j_kernels *k, const s4j_attention *a, float *qkv, int64_t qkv_stride, const float *rope,
                         const s4j_sequence *seq, int64_t seqs, int64_t begin, int64_t end)
{
    S4J_REQUIRE(k && shape_ok(a) && qkv && rope && sequences_ok(a, seq, seqs, begin, end, 1));
    return k->dense_append(a, qkv, qkv_stride, rope, seq, seqs, begin, end);
}

int32_t s4j_dense_attend(const s4j_kernels *k, const s4j_attention *a, const float *qkv, int64_t qkv_stride,
                         const s4j_sequence *seq, int64_t seqs, float *out, int64_t out_stride, void *scratch,
                         int64_t scratch_bytes, int64_t begin, int64_t end, int64_t head_begin, int64_t head_end)
{
    S4J_REQUIRE(k && shape_ok(a) && qkv && sequences_ok(a, seq, seqs, begin, end, 0) && out &&
                s4j_range_ok(head_begin, head_end) && head_end <= a->kv_heads &&
                scratch_ok(a, seq, seqs, scratch, scratch_bytes, begin, end));
    return k->dense_attend(a, qkv, qkv_stride, seq, seqs, out, out_stride, scratch, scratch_bytes, begin, end, head_begin,
                           head_end);
}
