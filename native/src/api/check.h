/* Checks that several families share. All return 1 when the argument is allowed. */
#ifndef S4J_CHECK_H
#define S4J_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "common/kernels.h"
#include "common/layout.h"
#include "common/numerics.h"

/* Leaves the function with S4J_E_ARGUMENT unless all holds. */
#define S4J_REQUIRE(condition)     \
    do {                           \
        if (!(condition)) {        \
            return S4J_E_ARGUMENT; \
        }                          \
    } while (0)

/* Rows, tokens, channels, positions: below 2^31 each, so that no product of sizes overflows. */
S4J_INLINE int s4j_count_ok(int64_t n, int64_t least)
{
    return n >= least && n <= INT32_MAX;
}

S4J_INLINE int s4j_range_ok(int64_t begin, int64_t end)
{
    return begin >= 0 && begin <= end && end <= INT32_MAX;
}

/* Output rows of an R16 weight. */
S4J_INLINE int s4j_rows_ok(int64_t begin, int64_t end, int64_t rows)
{
    return s4j_range_ok(begin, end) && end <= rows && begin % S4J_ROWS == 0 && (end % S4J_ROWS == 0 || end == rows);
}

S4J_INLINE int s4j_aligned(const void *p, uintptr_t to)
{
    return p && (uintptr_t)p % to == 0;
}

S4J_INLINE int s4j_bits_ok(int32_t bits)
{
    return bits >= 2 && bits <= 8;
}

S4J_INLINE int s4j_segment_ok(const s4j_segment *s)
{
    if (!s4j_count_ok(s->channels, 0) || s->group < 0 || s->group % 16 != 0) {
        return 0;
    }
    const int64_t groups = s->group ? (s->channels + s->group - 1) / s->group : s->channels > 0;
    return s->padded == s4j_pad(s->channels, 64) && s->groups == groups && (s4j_bits_ok(s->bits) || s->bits == 16) && s->range_set >= 0 &&
           s->range_set < S4J_MAX_SEGMENTS && s->act_group >= 0 && s->act_group % 16 == 0 && s->max_multiplier >= 1 &&
           s->max_multiplier <= 255 && (s->act_group == 0 || (s->group > 0 && s->act_group % s->group == 0)) && s->reserved == 0;
}

S4J_INLINE int s4j_gif_ok(const s4j_gif *gif)
{
    if (!gif || gif->segments < 1 || gif->segments > S4J_MAX_SEGMENTS || gif->reserved != 0) {
        return 0;
    }
    int64_t channels = 0, padded = 0, groups = 0;
    for (int32_t i = 0; i < gif->segments; i++) {
        const s4j_segment *s = &gif->segment[i];
        if (!s4j_segment_ok(s) || !(gif->clip[s->range_set] > 0.0f && gif->clip[s->range_set] <= 1.0f)) {
            return 0;
        }
        channels += s->channels;
        padded += s4j_code_bytes(s);
        groups += s->groups;
    }
    return s4j_count_ok(channels, 1) && channels == gif->channels && padded == gif->padded && groups == gif->groups;
}

S4J_INLINE int s4j_spikes_ok(const s4j_spikes *x)
{
    return x && x->code && x->scale && x->zero && x->mult && x->sum && x->silent;
}

/* Positive and finite. */
S4J_INLINE int s4j_factor_ok(float x)
{
    return x > 0.0f && s4j_finite(x);
}

S4J_INLINE int s4j_flags_ok(int32_t flags)
{
    return flags == S4J_STORE || flags == S4J_ADD;
}

#endif
