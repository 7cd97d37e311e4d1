/*
 * GIF encode N3: ranges (max and min are order-free), then 16 codes a step: two vectors of 8 channels, packed to bytes.
 * Ranges of activation groups are kept, between the two passes, as bits in the row's zero (lo) and mult (hi).
 */
#include "avx2/avx2.h"
#include "common/kernels.h"
#include "common/layout.h"
#include "common/numerics.h"

typedef struct {
    __m256 hi, lo;
    __m256i magnitude; /* largest bits without sign: >= 0x7f800000 if NaN or infinity was seen */
} range_t;

typedef struct {
    float scale;
    int32_t zero;
} scale_t;

S4J_INLINE __m256 fetch(const float *x, const int32_t *perm, int64_t k, int64_t end)
{
    if (k + 8 <= end) {
        return perm ? _mm256_i32gather_ps(x, load(perm + k), 4) : _mm256_loadu_ps(x + k);
    }
    __m256i live = lanes(end - k);
    if (!perm) {
        return _mm256_maskload_ps(x + k, live);
    }
    return _mm256_mask_i32gather_ps(_mm256_setzero_ps(), x, _mm256_maskload_epi32(perm + k, live), _mm256_castsi256_ps(live), 4);
}

/* Zero is in every range, so absent lanes may count as 0. */
S4J_INLINE void widen_range(range_t *r, const float *x, const int32_t *perm, int64_t begin, int64_t end)
{
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    for (int64_t k = begin; k < end; k += 8) {
        __m256 v = fetch(x, perm, k, end);
        r->hi = _mm256_max_ps(r->hi, v);
        r->lo = _mm256_min_ps(r->lo, v);
        r->magnitude = _mm256_max_epi32(r->magnitude, _mm256_and_si256(_mm256_castps_si256(v), magnitude));
    }
}

/* Bytes, sum and silent count of channels [begin, end) of one scale; code: of channel `begin`, written to a multiple of 16. */
static int32_t encode_run(const float *x, const int32_t *perm, int64_t begin, int64_t end, scale_t s, int32_t bits, int8_t *code,
                          int32_t *silent)
{
    const __m256 scale = _mm256_set1_ps(s.scale), z = _mm256_set1_ps((float)s.zero);
    const __m256 levels = _mm256_set1_ps((float)s4j_levels(bits));
    const __m256i offset = _mm256_set1_epi32(s4j_offset(bits, s.zero));
    __m256i sum = _mm256_setzero_si256(), quiet = sum;
    for (int64_t k = begin; k < end; k += 16) {
        __m256i d[2];
        for (int h = 0; h < 2; h++) {
            const __m256 v = gif_code_ps(fetch(x, perm, k + 8 * h, end), scale, z, levels);
            __m256i live = lanes(S4J_MUT(39, 8, end - k - 8 * h));
            d[h] = _mm256_and_si256(_mm256_sub_epi32(_mm256_cvtps_epi32(v), offset), live);
            sum = _mm256_add_epi32(sum, d[h]);
            quiet = _mm256_sub_epi32(quiet, _mm256_and_si256(_mm256_castps_si256(_mm256_cmp_ps(v, z, _CMP_EQ_OQ)), live));
        }
        __m256i p = _mm256_permute4x64_epi64(_mm256_packs_epi32(d[0], d[1]), 0xd8);
        __m128i b = _mm_packs_epi16(_mm256_castsi256_si128(p), _mm256_extracti128_si256(p, 1));
        _mm_storeu_si128((__m128i *)(code + (k - begin)), b);
    }
    *silent += sum_epi32(quiet);
    return sum_epi32(sum);
}

static range_t empty_range(void)
{
    return (range_t){_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_si256()};
}

static int finite_range(const range_t *r)
{
    return _mm256_movemask_epi8(_mm256_cmpgt_epi32(r->magnitude, _mm256_set1_epi32(0x7f7fffff))) == 0;
}

static int encode_row(const s4j_gif *gif, const float *x, int8_t *code, float *scale, int32_t *zero, int32_t *mult, int32_t *sum,
                      int32_t *silent)
{
    float hi[S4J_MAX_SEGMENTS] = {0}, lo[S4J_MAX_SEGMENTS] = {0};
    float base[S4J_MAX_SEGMENTS] = {0};
    const int32_t *perm = gif->perm;
    int64_t channel = 0, group = 0;
    for (int32_t i = 0; i < gif->segments; i++) {
        const s4j_segment *s = &gif->segment[i];
        const float clip = gif->clip[s->range_set];
        if (s->act_group == 0) {
            range_t r = empty_range();
            widen_range(&r, x, perm, channel, channel + s->channels);
            if (!finite_range(&r)) {
                return 0;
            }
            float h = max_ps(r.hi), l = min_ps(r.lo);
            hi[s->range_set] = h > hi[s->range_set] ? h : hi[s->range_set];
            lo[s->range_set] = l < lo[s->range_set] ? l : lo[s->range_set];
        } else {
            float top = 0.0f;
            for (int64_t k = 0; k < s->channels; k += s->act_group) {
                range_t r = empty_range();
                widen_range(&r, x, perm, channel + k, channel + min64(k + s->act_group, s->channels));
                if (!finite_range(&r)) {
                    return 0;
                }
                float h = max_ps(r.hi), l = min_ps(r.lo);
                /* a segment with groups still counts for the others of its range set */
                hi[s->range_set] = h > hi[s->range_set] ? h : hi[s->range_set];
                lo[s->range_set] = l < lo[s->range_set] ? l : lo[s->range_set];
                h *= clip;
                l *= clip;
                float raw = (h - l) / (float)s4j_levels(s->bits);
                top = raw > top ? raw : top;
                mult[group + k / s->group] = (int32_t)s4j_bits(h);
                zero[group + k / s->group] = (int32_t)s4j_bits(l);
            }
            base[i] = s4j_clamp(top, 1e-5f, 1e4f) / (float)s->max_multiplier;
        }
        channel += s->channels;
        group += s->groups;
    }
    *silent = 0;
    channel = group = 0;
    for (int32_t i = 0; i < S4J_MAX_SEGMENTS; i++) {
        scale[i] = 0.0f;
        if (i >= gif->segments || gif->segment[i].channels == 0) {
            continue;
        }
        const s4j_segment *s = &gif->segment[i];
        const int32_t levels = s4j_levels(s->bits);
        scale_t sz = {0};
        int32_t m = 1;
        if (s->act_group == 0) {
            const float clip = gif->clip[s->range_set];
            float h = hi[s->range_set] * clip, l = lo[s->range_set] * clip;
            sz.scale = s4j_gif_scale(h, l, levels);
            sz.zero = s4j_gif_zero(l, sz.scale, levels);
            scale[i] = sz.scale;
        } else {
            scale[i] = base[i];
        }
        for (int64_t g = 0, k = 0; g < s->groups; g++) {
            int64_t end = s->group ? min64(k + s->group, s->channels) : s->channels;
            if (s->act_group != 0 && k % s->act_group == 0) {
                float h = s4j_float((uint32_t)mult[group + g]), l = s4j_float((uint32_t)zero[group + g]);
                float ratio = (h - l) / (float)levels / base[i];
                ratio = ratio < (float)s->max_multiplier ? ratio : (float)s->max_multiplier;
                m = (int32_t)ceilf(ratio);
                m = m > 1 ? m : 1;
                sz.scale = base[i] * (float)m;
                sz.zero = s4j_gif_zero(l, sz.scale, levels);
            }
            mult[group + g] = m;
            zero[group + g] = sz.zero;
            sum[group + g] = encode_run(x, perm, channel + k, channel + end, sz, s->bits, code + k, silent);
            k = end;
        }
        int64_t written = s4j_pad(s->channels, 16);
        memset(code + written, 0, (size_t)(s->padded - written));
        code += s->padded;
        channel += s->channels;
        group += s->groups;
    }
    return 1;
}

int32_t s4j_encode_avx2(const s4j_gif *gif, const float *x, int64_t x_stride, const s4j_spikes *out, int64_t begin, int64_t end)
{
    if (s4j_has_bits(gif, 16)) { /* no recipe's hot path */
        return s4j_encode_scalar(gif, x, x_stride, out, begin, end);
    }
    int32_t status = S4J_OK;
    const int64_t G = gif->groups;
    for (int64_t r = begin; r < end; r++) {
        int8_t *code = out->code + r * gif->padded;
        int32_t *zero = out->zero + r * G, *mult = out->mult + r * G, *sum = out->sum + r * G;
        if (!encode_row(gif, x + r * x_stride, code, out->scale + 4 * r, zero, mult, sum, out->silent + r)) {
            memset(code, 0, (size_t)gif->padded);
            memset(out->scale + 4 * r, 0, 4 * sizeof(float));
            for (int64_t g = 0; g < G; g++) {
                zero[g] = sum[g] = 0;
                mult[g] = 1;
            }
            out->silent[r] = -1;
            status = S4J_E_NONFINITE;
        }
    }
    return status;
}
