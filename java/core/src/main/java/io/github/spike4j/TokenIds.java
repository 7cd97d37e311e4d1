package io.github.spike4j;

import io.github.spike4j.runtime.Scheduler;
import io.github.spike4j.runtime.Task;
import io.github.spike4j.runtime.sampling.Sampler;
import java.util.concurrent.locks.LockSupport;

/**
 * The ids of a generation without their text and without garbage: nothing is allocated from one token to the next, here or in the engine.
 * For callers that make the text themselves, or none. One thread may call {@link #next}.
 */
public final class TokenIds {
    private final Scheduler.Session sequence;
    private final Sampler sampler;
    /** Written by the engine, read by the caller up to {@link #made}. */
    private final int[] ids;
    private volatile int made;
    private volatile Generation.Reason reason;
    private volatile RuntimeException failure;
    private volatile boolean cancelled;
    private volatile Thread reader;
    private int taken;

    TokenIds(SpikeModel model, Scheduler.Session sequence, Sampling sampling) {
        if (!sampling.stop().isEmpty()) {
            throw new IllegalArgumentException("stop texts need text: use Session.generate");
        }
        this.sequence = sequence;
        sampler = new Sampler(sampling, model.vocab());
        ids = new int[Math.min(sampling.maxTokens(), sequence.maxContext())];
    }

    void start() {
        for (int id : sequence.ids()) {
            sampler.accept(id);
        }
        sequence.start(new Producer(), ids.length);
    }

    /** The scheduler's side. */
    private final class Producer implements Task {
        @Override
        public boolean cancelled() {
            return cancelled;
        }

        @Override
        public int choose(float[] logits) {
            return sampler.sample(logits);
        }

        @Override
        public End accept(int id) {
            sampler.accept(id);
            int count = made;
            ids[count++] = id;
            made = count;
            LockSupport.unpark(reader);
            return count == ids.length ? End.MAX_TOKENS : null;
        }

        @Override
        public void end(End end) {
            reason = Generation.Reason.valueOf(end.name());
            LockSupport.unpark(reader);
        }

        @Override
        public void fail(RuntimeException e) {
            failure = e;
            LockSupport.unpark(reader);
        }
    }

    /**
     * The next id, or -1 after the last; waits for it.
     *
     * @throws SpikeException of a generation that failed
     */
    public int next() {
        boolean interrupted = false;
        reader = Thread.currentThread();
        while (made == taken && reason == null && failure == null) {
            LockSupport.park(this);
            interrupted |= Thread.interrupted(); // a parked thread with the flag set would spin
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        if (made > taken) {
            return ids[taken++];
        }
        if (failure != null) {
            throw failure;
        }
        return -1;
    }

    /** Why it ended; null before. */
    public Generation.Reason reason() {
        return reason;
    }

    /** Ends it before its next token; what it has made so far stays in the session. */
    public void cancel() {
        cancelled = true;
        sequence.wake();
    }
}
