/* linear, linear_planes, dense. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "common/layout.h"

/* Output rows [begin, end) that the contract allows. */
typedef struct {
    int64_t begin, end;
} span;

static span random_span(int64_t rows)
{
    span s = {rnd_in(0, (rows - 1) / 16) * 16, rows};
    if (rnd_one_in(3)) {
        s.end = rnd_in(s.begin / 16, rows / 16) * 16;
    }
    return s;
}

static const float *random_floats(int64_t n)
{
    float *x = NEW(float, n);
    fill(x, n, 0, 0);
    seal(x);
    return x;
}

/* Weights of any layout; pads hold code 0. steps: by segment, or NULL. */
static s4j_weights random_weights(const s4j_gif *gif, int64_t rows, int32_t bits, int32_t layout, int grouped, int pattern,
                                  const int32_t *steps)
{
    s4j_weights w = {.rows = rows, .bits = bits, .layout = layout};
    int64_t k_padded = 0, planes = 0; /* channels of all planes; scales a row */
    for (int32_t i = 0; i < gif->segments; i++) {
        w.steps[i] = steps ? steps[i] : 0;
        k_padded += gif->segment[i].padded * s4j_steps(&w, i);
        planes += w.steps[i];
    }
    planes = steps ? planes : 1;
    const int64_t padded_rows = s4j_pad(rows, 16), panels = padded_rows / 16, G = s4j_weight_sums(gif, &w);
    const int32_t levels = s4j_levels(bits);
    if (pattern == ANY) {
        pattern = (int)PICK(UNIFORM, UNIFORM, UNIFORM, ALL_LARGEST, ALL_SMALLEST);
    }
    const int64_t zw_groups = grouped && rnd_one_in(2) ? G : 1;
    uint8_t *data = buffer(padded_rows * k_padded * bits / 8, 64);
    float *scale = NEW(float, planes * padded_rows);
    uint8_t *zero = NEW(uint8_t, panels * zw_groups * 16);
    uint8_t *mult = grouped ? NEW(uint8_t, panels * G * 16) : NULL;
    int32_t *sum = NEW(int32_t, panels * G * 16);
    for (int64_t o = 0; o < planes * padded_rows; o++) {
        scale[o] = o % padded_rows < rows ? 0.01f + 0.005f * rnd_float() : 0.0f;
    }
    for (int64_t i = 0; i < panels * zw_groups * 16; i++) {
        zero[i] = pattern == ALL_LARGEST ? 0 : pattern == ALL_SMALLEST ? (uint8_t)levels : (uint8_t)rnd_in(0, levels);
    }
    for (int64_t i = 0; mult && i < panels * G * 16; i++) {
        mult[i] = (uint8_t)(pattern != UNIFORM ? 63 : rnd_in(1, 63));
    }
    uint8_t *segment = data;
    int64_t g0 = 0;
    for (int32_t i = 0, step = 0; i < gif->segments; step + 1 < s4j_steps(&w, i) ? step++ : (i++, step = 0)) {
        const s4j_segment *s = &gif->segment[i];
        for (int64_t o = 0; o < rows; o++) {
            for (int64_t k = 0; k < s->channels; k++) {
                const int32_t c = pattern == ALL_LARGEST ? levels : pattern == ALL_SMALLEST ? 0 : (int32_t)rnd_in(0, levels);
                const int64_t g = g0 + (s->group ? k / s->group : 0), pg = (o / 16 * G + g) * 16 + o % 16;
                sum[pg] += c - zero[zw_groups == 1 ? o : pg];
                if (layout == S4J_LAYOUT_R16) {
                    uint8_t *panel = segment + o / 16 * s4j_r16_panel(s->padded, bits);
                    panel[s4j_r16_byte(k, o % 16, bits)] |= (uint8_t)(c << s4j_r16_shift(k, bits));
                } else {
                    for (int32_t b = 0; b < bits; b++) {
                        ((uint64_t *)(void *)segment)[s4j_p64_word(o, k / 64, b, s->padded / 64, bits)] |=
                            (uint64_t)(c >> b & 1) << k % 64;
                    }
                }
            }
        }
        segment += padded_rows * s->padded * bits / 8;
        g0 += s->groups;
    }
    const float *bias = rnd_one_in(2) ? random_floats(padded_rows) : NULL;
    seal(data);
    seal(scale);
    seal(zero);
    seal(sum);
    if (mult) {
        seal(mult);
    }
    w.data = data;
    w.scale = scale;
    w.zero = zero;
    w.mult = mult;
    w.sum = sum;
    w.bias = bias;
    w.weight_groups = zw_groups;
    return w;
}

/* Two equal noisy outputs. */
static void outputs(float **a, float **b, int64_t n)
{
    *a = NEW(float, n);
    *b = NEW(float, n);
    fill(*a, n, 0, 0);
    memcpy(*b, *a, (size_t)n * sizeof(float));
}

static void describe_linear(const s4j_gif *gif, const s4j_weights *w, int64_t tokens, int32_t flags, span o)
{
    char text[300];
    int used = 0;
    for (int32_t i = 0; i < gif->segments; i++) {
        const s4j_segment *s = &gif->segment[i];
        used += snprintf(text + used, sizeof text - (size_t)used, " [%lld x %d bits, groups %d/%d, M %d]", (long long)s->channels,
                         s->bits, s->act_group, s->group, s->max_multiplier);
    }
    describe("W%d, steps %d %d %d %d, mult %d, zw groups %lld, bias %d, add %d, %lld tokens, rows %lld..%lld of %lld,%s", w->bits,
             w->steps[0], w->steps[1], w->steps[2], w->steps[3], w->mult != NULL,
             (long long)w->weight_groups, w->bias != NULL, flags, (long long)tokens, (long long)o.begin, (long long)o.end,
             (long long)w->rows, text);
}

static s4j_gif whole(int64_t channels, int32_t bits, int32_t group)
{
    s4j_gif gif = {.channels = channels, .padded = bits == 16 ? 2 * channels : channels, .groups = group ? channels / group : 1, .segments = 1, .clip = {1, 1, 1, 1}};
    gif.segment[0] = (s4j_segment){channels, channels, gif.groups, bits, 0, group, group ? 255 : 1, group, 0};
    return gif;
}

static void bench_linear(void)
{
    static const struct {
        int64_t rows, channels, tokens;
        int32_t weight_bits, act_bits, group;
    } SHAPES[] = {
        {2048, 2048, 1, 4, 4, 0},   {5632, 2048, 1, 4, 4, 0},    {32000, 2048, 1, 4, 4, 0}, {32000, 2048, 1, 8, 8, 0},
        {8192, 2048, 1, 2, 8, 0},   {32000, 2048, 1, 4, 4, 64},  {5632, 2048, 256, 4, 4, 0}, {5632, 2048, 256, 4, 5, 0},
        {5632, 2048, 256, 4, 8, 0}, {5632, 2048, 256, 8, 8, 0},  {5632, 2048, 256, 2, 8, 0}, {5632, 2048, 256, 4, 4, 64},
    };
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++) {
        const int64_t rows = SHAPES[i].rows, channels = SHAPES[i].channels, tokens = SHAPES[i].tokens;
        const s4j_gif gif = whole(channels, SHAPES[i].act_bits, SHAPES[i].group);
        const s4j_weights w = random_weights(&gif, rows, SHAPES[i].weight_bits, S4J_LAYOUT_R16, SHAPES[i].group != 0, UNIFORM, NULL);
        const s4j_spikes x = random_spikes(&gif, tokens, UNIFORM);
        float *y = NEW(float, rows * tokens);
        char shape[80];
        snprintf(shape, sizeof shape, "W%dA%d %lld x %lld, %lld tokens, groups %d", w.bits, SHAPES[i].act_bits, (long long)rows,
                 (long long)channels, (long long)tokens, SHAPES[i].group);
        const int64_t bytes = rows * channels * w.bits / 8;
        const double before = tokens == 1 ? read_speed(w.data, bytes) : gemm_bound(w.bits, SHAPES[i].act_bits);
        const double t = TIME(s4j_linear(test, &gif, &w, &x, tokens, y, rows, 0, 0, rows));
        if (tokens == 1) {
            report_read(shape, w.data, bytes, t, before);
        } else {
            const double after = gemm_bound(w.bits, SHAPES[i].act_bits);
            report(shape, (double)(rows * channels * tokens), t, "GMAC/s", before > after ? before : after,
                   SHAPES[i].group ? "peak of the widths, without groups" : "peak of the widths");
        }
        buffers_release();
    }
}

/* One call of the base, one of the test, on a random part of the rows. */
static void compare_linear(const s4j_gif *gif, const s4j_weights *w, const s4j_spikes *x, int64_t tokens)
{
    const int64_t rows = w->rows;
    const int64_t stride = rows + rnd_in(0, 5);
    const int32_t flags = (int32_t)rnd_in(0, 1);
    const span o = random_span(rows);
    float *a, *b;
    outputs(&a, &b, (tokens - 1) * stride + rows);
    describe_linear(gif, w, tokens, flags, o);
    same_int(s4j_linear(base, gif, w, x, tokens, a, stride, flags, o.begin, o.end),
             s4j_linear(test, gif, w, x, tokens, b, stride, flags, o.begin, o.end), "status");
    same_floats(a, b, (tokens - 1) * stride + rows, "y");
}

/* The largest sums of every pair of widths, of both signs, at K = 32768 (2 tokens) and 4096 (7): no int16 and no int32 may wrap. */
static void check_extremes(int64_t n)
{
    static const int32_t WIDTHS[] = {2, 3, 4, 5, 6, 7, 8, 16};
    const int32_t weight_bits = (int32_t[]){2, 4, 8}[n % 3], act_bits = WIDTHS[n / 3 % 8];
    const int64_t channels = n % 2 ? 32768 : 4096, rows = 3, tokens = n % 2 ? 2 : 7;
    const s4j_gif gif = whole(channels, act_bits, 0);
    const s4j_weights w = random_weights(&gif, rows, weight_bits, S4J_LAYOUT_R16, 0, ALL_LARGEST, NULL);
    const s4j_spikes x = random_spikes(&gif, tokens, rnd_one_in(2) ? ALL_LARGEST : ALL_SMALLEST);
    compare_linear(&gif, &w, &x, tokens);
}

void check_linear(int64_t n)
{
    if (benching) {
        bench_linear();
        return;
    }
    if (n % 8 == 7) {
        check_extremes(n / 8);
        return;
    }
    const int stepped = n % 8 == 3; /* multi-step weights */
    gif_shape shape = {.channels = n % 5 ? 150 : 700, .groups = !stepped, .wide = n % 3 == 0};
    const s4j_gif gif = random_gif(shape);
    const int64_t rows = rnd_in(1, 50), tokens = rnd_one_in(3) ? rnd_in(1, 40) : rnd_in(1, 8);
    int32_t steps[S4J_MAX_SEGMENTS];
    for (int i = 0; i < S4J_MAX_SEGMENTS; i++) {
        steps[i] = (int32_t)(rnd_one_in(4) ? rnd_in(1, 16) : rnd_in(1, 3));
    }
    const s4j_weights w = random_weights(&gif, rows, (int32_t)PICK(2, 4, 8), S4J_LAYOUT_R16, !stepped && rnd_one_in(2), ANY,
                                         stepped ? steps : NULL);
    const s4j_spikes x = random_spikes(&gif, tokens, ANY);
    compare_linear(&gif, &w, &x, tokens);
}

void check_linear_planes(int64_t n)
{
    const gif_shape shape = {.channels = n % 5 ? 150 : 700};
    const int top = !benching && n % 8 == 7; /* all bits set: no sum of bytes may wrap */
    const s4j_gif gif = benching ? whole(2048, 4, 0) : top ? whole(64 * rnd_in(8, 64), (int32_t)rnd_in(2, 8), 0) : random_gif(shape);
    const int64_t rows = benching ? 2048 : rnd_in(1, 50), tokens = benching ? 1 : rnd_in(1, 8);
    const int32_t bits = benching || top ? 2 : (int32_t)rnd_in(1, 2);
    const s4j_weights w = random_weights(&gif, rows, bits, S4J_LAYOUT_P64, 0, top ? ALL_LARGEST : ANY, NULL);
    const s4j_spikes x = random_spikes(&gif, tokens, top ? ALL_LARGEST : ANY);
    uint64_t *planes = NEW(uint64_t, tokens * s4j_plane_words(&gif));
    s4j_planes(base, &gif, &x, planes, 0, tokens);
    seal(planes);
    const int64_t stride = rows + rnd_in(0, 5);
    const int32_t flags = (int32_t)rnd_in(0, 1);
    const span o = random_span(rows);
    float *a, *b;
    outputs(&a, &b, (tokens - 1) * stride + rows);
    describe_linear(&gif, &w, tokens, flags, o);
    if (benching) {
        const double before = read_speed(w.data, 2048 * 2048 / 4);
        report_read("W2A4 2048 x 2048, 1 token", w.data, 2048 * 2048 / 4,
                    TIME(s4j_linear_planes(test, &gif, &w, &x, planes, 1, b, rows, 0, 0, rows)), before);
        return;
    }
    same_int(s4j_linear_planes(base, &gif, &w, &x, planes, tokens, a, stride, flags, o.begin, o.end),
             s4j_linear_planes(test, &gif, &w, &x, planes, tokens, b, stride, flags, o.begin, o.end), "status");
    same_floats(a, b, (tokens - 1) * stride + rows, "y");
}

/* Panels of random floats of `dtype`; pads too. */
static const uint8_t *random_panels(int64_t rows, int64_t channels, int32_t dtype)
{
    const int64_t elements = s4j_pad(rows, 16) * s4j_pad(channels, 64);
    const int size = dtype == S4J_F32 ? 4 : 2;
    uint8_t *data = buffer(elements * size, 64);
    for (int64_t i = 0; i < elements; i++) {
        const float v = rnd_float();
        memcpy(data + i * size, (const uint8_t *)&v + 4 - size, (size_t)size);
    }
    seal(data);
    return data;
}

static void bench_dense(void)
{
    enum { CHANNELS = 2048, TOKENS = 64 };
    for (int32_t dtype = S4J_F32; dtype <= S4J_BF16; dtype++) {
        for (int64_t rows = 2048; rows <= 32000; rows += 32000 - 2048) {
            const s4j_dense_weights w = {random_panels(rows, CHANNELS, dtype), NULL, rows, CHANNELS, dtype, 0};
            const int64_t bytes = rows * CHANNELS * (dtype == S4J_F32 ? 4 : 2), tokens = rows == 2048 ? TOKENS : 0; /* the GEMM once */
            const float *x = random_floats(TOKENS * CHANNELS);
            float *y = NEW(float, TOKENS * rows);
            const char *name = dtype == S4J_F32 ? "f32" : "bf16";
            char shape[80];
            snprintf(shape, sizeof shape, "%s %lld x %d, 1 token", name, (long long)rows, CHANNELS);
            const double before = read_speed(w.data, bytes);
            report_read(shape, w.data, bytes, TIME(s4j_dense(test, &w, x, CHANNELS, 1, y, rows, 0, 0, rows)), before);
            if (tokens) {
                snprintf(shape, sizeof shape, "%s %lld x %d, %lld tokens", name, (long long)rows, CHANNELS, (long long)tokens);
                report(shape, (double)(rows * CHANNELS * tokens),
                       TIME(s4j_dense(test, &w, x, CHANNELS, tokens, y, rows, 0, 0, rows)), "GMAC/s", 0, "");
            }
            buffers_release();
        }
    }
}

void check_dense(int64_t n)
{
    if (benching) {
        bench_dense();
        return;
    }
    const int64_t rows = rnd_in(1, 50), channels = n % 5 ? rnd_in(1, 90) : rnd_in(1, 1500);
    const int64_t tokens = rnd_in(1, rnd_one_in(4) ? 20 : 6), x_stride = channels + rnd_in(0, 3), stride = rows + rnd_in(0, 5);
    const int32_t dtype = (int32_t)rnd_in(0, 1);
    const s4j_dense_weights w = {random_panels(rows, channels, dtype), rnd_one_in(2) ? random_floats(s4j_pad(rows, 16)) : NULL, rows, channels, dtype, 0};
    float *x = NEW(float, (tokens - 1) * x_stride + channels);
    fill(x, (tokens - 1) * x_stride + channels, (int)rnd_in(0, PATTERNS - 1), 15);
    seal(x);
    const int32_t flags = (int32_t)rnd_in(0, 1);
    const span o = random_span(rows);
    float *a, *b;
    outputs(&a, &b, (tokens - 1) * stride + rows);
    describe("%s, bias %d, add %d, %lld tokens x %lld, rows %lld..%lld of %lld", dtype == S4J_F32 ? "f32" : "bf16", w.bias != NULL,
             flags, (long long)tokens, (long long)channels, (long long)o.begin, (long long)o.end, (long long)rows);
    same_int(s4j_dense(base, &w, x, x_stride, tokens, a, stride, flags, o.begin, o.end),
             s4j_dense(test, &w, x, x_stride, tokens, b, stride, flags, o.begin, o.end), "status");
    same_floats(a, b, (tokens - 1) * stride + rows, "y");
}
