/* append, attend, dense_append, dense_attend: a batch of up to three sequences with gaps between their rows. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "common/layout.h"

enum { MOST_KV = 3, MOST_SEQ = 3 };

typedef struct {
    s4j_attention a;
    s4j_kv_head head[MOST_KV];
    s4j_sequence seq[MOST_SEQ];
    int64_t seqs, rows, block_bytes, context; /* rows of the batch; longest context */
    int64_t qkv_stride;
    float *qkv;
    float *rope;
} batch;

static const float *frozen_scales(int64_t d)
{
    float *scale = NEW(float, d);
    for (int64_t c = 0; c < d; c++) {
        scale[c] = 0.05f + 0.04f * rnd_float();
    }
    seal(scale);
    return scale;
}

static const uint8_t *frozen_zeros(int64_t d, const int32_t bits[2], int64_t ordinary)
{
    uint8_t *zero = NEW(uint8_t, d);
    for (int64_t c = 0; c < d; c++) {
        zero[c] = (uint8_t)rnd_in(0, s4j_levels(bits[c >= ordinary]));
    }
    seal(zero);
    return zero;
}

static int64_t pages(const s4j_sequence *s)
{
    return (s->position + s->rows + S4J_PAGE - 1) / S4J_PAGE;
}

/* dense: pages of floats. `context`: 0 = short and random. */
static batch random_batch(int dense, int64_t context, int64_t head_dim, int64_t kv_heads, int64_t per)
{
    batch t = {0};
    s4j_attention *a = &t.a;
    a->head_dim = head_dim ? head_dim : rnd_one_in(5) ? PICK(2, 128, 256) : 2 * rnd_in(1, 40);
    a->kv_heads = kv_heads ? kv_heads : rnd_in(1, MOST_KV);
    a->heads = a->kv_heads * (per ? per : rnd_in(1, 3));
    a->kappa = (float)(1.0 / sqrt((double)a->head_dim)) * (benching || rnd_one_in(2) ? 1.0f : 0.5f + fabsf(rnd_float()));
    a->softcap = benching || rnd_one_in(2) ? 0.0f : (float)PICK(1, 2, 50);
    a->window = benching || context || rnd_one_in(2) ? 0 : rnd_one_in(3) ? rnd_in(1, 9) : rnd_in(1, 150);
    a->q_bits = benching ? 4 : rnd_one_in(2) ? 8 : (int32_t)rnd_in(2, 8);
    for (int i = 0; i < 2; i++) {
        a->k_bits[i] = benching ? 4 + i : (int32_t)rnd_in(2, 8);
    }
    a->v_bits[0] = benching ? 4 : (int32_t)rnd_in(2, 8);
    a->v_bits[1] = a->v_bits[0] + (a->v_bits[0] < 8 ? benching ? 1 : (int32_t)rnd_in(0, 1) : 0);
    a->k_mode = benching ? S4J_K_TOKEN : (int32_t)PICK(S4J_K_TOKEN, S4J_K_FROZEN, S4J_K_SHARED);
    a->v_mode = benching || rnd_one_in(2) ? S4J_V_TOKEN : S4J_V_FROZEN;
    a->hadamard = !benching && rnd_one_in(3);
    for (int64_t h = 0; h < a->kv_heads; h++) {
        s4j_kv_head *kv = &t.head[h];
        const int64_t d = a->head_dim;
        kv->k_perm = random_perm(d);
        kv->v_perm = random_perm(d);
        kv->k_channels[1] = benching ? d / 10 : rnd_one_in(3) ? PICK(0, d) : rnd_in(0, d);
        kv->v_channels[1] = benching ? d / 10 : rnd_one_in(3) ? PICK(0, d) : rnd_in(0, d);
        kv->k_channels[0] = d - kv->k_channels[1];
        kv->v_channels[0] = d - kv->v_channels[1];
        if (a->k_mode == S4J_K_FROZEN) {
            kv->k_scale = frozen_scales(d);
            kv->k_zero = frozen_zeros(d, a->k_bits, kv->k_channels[0]);
        }
        if (a->v_mode == S4J_V_FROZEN) {
            kv->v_scale = frozen_scales(d);
            kv->v_zero = frozen_zeros(d, a->v_bits, kv->v_channels[0]);
        }
        const int64_t padded = s4j_pad(s4j_pad(kv->k_channels[0], 16) + s4j_pad(kv->k_channels[1], 16), 64);
        a->q_padded = padded > a->q_padded ? padded : a->q_padded;
        kv->page_offset = t.block_bytes + (benching ? 0 : 64 * rnd_in(0, 2));
        t.block_bytes = kv->page_offset + (dense ? 2 * S4J_PAGE * d * 4 : s4j_page_of(a, kv).bytes);
    }
    t.seqs = context ? 1 : rnd_in(1, MOST_SEQ);
    for (int64_t i = 0; i < t.seqs; i++) {
        s4j_sequence *s = &t.seq[i];
        t.rows += context ? 0 : rnd_in(0, 1);
        s->row = t.rows;
        s->rows = context ? 1 : rnd_in(1, rnd_one_in(3) ? 20 : 3);
        s->position = context ? context - 1 : rnd_one_in(3) ? 0 : rnd_in(0, 140);
        t.rows += s->rows;
        t.context = s->position + s->rows > t.context ? s->position + s->rows : t.context;
    }
    t.rows += context ? 0 : rnd_in(0, 1);
    t.qkv_stride = (a->heads + 2 * a->kv_heads) * a->head_dim + rnd_in(0, 3);
    t.qkv = NEW(float, t.rows * t.qkv_stride);
    t.rope = NEW(float, t.context * a->head_dim);
    for (int64_t p = 0; p < t.context; p++) {
        for (int64_t i = 0; i < a->head_dim / 2; i++) {
            const double angle = (double)p * pow(10000.0, -2.0 * (double)i / (double)a->head_dim);
            t.rope[p * a->head_dim + i] = (float)cos(angle);
            t.rope[p * a->head_dim + a->head_dim / 2 + i] = (float)sin(angle);
        }
    }
    seal(t.rope);
    return t;
}

/* Blocks of all sequences, full of noise; `copy` gives the same noise again. */
static void new_blocks(batch *t, const s4j_sequence *copy, s4j_sequence *out)
{
    for (int64_t i = 0; i < t->seqs; i++) {
        const int64_t n = pages(&t->seq[i]);
        uint8_t **blocks = NEW(uint8_t *, n);
        for (int64_t p = 0; p < n; p++) {
            blocks[p] = buffer(t->block_bytes, 64);
            if (copy) {
                memcpy(blocks[p], copy[i].blocks[p], (size_t)t->block_bytes);
            } else {
                rnd_bytes(blocks[p], t->block_bytes);
            }
        }
        out[i] = t->seq[i];
        out[i].blocks = blocks;
    }
}

static s4j_queries new_queries(const batch *t)
{
    const int64_t slots = t->rows * t->a.heads;
    return (s4j_queries){NEW(int8_t, slots * t->a.q_padded), NEW(float, slots), NEW(int32_t, slots), NEW(int32_t, 2 * slots),
                         NEW(int32_t, t->rows)};
}

static void fill_tokens(batch *t, int pattern)
{
    const s4j_attention *a = &t->a;
    for (int64_t i = 0; i < t->rows * (a->heads + 2 * a->kv_heads); i++) {
        const int64_t per = a->heads + 2 * a->kv_heads;
        const int chosen = pattern >= 0 ? pattern : (int)rnd_in(0, FINITE_PATTERNS - 1);
        fill(t->qkv + i / per * t->qkv_stride + i % per * a->head_dim, a->head_dim, chosen, 15);
    }
}

/* Some tokens with NaN or infinity in q, k or v. */
static void spoil_tokens(batch *t)
{
    for (int64_t r = 0; r < t->rows; r++) {
        if (rnd_one_in(6)) {
            const int64_t at = rnd_in(0, (t->a.heads + 2 * t->a.kv_heads) * t->a.head_dim - 1);
            t->qkv[r * t->qkv_stride + at] = rnd_one_in(2) ? NAN : INFINITY;
        }
    }
}

static void describe_batch(const batch *t)
{
    const s4j_attention *a = &t->a;
    describe("%lld/%lld heads of %lld, q%d k%d/%d (%lld salient, %s) v%d/%d (%lld, %s), %lld sequences, %lld rows, context %lld, window %lld, cap %g%s",
             (long long)a->heads, (long long)a->kv_heads, (long long)a->head_dim, a->q_bits, a->k_bits[0], a->k_bits[1],
             (long long)t->head[0].k_channels[1], a->k_mode == S4J_K_TOKEN ? "token" : a->k_mode == S4J_K_SHARED ? "shared" : "frozen",
             a->v_bits[0], a->v_bits[1],
             (long long)t->head[0].v_channels[1], a->v_mode == S4J_V_TOKEN ? "token" : "frozen", (long long)t->seqs, (long long)t->rows, (long long)t->context,
             (long long)a->window, (double)a->softcap, a->hadamard ? ", rotated" : "");
}

/* Nothing before the window of row `begin` may be read beyond its page, nor change a bit: blocks are taken away, and of the page in
 * which the window starts all scales (spiking) or keys and values (dense) before it become NaN. */
static void spoil_unseen(const batch *t, const s4j_sequence *seq, int64_t begin, int dense)
{
    for (int64_t i = 0; i < t->seqs; i++) {
        const s4j_sequence *s = &seq[i];
        if (begin >= s->row + s->rows) {
            continue;
        }
        const int64_t first = s4j_first_seen(&t->a, s->position + (begin > s->row ? begin - s->row : 0));
        uint8_t **blocks = (uint8_t **)(uintptr_t)s->blocks;
        for (int64_t p = 0; p < first / S4J_PAGE; p++) {
            blocks[p] = NULL;
        }
        for (int64_t h = 0; h < t->a.kv_heads; h++) {
            uint8_t *page = blocks[first / S4J_PAGE] + t->head[h].page_offset;
            float *f = (float *)(void *)page;
            const int64_t d = t->a.head_dim;
            for (int64_t p = 0; p < first % S4J_PAGE; p++) {
                if (dense) {
                    for (int64_t c = 0; c < d; c++) {
                        f[c * S4J_PAGE + p] = f[(S4J_PAGE + p) * d + c] = NAN;
                    }
                } else {
                    const s4j_page parts = s4j_page_of(&t->a, &t->head[h]);
                    f[parts.k_scale / 4 + p] = f[parts.k_scale / 4 + S4J_PAGE + p] = f[parts.v_scale / 4 + p] = NAN;
                }
            }
        }
    }
}

static void same_blocks(const batch *t, const s4j_sequence *a, const s4j_sequence *b)
{
    for (int64_t i = 0; i < t->seqs; i++) {
        for (int64_t p = 0; p < pages(&t->seq[i]); p++) {
            same_bytes(a[i].blocks[p], b[i].blocks[p], t->block_bytes, "page");
        }
    }
}

void check_append(int64_t n)
{
    (void)n;
    batch t = random_batch(0, benching ? 64 : 0, benching ? 64 : 0, benching ? 3 : 0, benching ? 3 : 0);
    t.a.kv_head = t.head;
    fill_tokens(&t, rnd_one_in(2) ? -1 : 0);
    if (rnd_one_in(4)) { /* scales at their lower bound */
        for (int64_t i = 0; i < t.rows * t.qkv_stride; i++) {
            t.qkv[i] *= 1e-4f;
        }
    }
    if (rnd_one_in(4)) {
        spoil_tokens(&t);
    }
    seal(t.qkv);
    s4j_sequence sa[MOST_SEQ], sb[MOST_SEQ];
    new_blocks(&t, NULL, sa);
    new_blocks(&t, sa, sb);
    const s4j_queries qa = new_queries(&t), qb = new_queries(&t);
    describe_batch(&t);
    if (benching) {
        report("9/3 heads of 64", (double)((t.a.heads + 2 * t.a.kv_heads) * t.a.head_dim),
               TIME(s4j_append(test, &t.a, t.qkv, t.qkv_stride, t.rope, sb, t.seqs, &qb, 0, t.rows)), "Gchannels/s", 0, "");
        return;
    }
    const int64_t begin = rnd_in(0, t.rows - 1), end = rnd_in(begin, t.rows), slots = t.rows * t.a.heads;
    same_int(s4j_append(base, &t.a, t.qkv, t.qkv_stride, t.rope, sa, t.seqs, &qa, begin, end),
             s4j_append(test, &t.a, t.qkv, t.qkv_stride, t.rope, sb, t.seqs, &qb, begin, end), "status");
    same_bytes(qa.code, qb.code, slots * t.a.q_padded, "query code");
    same_floats(qa.scale, qb.scale, slots, "query scale");
    same_bytes(qa.zero, qb.zero, slots * 4, "query zero");
    same_bytes(qa.sum, qb.sum, slots * 8, "query sum");
    same_bytes(qa.silent, qb.silent, t.rows * 4, "silent");
    same_blocks(&t, sa, sb);
}

/* Fills positions before the batch's rows through `append` of the base, then the batch itself. Returns whether all tokens were
 * finite: a session with others has failed, and what its attention gives is not specified. */
static int prefill(batch *t, const s4j_sequence *seq, const s4j_queries *q, int pattern)
{
    const int64_t stride = t->qkv_stride;
    float *row = NEW(float, stride);
    int finite = 1;
    s4j_queries one = {NEW(int8_t, t->a.heads * t->a.q_padded), NEW(float, t->a.heads), NEW(int32_t, t->a.heads),
                       NEW(int32_t, 2 * t->a.heads), NEW(int32_t, 1)};
    for (int64_t i = 0; i < t->seqs; i++) {
        for (int64_t p = 0; p < seq[i].position; p++) {
            const s4j_sequence s = {0, 1, p, seq[i].blocks};
            const float level = rnd_one_in(4) ? 5.0f : 1.0f;
            for (int64_t c = 0; c < stride; c++) {
                row[c] = pattern == 2 ? 0.25f : rnd_float() * level;
            }
            if (pattern < 0 && rnd_one_in(50)) {
                row[0] = NAN;
            }
            finite &= s4j_append(base, &t->a, row, stride, t->rope, &s, 1, &one, 0, 1) == S4J_OK;
        }
    }
    return finite & (s4j_append(base, &t->a, t->qkv, stride, t->rope, seq, t->seqs, q, 0, t->rows) == S4J_OK);
}

static void bench_attend(void)
{
    for (int64_t context = 512; context <= 4096; context *= 8) {
        batch t = random_batch(0, context, 64, 1, 8);
        t.a.kv_head = t.head;
        fill_tokens(&t, 0);
        s4j_sequence seq[MOST_SEQ];
        new_blocks(&t, NULL, seq);
        const s4j_queries q = new_queries(&t);
        prefill(&t, seq, &q, 0);
        const int64_t bytes = s4j_attend_scratch(&t.a, t.context);
        void *scratch = buffer(bytes, 64);
        float *out = NEW(float, t.a.heads * t.a.head_dim);
        report(context == 512 ? "8 heads of 64, 1 kv head, 512 positions" : "8 heads of 64, 1 kv head, 4096 positions",
               2.0 * (double)(context * t.a.heads * t.a.head_dim),
               TIME(s4j_attend(test, &t.a, &q, seq, 1, out, 8 * 64, scratch, bytes, 0, 1, 0, 1)), "GMAC/s", 0, "");
        buffers_release();
    }
}

/* One call of the base, one of the test, on a random part of the rows and kv heads. */
static void compare_attend(batch *t, const s4j_sequence *seq, const s4j_queries *q, int finite)
{
    const int64_t begin = rnd_in(0, t->rows - 1), end = rnd_in(begin + (t->rows == 1), t->rows), h = rnd_in(0, t->a.kv_heads - 1);
    spoil_unseen(t, seq, begin, 0);
    seal(q->code);
    for (int64_t i = 0; i < t->seqs; i++) {
        for (int64_t p = 0; p < pages(&seq[i]); p++) {
            seal(seq[i].blocks[p]);
        }
    }
    const int64_t bytes = s4j_attend_scratch(&t->a, t->context), stride = t->a.heads * t->a.head_dim + rnd_in(0, 3);
    void *scratch = buffer(bytes, 64);
    float *a = NEW(float, t->rows * stride), *b = NEW(float, t->rows * stride);
    fill(a, t->rows * stride, 0, 0);
    memcpy(b, a, (size_t)(t->rows * stride) * sizeof(float));
    describe_batch(t);
    same_int(s4j_attend(base, &t->a, q, seq, t->seqs, a, stride, scratch, bytes, begin, end, h, t->a.kv_heads),
             s4j_attend(test, &t->a, q, seq, t->seqs, b, stride, scratch, bytes, begin, end, h, t->a.kv_heads), "status");
    if (finite) {
        same_floats(a, b, t->rows * stride, "out");
    }
}

/* The largest sums of scores of every pair of widths, of both signs: no int16 may wrap. Codes are written straight into queries
 * and pages: all at the top or all at the bottom, in every other position; zero points of K are 0. */
static void attend_extremes(int64_t n)
{
    const int32_t q_bits = (int32_t)(2 + n % 7), k_bits = (int32_t)(2 + n / 7 % 7);
    const int64_t d = n < 49 ? 256 : PICK(256, 240, 128, 64, 18);
    batch t = random_batch(0, 24, d, 1, rnd_in(1, 7));
    s4j_attention *a = &t.a;
    s4j_kv_head *kv = t.head;
    a->kv_head = kv;
    a->softcap = 0.0f;
    a->q_bits = q_bits;
    a->k_bits[0] = a->k_bits[1] = k_bits;
    kv->k_channels[1] = PICK(0, d);
    kv->k_channels[0] = d - kv->k_channels[1];
    kv->page_offset = 0;
    t.block_bytes = s4j_page_of(a, kv).bytes;
    const int i = kv->k_channels[1] > 0;
    if (a->k_mode == S4J_K_FROZEN) {
        kv->k_zero = NEW(uint8_t, d);
    }
    fill_tokens(&t, 0);
    s4j_sequence seq[MOST_SEQ];
    new_blocks(&t, NULL, seq);
    const s4j_queries q = new_queries(&t);
    prefill(&t, seq, &q, 0);
    const s4j_page page = s4j_page_of(a, kv);
    const int32_t q_levels = s4j_levels(q_bits), k_levels = s4j_levels(k_bits), width = page.k_width[i];
    for (int64_t p = 0; p < t.context; p++) {
        uint8_t *at = seq[0].blocks[p / S4J_PAGE];
        const int64_t lane = i * S4J_PAGE + p % S4J_PAGE;
        uint8_t *panel = at + page.k[i] + p % S4J_PAGE / S4J_ROWS * s4j_r16_panel(page.k_padded[i], width);
        const int32_t code = p % 2 ? k_levels : 0;
        for (int64_t k = 0; k < d; k++) {
            uint8_t *byte = panel + s4j_r16_byte(k, p % S4J_ROWS, width);
            const int32_t shift = s4j_r16_shift(k, width);
            *byte = (uint8_t)((*byte & ~(s4j_levels(width) << shift)) | code << shift);
        }
        ((float *)(void *)(at + page.k_scale))[lane] = a->k_mode != S4J_K_FROZEN ? 1.0f + 0.1f * rnd_float() : 0.0f;
        ((int32_t *)(void *)(at + page.k_sum))[lane] = (int32_t)d * code;
        at[page.k_zero + lane] = 0;
    }
    for (int64_t h = 0; h < a->heads; h++) {
        const int top = rnd_one_in(2);
        const int32_t z = top ? 0 : q_levels, byte = (top ? q_levels : 0) - s4j_offset(q_bits, z);
        for (int64_t k = 0; k < d; k++) {
            q.code[h * a->q_padded + k] = (int8_t)byte;
        }
        q.zero[h] = z;
        q.sum[2 * h] = q.sum[2 * h + 1] = 0;
        q.sum[2 * h + i] = a->k_mode != S4J_K_FROZEN ? (int32_t)d * byte : 0;
        q.scale[h] = 4.0f / ((float)d * (float)q_levels * (float)k_levels * a->kappa); /* scores of -4.4 to 4.4 */
    }
    compare_attend(&t, seq, &q, 1);
}

void check_attend(int64_t n)
{
    if (benching) {
        bench_attend();
        return;
    }
    if (n % 4 == 1) {
        attend_extremes(n / 4);
        return;
    }
    const int deep = n % 100 == 99; /* beyond every int32 budget of N8, all values at the top */
    batch t = random_batch(0, deep ? 17000 : n % 20 == 19 ? rnd_in(300, 2600) : 0, deep ? 16 : 0, deep ? 1 : 0, deep ? 1 : 0);
    t.a.kv_head = t.head;
    if (deep) {
        t.a.softcap = 0.0f;
    } else if (n % 40 == 39) {
        t.a.window = rnd_in(1, t.context);
    }
    const int pattern = deep ? 2 : rnd_one_in(2) ? -1 : 0;
    fill_tokens(&t, pattern);
    if (pattern < 0) {
        spoil_tokens(&t);
    }
    s4j_sequence seq[MOST_SEQ];
    new_blocks(&t, NULL, seq);
    const s4j_queries q = new_queries(&t);
    const int finite = prefill(&t, seq, &q, pattern);
    compare_attend(&t, seq, &q, finite);
}

void check_dense_append(int64_t n)
{
    (void)n;
    batch t = random_batch(1, benching ? 64 : 0, benching ? 64 : 0, benching ? 3 : 0, benching ? 3 : 0);
    t.a.kv_head = t.head;
    fill_tokens(&t, -1);
    s4j_sequence sa[MOST_SEQ], sb[MOST_SEQ];
    new_blocks(&t, NULL, sa);
    new_blocks(&t, sa, sb);
    float *other = NEW(float, t.rows * t.qkv_stride);
    memcpy(other, t.qkv, (size_t)(t.rows * t.qkv_stride) * sizeof(float));
    describe_batch(&t);
    if (benching) {
        report("9/3 heads of 64", (double)((t.a.heads + 2 * t.a.kv_heads) * t.a.head_dim),
               TIME(s4j_dense_append(test, &t.a, t.qkv, t.qkv_stride, t.rope, sb, t.seqs, 0, t.rows)), "Gchannels/s", 0, "");
        return;
    }
    const int64_t begin = rnd_in(0, t.rows - 1), end = rnd_in(begin, t.rows);
    same_int(s4j_dense_append(base, &t.a, t.qkv, t.qkv_stride, t.rope, sa, t.seqs, begin, end),
             s4j_dense_append(test, &t.a, other, t.qkv_stride, t.rope, sb, t.seqs, begin, end), "status");
    same_floats(t.qkv, other, t.rows * t.qkv_stride, "qkv");
    same_blocks(&t, sa, sb);
}

void check_dense_attend(int64_t n)
{
    batch t = random_batch(1, benching ? 512 : n % 20 == 19 ? rnd_in(250, 900) : 0, benching ? 64 : 0, benching ? 1 : 0, benching ? 8 : 0);
    t.a.kv_head = t.head;
    fill_tokens(&t, rnd_one_in(4) ? -1 : 0);
    if (rnd_one_in(8)) {
        spoil_tokens(&t);
    }
    seal(t.qkv);
    s4j_sequence seq[MOST_SEQ];
    new_blocks(&t, NULL, seq);
    for (int64_t i = 0; i < t.seqs; i++) { /* cached floats of any size; what was not written yet stays noise, NaN too */
        for (int64_t p = 0; p < seq[i].position + seq[i].rows; p++) {
            for (int64_t h = 0; h < t.a.kv_heads; h++) {
                float *k = (float *)(void *)(seq[i].blocks[p / S4J_PAGE] + t.head[h].page_offset), *v = k + S4J_PAGE * t.a.head_dim;
                for (int64_t c = 0; c < t.a.head_dim; c++) {
                    k[c * S4J_PAGE + p % S4J_PAGE] = rnd_float() * 2.0f;
                    v[p % S4J_PAGE * t.a.head_dim + c] = rnd_float();
                }
            }
        }
    }
    const int64_t begin = rnd_in(0, t.rows - 1), end = rnd_in(begin, t.rows), h = rnd_in(0, t.a.kv_heads - 1);
    if (n % 40 == 39) {
        t.a.window = rnd_in(1, t.context);
    }
    spoil_unseen(&t, seq, begin, 1);
    const int64_t bytes = s4j_attend_scratch(&t.a, t.context), stride = t.a.heads * t.a.head_dim + rnd_in(0, 3);
    void *scratch = buffer(bytes, 64);
    float *a = NEW(float, t.rows * stride), *b = NEW(float, t.rows * stride);
    fill(a, t.rows * stride, 0, 0);
    memcpy(b, a, (size_t)(t.rows * stride) * sizeof(float));
    describe_batch(&t);
    if (benching) {
        report("8 heads of 64, 1 kv head, 512 positions", 2.0 * 512 * 8 * 64,
               TIME(s4j_dense_attend(test, &t.a, t.qkv, t.qkv_stride, seq, 1, b, stride, scratch, bytes, 0, 1, 0, 1)), "GMAC/s", 0, "");
        return;
    }
    same_int(s4j_dense_attend(base, &t.a, t.qkv, t.qkv_stride, seq, t.seqs, a, stride, scratch, bytes, begin, end, h, t.a.kv_heads),
             s4j_dense_attend(test, &t.a, t.qkv, t.qkv_stride, seq, t.seqs, b, stride, scratch, bytes, begin, end, h, t.a.kv_heads), "status");
    same_floats(a, b, t.rows * stride, "out");
}
