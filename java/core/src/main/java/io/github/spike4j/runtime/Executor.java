package io.github.spike4j.runtime;

import io.github.spike4j.kernels.AttentionSpec;
import io.github.spike4j.kernels.Kernels;
import io.github.spike4j.kernels.SpikeWeights;
import io.github.spike4j.model.Buffer;
import io.github.spike4j.model.LlamaModel;
import io.github.spike4j.model.Phase;
import io.github.spike4j.weights.LinearWeights;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Runs the phases of a model over a batch on all threads of a team: {@link #step} is the only way forward, and allocates nothing: who
 * forms batches makes room first. How the rows are cut never changes a bit.
 */
final class Executor implements AutoCloseable, Team.Job {
    private final LlamaModel model;
    private final Kernels kernels;
    private final Team team;
    private final Phase[] phases;
    /** The phases from here on are for logits. */
    private final int firstSelected;
    /** Null before there is room. */
    private Workspace workspace;
    private final RopeTables ropes;
    private Batch batch;
    /** Where each thread begins in attention: row * kv heads + kv head. */
    private final int[] attendBounds;
    private volatile Throwable failure;

    Executor(LlamaModel model, Kernels kernels, Team team) {
        this.model = model;
        this.kernels = kernels;
        this.team = team;
        ropes = new RopeTables(model);
        phases = model.phases().toArray(new Phase[0]);
        int first = 0;
        while (first < phases.length && !(phases[first] instanceof Phase.Select)) {
            first++;
        }
        firstSelected = first;
        attendBounds = new int[team.threads() + 1];
    }

    /**
     * Makes room for batches up to a size, on the caller's thread; a step may be in progress.
     *
     * @throws OutOfMemoryError if there is none
     */
    Workspace room(Workspace.Size size) {
        return new Workspace(model, kernels, team.threads(), size);
    }

    /** Takes larger room between two steps; returns the room so far, or null. */
    Workspace adopt(Workspace larger) {
        var old = workspace;
        workspace = larger;
        return old;
    }

    /** The largest batch that there is room for. */
    Workspace.Size size() {
        return workspace == null ? Workspace.Size.NONE : workspace.size();
    }

    /** The tables of the rotations. */
    RopeTables ropes() {
        return ropes;
    }

    /** Computes a batch that there is room for: caches grow by its rows, {@link #logits} holds the selected ones. */
    void step(Batch b) {
        if (!size().holds(b.rows(), b.selectedCount(), b.sequences().context())) {
            throw new IllegalStateException("a batch of " + b.rows() + " rows and " + b.selectedCount() + " of logits, to position "
                    + b.sequences().context() + ", in room for " + size());
        }
        ropes.prepare(b.sequences().context(), size().context());
        batch = b;
        Arrays.fill(workspace.silent, 0, b.rows(), 0);
        Arrays.fill(workspace.failedPhase, 0, b.rows(), -1);
        balanceAttention();
        failure = null;
        team.run(this);
        var thrown = failure;
        if (thrown != null) {
            throw new IllegalStateException("a step failed: " + thrown, thrown);
        }
    }

    /** Logits of the selected rows, [selected][vocab]. */
    MemorySegment logits() {
        return workspace.floats(Buffer.LOGITS);
    }

    /** The residual, [rows][hidden]: what a single block starts from, and what the phases before the logits leave. */
    MemorySegment residual() {
        return workspace.floats(Buffer.RESIDUAL);
    }

    /** Silent codes of a row. */
    long silent(int row) {
        return workspace.silent[row];
    }

    /** The phase in which a row first was not finite, or null. */
    Phase failed(int row) {
        int phase = workspace.failedPhase[row];
        return phase < 0 ? null : phases[phase];
    }

    /** Cuts the rows, or where there are few the heads of each, so that each thread attends to about as many positions. */
    private void balanceAttention() {
        int threads = team.threads();
        int heads = model.architecture().kvHeads();
        int step = batch.rows() >= threads ? heads : 1; // neighbouring rows of a head share what they read
        var seq = batch.sequences();
        long total = 0;
        for (int s = 0; s < seq.count(); s++) {
            total += cost(seq.position(s), seq.rows(s)) * heads;
        }
        long done = 0;
        int thread = 1;
        int at = 0;
        for (int s = 0; s < seq.count(); s++) {
            for (int i = 0; i < seq.rows(s); i++) {
                for (int h = 0; h < heads; h += step, at += step) {
                    while (thread < threads && done >= total * thread / threads) {
                        attendBounds[thread++] = at;
                    }
                    done += (seq.position(s) + i + 1L) * step;
                }
            }
        }
        while (thread <= threads) {
            attendBounds[thread++] = at;
        }
    }

    private static long cost(long position, long rows) {
        return rows * position + rows * (rows + 1) / 2;
    }

    @Override
    public void run(int thread) {
        // Known before the first barrier: after the last one, the batch may already be the next.
        int count = batch.selectedCount() == 0 ? firstSelected : phases.length;
        for (int p = 0; p < count; p++) {
            var phase = phases[p];
            int rows = rows(phase);
            if (failure == null) {
                try {
                    execute(p, phase, rows, thread);
                } catch (Throwable t) { // the other threads wait at the barrier
                    failure = t;
                }
            }
            if (!(phase instanceof Phase.Prepare && rows == 1)) {
                team.barrier(thread);
            }
        }
    }

    private int rows(Phase phase) {
        return switch (phase) {
            case Phase.Select _ -> batch.selectedCount();
            case Phase.Prepare p -> p.selected() ? batch.selectedCount() : batch.rows();
            case Phase.Linear l -> l.selected() ? batch.selectedCount() : batch.rows();
            case Phase.Softcap _ -> batch.selectedCount();
            case Phase.Embed _, Phase.Append _, Phase.Attend _, Phase.AddNorm _ -> batch.rows();
        };
    }

    private void execute(int index, Phase phase, int rows, int thread) {
        int threads = team.threads();
        int begin = (int) ((long) rows * thread / threads);
        int end = (int) ((long) rows * (thread + 1) / threads);
        int width = model.width(Buffer.RESIDUAL);
        switch (phase) {
            case Phase.Embed e -> {
                if (begin < end) {
                    kernels.embed(e.table(), e.bf16(), model.width(Buffer.LOGITS), width, e.scale(), batch.ids(),
                            workspace.floats(Buffer.RESIDUAL), width, begin, end);
                }
            }
            case Phase.Prepare p -> {
                if (rows == 1) {
                    prepare(index, p, 1, 0, 1, thread);
                } else if (begin < end) {
                    prepare(index, p, rows, begin, end, thread);
                }
            }
            case Phase.Linear l -> linear(index, l, rows, thread);
            case Phase.Append a -> {
                if (begin < end) {
                    append(index, a, begin, end);
                }
            }
            case Phase.AddNorm n -> {
                if (begin < end) {
                    addNorm(index, n, begin, end);
                }
            }
            case Phase.Attend a -> attend(a.spec(), attendBounds[thread], attendBounds[thread + 1], thread);
            case Phase.Softcap s -> softcap(s.cap(), (long) rows * model.width(Buffer.LOGITS), thread);
            case Phase.Select _ -> {
                for (int i = begin; i < end; i++) {
                    MemorySegment.copy(workspace.floats(Buffer.RESIDUAL), 4L * width * batch.selected(i), workspace.floats(Buffer.HEAD),
                            4L * width * i, 4L * width);
                }
            }
        }
    }

    private void prepare(int index, Phase.Prepare p, int rows, int begin, int end, int thread) {
        var output = p.source().output();
        int stride = model.width(output);
        var x = workspace.floats(output, rows, thread);
        switch (p.source()) {
            case Phase.Source.Norm n -> {
                if (!kernels.rmsNorm(workspace.floats(n.from()), stride, n.weight(), stride, model.architecture().normEps(), x, stride, false,
                        begin, end)) {
                    for (int r = begin; r < end; r++) {
                        if (Float.isNaN(x.get(ValueLayout.JAVA_FLOAT, 4L * stride * r))) {
                            fail(p, r, index, thread, rows);
                        }
                    }
                }
            }
            case Phase.Source.Gated g -> kernels.glu(g.activation(), workspace.floats(Buffer.GATE_UP), 2 * stride, stride, x, stride, begin, end);
            case Phase.Source.Plain _ -> { }
        }
        var turned = p.rotated().isEmpty() ? x : rotate(x, stride, rows, begin, end, thread);
        for (int s = 0; s < p.specs().size(); s++) {
            var spikes = workspace.spikes(s, rows, thread);
            var spec = p.specs().get(s);
            kernels.encode(spec, p.rotated().contains(spec) ? turned : x, stride, spikes, begin, end);
            if (!p.planes().isEmpty() && p.planes().contains(spec)) {
                kernels.planes(spec, spikes, workspace.planes(s, rows, thread), begin, end);
            }
            if (rows > 1 || thread == 0) {
                for (int r = begin; r < end; r++) {
                    int count = spikes.silent(r);
                    if (count < 0) {
                        fail(p, r, index, thread, rows);
                    } else {
                        workspace.silent[row(p, r)] += count;
                    }
                }
            }
        }
    }

    /** A rotated copy of rows [begin, end), at the same stride. */
    private MemorySegment rotate(MemorySegment x, int stride, int rows, int begin, int end, int thread) {
        var to = workspace.floats(Buffer.ROTATED, rows, thread);
        MemorySegment.copy(x, 4L * stride * begin, to, 4L * stride * begin, 4L * stride * (end - begin));
        kernels.hadamard(to, stride, stride, begin, end);
        return to;
    }

    private int row(Phase.Prepare p, int r) {
        return p.selected() ? batch.selected(r) : r;
    }

    private void fail(Phase.Prepare p, int r, int index, int thread, int rows) {
        // All threads prepare a single row; one of them reports.
        if (rows > 1 || thread == 0) {
            fail(row(p, r), index);
        }
    }

    private void fail(int row, int index) {
        if (workspace.failedPhase[row] < 0) {
            workspace.failedPhase[row] = index;
        }
    }

    private void linear(int index, Phase.Linear l, int rows, int thread) {
        int stride = model.width(l.to());
        for (int i = 0; i < l.parts().size(); i++) {
            var part = l.parts().get(i);
            // Panels of 16 rows are dealt out evenly; the last may be shorter.
            int panels = (part.weights().rows() + 15) / 16;
            int begin = (int) ((long) panels * thread / team.threads()) * 16;
            int end = Math.min(part.weights().rows(), (int) ((long) panels * (thread + 1) / team.threads()) * 16);
            if (begin >= end) {
                continue;
            }
            var y = workspace.output(index, i);
            switch (part.weights()) {
                case LinearWeights.Spiking s when s.weights().layout() == SpikeWeights.Layout.P64 ->
                    kernels.linearPlanes(s.weights(), workspace.spikes(part.slot(), rows, thread), workspace.planes(part.slot(), rows, thread),
                            rows, y, stride, l.add(), begin, end);
                case LinearWeights.Spiking s ->
                    kernels.linear(s.weights(), workspace.spikes(part.slot(), rows, thread), rows, y, stride, l.add(), begin, end);
                case LinearWeights.Dense d ->
                    kernels.dense(d.weights(), workspace.floats(l.from(), rows, thread), model.width(l.from()), rows, y, stride, l.add(), begin,
                            end);
            }
        }
    }

    /** As rows of 64 floats, so that every thread has a share of a single token's logits. */
    private void softcap(float cap, long count, int thread) {
        var logits = workspace.floats(Buffer.LOGITS);
        int blocks = (int) (count / 64);
        int rest = (int) (count % 64);
        int begin = (int) ((long) blocks * thread / team.threads());
        int end = (int) ((long) blocks * (thread + 1) / team.threads());
        if (begin < end) {
            kernels.softcap(logits, 64, 64, cap, begin, end);
        }
        if (rest > 0 && thread == 0) {
            kernels.softcap(logits, 64, rest, cap, blocks, blocks + 1);
        }
    }

    private void addNorm(int index, Phase.AddNorm n, int begin, int end) {
        int width = model.width(Buffer.RESIDUAL);
        var residual = workspace.floats(Buffer.RESIDUAL);
        if (!kernels.rmsNorm(workspace.floats(Buffer.NORMED), width, n.weight(), width, model.architecture().normEps(), residual, width, true,
                begin, end)) {
            for (int r = begin; r < end; r++) {
                if (Float.isNaN(residual.get(ValueLayout.JAVA_FLOAT, 4L * width * r))) {
                    fail(r, index);
                }
            }
        }
    }

    /** Norm of heads [first, first + count) of rows; rows of {@link Buffer#QKV} are whole heads. A head that is not finite becomes NaN. */
    private void headNorm(MemorySegment weight, int first, int count, int begin, int end) {
        int d = model.architecture().headDim();
        int perRow = model.width(Buffer.QKV) / d;
        var qkv = workspace.floats(Buffer.QKV);
        for (int r = begin; r < end; r++) {
            int head = r * perRow + first;
            kernels.rmsNorm(qkv, d, weight, d, model.architecture().normEps(), qkv, d, false, head, head + count);
        }
    }

    private void append(int index, Phase.Append a, int begin, int end) {
        var spec = a.spec();
        var qkv = workspace.floats(Buffer.QKV);
        int stride = model.width(Buffer.QKV);
        var rope = ropes.table(a.rope());
        if (a.qNorm() != null) {
            headNorm(a.qNorm(), 0, spec.heads(), begin, end);
            headNorm(a.kNorm(), spec.heads(), spec.kvHeads().size(), begin, end);
        }
        if (spec.dense()) {
            kernels.denseAppend(spec, qkv, stride, rope, batch.sequences(), begin, end);
            return;
        }
        kernels.append(spec, qkv, stride, rope, batch.sequences(), workspace.queries(), begin, end);
        for (int r = begin; r < end; r++) {
            int count = workspace.queries().silent(r);
            if (count < 0) {
                fail(r, index);
            } else {
                workspace.silent[r] += count;
            }
        }
    }

    /** From and to as in {@link #attendBounds}: the rest of a row, whole rows, and a part of the last. */
    private void attend(AttentionSpec spec, int from, int to, int thread) {
        int heads = spec.kvHeads().size();
        int row = from / heads;
        int last = to / heads;
        int head = from % heads;
        if (row < last && head > 0) {
            attend(spec, row, ++row, head, heads, thread);
            head = 0;
        }
        attend(spec, row, last, 0, heads, thread);
        attend(spec, last, last + 1, head, to % heads, thread);
    }

    private void attend(AttentionSpec spec, int begin, int end, int headBegin, int headEnd, int thread) {
        if (begin >= end || headBegin >= headEnd) {
            return;
        }
        var out = workspace.floats(Buffer.ATTENTION);
        int stride = model.width(Buffer.ATTENTION);
        if (spec.dense()) {
            kernels.denseAttend(spec, workspace.floats(Buffer.QKV), model.width(Buffer.QKV), batch.sequences(), out, stride,
                    workspace.scratch(thread), begin, end, headBegin, headEnd);
        } else {
            kernels.attend(spec, workspace.queries(), batch.sequences(), out, stride, workspace.scratch(thread), begin, end, headBegin, headEnd);
        }
    }

    /** Frees the workspace. */
    @Override
    public void close() {
        if (workspace != null) {
            workspace.close();
            workspace = null;
        }
        ropes.close();
    }
}
