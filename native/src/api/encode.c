/* GIF encode and the other forms of its spikes. */
#include "api/check.h"

int32_t s4j_encode(const s4j_kernels *k, const s4j_gif *gif, const float *x, int64_t x_stride, const s4j_spikes *out,
                   int64_t begin, int64_t end)
{
    S4J_REQUIRE(k && s4j_gif_ok(gif) && x && s4j_spikes_ok(out) && s4j_range_ok(begin, end));
    return k->encode(gif, x, x_stride, out, begin, end);
}

int32_t s4j_spike_steps(const s4j_kernels *k, const uint8_t *codes, int64_t n, int32_t bits, int32_t count, uint8_t *steps)
{
    S4J_REQUIRE(k && s4j_count_ok(n, 0) && (n == 0 || (codes && steps)) && bits >= 1 && bits <= 8 && count >= 1 && count <= 16);
    return k->spike_steps(codes, n, bits, count, steps);
}

int32_t s4j_planes(const s4j_kernels *k, const s4j_gif *gif, const s4j_spikes *x, uint64_t *planes, int64_t begin, int64_t end)
{
    S4J_REQUIRE(k && s4j_gif_ok(gif) && !s4j_has_bits(gif, 16) && s4j_spikes_ok(x) && planes && s4j_range_ok(begin, end));
    return k->planes(gif, x, planes, begin, end);
}
