package io.github.spike4j;

import io.github.spike4j.runtime.Scheduler;
import io.github.spike4j.runtime.Task;
import io.github.spike4j.runtime.sampling.Candidates;
import io.github.spike4j.runtime.sampling.Sampler;
import java.util.concurrent.locks.LockSupport;

/**
 * The ids of a generation without their text and without garbage: nothing is allocated from one token to the next, here or in the engine.
 * For callers that make the text themselves, or none. One thread may call {@link #next}.
 */
public final class TokenIds {
    private final Scheduler.Session sequence;
    private final Sampler sampler;
    private final int most;
    /**
     * A ring of what is made and not yet taken: token {@code i} lies at {@code i} modulo its length, a power of two. The engine replaces it by
     * a larger one where the caller lags behind; who still reads the old one finds the same there.
     */
    private volatile int[] ring = new int[16];
    private volatile int made;
    private volatile Generation.Reason reason;
    private volatile RuntimeException failure;
    private volatile boolean cancelled;
    private volatile Thread reader;
    private volatile int taken;

    TokenIds(SpikeModel model, Scheduler.Session sequence, Sampling sampling) {
        if (!sampling.stop().isEmpty()) {
            throw new IllegalArgumentException("stop texts need text: use Session.generate");
        }
        this.sequence = sequence;
        sampler = new Sampler(sampling, model.vocab());
        most = sampling.maxTokens();
    }

    void start() {
        if (sampler.remembers()) {
            for (int id : sequence.ids()) {
                sampler.accept(id);
            }
        }
        sequence.start(new Producer(), most);
    }

    /** The scheduler's side. */
    private final class Producer implements Task {
        @Override
        public boolean cancelled() {
            return cancelled;
        }

        @Override
        public int choose(float[] logits, Candidates candidates) {
            return sampler.sample(logits, candidates);
        }

        @Override
        public End accept(int id) {
            sampler.accept(id);
            int index = made;
            if (index - taken == ring.length) {
                var larger = new int[2 * ring.length];
                for (int i = taken; i < index; i++) {
                    larger[i & larger.length - 1] = ring[i & ring.length - 1];
                }
                ring = larger;
            }
            ring[index & ring.length - 1] = id;
            made = index + 1;
            LockSupport.unpark(reader);
            return index + 1 == most ? End.MAX_TOKENS : null;
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
        int index = taken;
        if (made > index) {
            var unread = ring;
            int id = unread[index & unread.length - 1];
            taken = index + 1; // only now may its place be written
            return id;
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
