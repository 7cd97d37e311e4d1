/* N5, scalar form. */
#ifndef S4J_ROPE_H
#define S4J_ROPE_H

#include "common/numerics.h"

/* Channel c of the rotated head x. rope: cos of d/2 angles, then sin. */
S4J_INLINE float s4j_rotated(const float *x, const float *rope, int64_t d, int64_t c)
{
    const int64_t half = d / 2, i = c < half ? c : c - half;
    const float x0 = x[i], x1 = x[i + half], cos = rope[i], sin = rope[i + half];
    return c < half ? fmaf(x0, cos, -(x1 * sin)) : fmaf(x1, cos, x0 * sin);
}

#endif
