/*
 * One constant table a tier. The columns of kernels.inc choose at compile time: a tier's own kernel, else that of the tier it
 * stands on: avx2 on scalar, avxvnni and avx512 on avx2 (an AVX-512 CPU need not have AVX-VNNI), amx on avx512.
 */
#include "dispatch/table.h"

#include <stddef.h>

#define PICK_0(own, below) below
#define PICK_1(own, below) own
#define PICK(has, own, below) PICK_##has(own, below)

static const s4j_kernels scalar_table = {
#define S4J_KERNEL(name, avx2, avxvnni, avx512, amx, params) .name = s4j_##name##_scalar,
#include "common/kernels.inc"
#undef S4J_KERNEL
};

#ifdef S4J_HAVE_AVX2
static const s4j_kernels avx2_table = {
#define S4J_KERNEL(name, avx2, avxvnni, avx512, amx, params) .name = PICK(avx2, s4j_##name##_avx2, s4j_##name##_scalar),
#include "common/kernels.inc"
#undef S4J_KERNEL
};
#endif

#ifdef S4J_HAVE_AVXVNNI
static const s4j_kernels avxvnni_table = {
#define S4J_KERNEL(name, avx2, avxvnni, avx512, amx, params) \
    .name = PICK(avxvnni, s4j_##name##_avxvnni, PICK(avx2, s4j_##name##_avx2, s4j_##name##_scalar)),
#include "common/kernels.inc"
#undef S4J_KERNEL
};
#endif

#ifdef S4J_HAVE_AVX512
static const s4j_kernels avx512_table = {
#define S4J_KERNEL(name, avx2, avxvnni, avx512, amx, params) \
    .name = PICK(avx512, s4j_##name##_avx512, PICK(avx2, s4j_##name##_avx2, s4j_##name##_scalar)),
#include "common/kernels.inc"
#undef S4J_KERNEL
};
#endif

#ifdef S4J_HAVE_AMX
static const s4j_kernels amx_table = {
#define S4J_KERNEL(name, avx2, avxvnni, avx512, amx, params)                                                       \
    .name = PICK(amx, s4j_##name##_amx,                                                                            \
                 PICK(avx512, s4j_##name##_avx512, PICK(avx2, s4j_##name##_avx2, s4j_##name##_scalar))),
#include "common/kernels.inc"
#undef S4J_KERNEL
};
#endif

const s4j_kernels *s4j_table_of(int32_t tier)
{
    switch (tier) {
    case S4J_TIER_SCALAR:
        return &scalar_table;
#ifdef S4J_HAVE_AVX2
    case S4J_TIER_AVX2:
        return &avx2_table;
#endif
#ifdef S4J_HAVE_AVXVNNI
    case S4J_TIER_AVXVNNI:
        return &avxvnni_table;
#endif
#ifdef S4J_HAVE_AVX512
    case S4J_TIER_AVX512:
        return &avx512_table;
#endif
#ifdef S4J_HAVE_AMX
    case S4J_TIER_AMX:
        return &amx_table;
#endif
    default:
        return NULL;
    }
}
