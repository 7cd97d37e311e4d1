/* encode, spike_steps, planes; and the groups and spikes that the linears need. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "common/layout.h"

s4j_gif random_gif(gif_shape shape)
{
    s4j_gif gif = {.segments = shape.segments ? shape.segments : (int32_t)rnd_in(1, S4J_MAX_SEGMENTS)};
    for (int32_t i = 0; i < S4J_MAX_SEGMENTS; i++) {
        gif.clip[i] = rnd_one_in(2) ? 1.0f : 0.85f;
    }
    for (int32_t i = 0; i < gif.segments; i++) {
        s4j_segment *s = &gif.segment[i];
        s->channels = rnd_one_in(6) ? PICK(0, 1, 2, 15, 16, 17, 64) : rnd_in(1, shape.channels);
        if (s->channels > shape.channels) {
            s->channels = shape.channels;
        }
        if (i == gif.segments - 1 && gif.channels == 0 && s->channels == 0) {
            s->channels = 1;
        }
        s->padded = s4j_pad(s->channels, 64);
        s->bits = shape.bits ? shape.bits : shape.wide && rnd_one_in(5) ? 16 : (int32_t)rnd_in(2, 8);
        s->range_set = (int32_t)rnd_in(0, 3);
        s->max_multiplier = 1;
        if (shape.groups && rnd_one_in(2)) {
            s->group = (int32_t)PICK(16, 32, 48, 64, 128);
            if (rnd_one_in(2)) {
                s->act_group = s->group * (int32_t)PICK(1, 1, 2, 3);
                s->max_multiplier = (int32_t)PICK(1, 15, 63, 255);
            }
        }
        s->groups = s->group ? (s->channels + s->group - 1) / s->group : s->channels > 0;
        gif.channels += s->channels;
        gif.padded += s4j_code_bytes(s);
        gif.groups += s->groups;
    }
    return gif;
}

static void describe_gif(const s4j_gif *gif, int64_t rows, int pattern)
{
    char text[400];
    int used = 0;
    for (int32_t i = 0; i < gif->segments; i++) {
        const s4j_segment *s = &gif->segment[i];
        used += snprintf(text + used, sizeof text - (size_t)used, " [%lld x %d bits, range %d, groups %d/%d, M %d]",
                         (long long)s->channels, s->bits, s->range_set, s->act_group, s->group, s->max_multiplier);
    }
    describe("%lld rows, pattern %d,%s", (long long)rows, pattern, text);
}

s4j_spikes new_spikes(const s4j_gif *gif, int64_t rows)
{
    s4j_spikes x = {
        .code = NEW(int8_t, rows * gif->padded),
        .scale = NEW(float, rows * S4J_MAX_SEGMENTS),
        .zero = NEW(int32_t, rows * gif->groups),
        .mult = NEW(int32_t, rows * gif->groups),
        .sum = NEW(int32_t, rows * gif->groups),
        .silent = NEW(int32_t, rows),
    };
    return x;
}

s4j_spikes random_spikes(const s4j_gif *gif, int64_t rows, int pattern)
{
    s4j_spikes x = new_spikes(gif, rows);
    if (pattern == ANY) {
        pattern = (int)PICK(UNIFORM, UNIFORM, UNIFORM, ALL_LARGEST, ALL_SILENT, ALL_SMALLEST);
    }
    for (int64_t r = 0; r < rows; r++) {
        int64_t at = r * gif->padded, g0 = r * gif->groups;
        for (int32_t i = 0; i < gif->segments; i++) {
            const s4j_segment *s = &gif->segment[i];
            const int32_t levels = s4j_levels(s->bits);
            for (int64_t g = 0; g < s->groups; g++) {
                x.mult[g0 + g] = s->act_group ? (int32_t)(rnd_one_in(4) ? s->max_multiplier : rnd_in(1, s->max_multiplier)) : 1;
                x.zero[g0 + g] = pattern == ALL_LARGEST ? 0 : pattern == ALL_SMALLEST ? levels : (int32_t)rnd_in(0, levels);
            }
            for (int64_t k = 0; k < s->channels; k++) {
                const int64_t g = g0 + (s->group ? k / s->group : 0);
                const int32_t z = x.zero[g];
                const int32_t c = pattern == UNIFORM ? (int32_t)rnd_in(0, levels) : pattern == ALL_LARGEST ? levels : pattern == ALL_SILENT ? z : 0;
                x.silent[r] += c == z;
                if (s->bits == 16) {
                    x.code[at + k] = (int8_t)((c >> 8) - 128);
                    x.code[at + s->padded + k] = (int8_t)((c & 255) - 128);
                    continue;
                }
                const int32_t d = c - s4j_offset(s->bits, z);
                x.code[at + k] = (int8_t)d;
                x.sum[g] += d;
            }
            x.scale[r * S4J_MAX_SEGMENTS + i] = s->channels ? 0.01f + 0.01f * rnd_float() : 0.0f;
            at += s4j_code_bytes(s);
            g0 += s->groups;
        }
    }
    seal(x.code);
    seal(x.scale);
    seal(x.zero);
    seal(x.mult);
    seal(x.sum);
    return x;
}

void same_spikes(const s4j_gif *gif, int64_t rows, const s4j_spikes *a, const s4j_spikes *b)
{
    same_bytes(a->code, b->code, rows * gif->padded, "code");
    same_floats(a->scale, b->scale, rows * S4J_MAX_SEGMENTS, "scale");
    same_bytes(a->zero, b->zero, rows * gif->groups * 4, "zero");
    same_bytes(a->mult, b->mult, rows * gif->groups * 4, "mult");
    same_bytes(a->sum, b->sum, rows * gif->groups * 4, "sum");
    same_bytes(a->silent, b->silent, rows * 4, "silent");
}

/* Everything that is not written must stay: both outputs start with the same noise. */
static void noise(const s4j_gif *gif, int64_t rows, s4j_spikes *a, s4j_spikes *b)
{
    rnd_bytes(a->code, rows * gif->padded);
    memcpy(b->code, a->code, (size_t)(rows * gif->padded));
    for (int64_t i = 0; i < rows * gif->groups; i++) {
        a->zero[i] = b->zero[i] = a->mult[i] = b->mult[i] = a->sum[i] = b->sum[i] = (int32_t)rnd_in(-9, -1);
    }
    for (int64_t i = 0; i < rows; i++) {
        a->silent[i] = b->silent[i] = -7;
    }
    for (int64_t i = 0; i < rows * S4J_MAX_SEGMENTS; i++) {
        a->scale[i] = b->scale[i] = -7.0f;
    }
}

void check_encode(int64_t n)
{
    if (benching) {
        for (int groups = 0; groups < 2; groups++) {
            s4j_gif gif = {.channels = 2048, .padded = 2048, .groups = groups ? 32 : 2, .segments = groups ? 1 : 2, .clip = {1, 1, 1, 1}};
            if (groups) {
                gif.segment[0] = (s4j_segment){2048, 2048, 32, 4, 0, 64, 255, 64, 0};
            } else {
                gif.padded = 1856 + 256;
                gif.segment[0] = (s4j_segment){1843, 1856, 1, 4, 0, 0, 1, 0, 0};
                gif.segment[1] = (s4j_segment){205, 256, 1, 5, 1, 0, 1, 0, 0};
            }
            gif.perm = random_perm(2048);
            float *x = NEW(float, 8 * 2048);
            fill(x, 8 * 2048, 0, 15);
            s4j_spikes out = new_spikes(&gif, 8);
            report(groups ? "8 x 2048, 4 bits, groups of 64" : "8 x (1843 + 205), 4 and 5 bits", 8 * 2048,
                   TIME(s4j_encode(test, &gif, x, 2048, &out, 0, 8)), "Gchannels/s", 0, "");
        }
        return;
    }
    gif_shape shape = {.channels = n % 50 == 49 ? 9000 : n % 5 ? 200 : 1200, .groups = 1, .wide = n % 3 == 0};
    s4j_gif gif = random_gif(shape);
    gif.perm = rnd_one_in(2) ? random_perm(gif.channels) : NULL;
    const int64_t rows = rnd_in(1, 4), stride = gif.channels + rnd_in(0, 3), begin = rnd_in(0, rows - 1);
    float *x = NEW(float, (rows - 1) * stride + gif.channels);
    const int pattern = (int)rnd_in(0, PATTERNS - 1);
    for (int64_t r = 0; r < rows; r++) {
        fill(x + r * stride, gif.channels, r == 0 ? pattern : (int)rnd_in(0, PATTERNS - 1), s4j_levels(gif.segment[0].bits));
    }
    seal(x);
    describe_gif(&gif, rows, pattern);
    s4j_spikes a = new_spikes(&gif, rows), b = new_spikes(&gif, rows);
    noise(&gif, rows, &a, &b);
    same_int(s4j_encode(base, &gif, x, stride, &a, begin, rows), s4j_encode(test, &gif, x, stride, &b, begin, rows), "status");
    same_spikes(&gif, rows, &a, &b);
}

void check_spike_steps(int64_t n)
{
    (void)n;
    if (benching) {
        uint8_t *codes = NEW(uint8_t, 1 << 16), *steps = NEW(uint8_t, 1 << 18);
        rnd_bytes(codes, 1 << 16);
        report("65536 codes, 4 steps of 4 bits", 1 << 18, TIME(s4j_spike_steps(test, codes, 1 << 16, 4, 4, steps)), "Gsteps/s", 0, "");
        return;
    }
    const int64_t size = rnd_in(1, 300);
    const int32_t bits = (int32_t)rnd_in(1, 8), count = (int32_t)rnd_in(1, 16);
    uint8_t *codes = NEW(uint8_t, size), *a = NEW(uint8_t, size * count), *b = NEW(uint8_t, size * count);
    rnd_bytes(codes, size);
    seal(codes);
    describe("%lld codes, %d steps of %d bits", (long long)size, count, bits);
    same_int(s4j_spike_steps(base, codes, size, bits, count, a), s4j_spike_steps(test, codes, size, bits, count, b), "status");
    same_bytes(a, b, size * count, "steps");
}

void check_planes(int64_t n)
{
    gif_shape shape = {.channels = benching ? 2048 : n % 5 ? 200 : 1200, .groups = !benching};
    s4j_gif gif = random_gif(shape);
    const int64_t rows = rnd_in(1, 4), begin = rnd_in(0, rows - 1), words = s4j_plane_words(&gif);
    const s4j_spikes x = random_spikes(&gif, rows, ANY);
    uint64_t *a = NEW(uint64_t, rows * words), *b = NEW(uint64_t, rows * words);
    rnd_bytes(a, rows * words * 8);
    memcpy(b, a, (size_t)(rows * words * 8));
    describe_gif(&gif, rows, 0);
    if (benching) {
        report("random segments", (double)gif.channels, TIME(s4j_planes(test, &gif, &x, b, 0, 1)), "Gchannels/s", 0, "");
        return;
    }
    same_int(s4j_planes(base, &gif, &x, a, begin, rows), s4j_planes(test, &gif, &x, b, begin, rows), "status");
    same_bytes(a, b, rows * words * 8, "planes");
}
