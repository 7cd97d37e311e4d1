/*
 * Q, K and V of tokens into their integer forms: rotation N5, encode N3. A head (at most 256 channels) is rotated to the stack,
 * gathered in permuted order and encoded 8 channels a step. A token is written as if finite; if it was not, its codes and
 * parameters are set to 0 afterwards.
 */
#include "avx2/avx2.h"
#include "avx2/hadamard.h"
#include "common/kernels.h"
#include "common/layout.h"
#include "common/numerics.h"
#include "common/rope.h"

enum { MOST = 256, ROOM = MOST + 32 /* values and codes are padded with 0 to 32 */ };

typedef struct {
    float hi, lo;
} range_t;

/* What a run of channels leaves behind. */
typedef struct {
    int32_t sum;    /* of code - offset (times weight) */
    int32_t silent; /* codes equal to the zero point */
} run_t;

/* y = the head rotated. */
static void rotate(const s4j_attention *a, const float *x, const float *rope, float *y)
{
    const int64_t d = a->head_dim, half = d / 2;
    int64_t c = 0;
    for (; c + 8 <= half; c += 8) {
        const __m256 x0 = _mm256_loadu_ps(x + c), x1 = _mm256_loadu_ps(x + half + c);
        const __m256 cs = _mm256_loadu_ps(rope + c), sn = _mm256_loadu_ps(rope + half + c);
        _mm256_storeu_ps(y + c, _mm256_fmsub_ps(x0, cs, _mm256_mul_ps(x1, sn)));
        _mm256_storeu_ps(y + half + c, _mm256_fmadd_ps(x1, cs, _mm256_mul_ps(x0, sn)));
    }
    for (; c < half; c++) {
        y[c] = s4j_rotated(x, rope, d, c);
        y[half + c] = s4j_rotated(x, rope, d, half + c);
    }
    if (a->hadamard) {
        hadamard(y, d);
    }
}

/* v = x in the order of perm (times factor), padded with 0; *magnitude collects the largest bits without sign. */
static void gather(const float *x, const int32_t *perm, const float *factor, int64_t n, float *v, __m256i *magnitude)
{
    const __m256i no_sign = _mm256_set1_epi32(0x7fffffff);
    for (int64_t c = 0; c < n; c += 8) {
        const __m256i live = lanes(n - c);
        __m256 y = _mm256_mask_i32gather_ps(_mm256_setzero_ps(), x, _mm256_maskload_epi32(perm + c, live),
                                            _mm256_castsi256_ps(live), 4);
        if (factor) {
            y = _mm256_mul_ps(y, _mm256_maskload_ps(factor + c, live));
        }
        *magnitude = _mm256_max_epi32(*magnitude, _mm256_and_si256(_mm256_castps_si256(y), no_sign));
        _mm256_storeu_ps(v + c, y);
    }
}

static range_t range_of(const float *v, int64_t n)
{
    __m256 hi = _mm256_setzero_ps(), lo = hi;
    for (int64_t c = 0; c < n; c += 8) {
        const __m256 y = _mm256_maskload_ps(v + c, lanes(n - c));
        hi = _mm256_max_ps(hi, y);
        lo = _mm256_min_ps(lo, y);
    }
    return (range_t){max_ps(hi), min_ps(lo)};
}

/* Codes of n values minus `offset`, as bytes with 0 in the pads to 8. Scale and zero: one for all, or (scales, zeros) a channel
 * each. weight: factors of the sum, or NULL. */
S4J_INLINE run_t encode_run(const float *v, int64_t n, float scale, int32_t zero, const float *scales, const uint8_t *zeros,
                            const uint8_t *weight, int32_t levels, int32_t offset, int own_offset, uint8_t *out)
{
    const __m256 top = _mm256_set1_ps((float)levels);
    __m256i sum = _mm256_setzero_si256(), silent = sum;
    __m256 s = _mm256_set1_ps(scale), z = _mm256_set1_ps((float)zero);
    for (int64_t c = 0; c < n; c += 8) {
        const __m256i live = lanes(n - c);
        uint8_t z8[8] = {0}, w8[8] = {0};
        if (scales) {
            memcpy(z8, zeros + c, (size_t)min64(8, n - c));
            s = _mm256_blendv_ps(_mm256_set1_ps(1.0f), _mm256_maskload_ps(scales + c, live), _mm256_castsi256_ps(live));
            z = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)z8)));
        }
        const __m256 code = gif_code_ps(_mm256_maskload_ps(v + c, live), s, z, top);
        const __m256i d = _mm256_and_si256(_mm256_sub_epi32(_mm256_cvtps_epi32(code), _mm256_set1_epi32(offset)), live);
        __m256i term = own_offset ? _mm256_and_si256(_mm256_sub_epi32(d, _mm256_cvtps_epi32(z)), live) : d;
        if (weight) {
            memcpy(w8, weight + c, (size_t)min64(8, n - c));
            term = _mm256_mullo_epi32(term, _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)w8)));
        }
        sum = _mm256_add_epi32(sum, term);
        silent = _mm256_sub_epi32(silent, _mm256_and_si256(_mm256_castps_si256(_mm256_cmp_ps(code, z, _CMP_EQ_OQ)), live));
        /* low bytes of the 8 dwords */
        const __m256i low = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12, -1, -1, -1,
                                             -1, -1, -1, -1, -1, -1, -1, -1, -1);
        const __m256i b = _mm256_shuffle_epi8(d, low);
        _mm_storel_epi64((__m128i *)(void *)(out + c),
                         _mm_unpacklo_epi32(_mm256_castsi256_si128(b), _mm256_extracti128_si256(b, 1)));
    }
    return (run_t){sum_epi32(sum), sum_epi32(silent)};
}

static int32_t append_query(const s4j_attention *a, const s4j_kv_head *head, const float *rotated, const s4j_queries *q,
                            int64_t slot, __m256i *magnitude)
{
    const int frozen = a->k_mode == S4J_K_FROZEN;
    const int32_t levels = s4j_levels(a->q_bits);
    float v[ROOM];
    gather(rotated, head->k_perm, frozen ? head->k_scale : NULL, a->head_dim, v, magnitude);
    const range_t r = range_of(v, a->head_dim);
    const float s = s4j_gif_scale(r.hi, r.lo, levels);
    const int32_t z = s4j_gif_zero(r.lo, s, levels), offset = s4j_offset(a->q_bits, z);
    uint8_t *code = (uint8_t *)q->code + slot * a->q_padded;
    int32_t *sum = q->sum + slot * 2, silent = 0;
    memset(code, 0, (size_t)a->q_padded);
    sum[0] = sum[1] = 0;
    for (int64_t i = 0, first = 0; i < 2; first += head->k_channels[i], code += s4j_pad(head->k_channels[i], 16), i++) {
        const uint8_t *weight = frozen ? head->k_zero + first : NULL;
        const run_t run = encode_run(v + first, head->k_channels[i], s, z, NULL, NULL, weight, levels, offset, 0, code);
        sum[frozen ? 0 : i] += run.sum;
        silent += run.silent;
    }
    q->scale[slot] = s;
    q->zero[slot] = z;
    return silent;
}

/* Codes of position `at`, padded with 0 to 16 (K) or 32 (V), to their places. */
static void put_k(const s4j_page *page, uint8_t *base, int i, int64_t at, const uint8_t *code)
{
    const int32_t width = page->k_width[i];
    uint8_t *dword = base + page->k[i] + at / S4J_ROWS * s4j_r16_panel(page->k_padded[i], width) + at % S4J_ROWS * 4;
    for (int64_t k = 0; k < page->k_padded[i]; k += 32 / width, dword += 64) {
        uint32_t low, high = 0;
        memcpy(&low, code + k, 4);
        if (width == 4) {
            memcpy(&high, code + k + 4, 4);
        }
        low |= high << 4;
        memcpy(dword, &low, 4);
    }
}

static void put_v(const s4j_page *page, uint8_t *base, int i, int64_t at, const uint8_t *code)
{
    uint8_t *row = base + page->v[i] + at * page->v_row[i];
    if (page->v_width[i] == 8) {
        memcpy(row, code, (size_t)page->v_row[i]);
        return;
    }
    for (int64_t b = 0; b < page->v_row[i]; b += 16, code += 32) {
        const __m128i low = _mm_loadu_si128((const __m128i *)(const void *)code);
        const __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(code + 16));
        _mm_storeu_si128((__m128i *)(void *)(row + b), _mm_or_si128(low, _mm_slli_epi16(high, 4)));
    }
}

static void put_parameters(const s4j_page *page, uint8_t *base, int i, int64_t at, float k_scale, int32_t k_zero, int32_t k_sum,
                           int32_t v_zero)
{
    ((float *)(void *)(base + page->k_scale))[i * S4J_PAGE + at] = k_scale;
    ((int32_t *)(void *)(base + page->k_sum))[i * S4J_PAGE + at] = k_sum;
    base[page->k_zero + i * S4J_PAGE + at] = (uint8_t)k_zero;
    base[page->v_zero + i * S4J_PAGE + at] = (uint8_t)v_zero;
}

/* K (rotated) and V of one kv head. */
static int32_t append_pair(const s4j_attention *a, const s4j_kv_head *head, const float *k, const float *x, uint8_t *base,
                           int64_t at, __m256i *magnitude)
{
    const s4j_page page = s4j_page_of(a, head);
    const int frozen = a->k_mode == S4J_K_FROZEN, frozen_v = a->v_mode == S4J_V_FROZEN;
    int32_t silent = 0;
    float kv[ROOM], vv[ROOM];
    gather(k, head->k_perm, NULL, a->head_dim, kv, magnitude);
    gather(x, head->v_perm, NULL, a->head_dim, vv, magnitude);
    const range_t vr = range_of(vv, a->head_dim);
    const float v_scale = s4j_gif_scale(vr.hi, vr.lo, s4j_levels(a->v_bits[0]));
    for (int64_t i = 0, kc = 0, vc = 0; i < 2; kc += head->k_channels[i], vc += head->v_channels[i], i++) {
        uint8_t code[ROOM] = {0};
        const int64_t kn = head->k_channels[i], vn = head->v_channels[i];
        const int32_t k_levels = s4j_levels(a->k_bits[i]), v_levels = s4j_levels(a->v_bits[i]);
        const range_t kr = a->k_mode == S4J_K_SHARED ? range_of(kv, S4J_MUT(67, head->k_channels[0], a->head_dim)) : range_of(kv + kc, kn);
        const float ks = s4j_gif_scale(kr.hi, kr.lo, k_levels);
        const int32_t kz = s4j_gif_zero(kr.lo, ks, k_levels);
        const run_t k_run = encode_run(kv + kc, kn, ks, kz, frozen ? head->k_scale + kc : NULL, frozen ? head->k_zero + kc : NULL,
                                       NULL, k_levels, 0, 1, code);
        put_k(&page, base, (int)i, at, code);
        memset(code, 0, sizeof code);
        const float vs = i == 0 ? v_scale : v_scale * s4j_v_ratio(a);
        const int32_t vz = vn > 0 && !frozen_v ? s4j_gif_zero(vr.lo, vs, v_levels) : 0;
        const run_t v_run = encode_run(vv + vc, vn, vs, vz, frozen_v ? head->v_scale + vc : NULL, frozen_v ? head->v_zero + vc : NULL,
                                       NULL, v_levels, 0, 0, code);
        put_v(&page, base, (int)i, at, code);
        const int own = kn > 0 && !frozen;
        put_parameters(&page, base, (int)i, at, own ? ks : 0.0f, own ? kz : 0, k_run.sum, vz);
        silent += k_run.silent + v_run.silent;
    }
    ((float *)(void *)(base + page.v_scale))[at] = frozen_v ? 1.0f : v_scale;
    return silent;
}

static void silence_query(const s4j_attention *a, const s4j_queries *q, int64_t slot)
{
    memset(q->code + slot * a->q_padded, 0, (size_t)a->q_padded);
    q->scale[slot] = 0.0f;
    q->zero[slot] = q->sum[2 * slot] = q->sum[2 * slot + 1] = 0;
}

static void silence_pair(const s4j_attention *a, const s4j_kv_head *head, uint8_t *base, int64_t at)
{
    const s4j_page page = s4j_page_of(a, head);
    const uint8_t code[ROOM] = {0};
    for (int i = 0; i < 2; i++) {
        put_k(&page, base, i, at, code);
        put_v(&page, base, i, at, code);
        put_parameters(&page, base, i, at, 0.0f, 0, 0, 0);
    }
    ((float *)(void *)(base + page.v_scale))[at] = 0.0f;
}

int32_t s4j_append_avx2(const s4j_attention *a, const float *qkv, int64_t qkv_stride, const float *rope, const s4j_sequence *seq,
                        int64_t seqs, const s4j_queries *q, int64_t begin, int64_t end)
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
        uint8_t *block = s->blocks[position / S4J_PAGE];
        __m256i magnitude = _mm256_setzero_si256();
        int32_t silent = 0;
        float rotated[MOST];
        for (int64_t h = 0; h < a->heads; h++) {
            rotate(a, row + h * d, angles, rotated);
            silent += append_query(a, &a->kv_head[h / group], rotated, q, r * a->heads + h, &magnitude);
        }
        for (int64_t h = 0; h < a->kv_heads; h++) {
            const float *k = row + (a->heads + h) * d, *v = k + a->kv_heads * d;
            rotate(a, k, angles, rotated);
            silent += append_pair(a, &a->kv_head[h], rotated, v, block + a->kv_head[h].page_offset, at, &magnitude);
        }
        if (_mm256_movemask_epi8(_mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(0x7f7fffff))) != 0) {
            for (int64_t h = 0; h < a->heads; h++) {
                silence_query(a, q, r * a->heads + h);
            }
            for (int64_t h = 0; h < a->kv_heads; h++) {
                silence_pair(a, &a->kv_head[h], block + a->kv_head[h].page_offset, at);
            }
            silent = -1;
            status = S4J_E_NONFINITE;
        }
        q->silent[r] = silent;
    }
    return status;
}
