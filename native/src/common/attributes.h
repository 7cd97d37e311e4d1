/* Compiler words, and the hook of seeded faults. */
#ifndef S4J_ATTRIBUTES_H
#define S4J_ATTRIBUTES_H

#define S4J_INLINE static inline __attribute__((always_inline))

/* S4J_MUT(n, faulty, good): good, except in a build with -DS4J_MUTANT=n (native/tests/mutants.txt), which checkkernel must fail. */
#ifdef S4J_MUTANT
#define S4J_MUT(n, faulty, good) ((S4J_MUTANT) == (n) ? (faulty) : (good))
#else
#define S4J_MUT(n, faulty, good) (good)
#endif

#endif
