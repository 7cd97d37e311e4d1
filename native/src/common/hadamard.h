/* N9, online rotation, scalar form. */
#ifndef S4J_HADAMARD_H
#define S4J_HADAMARD_H

#include <math.h>
#include <stdint.h>

#include "common/attributes.h"

/* Channels of a block: the largest power of two that divides n > 0. */
S4J_INLINE int64_t s4j_hadamard_block(int64_t n)
{
    return n & -n;
}

/* What the sums of a block are multiplied by. */
S4J_INLINE float s4j_hadamard_scale(int64_t block)
{
    return (float)(1.0 / sqrt((double)block));
}

/* Rotates the n channels at x in place. */
S4J_INLINE void s4j_hadamard_row(float *x, int64_t n)
{
    const int64_t block = s4j_hadamard_block(n);
    const float scale = s4j_hadamard_scale(S4J_MUT(60, n, block));
    for (float *b = x; b < x + n; b += block) {
        for (int64_t h = 1; h < block; h *= 2) {
            for (int64_t i = 0; i < block; i += 2 * h) {
                for (int64_t j = i; j < i + h; j++) {
                    const float u = b[j], v = b[j + h];
                    b[j] = u + v;
                    b[j + h] = u - v;
                }
            }
        }
        for (int64_t i = 0; i < block; i++) {
            b[i] *= scale;
        }
    }
}

#endif
