/* Version and tiers. */
#include <stddef.h>
#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#include "dispatch/cpu_features.h"
#include "dispatch/table.h"

int32_t s4j_abi_version(void)
{
    return S4J_ABI_VERSION;
}

int32_t s4j_reset_float_environment(void)
{
#if defined(__SSE2__)
    /* MXCSR: bits 13 and 14 rounding, 15 FTZ, 6 DAZ; exception flags and masks are left alone */
    const unsigned all = _mm_getcsr(), wrong = all & 0xe040u;
    if (wrong) {
        _mm_setcsr(all & ~wrong);
    }
    return wrong != 0;
#else
    return 0;
#endif
}

int32_t s4j_best_tier(void)
{
    int32_t tier = S4J_TIER_COUNT - 1;
    while (!s4j_table_of(tier) || !s4j_cpu_has(tier)) {
        tier--;
    }
    return tier; /* scalar at least */
}

int32_t s4j_kernels_of(int32_t tier, const s4j_kernels **out)
{
    if (!out) {
        return S4J_E_ARGUMENT;
    }
    *out = s4j_table_of(tier);
    if (*out && s4j_cpu_has(tier)) {
        return S4J_OK;
    }
    *out = NULL;
    return S4J_E_UNSUPPORTED;
}
