package io.github.spike4j.runtime;

import io.github.spike4j.SpikeException;
import io.github.spike4j.Statistics;
import io.github.spike4j.format.Classes;
import io.github.spike4j.format.S4jFile;
import io.github.spike4j.kernels.Activation;
import io.github.spike4j.kernels.AttentionSpec;
import io.github.spike4j.kernels.GifSpec;
import io.github.spike4j.kernels.Kernels;
import io.github.spike4j.kernels.Sequences;
import io.github.spike4j.kernels.SpikeWeights;
import io.github.spike4j.model.Buffer;
import io.github.spike4j.model.LlamaModel;
import io.github.spike4j.model.Phase;
import io.github.spike4j.weights.LinearWeights;
import io.github.spike4j.weights.WeightFile;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The engine room: one thread that forms batches from the sessions of all models and runs them on the team. Callers only write down what
 * they want, under the lock, and wait. What takes time goes on without the lock: tokens are chosen (observer, sampler), steps computed and
 * logits copied.
 */
public final class Scheduler implements AutoCloseable {
    /** Receives the logits of a position on the caller's thread. */
    public interface Logits {
        /** See {@link io.github.spike4j.LogitsConsumer}. */
        void accept(int position, float[] logits);
    }

    private final Kernels kernels;
    private final int threads;
    private final int piece;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition work = lock.newCondition();
    private final Condition changed = lock.newCondition();
    private final List<Lane> lanes = new ArrayList<>();
    private final Thread thread;
    private final Team team;
    private boolean ended;
    private int turn;
    private boolean closing;

    /**
     * @param threads compute threads, the scheduler's own included
     * @param piece   most tokens of one prompt in a step
     */
    public Scheduler(Kernels kernels, int threads, int piece) {
        this.kernels = kernels;
        this.threads = threads;
        this.piece = piece;
        // Here first: a failure reaches the caller. In a thread of the team it would leave everybody waiting.
        kernels.prepareThread();
        team = new Team(threads, kernels::prepareThread);
        thread = Thread.ofPlatform().daemon().name("spike4j-0").start(this::loop);
    }

    /** The kernels of this engine. */
    public Kernels kernels() {
        return kernels;
    }

    /** Compute threads. */
    public int threads() {
        return threads;
    }

    private void loop() {
        kernels.prepareThread();
        prepareToOpen();
        lock.lock();
        try {
            while (!closing) {
                var lane = next();
                if (lane == null) {
                    work.awaitUninterruptibly();
                    continue;
                }
                lock.unlock();
                try {
                    lane.choose();
                } finally {
                    lock.lock();
                }
                lane.take();
                changed.signalAll();
                if (lane.closed || !lane.collect()) {
                    continue;
                }
                RuntimeException thrown = null;
                lock.unlock();
                try {
                    lane.step();
                } catch (RuntimeException e) {
                    thrown = e;
                } catch (Throwable e) { // out of memory, say: the sessions of the batch fail, the engine goes on
                    thrown = new IllegalStateException("a step failed: " + e, e);
                } finally {
                    lock.lock();
                }
                lane.deliver(thrown);
                changed.signalAll();
            }
        } catch (Throwable t) { // nothing that a session could cause: without this thread nobody may wait
            closing = true;
            for (var lane : lanes) {
                lane.fail(t);
            }
        } finally {
            closing = true;
            changed.signalAll();
            lock.unlock();
        }
    }

    /** Nobody has work yet. What a first model needs is classes, most of all: they are loaded while its opener is on the way. */
    private static void prepareToOpen() {
        S4jFile.prepare();
        Classes.initialize(WeightFile.class, LinearWeights.class, LlamaModel.class, Phase.class, Buffer.class, AttentionSpec.class, GifSpec.class,
                SpikeWeights.class, Activation.class, Lane.class, KvPool.class, Executor.class, RopeTables.class, Batch.class, Sequences.class,
                Scheduler.class);
    }

    private Lane next() {
        for (int i = 0; i < lanes.size(); i++) {
            var lane = lanes.get((turn + i) % lanes.size());
            if (!lane.closed && lane.hasWork()) {
                turn = (turn + i + 1) % lanes.size();
                return lane;
            }
            // Generations may have ended without a step.
            changed.signalAll();
        }
        return null;
    }

    /** Adds a model; {@code eos} ends generations. */
    public Model open(LlamaModel model, int... eos) {
        var lane = new Lane(model, kernels, team, piece, eos); // takes a while: other models go on
        lock.lock();
        try {
            if (!closing) {
                lanes.add(lane);
                return new Model(lane);
            }
        } finally {
            lock.unlock();
        }
        lane.free();
        throw new SpikeException.Closed("engine");
    }

    /** Opens a session; there is room then for all that it may bring. */
    private Session open(Lane lane, int maxContext) {
        var s = new Sequence(lane, maxContext);
        lock.lock();
        try {
            if (lane.closed) {
                throw new SpikeException.Closed("model");
            }
            lane.sequences.add(s);
        } finally {
            lock.unlock();
        }
        var session = new Session(s);
        try {
            makeRoom(lane);
        } catch (RuntimeException | Error e) {
            session.close();
            throw e;
        }
        return session;
    }

    /** Makes the room that a lane's sessions need: on the caller's thread, without the lock, so the steps of others go on meanwhile. */
    private void makeRoom(Lane lane) {
        lane.growth.lock();
        try {
            Workspace.Size missing;
            lock.lock();
            try {
                missing = lane.closed ? null : lane.missingRoom();
            } finally {
                lock.unlock();
            }
            if (missing == null) {
                return;
            }
            Workspace unused;
            try {
                unused = lane.executor.room(missing);
            } catch (OutOfMemoryError e) {
                throw new SpikeException.Device("no memory for steps of " + missing.rows() + " tokens in a context of " + missing.context() + ": "
                        + e.getMessage() + "; lower promptPiece or maxContext", e);
            }
            lock.lock();
            try {
                if (!lane.closed) {
                    unused = lane.offer(unused);
                }
            } finally {
                lock.unlock();
            }
            if (unused != null) {
                unused.close();
            }
        } finally {
            lane.growth.unlock();
        }
    }

    /** Closes all models, then ends the threads. */
    @Override
    public void close() {
        List<Lane> open;
        lock.lock();
        try {
            closing = true; // no model is opened any more
            work.signalAll();
            open = List.copyOf(lanes);
        } finally {
            lock.unlock();
        }
        open.forEach(this::close);
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        synchronized (this) {
            if (!ended) {
                ended = true;
                team.close();
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void waitForChange() {
        if (Thread.currentThread() == thread) {
            throw new IllegalStateException("a logits consumer must not wait for a session: the engine waits for it");
        }
        changed.awaitUninterruptibly();
    }

    /** Everybody who closes waits until nothing computes any more: the caller unmaps the weights next. */
    private void close(Lane lane) {
        boolean first;
        lock.lock();
        try {
            lane.closed = true;
            for (var s : List.copyOf(lane.sequences)) {
                close(s, "model");
            }
            while (lane.isBusy()) {
                waitForChange();
            }
            first = lanes.remove(lane);
        } finally {
            lock.unlock();
        }
        if (first) {
            lane.free(); // takes a while: other models go on
        }
    }

    private void close(Sequence s, String what) {
        if (!s.closed) {
            s.closed = true;
            if (s.task != null) {
                s.end(Task.End.CANCELLED);
            }
            changed.signalAll();
        }
        while (s.inStep) {
            waitForChange();
        }
        if (s.failure == null) {
            s.failure = new SpikeException.Closed(what);
        }
        s.releaseBlocks();
        s.lane.sequences.remove(s);
    }

    /** A model that sessions run on. */
    public final class Model implements AutoCloseable {
        private final Lane lane;

        private Model(Lane lane) {
            this.lane = lane;
        }

        /** A new session of at most {@code maxContext} tokens. */
        public Session session(int maxContext) {
            return Scheduler.this.open(lane, maxContext);
        }

        /** Counts of all sessions. */
        public Statistics statistics() {
            lock.lock();
            try {
                return new Statistics(lane.tokens, lane.steps, lane.codes, lane.silentCodes);
            } finally {
                lock.unlock();
            }
        }

        /** KV blocks in use. */
        public int usedBlocks() {
            lock.lock();
            try {
                return lane.pool.used();
            } finally {
                lock.unlock();
            }
        }

        /** Closes all sessions, waits for the step, frees the memory. */
        @Override
        public void close() {
            Scheduler.this.close(lane);
        }
    }

    /** A caller's handle on a sequence. */
    public final class Session implements AutoCloseable {
        private final Sequence s;

        private Session(Sequence s) {
            this.s = s;
        }

        /** Appends tokens; they are computed as soon as there is time. */
        public void append(int[] ids) {
            lock.lock();
            try {
                idle();
                push(ids);
                work.signal();
            } finally {
                lock.unlock();
            }
        }

        private void push(int[] ids) {
            for (int id : ids) {
                if (id < 0 || id >= s.lane.vocab()) {
                    throw new IllegalArgumentException("token id " + id + ": expected 0.." + (s.lane.vocab() - 1));
                }
            }
            s.require(ids.length);
            for (int id : ids) {
                s.push(id);
            }
            s.target = s.length;
        }

        /** Drops the tokens from {@code length} on. */
        public void truncate(int length) {
            lock.lock();
            try {
                idle();
                if (length < 0 || length > s.length) {
                    throw new IllegalArgumentException("position " + length + ": expected 0.." + s.length);
                }
                while (s.inStep) {
                    waitForChange();
                    idle();
                }
                if (length < s.length) {
                    s.truncate(length);
                }
            } finally {
                lock.unlock();
            }
        }

        /** Starts a generation of at most {@code tokens} tokens. */
        public void start(Task task, int tokens) {
            lock.lock();
            try {
                idle();
                if (s.length == 0) {
                    throw new IllegalStateException("nothing to continue: append a text or tokens before generating");
                }
                s.reserve(tokens);
                s.target = s.length;
                s.task = task;
                work.signal();
            } finally {
                lock.unlock();
            }
        }

        /** Wakes the scheduler, for a cancelled task. */
        public void wake() {
            lock.lock();
            try {
                work.signal();
            } finally {
                lock.unlock();
            }
        }

        /** A copy of the logits after the last token; waits for them. */
        public float[] logits() {
            lock.lock();
            try {
                idle();
                if (s.length == 0) {
                    throw new IllegalStateException("no logits: append a text or tokens first");
                }
                s.target = s.length;
                await();
                return s.logits.clone();
            } finally {
                lock.unlock();
            }
        }

        /** Appends tokens and hands over the logits after each. */
        public void evaluate(int[] ids, Logits consumer) {
            var evaluation = new Sequence.Evaluation(Math.max(1, Math.min(ids.length, Lane.EVALUATION_ROWS)), s.lane.vocab());
            lock.lock();
            try {
                idle();
                s.evaluates = true;
            } finally {
                lock.unlock();
            }
            try {
                makeRoom(s.lane);
            } catch (RuntimeException | Error e) {
                lock.lock();
                s.evaluates = false; // so that nobody else needs this room
                lock.unlock();
                throw e;
            }
            lock.lock();
            try {
                idle();
                s.target = s.length;
                await(); // what was appended before is not evaluated
                push(ids);
                s.evaluation = evaluation;
            } finally {
                lock.unlock();
            }
            try {
                for (int done = 0; done < ids.length;) {
                    int ready = next(evaluation, done > 0);
                    for (int r = 0; r < ready; r++) {
                        consumer.accept(evaluation.position + r, evaluation.rows[r]);
                    }
                    done += ready;
                }
            } finally {
                lock.lock();
                try {
                    s.evaluation = null;
                    work.signal();
                } finally {
                    lock.unlock();
                }
            }
        }

        /** Waits for the next rows. The first may be ready before anybody waits; later ones come once the last are {@code consumed}. */
        private int next(Sequence.Evaluation evaluation, boolean consumed) {
            lock.lock();
            try {
                if (consumed) {
                    evaluation.ready = 0;
                }
                work.signal();
                while (evaluation.ready == 0) {
                    check();
                    waitForChange();
                }
                return evaluation.ready;
            } finally {
                lock.unlock();
            }
        }

        /** A second session that goes on from here; the cache is shared until one of them writes. */
        public Session fork() {
            var fork = Scheduler.this.open(s.lane, s.maxContext);
            lock.lock();
            try {
                idle();
                while (s.cached < s.target || s.inStep) {
                    work.signal();
                    waitForChange();
                    idle();
                }
                var copy = fork.s;
                copy.ids = Arrays.copyOf(s.ids, s.ids.length);
                copy.length = s.length;
                copy.cached = s.cached;
                copy.target = s.target;
                copy.logitsAt = s.logitsAt;
                System.arraycopy(s.logits, 0, copy.logits, 0, s.logits.length);
                copy.firstBlock = s.firstBlock;
                for (int b = s.firstBlock; b < s.blocks.length && s.blocks[b] != null; b++) {
                    copy.blocks[b] = s.lane.pool.share(s.blocks[b]);
                    copy.table.set(b, s.blocks[b].memory);
                }
                return fork;
            } catch (RuntimeException | Error e) {
                fork.close();
                throw e;
            } finally {
                lock.unlock();
            }
        }

        /** Tokens, those included that wait to be computed. */
        public int[] ids() {
            lock.lock();
            try {
                return Arrays.copyOf(s.ids, s.length);
            } finally {
                lock.unlock();
            }
        }

        /** Number of tokens. */
        public int length() {
            lock.lock();
            try {
                return s.length;
            } finally {
                lock.unlock();
            }
        }

        /** Most tokens. */
        public int maxContext() {
            return s.maxContext;
        }

        /** Counts of this session. */
        public Statistics statistics() {
            lock.lock();
            try {
                return new Statistics(s.tokens, s.steps, s.codes, s.silentCodes);
            } finally {
                lock.unlock();
            }
        }

        /** Cancels, waits for the step, frees the cache. */
        @Override
        public void close() {
            lock.lock();
            try {
                Scheduler.this.close(s, "session");
            } finally {
                lock.unlock();
            }
        }

        private void check() {
            if (s.failure != null) {
                throw s.failure;
            }
            if (s.closed || closing) {
                throw new SpikeException.Closed(s.closed ? "session" : "engine");
            }
        }

        private void idle() {
            check();
            if (s.task != null || s.evaluation != null) {
                throw new IllegalStateException("the session is busy with a generation or an evaluation; wait for its end or cancel it");
            }
        }

        private void await() {
            while (s.length > 0 && !s.hasLogits()) {
                work.signal();
                waitForChange();
                idle();
            }
        }
    }
}
