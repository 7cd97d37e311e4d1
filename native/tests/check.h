/* checkkernel: shared by its files. */
#ifndef S4J_TESTS_CHECK_H
#define S4J_TESTS_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "common/kernels.h"

/* ---- random numbers: splitmix64; everything that a case holds comes from the printed seed ---- */
uint64_t rnd(void);
int64_t rnd_in(int64_t lo, int64_t hi); /* lo..hi */
int rnd_one_in(int n);
float rnd_float(void); /* -1..1 */
void rnd_bytes(void *p, int64_t bytes);
#define PICK(...) ((int64_t[]){__VA_ARGS__}[rnd_in(0, (int64_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)) - 1)])

/* ---- guarded buffers: flush against an inaccessible page behind (or, one time in four, before) them; the rest of their own
 * pages holds canaries. All are released by buffers_release, which checks the canaries. ---- */
void *buffer(int64_t bytes, int64_t align);
#define NEW(type, n) ((type *)buffer((int64_t)sizeof(type) * (n), (int64_t)_Alignof(type)))
void seal(const void *p); /* read-only from now on */
void buffers_release(void);

/* A random fill of n floats in one of the pathological patterns; `levels` helps to build ties. */
enum { FINITE_PATTERNS = 11, PATTERNS = 13 };
void fill(float *x, int64_t n, int pattern, int32_t levels);
/* A permutation of 0..n-1, sealed. */
const int32_t *random_perm(int64_t n);

/* ---- verdicts ---- */
extern const s4j_kernels *base; /* what is right: the naive reference for scalar, scalar for every other tier */
extern const s4j_kernels *test; /* what is tested */
extern const s4j_kernels reference;
extern int benching;

/* Fails the case unless the bytes are equal; floats: equal bits or both NaN. `what` names the array. */
void same_bytes(const void *a, const void *b, int64_t bytes, const char *what);
void same_floats(const float *a, const float *b, int64_t n, const char *what);
void same_int(int64_t a, int64_t b, const char *what);
void require(int ok, const char *what);
/* Describes the case for a failure's message (printf). */
void describe(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- benchmarks ---- */
double seconds(void);
/* Runs `call` for about 0.2 s, three times; returns the best seconds a call. */
#define TIME(call)                                      \
    __extension__({                                                \
        double best_ = 1e9;                             \
        for (int round_ = 0; round_ < 3; round_++) {    \
            int64_t n_ = 0;                             \
            double start_ = seconds(), now_;            \
            do {                                        \
                (void)(call);                           \
                n_++;                                   \
                now_ = seconds();                       \
            } while (now_ - start_ < 0.2);              \
            double each_ = (now_ - start_) / (double)n_; \
            best_ = each_ < best_ ? each_ : best_;      \
        }                                               \
        best_;                                          \
    })
/* One line: shape, amount / seconds in units of 1e9, and the share of `bound` (same unit), which is `of` what, if it is not 0. */
void report(const char *shape, double amount, double secs, const char *unit, double bound, const char *of);
double read_speed(const void *data, int64_t bytes);       /* GB/s of s4j_read_bandwidth */
double gemm_bound(int32_t weight_bits, int32_t act_bits); /* GMAC/s of s4j_gemm_peak */
/* A kernel that reads `bytes` of weights once in `secs`, beside s4j_read_bandwidth over the same bytes just before and just now
 * (the better of both): a bound holds only for the cache or memory that the weights come from, which the line names. */
void report_read(const char *shape, const void *data, int64_t bytes, double secs, double before);

/* ---- spikes and their groups ---- */
typedef struct {
    int64_t channels;  /* of a segment, at most */
    int32_t bits;      /* 0: any */
    int32_t segments;  /* 0: any */
    int groups;        /* 1: may have groups */
    int wide;          /* 1: may have 16 bits */
} gif_shape;
s4j_gif random_gif(gif_shape shape);
s4j_spikes new_spikes(const s4j_gif *gif, int64_t rows);
/* Valid codes without encode. */
enum { ANY = -1, UNIFORM, ALL_LARGEST, ALL_SILENT, ALL_SMALLEST }; /* largest with zero point 0, smallest with the largest one */
s4j_spikes random_spikes(const s4j_gif *gif, int64_t rows, int pattern);
void same_spikes(const s4j_gif *gif, int64_t rows, const s4j_spikes *a, const s4j_spikes *b);

/* check_<kernel>: one random case (n counts them), or with `benching` its benchmarks. */
#define S4J_KERNEL(name, avx2, avxvnni, avx512, amx, params) void check_##name(int64_t n);
#include "common/kernels.inc"
#undef S4J_KERNEL

#endif
