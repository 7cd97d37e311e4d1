/* The float steps that every tier must do in the same order, in their scalar form (weights-format/SPEC.md, "Numerics"). */
#ifndef S4J_NUMERICS_H
#define S4J_NUMERICS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "common/attributes.h"

S4J_INLINE uint32_t s4j_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

S4J_INLINE float s4j_float(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* bf16 is the upper half of an f32. */
S4J_INLINE float s4j_bf16(uint16_t h)
{
    return s4j_float((uint32_t)h << 16);
}

S4J_INLINE int s4j_finite(float x)
{
    return (s4j_bits(x) & 0x7fffffffu) < 0x7f800000u;
}

/* Half to even; |x| <= 2^22. */
S4J_INLINE float s4j_rint(float x)
{
    return (x + 0x1.8p23f) - 0x1.8p23f;
}

/* A NaN becomes lo, as from vmaxps(x, lo): no conversion of a NaN to int follows. */
S4J_INLINE float s4j_clamp(float x, float lo, float hi)
{
    float y = x > lo ? x : lo;
    return y < hi ? y : hi;
}

/* N6. A NaN stays one (vmaxps(-87, x): the second operand). */
S4J_INLINE float s4j_exp(float x)
{
    if (x != x) {
        return x;
    }
    x = s4j_clamp(x, -87.0f, 88.0f);
    float n = s4j_rint(x * 0x1.715476p+0f);
    float r = fmaf(n, -0x1.62e4p-1f, x);
    r = fmaf(n, -0x1.7f7d1cp-20f, r);
    float p = 0x1.a0d2cep-13f;
    p = fmaf(p, r, 0x1.6e879cp-10f);
    p = fmaf(p, r, 0x1.11121p-7f);
    p = fmaf(p, r, 0x1.555382p-5f);
    p = fmaf(p, r, 0x1.555554p-3f);
    p = fmaf(p, r, 0.5f);
    p = fmaf(p, r, 1.0f);
    p = fmaf(p, r, 1.0f);
    return s4j_float(s4j_bits(p) + ((uint32_t)(int32_t)n << 23));
}

/* N6: cap tanh(x / cap), with the sign of x. */
S4J_INLINE float s4j_softcapped(float x, float cap)
{
    const float u = s4j_exp(-2.0f * fabsf(x / cap));
    return copysignf((1.0f - u) / (1.0f + u) * cap, x);
}

/* N3: bounds of a scale; 16 bits have a floor of their own. */
S4J_INLINE float s4j_gif_bounded(float scale, int32_t levels)
{
    return s4j_clamp(scale, levels > 255 ? 1e-9f : 1e-5f, 1e4f);
}

/* N3: scale, zero point and code of a range. hi >= 0 >= lo, clipped. */
S4J_INLINE float s4j_gif_scale(float hi, float lo, int32_t levels)
{
    return s4j_gif_bounded((hi - lo) / (float)levels, levels);
}

S4J_INLINE int32_t s4j_gif_zero(float lo, float s, int32_t levels)
{
    return (int32_t)s4j_rint(s4j_clamp(-lo / s, 0.0f, (float)levels));
}

S4J_INLINE int32_t s4j_gif_code(float x, float s, int32_t z, int32_t levels)
{
    float q = s4j_rint(s4j_clamp(x / s, -0x1p21f, 0x1p21f)) + (float)z;
    return (int32_t)s4j_clamp(q, 0.0f, (float)levels);
}

#endif
