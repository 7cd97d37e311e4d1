/*
 * Attention over the spiking cache, N7 and N8. A tile is up to 24 queries (tokens of one sequence x heads of one kv head) that
 * read each page once:
 *   scores    the linear's tile: a panel of 16 positions x 6 queries
 *   weights   a = 4096 h + l; 4 positions lie as four dwords of s16 pairs: h01 h23 l01 l23, in place of the floats
 *   V         v - z as s16 pairs of positions, 16 channels (2 ymm) x 3 queries x (h, l) by vpmaddwd; the sums of a page
 *             (|sum| <= 64 * 255 * 4095) go to int64
 * Scratch: a dword for each query and position. Positions of a tile count from its first page (a window may begin inside it).
 */
#include "avx2/tile.h"
#include "common/kernels.h"
#include "common/numerics.h"

enum {
    QUERIES = 24,       /* of a tile */
    CODES = 320,        /* bytes of a query: two segments of pad16, and the 16 bytes more that tile_s16 may read */
    CHANNELS = 256 + 64 /* of V: two segments of pad32 */
};

typedef struct {
    const s4j_attention *a;
    const s4j_kv_head *head;
    s4j_page page;
    const s4j_sequence *seq;
    int64_t queries;
    int64_t origin;           /* position of the first page that a query sees */
    int64_t from[QUERIES];    /* positions [from, to) that a query sees, less origin */
    int64_t to[QUERIES];
    int64_t most;             /* of `to` */
    int64_t stride;           /* dwords of a query in e: most, padded to pages */
    float *e;                 /* scores, then weights */
    float scale[QUERIES];     /* s_q * kappa */
    int32_t offset[QUERIES];  /* 128 - z at 8 bits, else 0 */
    int32_t sum[QUERIES][2];
    float R[QUERIES];
    int64_t L[QUERIES];
    int8_t code[QUERIES][CODES];
    int64_t N[QUERIES][CHANNELS];
} tile_t;

static const uint8_t *page_at(const tile_t *t, int64_t position)
{
    return t->seq->blocks[(t->origin + position) / S4J_PAGE] + t->head->page_offset;
}

/* e[q][first .. first+15] = scores of the panel of positions. */
static void score_panel(tile_t *t, int64_t first)
{
    const s4j_page *page = &t->page;
    const uint8_t *base = page_at(t, first);
    const int64_t at = first % S4J_PAGE;
    const int frozen = t->a->k_mode == S4J_K_FROZEN;
    int32_t D[2][QUERIES * ROWS] __attribute__((aligned(64)));
    for (int64_t i = 0, k = 0; i < 2; k += page->k_padded[i], i++) {
        if (page->k_padded[i] > 0) {
            const panel_t p = {
                .data = base + page->k[i] + at / ROWS * s4j_r16_panel(page->k_padded[i], page->k_width[i]),
                .channels = page->k_padded[i],
                .group = page->k_padded[i],
                .budget = int16_budget(t->a->k_bits[i], t->a->q_bits),
            };
            memset(D[i], 0, (size_t)t->queries * ROWS * sizeof(int32_t));
            gemm(&p, page->k_width[i], t->code[0] + k, CODES, NULL, 0, t->queries, D[i]);
        }
    }
    for (int h = 0; h < 2; h++) {
        const int64_t lane = at + 8 * h;
        __m256i k_sum[2], zero[2];
        __m256 scale[2];
        for (int i = 0; i < 2; i++) {
            const int64_t j = i * S4J_PAGE + lane;
            k_sum[i] = load(base + page->k_sum + 4 * j);
            zero[i] = bytes_of(base + page->k_zero + j);
            scale[i] = _mm256_castsi256_ps(load(base + page->k_scale + 4 * j));
        }
        for (int64_t q = 0; q < t->queries; q++) {
            __m256i all = _mm256_set1_epi32(-t->sum[q][0]);
            __m256 b = _mm256_setzero_ps();
            int empty = 1;
            for (int i = 0; i < 2; i++) {
                if (page->k_padded[i] == 0) {
                    continue;
                }
                __m256i d = load(D[i] + ROWS * q + 8 * h);
                if (t->offset[q]) {
                    d = _mm256_add_epi32(d, _mm256_mullo_epi32(_mm256_set1_epi32(t->offset[q]), k_sum[i]));
                }
                all = _mm256_add_epi32(all, d);
                d = _mm256_sub_epi32(d, _mm256_mullo_epi32(zero[i], _mm256_set1_epi32(t->sum[q][i])));
                __m256 f = _mm256_cvtepi32_ps(d);
                b = empty ? _mm256_mul_ps(f, scale[i]) : _mm256_fmadd_ps(f, scale[i], b);
                empty = 0;
            }
            b = frozen ? _mm256_cvtepi32_ps(all) : b;
            _mm256_storeu_ps(t->e + q * t->stride + first + 8 * h, _mm256_mul_ps(b, _mm256_set1_ps(t->scale[q])));
        }
    }
}

/* Soft cap of scores [first, n). Apart: in one function with the loops of `weigh` it costs those registers. */
__attribute__((noinline)) static void cap_scores(float *e, int64_t first, int64_t n, float cap)
{
    for (int64_t i = first; i < n; i += 8) {
        _mm256_storeu_ps(e + i, softcap_ps(_mm256_loadu_ps(e + i), _mm256_set1_ps(cap)));
    }
}

/* Scores of query q to its a; L and R. Lanes outside [from, to) become 0. */
static void weigh(tile_t *t, int64_t q)
{
    float *e = t->e + q * t->stride;
    const int64_t n = t->to[q], from = t->from[q], first = from / 8 * 8;
    const __m256 lowest = _mm256_set1_ps(-INFINITY);
    int64_t i;
    if (t->a->softcap > 0.0f) {
        cap_scores(e, first, n, t->a->softcap);
    }
    for (i = first; i < from; i++) {
        e[i] = S4J_MUT(54, e[i], -INFINITY);
    }
    __m256 top8 = lowest;
    i = first;
    for (; i + 8 <= n; i += 8) {
        top8 = _mm256_max_ps(top8, _mm256_loadu_ps(e + i));
    }
    if (i < n) {
        top8 = _mm256_max_ps(top8, _mm256_blendv_ps(lowest, _mm256_loadu_ps(e + i), _mm256_castsi256_ps(lanes(S4J_MUT(42, 8, n - i)))));
    }
    const __m256 top = _mm256_set1_ps(max_ps(top8));
    __m256 R8 = _mm256_setzero_ps();
    int64_t L = 0;
    for (int64_t b = 0; b < n; b += S4J_PAGE) {
        const float *s_v = (const float *)(const void *)(page_at(t, b) + t->page.v_scale);
        __m256i sum = _mm256_setzero_si256();
        for (i = b > first ? b : first; i < b + S4J_PAGE && i < n; i += 8) {
            __m256 x = exp_ps(_mm256_sub_ps(_mm256_loadu_ps(e + i), top)), s = _mm256_loadu_ps(s_v + i - b);
            if (i + 8 > n || i < from) {
                const __m256 live = _mm256_castsi256_ps(_mm256_andnot_si256(lanes(from - i), lanes(n - i)));
                x = _mm256_and_ps(x, live);
                s = _mm256_and_ps(s, live);
            }
            sum = _mm256_add_epi32(sum, _mm256_cvtps_epi32(_mm256_mul_ps(x, _mm256_set1_ps(0x1p22f))));
            x = _mm256_mul_ps(x, s);
            R8 = _mm256_max_ps(R8, x);
            _mm256_storeu_ps(e + i, x);
        }
        L += sum_epi32(sum); /* at most 64 * 2^22 */
    }
    t->L[q] = L;
    t->R[q] = max_ps(R8);
    const __m256 g = _mm256_set1_ps(0x1p22f / t->R[q]), most = _mm256_set1_ps(0x1p22f);
    const __m256i low = _mm256_set1_epi32(4095);
    memset(e, 0, (size_t)first * sizeof *e);
    for (i = first; i < n; i += 8) {
        /* the clamp acts only if a token was not finite; a NaN becomes 0 */
        const __m256 share = _mm256_max_ps(_mm256_mul_ps(_mm256_loadu_ps(e + i), g), _mm256_setzero_ps());
        const __m256i a = _mm256_cvtps_epi32(_mm256_min_ps(share, most));
        store(e + i, _mm256_packs_epi32(_mm256_srli_epi32(a, 12), _mm256_and_si256(a, low)));
    }
    memset(e + i, 0, (size_t)(t->stride - i) * sizeof *e);
}

/* out[position pair][2 x 8 channels] of s16 pairs v - z: 16 channels of the positions of a page, code bytes `step` apart. */
S4J_INLINE void v_pairs(const __m128i lo, const __m128i hi, __m256i z, int16_t *out)
{
    store(out, _mm256_sub_epi16(_mm256_cvtepu8_epi16(_mm_unpacklo_epi8(lo, hi)), z));
    store(out + 16, _mm256_sub_epi16(_mm256_cvtepu8_epi16(_mm_unpackhi_epi8(lo, hi)), z));
}

enum { PAIRS = S4J_PAGE / 2, PAIR = 32 /* int16 of a pair of positions: 16 channels */ };

/* N[q][16 channels] += a * v of one page, T queries; e: their dwords of the page. */
S4J_INLINE void v_tile(const int T, const int16_t *v, const int32_t *e, int64_t stride, int64_t *N)
{
    __m256i acc[3][2][2]; /* query, h or l, 8 channels */
    for (int q = 0; q < T; q++) {
        acc[q][0][0] = acc[q][0][1] = acc[q][1][0] = acc[q][1][1] = _mm256_setzero_si256();
    }
    for (int j = 0; j < PAIRS / 2; j++, e += 4, v += 2 * PAIR) {
#pragma GCC unroll 2
        for (int p = 0; p < 2; p++) {
            const __m256i v0 = load(v + p * PAIR), v1 = load(v + p * PAIR + 16);
#pragma GCC unroll 3
            for (int q = 0; q < T; q++) {
                mac_s16(&acc[q][0][0], &acc[q][0][1], v0, v1, e + q * stride + p);
                mac_s16(&acc[q][1][0], &acc[q][1][1], v0, v1, e + q * stride + p + 2);
            }
        }
    }
    for (int q = 0; q < T; q++) {
        int64_t *n = N + q * CHANNELS;
        for (int c = 0; c < 2; c++) {
            for (int w = 0; w < 2; w++, n += 4) {
                const __m256i h = acc[q][0][c], l = acc[q][1][c];
                const __m256i h4 = _mm256_cvtepi32_epi64(w ? _mm256_extracti128_si256(h, 1) : _mm256_castsi256_si128(h));
                const __m256i l4 = _mm256_cvtepi32_epi64(w ? _mm256_extracti128_si256(l, 1) : _mm256_castsi256_si128(l));
                store(n, _mm256_add_epi64(_mm256_add_epi64(load(n), S4J_MUT(41, _mm256_setzero_si256(), l4)), _mm256_slli_epi64(h4, 12)));
            }
        }
    }
}

/* 32 channels from `block` of segment i for all positions of a page. */
static void v_block(tile_t *t, const uint8_t *base, int64_t first, int i, int64_t block, int64_t channel)
{
    int16_t v[2][PAIRS * PAIR] __attribute__((aligned(64))); /* [16 channels][pair] */
    const s4j_page *page = &t->page;
    const uint8_t *zero = base + page->v_zero + i * S4J_PAGE;
    const uint8_t *row = base + page->v[i] + (page->v_width[i] == 4 ? 16 : 32) * block;
    const __m128i mask = _mm_set1_epi8(15);
    for (int64_t p = 0; p < PAIRS; p++, row += 2 * page->v_row[i]) {
        const __m256i z = _mm256_set1_epi32(zero[2 * p] | zero[2 * p + 1] << 16);
        __m128i a = _mm_loadu_si128((const __m128i *)row), b = _mm_loadu_si128((const __m128i *)(row + page->v_row[i])), a1, b1;
        if (page->v_width[i] == 4) {
            a1 = _mm_and_si128(_mm_srli_epi16(a, 4), mask);
            b1 = _mm_and_si128(_mm_srli_epi16(b, 4), mask);
            a = _mm_and_si128(a, mask);
            b = _mm_and_si128(b, mask);
        } else {
            a1 = _mm_loadu_si128((const __m128i *)(row + 16));
            b1 = _mm_loadu_si128((const __m128i *)(row + page->v_row[i] + 16));
        }
        v_pairs(a, b, z, v[0] + p * PAIR);
        v_pairs(a1, b1, z, v[1] + p * PAIR);
    }
    for (int half = 0; half < 2; half++) {
        for (int64_t q = 0; q < t->queries; q += 3) {
            const int32_t *e = (const int32_t *)(const void *)(t->e + q * t->stride + first);
            int64_t *N = t->N[q] + channel + 16 * half;
            switch (min64(3, t->queries - q)) {
            case 1: v_tile(1, v[half], e, t->stride, N); break;
            case 2: v_tile(2, v[half], e, t->stride, N); break;
            default: v_tile(3, v[half], e, t->stride, N); break;
            }
        }
    }
}

/* Fills in query j of the tile, at `position`. */
static void put_query(tile_t *t, const s4j_queries *q, int64_t slot, int64_t position)
{
    const int64_t j = t->queries++, bytes = t->page.k_padded[0] + t->page.k_padded[1];
    memcpy(t->code[j], q->code + slot * t->a->q_padded, (size_t)bytes);
    memset(t->code[j] + bytes, 0, (size_t)(CODES - bytes));
    t->from[j] = s4j_first_seen(t->a, position) - t->origin;
    t->to[j] = position + 1 - t->origin;
    t->most = t->to[j]; /* positions ascend */
    t->scale[j] = q->scale[slot] * t->a->kappa;
    t->offset[j] = t->a->q_bits == 8 ? 128 - q->zero[slot] : 0;
    t->sum[j][0] = q->sum[2 * slot];
    t->sum[j][1] = q->sum[2 * slot + 1];
    memset(t->N[j], 0, sizeof t->N[j]);
}

/* out: of the tile's first query; queries are [tokens][heads]. */
static void attend_tile(tile_t *t, float *out, int64_t out_stride, int64_t heads)
{
    const s4j_kv_head *head = t->head;
    for (int64_t p = t->from[0] / ROWS * ROWS; p < t->most; p += ROWS) {
        score_panel(t, p);
    }
    for (int64_t q = 0; q < t->queries; q++) {
        weigh(t, q);
    }
    for (int64_t p = 0; p < t->most; p += S4J_PAGE) {
        const uint8_t *base = page_at(t, p);
        for (int64_t i = 0, channel = 0; i < 2; i++) {
            for (int64_t block = 0; 32 * block < head->v_channels[i]; block++, channel += 32) {
                v_block(t, base, p, (int)i, block, channel);
            }
        }
    }
    for (int64_t q = 0; q < t->queries; q++) {
        float *o = out + q / heads * out_stride + q % heads * t->a->head_dim;
        const int32_t *perm = head->v_perm;
        const int64_t *N = t->N[q];
        for (int64_t i = 0, first = 0; i < 2; i++) {
            const float unit = (i == 0 ? t->R[q] : t->R[q] * s4j_v_ratio(t->a)) / (float)t->L[q];
            for (int64_t c = 0; c < head->v_channels[i]; c++) {
                /* frozen V: s_v is 1 in the pages, so a = l */
                o[perm[c]] = t->a->v_mode == S4J_V_FROZEN ? (float)(N[c] - S4J_MUT(68, 0, head->v_zero[first + c]) * t->L[q]) * (head->v_scale[first + c] / (float)t->L[q])
                                                          : (float)N[c] * unit;
            }
            perm += head->v_channels[i];
            first += head->v_channels[i];
            N += s4j_pad(head->v_channels[i], 32);
        }
    }
}

int32_t s4j_attend_avx2(const s4j_attention *a, const s4j_queries *q, const s4j_sequence *seq, int64_t seqs, float *out,
                        int64_t out_stride, void *scratch, int64_t scratch_bytes, int64_t begin, int64_t end, int64_t head_begin,
                        int64_t head_end)
{
    const int64_t group = a->heads / a->kv_heads, heads = min64(group, QUERIES);
    tile_t t = {.a = a, .e = scratch};
    for (int64_t r = begin, tokens = 1; r < end; r += tokens) {
        tokens = 1;
        t.seq = s4j_sequence_of(seq, seqs, r);
        if (!t.seq) {
            continue;
        }
        const int64_t position = t.seq->position + r - t.seq->row;
        const int64_t rows = min64(min64(end, t.seq->row + t.seq->rows) - r, QUERIES / heads);
        t.origin = s4j_first_seen(a, position) / S4J_PAGE * S4J_PAGE;
        while (tokens < rows && 4 * heads * (tokens + 1) * s4j_pad(position + 1 + tokens - t.origin, S4J_PAGE) <= scratch_bytes) {
            tokens++;
        }
        for (int64_t kv = head_begin; kv < head_end; kv++) {
            t.head = &a->kv_head[kv];
            t.page = s4j_page_of(a, t.head);
            for (int64_t h = 0; h < group; h += heads) {
                const int64_t n = min64(heads, group - h), first = kv * group + h;
                t.queries = t.most = 0;
                for (int64_t i = 0; i < tokens * n; i++) {
                    put_query(&t, q, (r + i / n) * a->heads + first + i % n, position + i / n);
                }
                t.stride = s4j_pad(t.most, S4J_PAGE);
                attend_tile(&t, out + r * out_stride + first * a->head_dim, out_stride, n);
            }
        }
    }
    return S4J_OK;
}
