/* Spike linears and the dense one. */
#include "api/check.h"

enum { MOST_STEPS = 16 };

/* What R16 and P64 share. */
static int weights_ok(const s4j_gif *gif, const s4j_weights *w)
{
    return w && s4j_aligned(w->data, 64) && w->scale && w->zero && s4j_count_ok(w->rows, 1) &&
           (w->weight_groups == 1 || w->weight_groups == gif->groups) && (w->mult || w->weight_groups == 1);
}

/* Either no steps, or 1 to 16 for each segment, without groups. */
static int steps_ok(const s4j_gif *gif, const s4j_weights *w)
{
    for (int32_t i = 0; i < S4J_MAX_SEGMENTS; i++) {
        const int used = w->steps[0] != 0 && i < gif->segments;
        if (used ? w->steps[i] < 1 || w->steps[i] > MOST_STEPS || gif->segment[i].group != 0 : w->steps[i] != 0) {
            return 0;
        }
    }
    return w->steps[0] == 0 || (!w->mult && w->weight_groups == 1);
}

int32_t s4j_linear(const s4j_kernels *k, const s4j_gif *gif, const s4j_weights *w, const s4j_spikes *x, int64_t tokens, float *y,
                   int64_t y_stride, int32_t flags, int64_t begin, int64_t end)
{
    S4J_REQUIRE(k && s4j_gif_ok(gif) && weights_ok(gif, w) && s4j_spikes_ok(x) && y);
    S4J_REQUIRE(w->layout == S4J_LAYOUT_R16 && (w->bits == 2 || w->bits == 4 || w->bits == 8));
    S4J_REQUIRE((w->sum || !s4j_has_bits(gif, 8)) && steps_ok(gif, w));
    S4J_REQUIRE(s4j_count_ok(tokens, 0) && s4j_flags_ok(flags) && s4j_rows_ok(begin, end, w->rows));
    return k->linear(gif, w, x, tokens, y, y_stride, flags, begin, end);
}

int32_t s4j_linear_planes(const s4j_kernels *k, const s4j_gif *gif, const s4j_weights *w, const s4j_spikes *x,
                          const uint64_t *planes, int64_t tokens, float *y, int64_t y_stride, int32_t flags, int64_t begin,
                          int64_t end)
{
    S4J_REQUIRE(k && s4j_gif_ok(gif) && weights_ok(gif, w) && s4j_spikes_ok(x) && planes && y);
    S4J_REQUIRE(w->layout == S4J_LAYOUT_P64 && (w->bits == 1 || w->bits == 2) && w->sum && !w->mult && w->weight_groups == 1);
    S4J_REQUIRE(!s4j_has_bits(gif, 16));
    for (int32_t i = 0; i < S4J_MAX_SEGMENTS; i++) {
        S4J_REQUIRE(w->steps[i] == 0 && (i >= gif->segments || gif->segment[i].group == 0));
    }
    S4J_REQUIRE(s4j_count_ok(tokens, 0) && s4j_flags_ok(flags) && s4j_rows_ok(begin, end, w->rows));
    return k->linear_planes(gif, w, x, planes, tokens, y, y_stride, flags, begin, end);
}

int32_t s4j_dense(const s4j_kernels *k, const s4j_dense_weights *w, const float *x, int64_t x_stride, int64_t tokens, float *y,
                  int64_t y_stride, int32_t flags, int64_t begin, int64_t end)
{
    S4J_REQUIRE(k && w && s4j_aligned(w->data, 64) && s4j_count_ok(w->rows, 1) && s4j_count_ok(w->channels, 1) && x && y);
    S4J_REQUIRE((w->dtype == S4J_F32 || w->dtype == S4J_BF16) && w->reserved == 0);
    S4J_REQUIRE(s4j_count_ok(tokens, 0) && s4j_flags_ok(flags) && s4j_rows_ok(begin, end, w->rows));
    return k->dense(w, x, x_stride, tokens, y, y_stride, flags, begin, end);
}
