/* Random numbers, guarded buffers, pathological fills. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "check.h"

uint64_t rnd_state;

uint64_t rnd(void)
{
    uint64_t z = rnd_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

int64_t rnd_in(int64_t lo, int64_t hi)
{
    return lo + (int64_t)(rnd() % (uint64_t)(hi - lo + 1));
}

int rnd_one_in(int n)
{
    return rnd_in(1, n) == 1;
}

float rnd_float(void)
{
    return (float)((double)(int64_t)(rnd() >> 12) * 0x1p-51 - 1.0);
}

void rnd_bytes(void *p, int64_t bytes)
{
    uint8_t *b = p;
    for (; bytes >= 8; bytes -= 8, b += 8) {
        uint64_t v = rnd();
        memcpy(b, &v, 8);
    }
    for (; bytes > 0; bytes--) {
        *b++ = (uint8_t)rnd();
    }
}

enum { PAGE_BYTES = 4096, CANARY = 0xc5, MOST_BUFFERS = 4096 };

static struct {
    uint8_t *map;   /* with the guard pages */
    int64_t inside; /* bytes between them */
    uint8_t *data;
    int64_t bytes;
} live[MOST_BUFFERS];
static int buffers;

void *buffer(int64_t bytes, int64_t align)
{
    if (buffers == MOST_BUFFERS) {
        fprintf(stderr, "checkkernel: too many buffers\n");
        exit(2);
    }
    const int64_t inside = (bytes + PAGE_BYTES) / PAGE_BYTES * PAGE_BYTES;
    uint8_t *map = mmap(NULL, (size_t)(inside + 2 * PAGE_BYTES), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED || mprotect(map + PAGE_BYTES, (size_t)inside, PROT_READ | PROT_WRITE) != 0) {
        perror("checkkernel: mmap");
        exit(2);
    }
    /* flush behind as far as the alignment allows; all element sizes divide theirs, so it is exact for them */
    const int64_t slack = rnd_one_in(4) ? 0 : (inside - bytes) / align * align;
    uint8_t *data = map + PAGE_BYTES + slack;
    memset(map + PAGE_BYTES, CANARY, (size_t)inside);
    memset(data, 0, (size_t)bytes);
    live[buffers].map = map;
    live[buffers].inside = inside;
    live[buffers].data = data;
    live[buffers++].bytes = bytes;
    return data;
}

void seal(const void *p)
{
    for (int i = 0; i < buffers; i++) {
        if (live[i].data == p) {
            mprotect(live[i].map + PAGE_BYTES, (size_t)live[i].inside, PROT_READ);
        }
    }
}

void buffers_release(void)
{
    for (int i = 0; i < buffers; i++) {
        const uint8_t *from = live[i].map + PAGE_BYTES, *to = from + live[i].inside;
        int whole = 1;
        for (const uint8_t *p = from; p < live[i].data; p++) {
            whole &= *p == CANARY;
        }
        for (const uint8_t *p = live[i].data + live[i].bytes; p < to; p++) {
            whole &= *p == CANARY;
        }
        munmap(live[i].map, (size_t)(live[i].inside + 2 * PAGE_BYTES));
        if (!whole) {
            require(0, "canary beside a buffer overwritten");
        }
    }
    buffers = 0;
}

void fill(float *x, int64_t n, int pattern, int32_t levels)
{
    const float s = 0.001f + 0.2f * fabsf(rnd_float());
    const int64_t low = rnd_in(0, levels);
    for (int64_t i = 0; i < n; i++) {
        switch (pattern) {
        case 0: /* no pattern */
        default:
            x[i] = rnd_float();
            break;
        case 1: /* outliers */
            x[i] = rnd_float() * (rnd_one_in(50) ? 100.0f : 1.0f);
            break;
        case 2: /* constant */
            x[i] = s;
            break;
        case 3: /* one-sided */
            x[i] = fabsf(rnd_float()) + 0.5f;
            break;
        case 4:
            x[i] = -fabsf(rnd_float());
            break;
        case 5: /* huge */
            x[i] = rnd_float() * 1e30f;
            break;
        case 6: /* denormal */
            x[i] = rnd_float() * 1e-39f;
            break;
        case 7:
            x[i] = rnd_one_in(2) ? 0.0f : -0.0f;
            break;
        case 8: /* ties: (i / 2) s, from -low s to (levels - low) s, both ends present */
            x[i] = (float)(i == 0 ? -2 * low : i == 1 ? 2 * (levels - low) : rnd_in(-2 * low, 2 * (levels - low))) * 0.5f * s;
            break;
        case 9: /* the ends of float */
            x[i] = rnd_one_in(2) ? 3.4e38f : -3.4e38f;
            break;
        case 10: /* sparse: nearly all silent */
            x[i] = rnd_one_in(40) ? rnd_float() : rnd_float() * 1e-3f;
            break;
        case 11:
            x[i] = i == n / 2 ? NAN : rnd_float();
            break;
        case 12:
            x[i] = i == n - 1 ? (rnd_one_in(2) ? INFINITY : -INFINITY) : rnd_float();
            break;
        }
    }
}

const int32_t *random_perm(int64_t n)
{
    int32_t *perm = NEW(int32_t, n);
    for (int64_t i = 0; i < n; i++) {
        const int64_t j = rnd_in(0, i);
        perm[i] = perm[j];
        perm[j] = (int32_t)i;
    }
    seal(perm);
    return perm;
}
