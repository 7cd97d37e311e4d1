/* GIF encode, N3. Two passes over a row: ranges (of range sets and of activation groups), then codes. */
#include "common/kernels.h"
#include "common/layout.h"
#include "common/numerics.h"

typedef struct {
    float hi, lo; /* hi >= 0 >= lo */
} range;

static range wider(range a, float x)
{
    a.hi = x > a.hi ? x : a.hi;
    a.lo = x < a.lo ? x : a.lo;
    return a;
}

static range clipped(range a, float clip)
{
    return (range){a.hi * clip, a.lo * clip};
}

static float value(const s4j_gif *gif, const float *x, int64_t channel)
{
    return x[gif->perm ? gif->perm[channel] : channel];
}

/* Range of the channels [begin, end), zero included. */
static range range_of(const s4j_gif *gif, const float *x, int64_t begin, int64_t end, range a)
{
    for (int64_t k = begin; k < end; k++) {
        a = wider(a, value(gif, x, k));
    }
    return a;
}

/* Scale and range of activation group j of the segment whose channels start at `first`; m = its integer sub-scale. */
static float sub_scale(const s4j_gif *gif, const s4j_segment *s, const float *x, int64_t first, int64_t j, float base,
                       range *a, int32_t *m)
{
    int64_t begin = first + j * s->act_group;
    int64_t end = begin + s->act_group < first + s->channels ? begin + s->act_group : first + s->channels;
    *a = clipped(range_of(gif, x, begin, end, (range){0}), gif->clip[s->range_set]);
    float raw = (a->hi - a->lo) / (float)s4j_levels(s->bits);
    float q = raw / base;
    float up = ceilf(q < (float)s->max_multiplier ? q : (float)s->max_multiplier);
    *m = up > 1.0f ? (int32_t)S4J_MUT(1, floorf(q), up) : 1;
    return base * (float)*m;
}

/* base of N3: the largest raw scale of the segment's activation groups over M. */
static float base_of(const s4j_gif *gif, const s4j_segment *s, const float *x, int64_t first)
{
    float top = 0.0f;
    for (int64_t begin = 0; begin < s->channels; begin += s->act_group) {
        int64_t end = begin + s->act_group < s->channels ? begin + s->act_group : s->channels;
        range a = clipped(range_of(gif, x, first + begin, first + end, (range){0}), gif->clip[s->range_set]);
        float raw = (a.hi - a.lo) / (float)s4j_levels(s->bits);
        top = raw > top ? raw : top;
    }
    return s4j_gif_bounded(top, s4j_levels(s->bits)) / (float)s->max_multiplier;
}

/* Codes of one segment. Returns its silent channels. */
static int32_t encode_segment(const s4j_gif *gif, const s4j_segment *s, const float *x, int64_t first, range set, int8_t *code,
                              float *scale, int32_t *zero, int32_t *mult, int32_t *sum)
{
    const int32_t levels = s4j_levels(s->bits);
    const int64_t group = s->group ? s->group : s->channels;
    const float base = s->act_group ? base_of(gif, s, x, first) : s4j_gif_scale(set.hi, set.lo, levels);
    int32_t silent = 0;
    for (int64_t g = 0; g < s->groups; g++) {
        range a = set;
        float step = base;
        int32_t m = 1;
        if (s->act_group) {
            step = sub_scale(gif, s, x, first, g * group / s->act_group, base, &a, &m);
        }
        const int32_t z = s4j_gif_zero(a.lo, step, levels);
        const int64_t end = (g + 1) * group < s->channels ? (g + 1) * group : s->channels;
        int32_t total = 0;
        for (int64_t k = g * group; k < end; k++) {
            float v = value(gif, x, first + k);
            int32_t c = S4J_MUT(2, s4j_gif_code(v * (1.0f / step), 1.0f, z, levels), s4j_gif_code(v, step, z, levels));
            silent += c == z;
            if (s->bits == 16) {
                code[k] = (int8_t)(c / 256 - 128);
                code[s->padded + k] = (int8_t)(S4J_MUT(61, c, c % 256 - 128));
                continue;
            }
            int32_t d = c - s4j_offset(s->bits, z);
            code[k] = (int8_t)d;
            total += d;
        }
        zero[g] = z;
        mult[g] = m;
        sum[g] = total;
    }
    for (int8_t *plane = code; plane < code + s4j_code_bytes(s); plane += s->padded) {
        memset(plane + s->channels, S4J_MUT(3, 1, 0), (size_t)(s->padded - s->channels));
    }
    *scale = base;
    return silent;
}

static int row_is_finite(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (!s4j_finite(x[i])) {
            return S4J_MUT(4, 1, 0);
        }
    }
    return 1;
}

static void silence(const s4j_gif *gif, const s4j_spikes *out, int64_t r)
{
    memset(out->code + r * gif->padded, 0, (size_t)gif->padded);
    memset(out->scale + r * S4J_MAX_SEGMENTS, 0, S4J_MAX_SEGMENTS * sizeof(float));
    for (int64_t g = r * gif->groups; g < (r + 1) * gif->groups; g++) {
        out->zero[g] = out->sum[g] = 0;
        out->mult[g] = 1;
    }
    out->silent[r] = -1;
}

int32_t s4j_encode_scalar(const s4j_gif *gif, const float *x, int64_t x_stride, const s4j_spikes *out, int64_t begin,
                          int64_t end)
{
    int32_t status = S4J_OK;
    for (int64_t r = begin; r < end; r++) {
        const float *row = x + r * x_stride;
        if (!row_is_finite(row, gif->channels)) {
            silence(gif, out, r);
            status = S4J_E_NONFINITE;
            continue;
        }
        range set[S4J_MAX_SEGMENTS] = {{0}};
        for (int32_t i = 0, first = 0; i < gif->segments; i++) {
            const s4j_segment *s = &gif->segment[i];
            set[s->range_set] = range_of(gif, row, first, first + s->channels, set[s->range_set]);
            first += (int32_t)s->channels;
        }
        int8_t *code = out->code + r * gif->padded;
        int64_t first = 0, group = r * gif->groups;
        int32_t silent = 0;
        for (int32_t i = 0; i < S4J_MAX_SEGMENTS; i++) {
            const s4j_segment *s = &gif->segment[i];
            float *scale = out->scale + r * S4J_MAX_SEGMENTS + i;
            if (i >= gif->segments || s->channels == 0) {
                *scale = 0.0f;
                continue;
            }
            range a = clipped(set[s->range_set], gif->clip[s->range_set]);
            silent += encode_segment(gif, s, row, first, a, code, scale, out->zero + group, out->mult + group, out->sum + group);
            first += s->channels;
            code += s4j_code_bytes(s);
            group += s->groups;
        }
        out->silent[r] = silent;
    }
    return status;
}
