/* What the CPU and the operating system support. */
#ifndef S4J_CPU_FEATURES_H
#define S4J_CPU_FEATURES_H

#include <stdint.h>

/* 1 if every instruction that the tier's files may hold can run here. The first question about AMX asks the operating system
 * for the permission to use tiles (it holds for the process). */
int s4j_cpu_has(int32_t tier);

#endif
