/* Shared words of the AVX2 files: loads, broadcasts, the exact exp, and the multiply-accumulate step of the integer tiles. */
#ifndef S4J_AVX2_H
#define S4J_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/attributes.h"

S4J_INLINE __m256i load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

S4J_INLINE void store(void *p, __m256i v)
{
    _mm256_storeu_si256((__m256i *)p, v);
}

S4J_INLINE __m256i broadcast(const void *p)
{
    int32_t v;
    memcpy(&v, p, sizeof v);
    return _mm256_set1_epi32(v);
}

S4J_INLINE int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

S4J_INLINE int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Mask of the first n of 8 lanes: all from 8 on, none up to 0 (not below INT32_MIN). */
S4J_INLINE __m256i lanes(int64_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)min64(n, 8)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* out (+)= the first n (at least 1) of 8 lanes. Whole vectors apart: vmaskmovps to memory is microcode on AMD. */
S4J_INLINE void put_lanes(float *out, __m256 v, int64_t n, int add)
{
    if (n >= 8) {
        _mm256_storeu_ps(out, add ? _mm256_add_ps(_mm256_loadu_ps(out), v) : v);
    } else {
        const __m256i live = lanes(n);
        _mm256_maskstore_ps(out, live, add ? _mm256_add_ps(_mm256_maskload_ps(out, live), v) : v);
    }
}

S4J_INLINE float max_ps(__m256 v)
{
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

S4J_INLINE int32_t sum_epi32(__m256i v)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

/* Half to even. */
S4J_INLINE __m256 rint_ps(__m256 x)
{
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* N6; vmaxps and vminps return the second operand if one is NaN, so a NaN stays one. */
S4J_INLINE __m256 exp_ps(__m256 x)
{
    x = _mm256_min_ps(_mm256_set1_ps(S4J_MUT(43, 87.0f, 88.0f)), _mm256_max_ps(_mm256_set1_ps(-87.0f), x));
    __m256 n = rint_ps(_mm256_mul_ps(x, _mm256_set1_ps(0x1.715476p+0f)));
    __m256 r = _mm256_fmadd_ps(n, _mm256_set1_ps(-0x1.62e4p-1f), x);
    r = _mm256_fmadd_ps(n, _mm256_set1_ps(-0x1.7f7d1cp-20f), r);
    __m256 p = _mm256_set1_ps(0x1.a0d2cep-13f);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0x1.6e879cp-10f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0x1.11121p-7f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0x1.555382p-5f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0x1.555554p-3f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.5f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23)));
}

/* N6: cap tanh(x / cap), with the sign of x. */
S4J_INLINE __m256 softcap_ps(__m256 x, __m256 cap)
{
    const __m256 sign = _mm256_set1_ps(-0.0f), one = _mm256_set1_ps(1.0f);
    const __m256 u = exp_ps(_mm256_mul_ps(_mm256_set1_ps(-2.0f), _mm256_andnot_ps(sign, _mm256_div_ps(x, cap))));
    const __m256 y = _mm256_mul_ps(_mm256_div_ps(_mm256_sub_ps(one, u), _mm256_add_ps(one, u)), cap);
    return S4J_MUT(51, y, _mm256_or_ps(_mm256_andnot_ps(sign, y), _mm256_and_ps(sign, x)));
}

/* N3: codes of values x by scale s and zero point z, as floats; a NaN gives some code. */
S4J_INLINE __m256 gif_code_ps(__m256 x, __m256 s, __m256 z, __m256 levels)
{
    const __m256 limit = _mm256_set1_ps(0x1p21f);
    const __m256 q = S4J_MUT(38, _mm256_mul_ps(x, _mm256_div_ps(_mm256_set1_ps(1.0f), s)), _mm256_div_ps(x, s));
    __m256 v = _mm256_max_ps(q, _mm256_sub_ps(_mm256_setzero_ps(), limit));
    v = _mm256_add_ps(rint_ps(_mm256_min_ps(v, limit)), z);
    return _mm256_min_ps(_mm256_max_ps(v, _mm256_setzero_ps()), levels);
}

S4J_INLINE float min_ps(__m256 v)
{
    return -max_ps(_mm256_sub_ps(_mm256_setzero_ps(), v));
}

/* a0 += w0 * d, a1 += w1 * d in int16 lanes, d = the dword of four signed bytes at x, broadcast. In assembly because gcc
 * regroups the sums of the intrinsics and spills accumulators: 12 of them, 2 weights and these 2 temporaries are all 16 ymm. */
S4J_INLINE void mac_u8(__m256i *a0, __m256i *a1, __m256i w0, __m256i w1, const int8_t *x)
{
    __m256i d, u;
    __asm__("vpbroadcastd %[x], %[d]\n\t"
            "vpmaddubsw %[d], %[w0], %[u]\n\t"
            "vpmaddubsw %[d], %[w1], %[d]\n\t"
            "vpaddw %[u], %[a0], %[a0]\n\t"
            "vpaddw %[d], %[a1], %[a1]"
            : [a0] "+x"(*a0), [a1] "+x"(*a1), [d] "=&x"(d), [u] "=&x"(u)
            : [w0] "x"(w0), [w1] "x"(w1), [x] "m"(*(const int8_t(*)[4])x));
}

/* The same with nothing to add to. */
S4J_INLINE void mul_u8(__m256i *a0, __m256i *a1, __m256i w0, __m256i w1, const int8_t *x)
{
    __asm__("vpbroadcastd %[x], %[a1]\n\t"
            "vpmaddubsw %[a1], %[w0], %[a0]\n\t"
            "vpmaddubsw %[a1], %[w1], %[a1]"
            : [a0] "=&x"(*a0), [a1] "=&x"(*a1)
            : [w0] "x"(w0), [w1] "x"(w1), [x] "m"(*(const int8_t(*)[4])x));
}

/* mac_u8 for pairs of s16 at x and in w, in int32 lanes. */
S4J_INLINE void mac_s16(__m256i *a0, __m256i *a1, __m256i w0, __m256i w1, const int32_t *x)
{
    __m256i d, u;
    __asm__("vpbroadcastd %[x], %[d]\n\t"
            "vpmaddwd %[d], %[w0], %[u]\n\t"
            "vpmaddwd %[d], %[w1], %[d]\n\t"
            "vpaddd %[u], %[a0], %[a0]\n\t"
            "vpaddd %[d], %[a1], %[a1]"
            : [a0] "+x"(*a0), [a1] "+x"(*a1), [d] "=&x"(d), [u] "=&x"(u)
            : [w0] "x"(w0), [w1] "x"(w1), [x] "m"(*x));
}

/* Even bytes of each int16 lane sign-extended, then the odd ones. */
S4J_INLINE __m256i even_s16(__m256i v)
{
    return _mm256_srai_epi16(_mm256_slli_epi16(v, 8), 8);
}

S4J_INLINE __m256i odd_s16(__m256i v)
{
    return _mm256_srai_epi16(v, 8);
}

/* k between widenings of int16 sums of vpmaddubsw, a multiple of 8 (of 16 from 16 up), or 0 if two products can saturate:
 * 4 * floor(32767 / (2 wmax dmax)), N4. */
S4J_INLINE int64_t int16_budget(int32_t weight_bits, int32_t act_bits)
{
    int32_t wmax = (1 << weight_bits) - 1;
    int32_t dmax = S4J_MUT(32, weight_bits == 8, 0) ? 15 : act_bits == 8 ? 128 : (1 << act_bits) - 1;
    int64_t k = 4 * (32767 / (2 * wmax * dmax)) + S4J_MUT(31, weight_bits <= 4 ? 32 : 0, 0);
    return k >= 16 ? k & ~(int64_t)15 : k & ~(int64_t)7;
}

#endif
