/* The function table and the prototypes of every tier's kernels, both from kernels.inc. */
#ifndef S4J_KERNELS_H
#define S4J_KERNELS_H

#include "spike4j.h"

struct s4j_kernels {
#define S4J_KERNEL(name, avx2, avxvnni, avx512, amx, params) int32_t(*name) params;
#include "common/kernels.inc"
#undef S4J_KERNEL
};

#define S4J_KERNEL(name, avx2, avxvnni, avx512, amx, params) \
    int32_t s4j_##name##_scalar params;                      \
    int32_t s4j_##name##_avx2 params;                        \
    int32_t s4j_##name##_avxvnni params;                     \
    int32_t s4j_##name##_avx512 params;                      \
    int32_t s4j_##name##_amx params;
#include "common/kernels.inc"
#undef S4J_KERNEL

#endif
