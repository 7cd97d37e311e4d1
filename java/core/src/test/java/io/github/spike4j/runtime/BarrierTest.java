package io.github.spike4j.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class BarrierTest {
    /** Nobody passes before all have come, and everybody passes, whether the others spin or are parked. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 7, 16, 33})
    void allPassTogether(int threads) throws InterruptedException {
        var barrier = new Barrier(threads);
        var come = new AtomicInteger();
        var early = new ConcurrentLinkedQueue<String>();
        var all = new ArrayList<Thread>();
        for (int i = 0; i < threads; i++) {
            int index = i;
            all.add(Thread.ofPlatform().daemon().start(() -> {
                var random = new SplittableRandom(index);
                for (int round = 1; round <= 500; round++) {
                    if (random.nextInt(8) == 0) {
                        LockSupport.parkNanos(random.nextInt(200_000)); // the others spin for 20 us
                    }
                    come.incrementAndGet();
                    barrier.await(index);
                    if (come.get() < round * threads) {
                        early.add("thread " + index + " in round " + round);
                    }
                    barrier.await(index);
                }
            }));
        }
        for (var thread : all) {
            thread.join();
        }
        assertEquals(0, early.size(), () -> early.toString());
        assertEquals(500 * threads, come.get());
    }
}
