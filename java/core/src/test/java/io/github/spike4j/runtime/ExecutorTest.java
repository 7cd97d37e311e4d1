package io.github.spike4j.runtime;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.github.spike4j.TinyModels;
import io.github.spike4j.kernels.AttentionSpec;
import io.github.spike4j.kernels.Queries;
import io.github.spike4j.kernels.Sequences;
import io.github.spike4j.kernels.Sequences.BlockTable;
import io.github.spike4j.model.LlamaModel;
import io.github.spike4j.weights.WeightFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExecutorTest {
    @TempDir
    private Path dir;

    @Test
    void aTokenAllocatesNothing() throws IOException {
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (var arena = Arena.ofShared(); var file = WeightFile.open(TinyModels.spiking(dir)); var team = new Team(1)) {
            var model = new LlamaModel(file);
            var kernels = Backends.choose("native", null, null).kernels();
            try (var executor = new Executor(model, kernels, team)) {
                var batch = new Batch(arena, 1, 1, 1);
                var table = new BlockTable(arena, 4);
                for (int b = 0; b < table.capacity(); b++) {
                    table.set(b, arena.allocate(model.blockBytes(), 64));
                }
                var ids = new int[4 * AttentionSpec.PAGE];
                executor.adopt(executor.room(new Workspace.Size(1, 1, ids.length)));
                long before = 0;
                // Warm up until compiled code runs, then count.
                for (int round = 0; round < 200; round++) {
                    if (round == 190) {
                        before = threads.getCurrentThreadAllocatedBytes();
                    }
                    for (int p = 0; p < ids.length; p++) {
                        batch.clear();
                        batch.add(ids, p, 1, table);
                        batch.select(0);
                        executor.step(batch);
                    }
                }
                assertEquals(0, threads.getCurrentThreadAllocatedBytes() - before, "bytes for " + 10 * ids.length + " tokens");
            }
        }
    }

    /** Whatever the batch and the threads, each row and kv head is attended to once, and nobody has much more to do than the others. */
    @Test
    void attentionIsDealtOut() throws IOException {
        try (var arena = Arena.ofShared(); var file = WeightFile.open(TinyModels.spiking(dir))) {
            var model = new LlamaModel(file);
            int heads = model.architecture().kvHeads();
            var done = new ConcurrentHashMap<String, LongAdder>();
            var times = new ConcurrentHashMap<List<Integer>, Integer>();
            var kernels = new JavaKernels() {
                private final AttentionSpec first = model.attention().getFirst();

                @Override
                public void attend(AttentionSpec a, Queries q, Sequences sequences, MemorySegment out, int stride, MemorySegment scratch, int begin,
                        int end, int headBegin, int headEnd) {
                    super.attend(a, q, sequences, out, stride, scratch, begin, end, headBegin, headEnd);
                    for (int s = 0; s < sequences.count() && a == first; s++) {
                        for (int r = Math.max(begin, sequences.row(s)); r < Math.min(end, sequences.row(s) + sequences.rows(s)); r++) {
                            for (int h = headBegin; h < headEnd; h++) {
                                times.merge(List.of(r, h), 1, Integer::sum);
                                done.computeIfAbsent(Thread.currentThread().getName(), _ -> new LongAdder())
                                        .add(sequences.position(s) + r - sequences.row(s) + 1);
                            }
                        }
                    }
                }
            };
            for (int threads : new int[] {1, 3, 16}) {
                for (int[] rows : new int[][] {{1}, {7}, {1, 1, 1, 1, 1, 1, 1, 1}, {3, 9}, {40, 1}}) { // of each sequence
                    int all = Arrays.stream(rows).sum();
                    var batch = new Batch(arena, all, rows.length, 1);
                    for (int count : rows) {
                        var table = new BlockTable(arena, 1);
                        table.set(0, arena.allocate(model.blockBytes(), 64));
                        batch.add(new int[64], 5, count, table);
                    }
                    done.clear();
                    times.clear();
                    try (var team = new Team(threads); var executor = new Executor(model, kernels, team)) {
                        executor.adopt(executor.room(new Workspace.Size(all, 1, 64)));
                        executor.step(batch);
                    }
                    var what = threads + " threads, rows " + Arrays.toString(rows) + ": " + done;
                    assertEquals(all * heads, times.size(), what);
                    assertTrue(times.values().stream().allMatch(n -> n == 1), what);
                    // At most a part too much: a row, or where there are few a head of it.
                    long part = (5 + Arrays.stream(rows).max().getAsInt()) * (all >= threads ? heads : 1);
                    long total = done.values().stream().mapToLong(LongAdder::sum).sum();
                    assertTrue(done.values().stream().mapToLong(LongAdder::sum).max().getAsLong() <= total / threads + 1 + part, what);
                    if (rows.length == all) { // all parts are equal
                        assertEquals(Math.min(threads, all * heads), done.size(), what);
                    }
                }
            }
        }
    }

    /** A workspace that does not fit leaves nothing behind, and the one before goes on. */
    @Test
    void roomThatDoesNotFitLeavesTheOldOne() throws IOException {
        try (var arena = Arena.ofShared(); var file = WeightFile.open(TinyModels.spiking(dir)); var team = new Team(1)) {
            var model = new LlamaModel(file);
            try (var executor = new Executor(model, new JavaKernels(), team)) {
                var batch = new Batch(arena, 1, 1, 1);
                var table = new BlockTable(arena, 1);
                table.set(0, arena.allocate(model.blockBytes(), 64));
                batch.add(new int[] {3}, 0, 1, table);
                batch.select(0);
                assertThrows(IllegalStateException.class, () -> executor.step(batch));
                executor.adopt(executor.room(new Workspace.Size(1, 1, 10)));
                executor.step(batch);
                var expected = executor.logits().toArray(ValueLayout.JAVA_FLOAT);
                long before = residentMiB();
                for (int i = 0; i < 5; i++) {
                    // The first buffer takes 64 MB, the next cannot be had: 80 floats a row.
                    assertThrows(OutOfMemoryError.class, () -> executor.room(new Workspace.Size(200_000, Integer.MAX_VALUE, 10)));
                }
                long more = residentMiB() - before;
                assertTrue(more < 150, more + " MiB stay behind");
                assertArrayEquals(expected, executor.logits().toArray(ValueLayout.JAVA_FLOAT));
                executor.step(batch);
                assertArrayEquals(expected, executor.logits().toArray(ValueLayout.JAVA_FLOAT));
            }
        }
    }

    private static long residentMiB() throws IOException {
        try (var lines = Files.lines(Path.of("/proc/self/status"))) {
            return lines.filter(l -> l.startsWith("VmRSS:")).mapToLong(l -> Long.parseLong(l.replaceAll("\\D", ""))).findFirst().orElseThrow() >> 10;
        }
    }
}
