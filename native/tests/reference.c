/*
 * The naive reference: every kernel written from the specification alone, without the headers of src/common that the kernels
 * share; int64 sums, one element at a time. Slow on purpose.
 */
#include <math.h>
#include <string.h>

#include "common/kernels.h"

extern const s4j_kernels reference;

static int64_t round_up(int64_t n, int64_t to)
{
    while (n % to) {
        n++;
    }
    return n;
}

static double most(int32_t bits)
{
    return pow(2.0, bits) - 1.0;
}

static float clampf(float x, float lo, float hi)
{
    return fminf(fmaxf(x, lo), hi);
}

static int bad(float x)
{
    return !isfinite(x);
}

/* N6. */
static float exp_n6(float x)
{
    if (isnan(x)) {
        return x;
    }
    static const float c[] = {0x1.a0d2cep-13f, 0x1.6e879cp-10f, 0x1.11121p-7f, 0x1.555382p-5f, 0x1.555554p-3f, 0.5f, 1, 1};
    x = clampf(x, -87, 88);
    float n = rintf(x * 0x1.715476p+0f);
    float r = fmaf(n, -0x1.7f7d1cp-20f, fmaf(n, -0x1.62e4p-1f, x));
    float p = c[0];
    for (int i = 1; i < 8; i++) {
        p = fmaf(p, r, c[i]);
    }
    return ldexpf(p, (int)n);
}

/* softcap of N6. */
static float softcap_n6(float x, float cap)
{
    float u = exp_n6(-2.0f * fabsf(x / cap)), y = (1.0f - u) / (1.0f + u) * cap;
    return signbit(x) ? -y : y;
}

/* N3 for values whose range is given. */
static int32_t zero_of(float lo, float s, int32_t bits)
{
    return (int32_t)rintf(clampf(-lo / s, 0, (float)most(bits)));
}

static int32_t code_of(float x, float s, int32_t z, int32_t bits)
{
    return (int32_t)clampf(rintf(clampf(x / s, -0x1p21f, 0x1p21f)) + (float)z, 0, (float)most(bits));
}

static int32_t encode(const s4j_gif *gif, const float *x, int64_t x_stride, const s4j_spikes *out, int64_t begin, int64_t end)
{
    int32_t status = S4J_OK;
    for (int64_t r = begin; r < end; r++) {
        float hi[4] = {0}, lo[4] = {0};
        int broken = 0;
        int64_t k = 0;
        for (int i = 0; i < gif->segments; i++) {
            for (int64_t c = 0; c < gif->segment[i].channels; c++, k++) {
                float v = x[r * x_stride + (gif->perm ? gif->perm[k] : k)];
                broken |= bad(v);
                hi[gif->segment[i].range_set] = fmaxf(hi[gif->segment[i].range_set], v);
                lo[gif->segment[i].range_set] = fminf(lo[gif->segment[i].range_set], v);
            }
        }
        memset(out->code + r * gif->padded, 0, (size_t)gif->padded);
        memset(out->scale + r * 4, 0, 4 * sizeof(float));
        int64_t at = r * gif->padded, group0 = r * gif->groups;
        int32_t silent = 0;
        k = 0;
        for (int i = 0; i < gif->segments; i++) {
            const s4j_segment *s = &gif->segment[i];
            const float clip = gif->clip[s->range_set], n = (float)most(s->bits);
            const float floor = s->bits == 16 ? 1e-9f : 1e-5f;
            float base = clampf((hi[s->range_set] * clip - lo[s->range_set] * clip) / n, floor, 1e4f);
            /* ranges of activation groups */
            int64_t agroups = s->act_group ? (s->channels + s->act_group - 1) / s->act_group : 0;
            float ahi[agroups + 1], alo[agroups + 1], raw_max = 0;
            for (int64_t j = 0; j < agroups; j++) {
                ahi[j] = alo[j] = 0;
                for (int64_t c = j * s->act_group; c < (j + 1) * s->act_group && c < s->channels; c++) {
                    float v = x[r * x_stride + (gif->perm ? gif->perm[k + c] : k + c)];
                    ahi[j] = fmaxf(ahi[j], v);
                    alo[j] = fminf(alo[j], v);
                }
                ahi[j] *= clip;
                alo[j] *= clip;
                raw_max = fmaxf(raw_max, (ahi[j] - alo[j]) / n);
            }
            if (agroups) {
                base = clampf(raw_max, floor, 1e4f) / (float)s->max_multiplier;
            }
            for (int64_t g = 0; g < s->groups; g++) {
                int64_t from = s->group ? g * s->group : 0, to = s->group ? from + s->group : s->channels;
                float step = base, low = lo[s->range_set] * clip;
                int32_t m = 1, sum = 0;
                if (agroups) {
                    int64_t j = from / s->act_group;
                    m = (int32_t)fmaxf(1, ceilf(fminf((ahi[j] - alo[j]) / n / base, (float)s->max_multiplier)));
                    step = base * (float)m;
                    low = alo[j];
                }
                int32_t z = zero_of(low, step, s->bits);
                for (int64_t c = from; c < to && c < s->channels && !broken; c++) {
                    int32_t u = code_of(x[r * x_stride + (gif->perm ? gif->perm[k + c] : k + c)], step, z, s->bits);
                    silent += u == z;
                    if (s->bits == 16) { /* two planes of unsigned bytes, less 128 */
                        out->code[at + c] = (int8_t)((u >> 8) - 128);
                        out->code[at + s->padded + c] = (int8_t)((u & 255) - 128);
                        continue;
                    }
                    int32_t d = s->bits == 8 ? u - 128 : u - z;
                    out->code[at + c] = (int8_t)d;
                    sum += d;
                }
                out->zero[group0 + g] = broken ? 0 : z;
                out->mult[group0 + g] = broken ? 1 : m;
                out->sum[group0 + g] = broken ? 0 : sum;
            }
            if (s->channels > 0 && !broken) {
                out->scale[r * 4 + i] = base;
            }
            k += s->channels;
            at += s->padded * (s->bits == 16 ? 2 : 1);
            group0 += s->groups;
        }
        out->silent[r] = broken ? -1 : silent;
        status = broken ? S4J_E_NONFINITE : status;
    }
    return status;
}

static int32_t spike_steps(const uint8_t *codes, int64_t n, int32_t bits, int32_t count, uint8_t *steps)
{
    for (int64_t i = 0; i < n; i++) {
        int left = codes[i];
        for (int t = 1; t <= count; t++) {
            int fire = left >= 1 << bits ? (1 << bits) - 1 : left;
            fire = t == count ? left : fire;
            steps[(t - 1) * n + i] = (uint8_t)fire;
            left -= fire;
        }
    }
    return S4J_OK;
}

/* Group of channel c of a segment. */
static int64_t group_of(const s4j_segment *s, int64_t c)
{
    return s->group ? c / s->group : 0;
}

static int32_t unsigned_code(const s4j_gif *gif, const s4j_spikes *x, int64_t r, int i, int64_t c)
{
    int64_t at = r * gif->padded, g = r * gif->groups;
    for (int j = 0; j < i; j++) {
        at += gif->segment[j].padded * (gif->segment[j].bits == 16 ? 2 : 1);
        g += gif->segment[j].groups;
    }
    const s4j_segment *s = &gif->segment[i];
    if (s->bits == 16) {
        return (x->code[at + c] + 128) * 256 + x->code[at + s->padded + c] + 128;
    }
    return x->code[at + c] + (s->bits == 8 ? 128 : x->zero[g + group_of(s, c)]);
}

static int32_t planes(const s4j_gif *gif, const s4j_spikes *x, uint64_t *out, int64_t begin, int64_t end)
{
    int64_t stride = 0;
    for (int i = 0; i < gif->segments; i++) {
        stride += gif->segment[i].bits * gif->segment[i].padded / 64;
    }
    for (int64_t r = begin; r < end; r++) {
        uint64_t *p = out + r * stride;
        for (int i = 0; i < gif->segments; i++) {
            const s4j_segment *s = &gif->segment[i];
            for (int b = 0; b < s->bits; b++) {
                for (int64_t w = 0; w < s->padded / 64; w++) {
                    *p = 0;
                    for (int64_t c = 64 * w; c < 64 * w + 64 && c < s->channels; c++) {
                        *p |= (uint64_t)(unsigned_code(gif, x, r, i, c) >> b & 1) << (c - 64 * w);
                    }
                    p++;
                }
            }
        }
    }
    return S4J_OK;
}

/* Weight code in R16: 8-bit: dword r, byte j = k0 + j, 4 k a vector; 4-bit: low nibble k0 + j, high k0 + 4 + j, 8 k a vector;
 * 2-bit: bits 2i, 2i + 1 = k0 + 4i + j, 16 k a vector. */
static int32_t r16(const uint8_t *segment, int64_t padded, int64_t row, int64_t k, int32_t bits)
{
    const uint8_t *panel = segment + row / 16 * (padded * 16 * bits / 8);
    int64_t r = row % 16;
    switch (bits) {
    case 8:
        return panel[k / 4 * 64 + r * 4 + k % 4];
    case 4: {
        uint8_t b = panel[k / 8 * 64 + r * 4 + k % 4];
        return k % 8 < 4 ? b & 15 : b >> 4;
    }
    default:
        return panel[k / 16 * 64 + r * 4 + k % 4] >> (2 * (k % 16 / 4)) & 3;
    }
}

/* P64: 8-row panels, words ascending, planes ascending, 8 rows. */
static int32_t p64(const uint8_t *segment, int64_t padded, int64_t row, int64_t k, int32_t bits)
{
    int32_t c = 0;
    for (int b = 0; b < bits; b++) {
        uint64_t word;
        memcpy(&word, segment + 8 * (((row / 8 * (padded / 64) + k / 64) * bits + b) * 8 + row % 8), 8);
        c |= (int32_t)(word >> k % 64 & 1) << b;
    }
    return c;
}

/* N4 from the codes c, z, m, w, zw, mw themselves. */
static int32_t linear(const s4j_gif *gif, const s4j_weights *w, const s4j_spikes *x, int64_t tokens, float *y, int64_t y_stride,
                      int32_t flags, int64_t begin, int64_t end)
{
    for (int64_t t = 0; t < tokens; t++) {
        for (int64_t o = begin; o < end; o++) {
            const uint8_t *data = w->data;
            float v = 0;
            int64_t g0 = 0, scale_row = 0;
            int first = 1;
            for (int n = 0; n < 16 * gif->segments; n++) { /* step n % 16 of segment n / 16 */
                const int i = n / 16, steps = w->steps[i] ? w->steps[i] : 1;
                const s4j_segment *s = &gif->segment[i];
                uint64_t D = 0;
                if (n % 16 >= steps) {
                    continue;
                }
                for (int64_t c = 0; c < s->channels; c++) {
                    int64_t g = g0 + group_of(s, c);
                    int64_t wg = (o / 16 * gif->groups + g) * 16 + o % 16;
                    int64_t zw = w->zero[w->weight_groups == 1 ? o : wg];
                    int64_t mw = w->mult ? w->mult[wg] : 1;
                    int64_t code = (w->layout == S4J_LAYOUT_R16 ? r16 : p64)(data, s->padded, o, c, w->bits);
                    int64_t a = unsigned_code(gif, x, t, i, c) - x->zero[t * gif->groups + g];
                    D += (uint64_t)(mw * x->mult[t * gif->groups + g] * a * (code - zw));
                }
                if (s->channels > 0) {
                    float sum = s->bits == 16 ? (float)(int64_t)D : (float)(int32_t)(uint32_t)D;
                    float scale = x->scale[4 * t + i] * w->scale[scale_row + o];
                    v = first ? sum * scale : fmaf(sum, scale, v);
                    first = 0;
                }
                data += round_up(w->rows, 16) * s->padded * w->bits / 8;
                scale_row += w->steps[i] ? round_up(w->rows, 16) : 0;
                g0 += n % 16 == steps - 1 ? s->groups : 0;
            }
            if (w->bias) {
                v += w->bias[o];
            }
            y[t * y_stride + o] = flags == S4J_ADD ? y[t * y_stride + o] + v : v;
        }
    }
    return S4J_OK;
}

static int32_t linear_planes(const s4j_gif *gif, const s4j_weights *w, const s4j_spikes *x, const uint64_t *planes_, int64_t tokens,
                             float *y, int64_t y_stride, int32_t flags, int64_t begin, int64_t end)
{
    (void)planes_;
    return linear(gif, w, x, tokens, y, y_stride, flags, begin, end);
}

static float bf16(uint16_t h)
{
    uint32_t u = (uint32_t)h * 65536u;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

/* N1 DOT256. */
static float dot256(const float *a, const float *b, int64_t n)
{
    float total = 0;
    for (int64_t k0 = 0; k0 < n; k0 += 256) {
        float acc = 0;
        for (int64_t k = k0; k < n && k < k0 + 256; k++) {
            acc = fmaf(a[k], b[k], acc);
        }
        total += acc;
    }
    return total;
}

static int32_t dense(const s4j_dense_weights *w, const float *x, int64_t x_stride, int64_t tokens, float *y, int64_t y_stride,
                     int32_t flags, int64_t begin, int64_t end)
{
    float row[w->channels];
    for (int64_t o = begin; o < end; o++) {
        int64_t panel = o / 16 * 16 * round_up(w->channels, 64), r = o % 16;
        for (int64_t k = 0; k < w->channels; k++) {
            row[k] = w->dtype == S4J_F32 ? ((const float *)w->data)[panel + 16 * k + r]
                                         : bf16(((const uint16_t *)w->data)[panel + k / 2 * 32 + 2 * r + k % 2]);
        }
        for (int64_t t = 0; t < tokens; t++) {
            float v = dot256(row, x + t * x_stride, w->channels);
            v = w->bias ? v + w->bias[o] : v;
            y[t * y_stride + o] = flags == S4J_ADD ? y[t * y_stride + o] + v : v;
        }
    }
    return S4J_OK;
}

static int32_t rmsnorm(const float *x, int64_t x_stride, const float *weight, int64_t channels, float eps, float *y,
                       int64_t y_stride, int32_t flags, int64_t begin, int64_t end)
{
    int32_t status = S4J_OK;
    for (int64_t r = begin; r < end; r++) {
        const float *v = x + r * x_stride;
        float sum = 0;
        for (int64_t block = 0; block * 512 < channels; block++) {
            float lane[32];
            for (int j = 0; j < 32; j++) {
                lane[j] = 0;
                for (int64_t i = block * 512 + j; i < channels && i < block * 512 + 512; i += 32) {
                    lane[j] = fmaf(v[i], v[i], lane[j]);
                }
            }
            for (int h = 16; h; h /= 2) {
                for (int j = 0; j < h; j++) {
                    lane[j] = lane[j] + lane[j + h];
                }
            }
            sum += lane[0];
        }
        float inv = 1.0f / sqrtf(sum / (float)channels + eps);
        for (int64_t i = 0; i < channels; i++) {
            float scaled = v[i] * inv, normed = bad(sum) ? NAN : scaled * weight[i];
            y[r * y_stride + i] = flags == S4J_ADD ? y[r * y_stride + i] + normed : normed;
        }
        status = bad(sum) ? S4J_E_NONFINITE : status;
    }
    return status;
}

static int32_t glu(int32_t activation, const float *gate_up, int64_t stride, int64_t channels, float *y, int64_t y_stride,
                   int64_t begin, int64_t end)
{
    for (int64_t r = begin; r < end; r++) {
        for (int64_t i = 0; i < channels; i++) {
            float g = gate_up[r * stride + i], u = gate_up[r * stride + channels + i];
            float square = g * g, t = activation == S4J_SILU ? g : g * fmaf(square, 0x1.2444f2p-4f, 0x1.988454p+0f);
            float gate = g / (1.0f + exp_n6(-t));
            y[r * y_stride + i] = gate * u;
        }
    }
    return S4J_OK;
}

/* N9, online: stage h adds to a channel, or subtracts from its partner, the one whose number differs in bit h alone. */
static void rotate_block(float *x, int64_t n)
{
    float y[n];
    for (int64_t h = 1; h < n; h += h) {
        for (int64_t i = 0; i < n; i++) {
            y[i] = i / h % 2 ? x[i - h] - x[i] : x[i] + x[i + h];
        }
        memcpy(x, y, (size_t)n * sizeof *x);
    }
    for (int64_t i = 0; i < n; i++) {
        x[i] *= (float)(1 / sqrt((double)n));
    }
}

static void rotate_online(float *x, int64_t channels)
{
    int64_t n = 1;
    while (channels % (2 * n) == 0) {
        n *= 2;
    }
    for (int64_t i = 0; i < channels; i += n) {
        rotate_block(x + i, n);
    }
}

static int32_t hadamard(float *x, int64_t x_stride, int64_t channels, int64_t begin, int64_t end)
{
    for (int64_t r = begin; r < end; r++) {
        rotate_online(x + r * x_stride, channels);
    }
    return S4J_OK;
}

static int32_t embed(const void *table, int32_t dtype, int64_t vocab, int64_t channels, float scale, const int32_t *ids, float *y,
                     int64_t y_stride, int64_t begin, int64_t end)
{
    (void)vocab;
    for (int64_t i = begin; i < end; i++) {
        for (int64_t c = 0; c < channels; c++) {
            const uint8_t *at = (const uint8_t *)table + (ids[i] * channels + c) * (dtype == S4J_F32 ? 4 : 2);
            uint16_t h;
            float f;
            if (dtype == S4J_F32) {
                memcpy(&f, at, 4);
            } else {
                memcpy(&h, at, 2);
                f = bf16(h);
            }
            f = scale == 1 ? f : f * scale;
            memcpy(&y[i * y_stride + c], &f, 4);
        }
    }
    return S4J_OK;
}

static int32_t softcap(float *x, int64_t x_stride, int64_t channels, float cap, int64_t begin, int64_t end)
{
    for (int64_t r = begin; r < end; r++) {
        for (int64_t i = 0; i < channels; i++) {
            x[r * x_stride + i] = softcap_n6(x[r * x_stride + i], cap);
        }
    }
    return S4J_OK;
}

static int32_t argmax(const float *x, int64_t n, int64_t *index)
{
    *index = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(x[i])) {
            return S4J_E_NONFINITE;
        }
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t above = 0;
        for (int64_t j = 0; j < n && above == 0; j++) {
            above += x[j] > x[i];
        }
        if (!above) {
            *index = i;
            return S4J_OK;
        }
    }
    return S4J_OK;
}

/* N5: the whole head. */
static void rotate(const float *x, const float *rope, int64_t d, float *y)
{
    for (int64_t i = 0; i < d / 2; i++) {
        float c = rope[i], s = rope[d / 2 + i], a = x[i], b = x[i + d / 2];
        float bs = b * s, as = a * s;
        y[i] = fmaf(a, c, -bs);
        y[i + d / 2] = fmaf(b, c, as);
    }
}

/* The header's page, part by part. */
struct page {
    int64_t k[2], v[2], k_scale, v_scale, k_sum, k_zero, v_zero;
};

static struct page page_parts(const s4j_attention *a, const s4j_kv_head *h)
{
    struct page p;
    int64_t at = h->page_offset;
    for (int i = 0; i < 2; i++) {
        p.k[i] = at;
        at += 64 * round_up(h->k_channels[i], 16) * (a->k_bits[i] > 4 ? 8 : 4) / 8;
    }
    for (int i = 0; i < 2; i++) {
        p.v[i] = at;
        at += 64 * round_up(h->v_channels[i], 32) * (a->v_bits[i] > 4 ? 8 : 4) / 8;
    }
    p.k_scale = at;
    p.v_scale = at + 512;
    p.k_sum = at + 768;
    p.k_zero = at + 1280;
    p.v_zero = at + 1408;
    return p;
}

/* Reads (value < 0) or writes the K code of position t of the page and channel c of segment i. */
static int32_t k_cell(const s4j_attention *a, const s4j_kv_head *h, uint8_t *block, int i, int64_t t, int64_t c, int32_t value)
{
    int64_t pad = round_up(h->k_channels[i], 16);
    uint8_t *panels = block + page_parts(a, h).k[i];
    if (a->k_bits[i] > 4) {
        uint8_t *b = panels + t / 16 * pad * 16 + c / 4 * 64 + t % 16 * 4 + c % 4;
        if (value >= 0) {
            *b = (uint8_t)value;
        }
        return *b;
    }
    uint8_t *b = panels + t / 16 * pad * 8 + c / 8 * 64 + t % 16 * 4 + c % 4;
    int high = c % 8 >= 4;
    if (value >= 0) {
        *b = (uint8_t)(high ? (*b & 15) | value << 4 : (*b & 240) | value);
    }
    return high ? *b >> 4 : *b & 15;
}

static int32_t v_cell(const s4j_attention *a, const s4j_kv_head *h, uint8_t *block, int i, int64_t t, int64_t c, int32_t value)
{
    int64_t pad = round_up(h->v_channels[i], 32);
    uint8_t *rows = block + page_parts(a, h).v[i];
    if (a->v_bits[i] > 4) {
        uint8_t *b = rows + t * pad + c;
        if (value >= 0) {
            *b = (uint8_t)value;
        }
        return *b;
    }
    uint8_t *b = rows + t * pad / 2 + c / 32 * 16 + c % 32 % 16;
    int high = c % 32 >= 16;
    if (value >= 0) {
        *b = (uint8_t)(high ? (*b & 15) | value << 4 : (*b & 240) | value);
    }
    return high ? *b >> 4 : *b & 15;
}

static void put_f(uint8_t *at, int64_t i, float v)
{
    memcpy(at + 4 * i, &v, 4);
}

static void put_i(uint8_t *at, int64_t i, int32_t v)
{
    memcpy(at + 4 * i, &v, 4);
}

static float get_f(const uint8_t *at, int64_t i)
{
    float v;
    memcpy(&v, at + 4 * i, 4);
    return v;
}

static const s4j_sequence *sequence_of(const s4j_sequence *seq, int64_t seqs, int64_t r)
{
    for (int64_t i = 0; i < seqs; i++) {
        if (seq[i].row <= r && r < seq[i].row + seq[i].rows) {
            return &seq[i];
        }
    }
    return NULL;
}

static void limits(const float *x, int64_t n, float *hi, float *lo)
{
    *hi = *lo = 0;
    for (int64_t i = 0; i < n; i++) {
        *hi = fmaxf(*hi, x[i]);
        *lo = fminf(*lo, x[i]);
    }
}

static int32_t append(const s4j_attention *a, const float *qkv, int64_t qkv_stride, const float *rope, const s4j_sequence *seq,
                      int64_t seqs, const s4j_queries *q, int64_t begin, int64_t end)
{
    int64_t d = a->head_dim, H = a->heads, KV = a->kv_heads;
    int32_t status = S4J_OK;
    for (int64_t r = begin; r < end; r++) {
        const s4j_sequence *s = sequence_of(seq, seqs, r);
        if (!s) {
            continue;
        }
        int64_t position = s->position + r - s->row, t = position % 64;
        uint8_t *block = s->blocks[position / 64];
        /* what is encoded, permuted: H queries, KV keys, KV values */
        float v[(H + 2 * KV) * d];
        int broken = 0;
        for (int64_t h = 0; h < H + 2 * KV; h++) {
            const s4j_kv_head *kv = &a->kv_head[h < H ? h / (H / KV) : (h - H) % KV];
            float y[256];
            const float *x = qkv + r * qkv_stride + h * d;
            if (h < H + KV) {
                rotate(x, rope + position * d, d, y);
                if (a->hadamard) {
                    rotate_online(y, d);
                }
            } else {
                memcpy(y, x, (size_t)d * 4);
            }
            for (int64_t c = 0; c < d; c++) {
                float *to = &v[h * d + c];
                *to = y[(h < H + KV ? kv->k_perm : kv->v_perm)[c]];
                if (h < H && a->k_mode == S4J_K_FROZEN) {
                    *to *= kv->k_scale[c];
                }
                broken |= bad(*to);
            }
        }
        int32_t silent = 0;
        for (int64_t h = 0; h < H; h++) {
            const s4j_kv_head *kv = &a->kv_head[h / (H / KV)];
            int64_t slot = r * H + h;
            float hi, lo;
            limits(v + h * d, d, &hi, &lo);
            float sc = clampf((hi - lo) / (float)most(a->q_bits), 1e-5f, 1e4f);
            int32_t z = zero_of(lo, sc, a->q_bits), sum[2] = {0, 0};
            memset(q->code + slot * a->q_padded, 0, (size_t)a->q_padded);
            for (int64_t c = 0; c < d && !broken; c++) {
                int salient = c >= kv->k_channels[0];
                int32_t u = code_of(v[h * d + c], sc, z, a->q_bits), b = a->q_bits == 8 ? u - 128 : u - z;
                q->code[slot * a->q_padded + (salient ? round_up(kv->k_channels[0], 16) + c - kv->k_channels[0] : c)] = (int8_t)b;
                if (a->k_mode == S4J_K_FROZEN) {
                    sum[0] += b * kv->k_zero[c];
                } else {
                    sum[salient] += b;
                }
                silent += u == z;
            }
            q->scale[slot] = broken ? 0 : sc;
            q->zero[slot] = broken ? 0 : z;
            q->sum[2 * slot] = sum[0];
            q->sum[2 * slot + 1] = sum[1];
        }
        for (int64_t h = 0; h < KV; h++) {
            const s4j_kv_head *kv = &a->kv_head[h];
            struct page p = page_parts(a, kv);
            const float *k = v + (H + h) * d, *x = v + (H + KV + h) * d;
            float hi, lo, sv;
            int64_t first = 0;
            for (int i = 0; i < 2; i++) {
                int64_t n = kv->k_channels[i];
                limits(a->k_mode == S4J_K_SHARED ? k : k + first, a->k_mode == S4J_K_SHARED ? d : n, &hi, &lo);
                float sc = clampf((hi - lo) / (float)most(a->k_bits[i]), 1e-5f, 1e4f);
                int32_t z = zero_of(lo, sc, a->k_bits[i]), sum = 0;
                for (int64_t c = 0; c < round_up(n, 16); c++) {
                    if (c >= n || broken) {
                        k_cell(a, kv, block, i, t, c, 0);
                        continue;
                    }
                    if (a->k_mode == S4J_K_FROZEN) {
                        sc = kv->k_scale[first + c];
                        z = kv->k_zero[first + c];
                    }
                    int32_t u = code_of(k[first + c], sc, z, a->k_bits[i]);
                    k_cell(a, kv, block, i, t, c, u);
                    sum += u - z;
                    silent += u == z;
                }
                int token = a->k_mode != S4J_K_FROZEN && n > 0 && !broken;
                put_f(block + p.k_scale, 64 * i + t, token ? sc : 0);
                block[p.k_zero + 64 * i + t] = token ? (uint8_t)z : 0;
                put_i(block + p.k_sum, 64 * i + t, sum);
                first += n;
            }
            limits(x, d, &hi, &lo);
            sv = clampf((hi - lo) / (float)most(a->v_bits[0]), 1e-5f, 1e4f);
            first = 0;
            for (int i = 0; i < 2; i++) {
                int64_t n = kv->v_channels[i];
                float ratio = (float)most(a->v_bits[0]) / (float)most(a->v_bits[1]);
                float sc = i ? sv * ratio : sv;
                int32_t z = zero_of(lo, sc, a->v_bits[i]);
                const int own = a->v_mode == S4J_V_FROZEN;
                block[p.v_zero + 64 * i + t] = broken || n == 0 || own ? 0 : (uint8_t)z;
                for (int64_t c = 0; c < round_up(n, 32); c++) {
                    if (own && c < n) {
                        sc = kv->v_scale[first + c];
                        z = kv->v_zero[first + c];
                    }
                    int32_t u = c < n && !broken ? code_of(x[first + c], sc, z, a->v_bits[i]) : 0;
                    v_cell(a, kv, block, i, t, c, u);
                    silent += c < n && !broken && u == z;
                }
                first += n;
            }
            put_f(block + p.v_scale, t, broken ? 0 : a->v_mode == S4J_V_FROZEN ? 1 : sv);
        }
        q->silent[r] = broken ? -1 : silent;
        status = broken ? S4J_E_NONFINITE : status;
    }
    return status;
}

static int32_t attend(const s4j_attention *a, const s4j_queries *q, const s4j_sequence *seq, int64_t seqs, float *out,
                      int64_t out_stride, void *scratch, int64_t scratch_bytes, int64_t begin, int64_t end, int64_t head_begin,
                      int64_t head_end)
{
    (void)scratch_bytes;
    int64_t d = a->head_dim, per = a->heads / a->kv_heads;
    float *e = scratch;
    for (int64_t r = begin; r < end; r++) {
        const s4j_sequence *s = sequence_of(seq, seqs, r);
        for (int64_t h = head_begin * per; s && h < head_end * per; h++) {
            const s4j_kv_head *kv = &a->kv_head[h / per];
            const struct page p = page_parts(a, kv);
            int64_t n = s->position + r - s->row + 1, slot = r * a->heads + h;
            int64_t first = a->window && n > a->window ? n - a->window : 0;
            float exps[n];
            float m = -INFINITY;
            for (int64_t t = first; t < n; t++) {
                uint8_t *block = s->blocks[t / 64];
                int64_t D[2] = {0, 0};
                for (int64_t c = 0; c < d; c++) {
                    int i = c >= kv->k_channels[0];
                    int64_t k = i ? c - kv->k_channels[0] : c;
                    int64_t z = a->k_mode == S4J_K_FROZEN ? kv->k_zero[c] : block[p.k_zero + 64 * i + t % 64];
                    int64_t at = slot * a->q_padded + (i ? round_up(kv->k_channels[0], 16) + k : k);
                    int64_t u = q->code[at] + (a->q_bits == 8 ? 128 - q->zero[slot] : 0);
                    D[i] += u * (k_cell(a, kv, block, i, t % 64, k, -1) - z);
                }
                float S = q->scale[slot] * a->kappa;
                if (a->k_mode == S4J_K_FROZEN) {
                    e[t] = (float)(D[0] + D[1]) * S;
                } else {
                    float s0 = get_f(block + p.k_scale, t % 64), s1 = get_f(block + p.k_scale, 64 + t % 64);
                    float b = kv->k_channels[0] ? (float)D[0] * s0 : (float)D[1] * s1;
                    b = kv->k_channels[0] && kv->k_channels[1] ? fmaf((float)D[1], s1, b) : b;
                    e[t] = b * S;
                }
                e[t] = a->softcap > 0 ? softcap_n6(e[t], a->softcap) : e[t];
                m = fmaxf(m, e[t]);
            }
            int64_t L = 0;
            float R = 0;
            for (int64_t t = first; t < n; t++) {
                e[t] = exps[t] = exp_n6(e[t] - m);
                L += (int64_t)rintf(e[t] * 0x1p22f);
                e[t] = e[t] * get_f(s->blocks[t / 64] + p.v_scale, t % 64);
                R = fmaxf(R, e[t]);
            }
            for (int64_t c = 0; c < d && a->v_mode == S4J_V_FROZEN; c++) { /* l times the codes themselves */
                int i = c >= kv->v_channels[0];
                int64_t N = 0;
                for (int64_t t = first; t < n; t++) {
                    N += (int64_t)rintf(exps[t] * 0x1p22f) * v_cell(a, kv, s->blocks[t / 64], i, t % 64, i ? c - kv->v_channels[0] : c, -1);
                }
                out[r * out_stride + h * d + kv->v_perm[c]] = (float)(N - kv->v_zero[c] * L) * (kv->v_scale[c] / (float)L);
            }
            for (int64_t c = 0; c < d && a->v_mode == S4J_V_TOKEN; c++) {
                int i = c >= kv->v_channels[0];
                int64_t N = 0;
                for (int64_t t = first; t < n; t++) {
                    uint8_t *block = s->blocks[t / 64];
                    int64_t v = v_cell(a, kv, block, i, t % 64, i ? c - kv->v_channels[0] : c, -1);
                    N += (int64_t)rintf(clampf(e[t] * (0x1p22f / R), 0, 0x1p22f)) * (v - block[p.v_zero + 64 * i + t % 64]);
                }
                float ratio = (float)most(a->v_bits[0]) / (float)most(a->v_bits[1]);
                float unit = (i ? R * ratio : R) / (float)L;
                out[r * out_stride + h * d + kv->v_perm[c]] = (float)N * unit;
            }
        }
    }
    return S4J_OK;
}

static int32_t dense_append(const s4j_attention *a, float *qkv, int64_t qkv_stride, const float *rope, const s4j_sequence *seq,
                            int64_t seqs, int64_t begin, int64_t end)
{
    int64_t d = a->head_dim, H = a->heads, KV = a->kv_heads;
    for (int64_t r = begin; r < end; r++) {
        const s4j_sequence *s = sequence_of(seq, seqs, r);
        for (int64_t h = 0; s && h < H + 2 * KV; h++) {
            int64_t position = s->position + r - s->row, t = position % 64;
            float *x = qkv + r * qkv_stride + h * d, y[256];
            rotate(x, rope + position * d, d, y);
            if (h < H) {
                memcpy(x, y, (size_t)d * 4);
                continue;
            }
            uint8_t *page = s->blocks[position / 64] + a->kv_head[(h - H) % KV].page_offset;
            for (int64_t c = 0; c < d; c++) {
                if (h < H + KV) {
                    put_f(page, c * 64 + t, y[c]);
                } else {
                    put_f(page + d * 64 * 4, t * d + c, x[c]);
                }
            }
        }
    }
    return S4J_OK;
}

static int32_t dense_attend(const s4j_attention *a, const float *qkv, int64_t qkv_stride, const s4j_sequence *seq, int64_t seqs,
                            float *out, int64_t out_stride, void *scratch, int64_t scratch_bytes, int64_t begin, int64_t end,
                            int64_t head_begin, int64_t head_end)
{
    (void)scratch_bytes;
    int64_t d = a->head_dim, per = a->heads / a->kv_heads;
    float *e = scratch;
    for (int64_t r = begin; r < end; r++) {
        const s4j_sequence *s = sequence_of(seq, seqs, r);
        for (int64_t h = head_begin * per; s && h < head_end * per; h++) {
            int64_t offset = a->kv_head[h / per].page_offset, n = s->position + r - s->row + 1;
            int64_t first = a->window && n > a->window ? n - a->window : 0;
            float m = -INFINITY;
            for (int64_t t = first; t < n; t++) {
                float k[256];
                for (int64_t c = 0; c < d; c++) {
                    k[c] = get_f(s->blocks[t / 64] + offset, c * 64 + t % 64);
                }
                e[t] = dot256(k, qkv + r * qkv_stride + h * d, d) * a->kappa;
                e[t] = a->softcap > 0 ? softcap_n6(e[t], a->softcap) : e[t];
                m = fmaxf(m, e[t]);
            }
            for (int64_t c = 0; c < d; c++) {
                float L = 0, N = 0;
                for (int64_t b = 0; b < n; b += 256) {
                    float l = 0, v = 0;
                    for (int64_t t = b; t < n && t < b + 256; t++) {
                        if (t < first) {
                            continue;
                        }
                        float p = exp_n6(e[t] - m);
                        l += p;
                        v = fmaf(p, get_f(s->blocks[t / 64] + offset + d * 64 * 4, t % 64 * d + c), v);
                    }
                    L += l;
                    N += v;
                }
                out[r * out_stride + h * d + c] = N / L;
            }
        }
    }
    return S4J_OK;
}

static int32_t read_bandwidth(const void *data, int64_t bytes, uint64_t *out)
{
    *out = 0;
    for (int64_t i = 0; i < bytes; i += 8) {
        uint64_t v;
        memcpy(&v, (const uint8_t *)data + i, 8);
        *out ^= v;
    }
    return S4J_OK;
}

static int32_t gemm_peak(int32_t weight_bits, int32_t act_bits, int64_t iterations, int64_t *macs, int64_t *sink)
{
    *macs = weight_bits > 0 && act_bits > 0 ? iterations : 0;
    *sink = 0;
    return S4J_OK;
}

const s4j_kernels reference = {
#define S4J_KERNEL(name, avx2, avxvnni, avx512, amx, params) .name = name,
#include "common/kernels.inc"
#undef S4J_KERNEL
};
