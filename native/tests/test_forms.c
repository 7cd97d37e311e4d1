/*
 * All forms of the same spikes are equal, for every width and tier: the steps of a code sum to it, its planes spell it, and
 * the linear over codes, over bit planes and over single steps gives the same integers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/layout.h"

enum { CHANNELS = 200, PADDED = 256, ROWS = 40, PADDED_ROWS = 48, PANELS = 3 };

static int failures;

static void expect(int ok, const char *what, int32_t tier, int32_t bits, int32_t weight_bits)
{
    if (!ok) {
        printf("FAIL tier %d, B = %d, W = %d: %s\n", tier, bits, weight_bits, what);
        failures++;
    }
}

static float noise(void)
{
    return (float)rand() / (float)RAND_MAX * 2.0f - 1.0f;
}

/* One row of encoded spikes on the caller's stack. */
typedef struct {
    int8_t code[PADDED];
    float scale[S4J_MAX_SEGMENTS];
    int32_t zero[1], mult[1], sum[1], silent[1];
} row_t;

static s4j_spikes spikes_of(row_t *r)
{
    return (s4j_spikes){r->code, r->scale, r->zero, r->mult, r->sum, r->silent};
}

static void check(const s4j_kernels *k, int32_t tier, int32_t bits, int32_t weight_bits)
{
    static _Alignas(64) uint8_t r16[PADDED_ROWS * PADDED / 4], p64[PADDED_ROWS * PADDED / 4];
    s4j_gif gif = {.channels = CHANNELS, .padded = PADDED, .groups = 1, .segments = 1, .clip = {1, 1, 1, 1}};
    gif.segment[0] = (s4j_segment){CHANNELS, PADDED, 1, bits, 0, 0, 1, 0, 0};
    float x[CHANNELS], scale[PADDED_ROWS] = {0};
    for (int i = 0; i < CHANNELS; i++) {
        x[i] = noise();
    }
    row_t row;
    s4j_spikes s = spikes_of(&row);
    expect(s4j_encode(k, &gif, x, CHANNELS, &s, 0, 1) == S4J_OK, "encode", tier, bits, weight_bits);

    /* codes -> steps and planes */
    uint8_t codes[CHANNELS], steps[16 * CHANNELS];
    uint64_t planes[8 * PADDED / 64];
    for (int i = 0; i < CHANNELS; i++) {
        codes[i] = (uint8_t)(row.code[i] + s4j_offset(bits, row.zero[0]));
    }
    for (int32_t step_bits = 1; step_bits <= bits; step_bits++) {
        const int32_t count = 1 << (bits - step_bits) > 16 ? 16 : 1 << (bits - step_bits);
        s4j_spike_steps(k, codes, CHANNELS, step_bits, count, steps);
        for (int i = 0; i < CHANNELS; i++) {
            int sum = 0, most = 0;
            for (int t = 0; t < count; t++) {
                sum += steps[t * CHANNELS + i];
                most = t + 1 < count && steps[t * CHANNELS + i] > most ? steps[t * CHANNELS + i] : most;
            }
            expect(sum == codes[i] && most < 1 << step_bits, "steps do not sum to the code", tier, bits, weight_bits);
        }
    }
    s4j_planes(k, &gif, &s, planes, 0, 1);
    for (int i = 0; i < PADDED; i++) {
        int c = 0;
        for (int b = 0; b < bits; b++) {
            c |= (int)(planes[b * (PADDED / 64) + i / 64] >> i % 64 & 1) << b;
        }
        expect(c == (i < CHANNELS ? codes[i] : 0), "planes do not spell the code", tier, bits, weight_bits);
    }

    /* the same weights in both layouts */
    uint8_t zero[PADDED_ROWS];
    int32_t sum[PADDED_ROWS] = {0};
    memset(r16, 0, sizeof r16);
    memset(p64, 0, sizeof p64);
    for (int o = 0; o < PADDED_ROWS; o++) {
        zero[o] = (uint8_t)(rand() % (1 << weight_bits));
        for (int i = 0; i < CHANNELS && o < ROWS; i++) {
            const int c = rand() % (1 << weight_bits);
            uint8_t *panel = r16 + o / 16 * s4j_r16_panel(PADDED, 2);
            panel[s4j_r16_byte(i, o % 16, 2)] |= (uint8_t)(c << s4j_r16_shift(i, 2));
            for (int b = 0; b < weight_bits; b++) {
                ((uint64_t *)(void *)p64)[s4j_p64_word(o, i / 64, b, PADDED / 64, weight_bits)] |= (uint64_t)(c >> b & 1) << i % 64;
            }
            sum[o] += c - zero[o];
        }
        scale[o] = 1.0f;
    }
    s4j_weights dense = {r16, scale, zero, NULL, sum, NULL, ROWS, 1, 2, S4J_LAYOUT_R16, {0}};
    s4j_weights plane = {p64, scale, zero, NULL, sum, NULL, ROWS, 1, weight_bits, S4J_LAYOUT_P64, {0}};
    float a[ROWS], b[ROWS], c[ROWS] = {0};
    row.scale[0] = 1.0f; /* integers come out: below 2^24 exact */
    expect(s4j_linear(k, &gif, &dense, &s, 1, a, ROWS, S4J_STORE, 0, ROWS) == S4J_OK, "linear", tier, bits, weight_bits);
    expect(s4j_linear_planes(k, &gif, &plane, &s, planes, 1, b, ROWS, S4J_STORE, 0, ROWS) == S4J_OK, "linear_planes", tier, bits,
           weight_bits);
    expect(!memcmp(a, b, sizeof a), "linear over planes differs", tier, bits, weight_bits);

    /* step by step: each step is a row of small codes without a zero point, whose share is taken off at the end */
    const int32_t step_bits = bits > 4 ? 4 : bits, count = bits > 4 ? 1 << (bits - 4) : 1;
    s4j_spike_steps(k, codes, CHANNELS, step_bits, count, steps);
    gif.segment[0].bits = 7;
    for (int32_t t = 0; t < count; t++) {
        memset(row.code, 0, sizeof row.code);
        row.zero[0] = row.sum[0] = 0;
        for (int i = 0; i < CHANNELS; i++) {
            row.code[i] = (int8_t)steps[t * CHANNELS + i];
            row.sum[0] += row.code[i];
        }
        s4j_linear(k, &gif, &dense, &s, 1, c, ROWS, t ? S4J_ADD : S4J_STORE, 0, ROWS);
    }
    gif.segment[0].bits = bits;
    s4j_encode(k, &gif, x, CHANNELS, &s, 0, 1);
    for (int o = 0; o < ROWS; o++) {
        c[o] -= (float)(row.zero[0] * sum[o]);
    }
    expect(!memcmp(a, c, sizeof a), "sum over steps differs", tier, bits, weight_bits);
}

int main(void)
{
    int tiers = 0;
    for (int32_t tier = 0; tier < S4J_TIER_COUNT; tier++) {
        const s4j_kernels *k;
        if (s4j_kernels_of(tier, &k) != S4J_OK) {
            continue;
        }
        tiers++;
        for (int32_t bits = 2; bits <= 8; bits++) {
            for (int32_t weight_bits = 1; weight_bits <= 2; weight_bits++) {
                check(k, tier, bits, weight_bits);
            }
        }
    }
    printf("%d tiers, %d failures\n", tiers, failures);
    return failures != 0 || tiers == 0;
}
