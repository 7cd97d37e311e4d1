/* CPUID and XCR0. A tier's bits are exactly those its files are compiled with (CMakeLists.txt), and its registers' OS state. */
#include "dispatch/cpu_features.h"

#include "spike4j.h"

#if defined(__x86_64__)
#include <cpuid.h>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#define BIT(n) (UINT32_C(1) << (n))

enum {
    XCR0_YMM = 0x6,      /* SSE, AVX */
    XCR0_ZMM = 0xe6,     /* and opmask, upper halves, upper 16 */
    XCR0_TILE = 0x60000, /* tile configuration and data */
};

/* leaf 1 ecx */
static const uint32_t AVX_ECX1 = BIT(12) | BIT(27) | BIT(28) | BIT(29); /* FMA OSXSAVE AVX F16C */
/* leaf 7.0 */
static const uint32_t AVX2_EBX7 = BIT(5) | BIT(8); /* AVX2 BMI2 */
static const uint32_t AVX512_EBX7 = BIT(16) | BIT(17) | BIT(21) | BIT(28) | BIT(30) | BIT(31); /* F DQ IFMA CD BW VL */
static const uint32_t AVX512_ECX7 =
    BIT(1) | BIT(6) | BIT(8) | BIT(11) | BIT(12) | BIT(14); /* VBMI VBMI2 GFNI VNNI BITALG VPOPCNTDQ */
static const uint32_t AMX_EDX7 = BIT(24) | BIT(25);         /* TILE INT8 */
/* leaf 7.1 eax */
static const uint32_t AVXVNNI_EAX71 = BIT(4);

static uint32_t xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static int all(uint32_t value, uint32_t bits)
{
    return (value & bits) == bits;
}

/* Linux hands out tile data state (component 18) on request only. */
static int tiles_permitted(void)
{
#if defined(__linux__) && defined(SYS_arch_prctl)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA) == 0;
#else
    return 0;
#endif
}

int s4j_cpu_has(int32_t tier)
{
    uint32_t a, b, ecx1, d, ebx7, ecx7, edx7, eax71 = 0, leaves;
    if (tier == S4J_TIER_SCALAR) {
        return 1;
    }
    if (tier < 0 || tier >= S4J_TIER_COUNT || !__get_cpuid(1, &a, &b, &ecx1, &d) || !all(ecx1, AVX_ECX1) ||
        !all(xcr0(), XCR0_YMM) || !__get_cpuid_count(7, 0, &leaves, &ebx7, &ecx7, &edx7) || !all(ebx7, AVX2_EBX7)) {
        return 0;
    }
    if (tier == S4J_TIER_AVX2) {
        return 1;
    }
    if (tier == S4J_TIER_AVXVNNI) {
        return leaves >= 1 && __get_cpuid_count(7, 1, &eax71, &b, &a, &d) && all(eax71, AVXVNNI_EAX71);
    }
    if (!all(xcr0(), XCR0_ZMM) || !all(ebx7, AVX512_EBX7) || !all(ecx7, AVX512_ECX7)) {
        return 0;
    }
    return tier == S4J_TIER_AVX512 || (all(edx7, AMX_EDX7) && all(xcr0(), XCR0_TILE) && tiles_permitted());
}

#else

int s4j_cpu_has(int32_t tier)
{
    return tier == S4J_TIER_SCALAR;
}

#endif
