/* Codes to bit planes: bit i of word w of plane b = bit b of the unsigned code of channel 64w + i. */
#include <string.h>

#include "common/kernels.h"
#include "common/layout.h"

int32_t s4j_planes_scalar(const s4j_gif *gif, const s4j_spikes *x, uint64_t *planes, int64_t begin, int64_t end)
{
    const int64_t stride = s4j_plane_words(gif);
    for (int64_t r = begin; r < end; r++) {
        const int8_t *code = x->code + r * gif->padded;
        const int32_t *zero = x->zero + r * gif->groups;
        uint64_t *out = planes + r * stride;
        memset(out, 0, (size_t)stride * sizeof *out);
        for (int32_t i = 0; i < gif->segments; i++) {
            const s4j_segment *s = &gif->segment[i];
            const int64_t group = s->group ? s->group : s->padded;
            const int64_t words = s->padded / 64;
            for (int64_t k = 0; k < s->channels; k++) {
                uint32_t c = (uint32_t)(code[k] + s4j_offset(s->bits, zero[S4J_MUT(21, 0, k / group)]));
                for (int32_t b = 0; b < s->bits; b++) {
                    out[b * words + k / 64] |= (uint64_t)(c >> b & 1) << k % 64;
                }
            }
            out += words * s->bits;
            code += s->padded;
            zero += s->groups;
        }
    }
    return S4J_OK;
}
