/* rmsnorm, glu, hadamard, embed, softcap, argmax, and the two bounds. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

static void outputs(float **a, float **b, int64_t n)
{
    *a = NEW(float, n);
    *b = NEW(float, n);
    fill(*a, n, 0, 0);
    memcpy(*b, *a, (size_t)n * sizeof(float));
}

/* Rows of `stride`, each in a pattern of its own. */
static float *random_rows(int64_t rows, int64_t stride, int64_t channels)
{
    float *x = NEW(float, (rows - 1) * stride + channels);
    for (int64_t r = 0; r < rows; r++) {
        fill(x + r * stride, channels, (int)rnd_in(0, PATTERNS - 1), 15);
    }
    return x;
}

void check_rmsnorm(int64_t n)
{
    const int64_t channels = benching ? 2048 : n % 4 ? rnd_in(1, 130) : rnd_in(1, 2100), rows = benching ? 8 : rnd_in(1, 4);
    const int64_t stride = channels + rnd_in(0, 3), begin = benching ? 0 : rnd_in(0, rows - 1);
    float *x = random_rows(rows, stride, channels), *weight = NEW(float, channels), *a, *b;
    fill(weight, channels, 0, 0);
    const int32_t flags = !benching && rnd_one_in(3) ? S4J_ADD : S4J_STORE;
    seal(weight);
    describe("%lld rows x %lld%s", (long long)rows, (long long)channels, flags == S4J_ADD ? ", added" : "");
    outputs(&a, &b, (rows - 1) * stride + channels);
    if (benching) {
        fill(x, (rows - 1) * stride + channels, 0, 0);
        report("8 x 2048", (double)(rows * channels), TIME(s4j_rmsnorm(test, x, stride, weight, channels, 1e-5f, b, stride, flags, 0, rows)),
               "Gchannels/s", 0, "");
        return;
    }
    if (rnd_one_in(3)) { /* in place */
        memcpy(a, x, (size_t)((rows - 1) * stride + channels) * sizeof(float));
        memcpy(b, x, (size_t)((rows - 1) * stride + channels) * sizeof(float));
        same_int(s4j_rmsnorm(base, a, stride, weight, channels, 1e-5f, a, stride, flags, begin, rows),
                 s4j_rmsnorm(test, b, stride, weight, channels, 1e-5f, b, stride, flags, begin, rows), "status");
    } else {
        seal(x);
        same_int(s4j_rmsnorm(base, x, stride, weight, channels, 1e-5f, a, stride, flags, begin, rows),
                 s4j_rmsnorm(test, x, stride, weight, channels, 1e-5f, b, stride, flags, begin, rows), "status");
    }
    same_floats(a, b, (rows - 1) * stride + channels, "y");
}

void check_glu(int64_t n)
{
    (void)n;
    const int64_t channels = benching ? 5632 : rnd_in(1, 150), rows = rnd_in(1, 4), stride = 2 * channels + rnd_in(0, 3);
    const int64_t y_stride = channels + rnd_in(0, 3), begin = rnd_in(0, rows - 1);
    float *x = NEW(float, (rows - 1) * stride + 2 * channels), *a, *b;
    for (int64_t r = 0; r < rows; r++) {
        fill(x + r * stride, channels, (int)rnd_in(0, PATTERNS - 1), 15);
        fill(x + r * stride + channels, channels, (int)rnd_in(0, PATTERNS - 1), 15);
        for (int64_t i = 0; i < channels; i += 3) {
            x[r * stride + i] = rnd_float() * 100.0f;
        }
    }
    seal(x);
    outputs(&a, &b, (rows - 1) * y_stride + channels);
    const int32_t activation = (int32_t)PICK(S4J_SILU, S4J_GELU_TANH);
    describe("%s, %lld rows x %lld", activation == S4J_SILU ? "silu" : "gelu_tanh", (long long)rows, (long long)channels);
    if (benching) {
        report("silu, 5632", (double)channels, TIME(s4j_glu(test, S4J_SILU, x, stride, channels, b, y_stride, 0, 1)), "Gchannels/s", 0, "");
        report("gelu_tanh, 5632", (double)channels, TIME(s4j_glu(test, S4J_GELU_TANH, x, stride, channels, b, y_stride, 0, 1)),
               "Gchannels/s", 0, "");
        return;
    }
    same_int(s4j_glu(base, activation, x, stride, channels, a, y_stride, begin, rows),
             s4j_glu(test, activation, x, stride, channels, b, y_stride, begin, rows), "status");
    same_floats(a, b, (rows - 1) * y_stride + channels, "y");
}

void check_hadamard(int64_t n)
{
    static const int64_t BLOCKS[] = {1, 2, 4, 8, 16, 64, 256, 2048};
    const int64_t channels = benching ? 5632 : n % 3 ? rnd_in(1, 150) : BLOCKS[n / 3 % 8] * rnd_in(1, 5);
    const int64_t rows = rnd_in(1, 4), stride = channels + rnd_in(0, 3), begin = rnd_in(0, rows - 1);
    float *a = random_rows(rows, stride, channels), *b = NEW(float, (rows - 1) * stride + channels);
    memcpy(b, a, (size_t)((rows - 1) * stride + channels) * sizeof(float));
    describe("%lld rows x %lld", (long long)rows, (long long)channels);
    if (benching) {
        report("11 blocks of 512", (double)channels, TIME(s4j_hadamard(test, b, stride, channels, 0, 1)), "Gchannels/s", 0, "");
        return;
    }
    same_int(s4j_hadamard(base, a, stride, channels, begin, rows), s4j_hadamard(test, b, stride, channels, begin, rows), "status");
    same_floats(a, b, (rows - 1) * stride + channels, "x");
}

void check_embed(int64_t n)
{
    (void)n;
    const int64_t vocab = rnd_in(1, 30), channels = benching ? 2048 : rnd_in(1, 150), rows = rnd_in(1, 6), stride = channels + rnd_in(0, 3);
    const int64_t begin = rnd_in(0, rows - 1);
    const int32_t dtype = (int32_t)rnd_in(0, 1);
    uint8_t *table = buffer(vocab * channels * (dtype == S4J_F32 ? 4 : 2), dtype == S4J_F32 ? 4 : 2);
    rnd_bytes(table, vocab * channels * (dtype == S4J_F32 ? 4 : 2));
    seal(table);
    int32_t *ids = NEW(int32_t, rows);
    for (int64_t i = 0; i < rows; i++) {
        ids[i] = (int32_t)rnd_in(0, vocab - 1);
    }
    const float scale = benching || rnd_one_in(2) ? 1.0f : 0.01f + 50.0f * fabsf(rnd_float());
    float *a, *b;
    outputs(&a, &b, (rows - 1) * stride + channels);
    describe("%s, %lld ids x %lld, times %a", dtype == S4J_F32 ? "f32" : "bf16", (long long)rows, (long long)channels, (double)scale);
    if (benching) {
        report("2048", (double)channels, TIME(s4j_embed(test, table, dtype, vocab, channels, scale, ids, b, stride, 0, 1)), "Gchannels/s", 0, "");
        return;
    }
    same_int(s4j_embed(base, table, dtype, vocab, channels, scale, ids, a, stride, begin, rows),
             s4j_embed(test, table, dtype, vocab, channels, scale, ids, b, stride, begin, rows), "status");
    same_floats(a, b, (rows - 1) * stride + channels, "y");
}

void check_softcap(int64_t n)
{
    (void)n;
    const int64_t channels = benching ? 32000 : rnd_in(1, 150), rows = rnd_in(1, 4), stride = channels + rnd_in(0, 3);
    const int64_t begin = rnd_in(0, rows - 1), size = (rows - 1) * stride + channels;
    const float cap = benching ? 30.0f : (float)PICK(30, 50, 1) * (rnd_one_in(2) ? 1.0f : fabsf(rnd_float()) + 0.1f);
    float *a = random_rows(rows, stride, channels), *b = NEW(float, size);
    for (int64_t i = 0; i < size; i += 3) {
        a[i] = rnd_float() * 100.0f;
    }
    memcpy(b, a, (size_t)size * sizeof(float));
    describe("%lld rows x %lld, cap %a", (long long)rows, (long long)channels, (double)cap);
    if (benching) {
        report("32000", (double)channels, TIME(s4j_softcap(test, b, stride, channels, cap, 0, 1)), "Gchannels/s", 0, "");
        return;
    }
    same_int(s4j_softcap(base, a, stride, channels, cap, begin, rows), s4j_softcap(test, b, stride, channels, cap, begin, rows), "status");
    same_floats(a, b, size, "x");
}

void check_argmax(int64_t n)
{
    (void)n;
    const int64_t size = benching ? 32000 : rnd_in(1, 300);
    float *x = NEW(float, size);
    int64_t a = -1, b = -1;
    fill(x, size, benching ? 0 : (int)rnd_in(0, PATTERNS - 1), 15);
    if (rnd_one_in(3)) { /* ties */
        for (int64_t i = 0; i < size; i++) {
            x[i] = (float)rnd_in(-3, 3);
        }
    }
    seal(x);
    describe("%lld values", (long long)size);
    if (benching) {
        report("32000", (double)size, TIME(s4j_argmax(test, x, size, &b)), "Gvalues/s", 0, "");
        return;
    }
    same_int(s4j_argmax(base, x, size, &a), s4j_argmax(test, x, size, &b), "status");
    same_int(a, b, "index");
}

double read_speed(const void *data, int64_t bytes)
{
    uint64_t x;
    return (double)bytes / TIME(s4j_read_bandwidth(test, data, bytes, &x)) * 1e-9;
}

/* Bytes of the first CPU's cache of a level, 0 if the system does not say; sysconf's L3 counts what other CPUs have. */
static int64_t cache_bytes(int level)
{
    char path[64];
    int64_t kib = 0;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", level);
    FILE *f = fopen(path, "r");
    if (f) {
        long long read;
        kib = fscanf(f, "%lldK", &read) == 1 ? read : 0;
        fclose(f);
    }
    return kib << 10;
}

/* Where data of this size stays between two runs. */
static const char *home(int64_t bytes)
{
    return bytes <= cache_bytes(2) ? "read in L2" : bytes <= cache_bytes(3) ? "read in L3" : "read of memory";
}

void report_read(const char *shape, const void *data, int64_t bytes, double secs, double before)
{
    const double after = read_speed(data, bytes);
    report(shape, (double)bytes, secs, "GB/s", before > after ? before : after, home(bytes));
}

double gemm_bound(int32_t weight_bits, int32_t act_bits)
{
    int64_t macs, sink;
    const double t = TIME(s4j_gemm_peak(test, weight_bits, act_bits, 100000, &macs, &sink));
    return (double)macs / t * 1e-9;
}

void check_read_bandwidth(int64_t n)
{
    if (benching) {
        for (int64_t bytes = INT64_C(1) << 19; bytes <= INT64_C(256) << 20; bytes *= bytes < INT64_C(8) << 20 ? 16 : 32) {
            uint8_t *data = buffer(bytes, 64);
            char shape[40];
            memset(data, 1, (size_t)bytes);
            snprintf(shape, sizeof shape, "%lld KiB, %s", (long long)bytes >> 10, home(bytes));
            report(shape, read_speed(data, bytes) * 1e9, 1, "GB/s", 0, "");
        }
        return;
    }
    const int64_t bytes = rnd_in(0, 200) * 64 + (n % 40 == 39 ? INT64_C(4) << 20 : 0);
    uint8_t *data = buffer(bytes, 64);
    uint64_t a = 1, b = 2;
    rnd_bytes(data, bytes);
    seal(data);
    describe("%lld bytes", (long long)bytes);
    same_int(s4j_read_bandwidth(base, data, bytes, &a), s4j_read_bandwidth(test, data, bytes, &b), "status");
    same_bytes(&a, &b, 8, "xor");
}

void check_gemm_peak(int64_t n)
{
    (void)n;
    const int32_t weight_bits = (int32_t)PICK(2, 4, 8), act_bits = (int32_t)rnd_in(2, 8);
    int64_t macs = -1, twice = -1, sink;
    describe("W%dA%d", weight_bits, act_bits);
    if (benching) {
        report("W4A4", gemm_bound(4, 4) * 1e9, 1, "GMAC/s", 0, "");
        report("W4A8", gemm_bound(4, 8) * 1e9, 1, "GMAC/s", 0, "");
        report("W8A8", gemm_bound(8, 8) * 1e9, 1, "GMAC/s", 0, "");
        return;
    }
    require(s4j_gemm_peak(test, weight_bits, act_bits, 100, &macs, &sink) == S4J_OK, "status");
    require(s4j_gemm_peak(test, weight_bits, act_bits, 200, &twice, &sink) == S4J_OK, "status");
    require(macs > 0 && twice == 2 * macs, "macs are not proportional to iterations");
}
