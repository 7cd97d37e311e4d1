/* Operations on rows of floats. */
#include "api/check.h"

int32_t s4j_rmsnorm(const s4j_kernels *k, const float *x, int64_t x_stride, const float *weight, int64_t channels, float eps,
                    float *y, int64_t y_stride, int32_t flags, int64_t begin, int64_t end)
{
    S4J_REQUIRE(k && x && weight && y && s4j_count_ok(channels, 1) && eps >= 0.0f && s4j_finite(eps) && s4j_flags_ok(flags) &&
                s4j_range_ok(begin, end));
    return k->rmsnorm(x, x_stride, weight, channels, eps, y, y_stride, flags, begin, end);
}

int32_t s4j_glu(const s4j_kernels *k, int32_t activation, const float *gate_up, int64_t stride, int64_t channels, float *y,
                int64_t y_stride, int64_t begin, int64_t end)
{
    S4J_REQUIRE(k && (activation == S4J_SILU || activation == S4J_GELU_TANH) && gate_up && y && s4j_count_ok(channels, 1) &&
                s4j_range_ok(begin, end));
    return k->glu(activation, gate_up, stride, channels, y, y_stride, begin, end);
}

int32_t s4j_hadamard(const s4j_kernels *k, float *x, int64_t x_stride, int64_t channels, int64_t begin, int64_t end)
{
    S4J_REQUIRE(k && x && s4j_count_ok(channels, 1) && s4j_range_ok(begin, end));
    return k->hadamard(x, x_stride, channels, begin, end);
}

int32_t s4j_embed(const s4j_kernels *k, const void *table, int32_t dtype, int64_t vocab, int64_t channels, float scale,
                  const int32_t *ids, float *y, int64_t y_stride, int64_t begin, int64_t end)
{
    S4J_REQUIRE(k && table && (dtype == S4J_F32 || dtype == S4J_BF16) && s4j_factor_ok(scale) && ids && y);
    S4J_REQUIRE(s4j_count_ok(vocab, 1) && s4j_count_ok(channels, 1) && s4j_range_ok(begin, end));
    for (int64_t i = begin; i < end; i++) {
        S4J_REQUIRE(ids[i] >= 0 && ids[i] < vocab);
    }
    return k->embed(table, dtype, vocab, channels, scale, ids, y, y_stride, begin, end);
}

int32_t s4j_softcap(const s4j_kernels *k, float *x, int64_t x_stride, int64_t channels, float cap, int64_t begin, int64_t end)
{
    S4J_REQUIRE(k && x && s4j_count_ok(channels, 1) && s4j_factor_ok(cap) && s4j_range_ok(begin, end));
    return k->softcap(x, x_stride, channels, cap, begin, end);
}

int32_t s4j_argmax(const s4j_kernels *k, const float *x, int64_t n, int64_t *index)
{
    S4J_REQUIRE(k && x && n >= 1 && index);
    return k->argmax(x, n, index);
}
