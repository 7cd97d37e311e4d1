package io.github.spike4j.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.spike4j.SpikeException;
import io.github.spike4j.TinyModels;
import io.github.spike4j.model.LlamaModel;
import io.github.spike4j.runtime.sampling.Candidates;
import io.github.spike4j.weights.WeightFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Ends and failures while a step is in progress. */
@Timeout(30)
class SchedulerTest {
    @TempDir
    private Path dir;
    private WeightFile file;
    private LlamaModel model;
    private final Gate gate = new Gate();

    /** Kernels whose steps wait at their beginning. */
    private static final class Gate extends JavaKernels {
        final CountDownLatch entered = new CountDownLatch(1);
        final CountDownLatch open = new CountDownLatch(1);

        @Override
        public void embed(MemorySegment table, boolean bf16, int vocab, int channels, float scale, MemorySegment ids, MemorySegment y,
                int yStride, int begin, int end) {
            entered.countDown();
            try {
                open.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            super.embed(table, bf16, vocab, channels, scale, ids, y, yStride, begin, end);
        }
    }

    @BeforeEach
    void open() throws IOException {
        file = WeightFile.open(TinyModels.spiking(dir));
        model = new LlamaModel(file);
    }

    @AfterEach
    void close() {
        gate.open.countDown();
        file.close();
    }

    /** Nobody's close returns before the step has ended: afterwards the caller unmaps what the step reads. */
    private void everyCloserWaits(AutoCloseable closed) throws InterruptedException {
        gate.entered.await();
        var closers = new ArrayList<Thread>();
        for (int i = 0; i < 3; i++) {
            closers.add(Thread.ofPlatform().daemon().start(() -> {
                try {
                    closed.close();
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            }));
        }
        int waiting = 0;
        for (var closer : closers) {
            closer.join(100);
            waiting += closer.isAlive() ? 1 : 0;
        }
        gate.open.countDown();
        for (var closer : closers) {
            closer.join();
        }
        assertEquals(3, waiting, "closers that did not return in the midst of a step");
    }

    @Test
    void everyCloserOfAModelWaitsForTheStep() throws InterruptedException {
        try (var scheduler = new Scheduler(gate, 2, 8)) {
            var lane = scheduler.open(model);
            lane.session(20).append(new int[5]);
            everyCloserWaits(lane);
        }
    }

    @Test
    void everyCloserOfASessionWaitsForTheStep() throws InterruptedException {
        try (var scheduler = new Scheduler(gate, 2, 8)) {
            var lane = scheduler.open(model);
            var session = lane.session(20);
            session.append(new int[5]);
            everyCloserWaits(session);
            assertEquals(0, lane.usedBlocks());
        }
    }

    @Test
    void everyCloserOfAnEngineWaitsForTheStep() throws InterruptedException {
        var scheduler = new Scheduler(gate, 2, 8);
        var lane = scheduler.open(model);
        var session = lane.session(20);
        session.append(new int[5]);
        everyCloserWaits(scheduler);
        assertThrows(SpikeException.Closed.class, session::logits);
        assertThrows(SpikeException.Closed.class, () -> scheduler.open(model));
    }

    /** Threads that cannot be prepared are the caller's error, not a wait without end. */
    @Test
    void threadsThatCannotBePrepared() {
        var kernels = new JavaKernels() {
            @Override
            public void prepareThread() {
                throw new UnsatisfiedLinkError("no such function");
            }
        };
        assertThrows(UnsatisfiedLinkError.class, () -> new Scheduler(kernels, 2, 8));
    }

    /** A task that throws even where it is told so ends the scheduler's thread: nobody waits for it. */
    @Test
    void withoutTheSchedulerNobodyWaits() {
        gate.open.countDown();
        var scheduler = new Scheduler(gate, 2, 8);
        var lane = scheduler.open(model);
        var other = lane.session(200);
        var session = lane.session(20);
        session.append(new int[5]);
        session.logits();
        session.start(new Chooser() {
            @Override
            public int choose(float[] logits, Candidates candidates) {
                throw new AssertionError("choose");
            }

            @Override
            public void fail(RuntimeException e) {
                throw new AssertionError("fail");
            }
        }, 5);
        assertThrows(RuntimeException.class, () -> {
            other.append(new int[200]);
            other.logits();
        });
        assertThrows(RuntimeException.class, session::logits);
        assertThrows(SpikeException.Closed.class, () -> scheduler.open(model));
        lane.close();
        scheduler.close();
    }

    @Test
    void theFirstStepFindsTheRopeTable() {
        try (var team = new Team(1)) {
            var lane = new Lane(model, gate, team, 8, new int[0]);
            lane.executor.ropes().prepare(1, model.architecture().context());
            assertTrue(lane.executor.ropes().positions() >= model.architecture().context());
            lane.free();
        }
    }

    @Test
    void damagedLogitsAreReported() {
        gate.open.countDown();
        try (var scheduler = new Scheduler(gate, 2, 8)) {
            var session = scheduler.open(model).session(20);
            session.append(new int[5]);
            session.start(new Chooser(), 5);
            SpikeException.NonFinite e;
            do {
                e = assertThrows(RuntimeException.class, session::logits) instanceof SpikeException.NonFinite n ? n : null;
            } while (e == null); // busy until the logits are there
            assertEquals("logits", e.operation());
        }
    }

    /** A task that finds the logits damaged. */
    private static class Chooser implements Task {
        @Override
        public boolean cancelled() {
            return false;
        }

        @Override
        public int choose(float[] logits, Candidates candidates) {
            return -1;
        }

        @Override
        public End accept(int id) {
            return null;
        }

        @Override
        public void end(End reason) {}

        @Override
        public void fail(RuntimeException e) {}
    }
}
