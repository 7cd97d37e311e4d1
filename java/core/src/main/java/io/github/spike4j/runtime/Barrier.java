package io.github.spike4j.runtime;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.LockSupport;

/**
 * A reusable barrier for a fixed number of threads, each with its own index: spins shortly, then parks. To wake a parked thread takes
 * microseconds, so each wakes two others as it leaves (2 i + 1 and 2 i + 2), not the last one all. Allocates nothing.
 */
final class Barrier {
    /** Longer than the spread of well-balanced phases, shorter than anybody minds. */
    private static final long SPIN_NANOS = 20_000;

    private final int parties;
    private final AtomicInteger arrived = new AtomicInteger();
    /** The thread that is parked, or about to park, at its index. */
    private final AtomicReferenceArray<Thread> parked;
    private volatile int generation;

    Barrier(int parties) {
        this.parties = parties;
        parked = new AtomicReferenceArray<>(parties);
    }

    /** Waits until all threads are here. What they wrote before is visible afterwards. */
    void await(int index) {
        if (parties == 1) {
            return;
        }
        int mine = generation;
        if (arrived.incrementAndGet() == parties) {
            arrived.set(0);
            generation = mine + 1;
            wake(0);
        } else {
            awaitChange(mine, index);
        }
        wake(2 * index + 1);
        wake(2 * index + 2);
    }

    private void wake(int index) {
        // A thread announces itself before it looks at the generation again, so it is seen here or sees the change itself.
        var thread = index < parties ? parked.get(index) : null;
        if (thread != null) {
            LockSupport.unpark(thread);
        }
    }

    private void awaitChange(int mine, int index) {
        long start = System.nanoTime();
        for (int i = 1; generation == mine; i++) {
            if (i % 32 == 0 && System.nanoTime() - start > SPIN_NANOS) {
                parked.set(index, Thread.currentThread());
                while (generation == mine) {
                    LockSupport.park(this);
                    Thread.interrupted(); // nobody interrupts these threads on purpose; park would not wait any more
                }
                parked.set(index, null);
                return;
            }
            Thread.onSpinWait();
        }
    }
}
