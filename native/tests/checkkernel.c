/*
 * checkkernel: every kernel of every tier against what is right, after dav1d's checkasm. Scalar is compared with the naive
 * reference (reference.c), every other tier with scalar; all comparisons are bitwise.
 *
 *   checkkernel [--tier NAME] [--filter TEXT] [--seed N] [--cases N] [--bench]
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

extern uint64_t rnd_state;

const s4j_kernels *base, *test;
int benching;

static const char *const TIERS[S4J_TIER_COUNT] = {"scalar", "avx2", "avxvnni", "avx512", "amx"};
static char about[512];
static const char *kernel_name, *tier_name;
static jmp_buf failed;

void describe(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(about, sizeof about, format, args);
    va_end(args);
}

static void fail(const char *what, int64_t at)
{
    if (at >= 0) {
        printf("FAIL %s %s: %s differs at %lld (%s)\n", tier_name, kernel_name, what, (long long)at, about);
    } else {
        printf("FAIL %s %s: %s (%s)\n", tier_name, kernel_name, what, about);
    }
    longjmp(failed, 1);
}

void require(int ok, const char *what)
{
    if (!ok) {
        fail(what, -1);
    }
}

void same_bytes(const void *a, const void *b, int64_t bytes, const char *what)
{
    if (memcmp(a, b, (size_t)bytes) != 0) {
        int64_t i = 0;
        while (((const uint8_t *)a)[i] == ((const uint8_t *)b)[i]) {
            i++;
        }
        fail(what, i);
    }
}

void same_floats(const float *a, const float *b, int64_t n, const char *what)
{
    for (int64_t i = 0; i < n; i++) {
        if (memcmp(&a[i], &b[i], 4) != 0 && !(isnan(a[i]) && isnan(b[i]))) {
            const size_t used = strlen(about);
            snprintf(about + used, sizeof about - used, "; want %a got %a", (double)a[i], (double)b[i]);
            fail(what, i);
        }
    }
}

void same_int(int64_t a, int64_t b, const char *what)
{
    if (a != b) {
        const size_t used = strlen(about);
        snprintf(about + used, sizeof about - used, "; want %lld got %lld", (long long)a, (long long)b);
        fail(what, -1);
    }
}

double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void report(const char *shape, double amount, double secs, const char *unit, double bound, const char *of)
{
    printf("%-8s %-14s %-40s %9.2f %s", tier_name, kernel_name, shape, amount / secs * 1e-9, unit);
    if (bound > 0) {
        printf("  %.2f of %.1f (%s)", amount / secs * 1e-9 / bound, bound, of);
    }
    printf("\n");
    fflush(stdout);
}

/* An access outside a buffer ends the program: the state of the kernel is lost. */
static void on_fault(int signal_number)
{
    char text[768];
    const int n = snprintf(text, sizeof text, "FAIL %s %s: signal %d (%s)\n", tier_name, kernel_name, signal_number, about);
    const ssize_t written = write(STDOUT_FILENO, text, (size_t)n);
    _exit(written == n ? 1 : 3);
}

static const struct {
    const char *name;
    void (*check)(int64_t n);
} KERNELS[] = {
#define S4J_KERNEL(name, avx2, avxvnni, avx512, amx, params) {#name, check_##name},
#include "common/kernels.inc"
#undef S4J_KERNEL
};

/* Whether the tier's kernel is its own and not that of the tier below. */
static int is_own(int kernel, const s4j_kernels *below)
{
    if (!below) {
        return 1;
    }
    const size_t at = (size_t)kernel * sizeof(void (*)(void));
    return memcmp((const uint8_t *)test + at, (const uint8_t *)below + at, sizeof(void (*)(void))) != 0;
}

static int run(int kernel, uint64_t seed, int64_t cases)
{
    kernel_name = KERNELS[kernel].name;
    for (volatile int64_t n = 0; n < (benching ? 1 : cases); n++) {
        rnd_state = seed + (uint64_t)n * 7919 + (uint64_t)kernel * 104729;
        about[0] = 0;
        if (setjmp(failed)) {
            printf("     again with: --tier %s --filter %s --seed %llu --cases %lld\n", tier_name, kernel_name,
                   (unsigned long long)seed, (long long)n + 1);
            return 1;
        }
        KERNELS[kernel].check(n);
        buffers_release();
    }
    return 0;
}

static void usage(void)
{
    fprintf(stderr, "usage: checkkernel [--tier NAME] [--filter TEXT] [--seed N] [--cases N] [--bench]\n");
    exit(2);
}

/* A decimal number of at least `least`, below 2^63 if that is not 0; anything else would check something else, or nothing. */
static uint64_t number(const char *text, uint64_t least)
{
    char *end;
    errno = 0;
    const uint64_t n = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || n < least || (least && n > INT64_MAX)) {
        usage();
    }
    return n;
}

int main(int argc, char **argv)
{
    const char *tier = NULL, *filter = "";
    uint64_t seed = (uint64_t)time(NULL);
    int64_t cases = 400;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--bench")) {
            benching = 1;
        } else if (i + 1 == argc) {
            usage();
        } else if (!strcmp(argv[i], "--tier")) {
            tier = argv[++i];
        } else if (!strcmp(argv[i], "--filter")) {
            filter = argv[++i];
        } else if (!strcmp(argv[i], "--seed")) {
            seed = number(argv[++i], 0);
        } else if (!strcmp(argv[i], "--cases")) {
            cases = (int64_t)number(argv[++i], 1);
        } else {
            usage();
        }
    }
#if !defined(__SANITIZE_ADDRESS__)
    signal(SIGSEGV, on_fault);
    signal(SIGBUS, on_fault);
    signal(SIGFPE, on_fault);
    signal(SIGILL, on_fault);
#else
    (void)on_fault;
#endif
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("seed %llu\n", (unsigned long long)seed);
    int failures = 0, checked = 0, tiers = 0;
    const s4j_kernels *below = NULL;
    for (int32_t t = 0; t < S4J_TIER_COUNT; t++) {
        tier_name = TIERS[t];
        const s4j_kernels *scalar;
        if (s4j_kernels_of(t, &test) != S4J_OK || s4j_kernels_of(S4J_TIER_SCALAR, &scalar) != S4J_OK) {
            continue;
        }
        base = t == S4J_TIER_SCALAR ? &reference : scalar;
        if (!tier || !strcmp(tier, tier_name)) {
            tiers++;
            int own = 0, wrong = 0;
            const double start = seconds();
            for (int k = 0; k < (int)(sizeof KERNELS / sizeof *KERNELS); k++) {
                if (strstr(KERNELS[k].name, filter) && is_own(k, below)) {
                    own++;
                    wrong += run(k, seed, cases);
                }
            }
            if (!benching) {
                printf("%-8s %2d kernels, %d failed, %.1f s\n", tier_name, own, wrong, seconds() - start);
            }
            checked += own;
            failures += wrong;
        }
        below = test;
    }
    if (!tiers) {
        printf("checkkernel: tier %s is not supported here\n", tier);
        return 2;
    }
    return failures || !checked;
}
