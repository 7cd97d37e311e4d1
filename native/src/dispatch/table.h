/* The tables of the tiers in this build. */
#ifndef S4J_TABLE_H
#define S4J_TABLE_H

#include "common/kernels.h"

/* The table of `tier`; NULL if it is unknown or not compiled in. Says nothing about the CPU. */
const s4j_kernels *s4j_table_of(int32_t tier);

#endif
