/* Where things lie: R16 panels, P64 planes, KV pages, scratch. The only place that computes these offsets. */
#ifndef S4J_LAYOUT_H
#define S4J_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "common/attributes.h"
#include "spike4j.h"

_Static_assert(sizeof(s4j_segment) == 48, "s4j_segment");
_Static_assert(sizeof(s4j_gif) == 248, "s4j_gif");
_Static_assert(sizeof(s4j_spikes) == 48, "s4j_spikes");
_Static_assert(sizeof(s4j_weights) == 88, "s4j_weights");
_Static_assert(sizeof(s4j_dense_weights) == 40, "s4j_dense_weights");
_Static_assert(sizeof(s4j_kv_head) == 88, "s4j_kv_head");
_Static_assert(sizeof(s4j_attention) == 88, "s4j_attention");
_Static_assert(sizeof(s4j_sequence) == 32, "s4j_sequence");
_Static_assert(sizeof(s4j_queries) == 40, "s4j_queries");

enum { S4J_ROWS = 16 }; /* rows of an R16 panel */

S4J_INLINE int64_t s4j_pad(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

S4J_INLINE int64_t s4j_panels(int64_t rows)
{
    return (rows + S4J_ROWS - 1) / S4J_ROWS;
}

/* Bytes of one panel of a segment of `padded` channels. */
S4J_INLINE int64_t s4j_r16_panel(int64_t padded, int32_t bits)
{
    return padded * S4J_ROWS * bits / 8;
}

/* Byte and shift of the code of row r (0..15) and channel k in a panel: a 64-byte vector holds 32 / bits channels; byte j of
 * dword r holds channels k0 + j, k0 + 4 + j, ... from its low bits up. */
S4J_INLINE int64_t s4j_r16_byte(int64_t k, int64_t r, int32_t bits)
{
    int64_t per_vector = 32 / bits;
    return k / per_vector * 64 + 4 * r + k % 4;
}

S4J_INLINE int32_t s4j_r16_shift(int64_t k, int32_t bits)
{
    return (int32_t)(k % (32 / bits) / 4) * bits;
}

S4J_INLINE int32_t s4j_r16_code(const uint8_t *panel, int64_t k, int64_t r, int32_t bits)
{
    return panel[s4j_r16_byte(k, r, bits)] >> s4j_r16_shift(k, bits) & ((1 << bits) - 1);
}

/* Index of a float weight in its panel, in elements: f32 one k a dword, bf16 two. */
S4J_INLINE int64_t s4j_r16_f32(int64_t k, int64_t r)
{
    return k * 16 + r;
}

S4J_INLINE int64_t s4j_r16_bf16(int64_t k, int64_t r)
{
    return k / 2 * 32 + 2 * r + k % 2;
}

/* P64: a segment is panels of 8 rows ascending, in a panel words of 64 channels ascending, for each word its bit planes
 * ascending, for each plane the 8 rows' words (one 64-byte vector). Rows are padded to 16 as elsewhere. `words` = padded / 64.
 * Index, in words from the segment's start, of row `row`, word `word`, plane `plane`. */
S4J_INLINE int64_t s4j_p64_word(int64_t row, int64_t word, int32_t plane, int64_t words, int32_t bits)
{
    return ((row / 8 * words + word) * bits + plane) * 8 + row % 8;
}

/* Planes of codes of segment i: its steps, or one. */
S4J_INLINE int32_t s4j_steps(const s4j_weights *w, int32_t i)
{
    return w->steps[0] ? w->steps[i] : 1;
}

/* Groups of w->sum, w->mult and, by group, w->zero: those of the gif, a step each. */
S4J_INLINE int64_t s4j_weight_sums(const s4j_gif *gif, const s4j_weights *w)
{
    int64_t n = 0;
    for (int32_t i = 0; i < gif->segments; i++) {
        n += gif->segment[i].groups * s4j_steps(w, i);
    }
    return n;
}

/* Words of a row of activation planes. */
S4J_INLINE int64_t s4j_plane_words(const s4j_gif *gif)
{
    int64_t n = 0;
    for (int32_t i = 0; i < gif->segments; i++) {
        n += gif->segment[i].padded / 64 * gif->segment[i].bits;
    }
    return n;
}

/* Bytes of a segment's codes in an encoded row: 16 bits have two planes. */
S4J_INLINE int64_t s4j_code_bytes(const s4j_segment *s)
{
    return s->bits == 16 ? 2 * s->padded : s->padded;
}

/* Whether some segment that is not empty has at least so many bits. */
S4J_INLINE int s4j_has_bits(const s4j_gif *gif, int32_t bits)
{
    for (int32_t i = 0; i < gif->segments; i++) {
        if (gif->segment[i].channels > 0 && gif->segment[i].bits >= bits) {
            return 1;
        }
    }
    return 0;
}

/* Largest code of a width. */
S4J_INLINE int32_t s4j_levels(int32_t bits)
{
    return (1 << bits) - 1;
}

/* What is subtracted from a code to make the signed byte: the zero point, or 128 at 8 bits. */
S4J_INLINE int32_t s4j_offset(int32_t bits, int32_t zero)
{
    return bits == 8 ? 128 : zero;
}

/* Storage width of a K or V code. */
S4J_INLINE int32_t s4j_kv_width(int32_t bits)
{
    return bits <= 4 ? 4 : 8;
}

/* Parts of the page of a kv head (spike4j.h), as byte offsets; [0] ordinary, [1] salient. */
typedef struct {
    int64_t k[2];        /* 4 R16 panels of 16 positions */
    int64_t v[2];        /* rows of v_row bytes */
    int64_t k_scale;     /* f32 [2][S4J_PAGE] */
    int64_t v_scale;     /* f32 [S4J_PAGE] */
    int64_t k_sum;       /* i32 [2][S4J_PAGE] */
    int64_t k_zero;      /* u8 [2][S4J_PAGE] */
    int64_t v_zero;      /* u8 [2][S4J_PAGE] */
    int64_t bytes;       /* of the page */
    int64_t k_padded[2]; /* channels, to 16 */
    int64_t v_row[2];    /* bytes of a position */
    int32_t k_width[2];  /* bits of a stored code, 4 or 8 */
    int32_t v_width[2];
} s4j_page;

S4J_INLINE s4j_page s4j_page_of(const s4j_attention *a, const s4j_kv_head *h)
{
    s4j_page p;
    int64_t at = 0;
    for (int i = 0; i < 2; i++) {
        p.k_width[i] = s4j_kv_width(a->k_bits[i]);
        p.k_padded[i] = s4j_pad(h->k_channels[i], 16);
        p.k[i] = at;
        at += S4J_PAGE * p.k_padded[i] * p.k_width[i] / 8;
    }
    for (int i = 0; i < 2; i++) {
        p.v_width[i] = s4j_kv_width(a->v_bits[i]);
        p.v_row[i] = s4j_pad(h->v_channels[i], 32) * p.v_width[i] / 8;
        p.v[i] = at;
        at += S4J_PAGE * p.v_row[i];
    }
    p.k_scale = at;
    p.v_scale = p.k_scale + 2 * S4J_PAGE * 4;
    p.k_sum = p.v_scale + S4J_PAGE * 4;
    p.k_zero = p.k_sum + 2 * S4J_PAGE * 4;
    p.v_zero = p.k_zero + 2 * S4J_PAGE;
    p.bytes = p.v_zero + 2 * S4J_PAGE;
    return p;
}

/* Byte of V channel c in a position's row, and the shift of its code. */
S4J_INLINE int64_t s4j_v_byte(int64_t c, int32_t width)
{
    return width == 8 ? c : c / 32 * 16 + c % 16;
}

S4J_INLINE int32_t s4j_v_shift(int64_t c, int32_t width)
{
    return width == 8 ? 0 : (int32_t)(c % 32 / 16) * 4;
}

/* kv of N8: ratio of the salient to the ordinary V scale; 1 if the widths are equal. */
S4J_INLINE float s4j_v_ratio(const s4j_attention *a)
{
    return (float)s4j_levels(a->v_bits[0]) / (float)s4j_levels(a->v_bits[1]);
}

/* Scratch of attend and dense_attend: 16 bytes for each position (in whole pages) and query head of one kv head, 16 a channel
 * of each, and 4 KiB. A tier divides it as it likes. */
S4J_INLINE int64_t s4j_scratch_bytes(const s4j_attention *a, int64_t context)
{
    int64_t group = a->heads / a->kv_heads;
    return group * 16 * (s4j_pad(context, S4J_PAGE) + s4j_pad(a->head_dim, 64)) + 4096;
}

/* First position that position p sees. */
S4J_INLINE int64_t s4j_first_seen(const s4j_attention *a, int64_t p)
{
    return a->window > 0 && p >= a->window ? p + 1 - a->window : 0;
}

/* The sequence of token row r, or NULL. */
S4J_INLINE const s4j_sequence *s4j_sequence_of(const s4j_sequence *seq, int64_t seqs, int64_t r)
{
    for (int64_t i = 0; i < seqs; i++) {
        if (r >= seq[i].row && r - seq[i].row < seq[i].rows) {
            return &seq[i];
        }
    }
    return NULL;
}

#endif
