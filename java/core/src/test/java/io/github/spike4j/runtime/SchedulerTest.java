package io.github.spike4j.runtime;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.spike4j.SpikeException;
import io.github.spike4j.TinyModels;
import io.github.spike4j.kernels.AttentionSpec;
import io.github.spike4j.model.LlamaModel;
import io.github.spike4j.runtime.sampling.Candidates;
import io.github.spike4j.weights.WeightFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
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
    private static class Gate extends JavaKernels {
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

    /** A choice that takes its time holds up nobody who does not need its token, and no token comes after a cancellation or close. */
    @Test
    void whoChoosesHoldsUpNobody() throws Exception {
        gate.open.countDown();
        try (var scheduler = new Scheduler(gate, 2, 8)) {
            var lane = scheduler.open(model);
            for (boolean closes : new boolean[] {false, true}) {
                var choosing = new CountDownLatch(1);
                var goOn = new CountDownLatch(1);
                var cancelled = new AtomicBoolean();
                var ends = new LinkedBlockingQueue<Task.End>();
                var accepted = new AtomicInteger();
                var session = lane.session(20);
                session.append(new int[5]);
                session.start(new Chooser() {
                    @Override
                    public boolean cancelled() {
                        return cancelled.get();
                    }

                    @Override
                    public int choose(float[] logits, Candidates candidates) {
                        choosing.countDown();
                        try {
                            goOn.await();
                        } catch (InterruptedException e) {
                            throw new IllegalStateException(e);
                        }
                        return 7;
                    }

                    @Override
                    public End accept(int id) {
                        accepted.incrementAndGet();
                        return null;
                    }

                    @Override
                    public void end(End reason) {
                        ends.add(reason);
                    }
                }, 10);
                choosing.await();
                var closer = CompletableFuture.runAsync(() -> {
                    try (var other = lane.session(200)) {
                        other.append(new int[3]);
                        assertEquals(3, other.ids().length);
                        assertEquals(5, session.length());
                        assertThrows(IllegalStateException.class, () -> session.append(new int[1]));
                        assertTrue(lane.statistics().tokens() > 0);
                        scheduler.open(model).close();
                    }
                    cancelled.set(true);
                    session.wake();
                }).thenRunAsync(() -> {
                    if (closes) {
                        session.close();
                    }
                });
                if (closes) {
                    assertEquals(Task.End.CANCELLED, ends.poll(20, TimeUnit.SECONDS));
                    assertThrows(TimeoutException.class, () -> closer.get(100, TimeUnit.MILLISECONDS), "a closed session's choice goes on");
                    goOn.countDown();
                    closer.get(20, TimeUnit.SECONDS);
                } else {
                    closer.get(20, TimeUnit.SECONDS);
                    goOn.countDown();
                    assertEquals(Task.End.CANCELLED, ends.poll(20, TimeUnit.SECONDS));
                    assertEquals(5, session.length());
                    session.close();
                }
                assertEquals(0, accepted.get());
            }
            assertEquals(0, lane.usedBlocks());
        }
    }

    /** Who would wait for the engine on its own thread is told so. */
    @Test
    void whoChoosesMustNotWait() {
        gate.open.countDown();
        try (var scheduler = new Scheduler(gate, 2, 8)) {
            var lane = scheduler.open(model);
            var session = lane.session(20);
            var other = lane.session(20);
            session.append(new int[5]);
            session.start(new Chooser() {
                @Override
                public int choose(float[] logits, Candidates candidates) {
                    other.append(new int[2]);
                    other.logits();
                    return 1;
                }
            }, 10);
            RuntimeException e;
            do {
                e = assertThrows(RuntimeException.class, session::logits);
            } while (e.getMessage().contains("busy"));
            assertTrue(e.getMessage().contains("must not wait"), e.getMessage());
            other.logits();
        }
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

    /** Room for steps is made by who opens or evaluates a session, also in the midst of another's step, and is enough for all it brings. */
    @Test
    void noStepMakesRoom() throws InterruptedException {
        var makers = java.util.Collections.synchronizedList(new ArrayList<String>());
        var kernels = new Gate() {
            @Override
            public long attendScratch(AttentionSpec spec, int context) {
                makers.add(Thread.currentThread().getName());
                return super.attendScratch(spec, context);
            }
        };
        try (var scheduler = new Scheduler(kernels, 2, 40)) {
            var lane = scheduler.open(model);
            var first = lane.session(20);
            first.append(new int[20]);
            kernels.entered.await();
            int small = makers.size();
            var second = lane.session(200); // the first one's step is still there
            assertTrue(makers.size() > small);
            kernels.open.countDown();
            second.append(new int[70]);
            second.logits();
            var expected = first.logits();
            var more = new ArrayList<Scheduler.Session>();
            for (int i = 0; i < 20; i++) {
                more.add(i % 2 == 0 ? lane.session(30) : second.fork());
            }
            more.forEach(s -> s.append(new int[s.length() == 0 ? 20 : 1]));
            for (int i = 0; i < more.size(); i += 2) {
                assertArrayEquals(expected, more.get(i).logits());
                more.get(i + 1).logits();
            }
            for (var s : List.of(first, more.get(0), more.get(1))) {
                s.truncate(0);
                s.evaluate(new int[20], (position, logits) -> {
                    if (position == 19) {
                        assertArrayEquals(expected, logits);
                    }
                });
            }
            assertEquals(List.of(), makers.stream().filter(name -> name.startsWith("spike4j")).toList());
        }
    }

    /** No room is one clear error of who opens the session; the others go on. */
    @Test
    void noRoomForASession() {
        var kernels = new JavaKernels() {
            @Override
            public long attendScratch(AttentionSpec spec, int context) {
                if (context > 100) {
                    throw new OutOfMemoryError("made up");
                }
                return super.attendScratch(spec, context);
            }
        };
        try (var scheduler = new Scheduler(kernels, 2, 8)) {
            var lane = scheduler.open(model);
            var session = lane.session(20);
            session.append(new int[5]);
            var e = assertThrows(SpikeException.Device.class, () -> lane.session(101));
            assertTrue(e.getMessage().contains("101"), e.getMessage());
            assertEquals(5, session.length());
            session.logits();
            lane.session(100).close();
        }
    }

    /** The same of an evaluation, which wants more rows of logits: who opens a session later needs no room for them. */
    @Test
    void noRoomForAnEvaluation() {
        var full = new AtomicBoolean();
        var kernels = new JavaKernels() {
            @Override
            public long attendScratch(AttentionSpec spec, int context) {
                if (full.get()) {
                    throw new OutOfMemoryError("made up");
                }
                return super.attendScratch(spec, context);
            }
        };
        try (var scheduler = new Scheduler(kernels, 2, 64)) {
            var lane = scheduler.open(model);
            var session = lane.session(100); // with 64 rows, as many as a step has
            full.set(true);
            assertThrows(SpikeException.Device.class, () -> session.evaluate(new int[50], (_, _) -> { }));
            lane.session(100).close();
            session.append(new int[5]);
            session.logits();
            full.set(false);
            var positions = new ArrayList<Integer>();
            session.evaluate(new int[50], (position, _) -> positions.add(position));
            assertEquals(java.util.stream.IntStream.range(5, 55).boxed().toList(), positions);
        }
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
