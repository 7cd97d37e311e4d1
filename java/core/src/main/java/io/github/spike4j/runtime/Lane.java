package io.github.spike4j.runtime;

import io.github.spike4j.SpikeException;
import io.github.spike4j.kernels.Kernels;
import io.github.spike4j.model.LlamaModel;
import io.github.spike4j.model.Phase;
import io.github.spike4j.runtime.sampling.Candidates;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;

/** A model in the scheduler: its sessions, its KV blocks, and the batch that they make. Guarded by the scheduler's lock. */
final class Lane {
    /** Most sessions, and most rows of logits, of a step. */
    private static final int MAX_SEQUENCES = 64;
    /** Rows of logits that there is room for at least. */
    private static final int LEAST_SELECTED = 8;
    /** Positions whose rotations are made as soon as a model is open, some ms; the next are made before they are needed. */
    private static final int FIRST_POSITIONS = 2048;
    /** Rows of logits that an evaluation takes at a time. */
    static final int EVALUATION_ROWS = 32;

    final LlamaModel model;
    final KvPool pool;
    private final Arena arena = Arena.ofShared();
    final Executor executor;
    /** The largest window of a layer; 0 if a layer sees all positions. */
    final int window;
    private final Batch batch;
    private final Candidates candidates = new Candidates();
    private final int piece;
    private final int[] eos;
    private final long codesPerToken;
    private final long codesPerLogits;
    final List<Sequence> sequences = new ArrayList<>();
    /** Who takes part in the step. */
    private final List<Sequence> stepping = new ArrayList<>(MAX_SEQUENCES);
    /** Whose next token is chosen. */
    private final List<Sequence> choosing = new ArrayList<>(MAX_SEQUENCES);
    /** Where the next batch starts to look, so that everybody has a turn. */
    private int turn;
    /** One caller at a time makes room. Locked before the scheduler's lock. */
    final ReentrantLock growth = new ReentrantLock();
    /** Larger room, for the next batch; or null. */
    private Workspace offered;
    boolean closed;
    long codes;
    long silentCodes;
    long steps;
    long tokens;

    Lane(LlamaModel model, Kernels kernels, Team team, int piece, int[] eos) {
        this.model = model;
        this.piece = Math.min(piece, model.architecture().context());
        this.eos = eos;
        codesPerToken = model.codesPerToken();
        codesPerLogits = model.codesPerLogits();
        pool = new KvPool(arena, model.blockBytes());
        executor = new Executor(model, kernels, team);
        window = widestWindow(model);
        try {
            batch = new Batch(arena, Math.max(this.piece, MAX_SEQUENCES), MAX_SEQUENCES, MAX_SEQUENCES);
            executor.ropes().start(Math.min(model.architecture().context(), FIRST_POSITIONS));
        } catch (Throwable t) {
            free();
            throw t;
        }
    }

    /** Positions that the layer sees that sees most; 0 is all. */
    private static int widestWindow(LlamaModel model) {
        int widest = 0;
        for (var attention : model.attention()) {
            if (attention.scores().window() == 0) {
                return 0;
            }
            widest = Math.max(widest, attention.scores().window());
        }
        return widest;
    }

    int vocab() {
        return model.architecture().vocab();
    }

    /** Room for all that the sessions may bring in a step; null if it is there. */
    Workspace.Size missingRoom() {
        long rows = 0;
        long selected = 0;
        int context = 0;
        for (var s : sequences) {
            context = Math.max(context, s.maxContext);
            rows += Math.min(piece, s.maxContext);
            selected += s.evaluates ? EVALUATION_ROWS : 1;
        }
        int r = (int) Math.min(rows, batch.maxRows());
        // Sessions come one by one: room doubles.
        int l = Math.clamp(Long.highestOneBit(2 * selected - 1), LEAST_SELECTED, MAX_SEQUENCES);
        var there = offered == null ? executor.size() : offered.size();
        return there.holds(r, l, context) ? null : there.max(r, l, context);
    }

    /** Takes room for the next batch on. Returns what is not needed any more, or null. */
    Workspace offer(Workspace larger) {
        var unused = offered;
        offered = larger;
        return unused;
    }

    private void adoptRoom() {
        if (offered != null) {
            var old = executor.adopt(offered);
            offered = null;
            if (old != null) {
                Thread.startVirtualThread(old::close); // to give memory back takes a while
            }
        }
    }

    /** Looks for work: generations whose logits are there are to {@link #choose}, other tokens to be computed. False if there is none. */
    boolean hasWork() {
        boolean pending = false;
        for (int i = 0; i < sequences.size(); i++) {
            var s = sequences.get(i);
            if (s.isLive()) {
                settle(s);
                if (s.task != null && s.hasLogits()) {
                    s.chooser = s.task;
                    s.inStep = true;
                    choosing.add(s);
                }
                pending |= s.isPending();
            }
        }
        return pending || !choosing.isEmpty();
    }

    /** Ends a generation that has no next token. */
    private void settle(Sequence s) {
        if (s.task != null && s.task.cancelled()) {
            s.end(Task.End.CANCELLED);
        } else if (s.task != null && s.hasLogits() && s.length == s.maxContext) {
            s.end(Task.End.CONTEXT_FULL);
        }
    }

    /** Chooses the next tokens, without the lock: vocabularies are large, and observers are not ours. */
    void choose() {
        for (int i = 0; i < choosing.size(); i++) {
            var s = choosing.get(i);
            try {
                s.chosen = s.chooser.choose(s.logits, candidates);
            } catch (Throwable t) { // from observer or sampler: it must not end the engine
                s.thrown = t;
            }
        }
    }

    /** Takes what was chosen. */
    void take() {
        for (int i = 0; i < choosing.size(); i++) {
            var s = choosing.get(i);
            var thrown = s.thrown;
            s.inStep = false;
            s.chooser = null;
            s.thrown = null;
            if (s.task == null) {
                continue; // it was closed meanwhile
            }
            try {
                if (thrown == null) {
                    take(s, s.task);
                }
            } catch (Throwable t) { // from the decoder
                thrown = t;
            }
            if (thrown != null) {
                s.fail(thrown);
            }
        }
        choosing.clear();
    }

    private void take(Sequence s, Task task) {
        if (task.cancelled()) {
            s.end(Task.End.CANCELLED);
            return;
        }
        if (s.chosen < 0) {
            s.fail(new SpikeException.NonFinite(-1, "logits", s.length - 1));
            return;
        }
        s.push(s.chosen);
        var end = isEos(s.chosen) ? Task.End.EOS : task.accept(s.chosen);
        if (end != null) {
            s.end(end);
        } else {
            s.target = s.length;
        }
    }

    /** Forms the next batch; false if there is nothing to compute. */
    boolean collect() {
        adoptRoom();
        batch.clear();
        stepping.clear();
        int count = sequences.size();
        // Who waits for its next token goes first: its latency is what people see. Then prompts fill up.
        for (int pass = 0; pass < 2; pass++) {
            for (int i = 0; i < count; i++) {
                var s = sequences.get((turn + i) % count);
                if (s.isLive() && !s.inStep && s.isPending()) {
                    int pending = s.target - s.cached;
                    if (pass == 1 || pending == 1) {
                        add(s, pending);
                    }
                }
            }
        }
        turn = count == 0 ? 0 : (turn + 1) % count;
        return batch.rows() > 0;
    }

    private boolean isEos(int id) {
        for (int e : eos) {
            if (e == id) {
                return true;
            }
        }
        return false;
    }

    private void add(Sequence s, int pending) {
        var evaluation = s.evaluation;
        int rows = Math.min(Math.min(pending, piece), batch.freeRows());
        if (evaluation != null) {
            rows = Math.min(Math.min(rows, EVALUATION_ROWS), batch.freeSelected());
        } else if (rows == pending && batch.freeSelected() == 0) {
            rows--;
        }
        if (rows <= 0 || stepping.size() == MAX_SEQUENCES) {
            return;
        }
        try {
            s.prepareBlocks(rows);
        } catch (OutOfMemoryError e) {
            s.fail(new SpikeException.Device("no memory for the KV cache of " + (s.cached + rows) + " tokens: " + e.getMessage()
                    + "; close sessions or lower maxContext", e));
            return;
        }
        s.stepRows = rows;
        s.stepRow = batch.add(s.ids, s.cached, rows, s.table);
        s.stepLogits = batch.selectedCount();
        s.stepSelected = evaluation != null ? rows : rows == pending ? 1 : 0;
        s.stepEvaluation = evaluation;
        for (int r = rows - s.stepSelected; r < rows; r++) {
            batch.select(s.stepRow + r);
        }
        s.inStep = true;
        stepping.add(s);
    }

    /** Computes the batch and copies its logits, without the lock: nobody looks at those of a session in a step. */
    void step() {
        executor.step(batch);
        for (int i = 0; i < stepping.size(); i++) {
            var s = stepping.get(i);
            for (int r = 0; s.stepEvaluation != null && r < s.stepRows; r++) {
                copy(s.stepLogits + r, s.stepEvaluation.rows[r]);
            }
            if (s.stepSelected > 0) {
                copy(s.stepLogits + s.stepSelected - 1, s.logits);
            }
        }
    }

    /** Hands the results of the batch to its sessions. */
    void deliver(RuntimeException thrown) {
        steps++;
        tokens += batch.rows();
        for (int i = 0; i < stepping.size(); i++) {
            var s = stepping.get(i);
            s.inStep = false;
            if (thrown != null) {
                s.fail(thrown);
                continue;
            }
            count(s);
            Phase failed = null;
            for (int r = 0; r < s.stepRows && failed == null; r++) {
                failed = executor.failed(s.stepRow + r);
                if (failed != null) {
                    s.fail(new SpikeException.NonFinite(failed.layer(), failed.operation(), s.cached + r));
                }
            }
            if (failed == null) {
                deliver(s);
            }
        }
        stepping.clear();
    }

    private void count(Sequence s) {
        long all = s.stepRows * codesPerToken + s.stepSelected * codesPerLogits;
        long quiet = 0;
        for (int r = 0; r < s.stepRows; r++) {
            quiet += executor.silent(s.stepRow + r);
        }
        s.steps++;
        s.tokens += s.stepRows;
        s.codes += all;
        s.silentCodes += quiet;
        codes += all;
        silentCodes += quiet;
    }

    private void deliver(Sequence s) {
        if (s.stepEvaluation != null) {
            s.stepEvaluation.position = s.cached;
            s.stepEvaluation.ready = s.stepRows;
        }
        s.cached += s.stepRows;
        if (s.stepSelected > 0 && s.cached == s.target) {
            s.logitsAt = s.cached;
        }
        s.forget();
    }

    private void copy(int row, float[] to) {
        MemorySegment.copy(executor.logits(), ValueLayout.JAVA_FLOAT, 4L * to.length * row, to, 0, to.length);
    }

    /** Fails all sessions; no batch is formed any more. */
    void fail(Throwable t) {
        stepping.clear();
        choosing.clear();
        sequences.forEach(s -> s.inStep = false);
        for (var s : sequences) {
            if (s.failure == null) {
                s.fail(t);
            }
        }
    }

    boolean isBusy() {
        return !stepping.isEmpty() || !choosing.isEmpty();
    }

    /** Frees everything; no step is in progress. */
    void free() {
        executor.close();
        if (offered != null) {
            offered.close();
        }
        arena.close();
    }
}
