package io.github.spike4j.runtime;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.github.spike4j.TinyModels;
import io.github.spike4j.kernels.AttentionSpec;
import io.github.spike4j.kernels.Sequences.BlockTable;
import io.github.spike4j.model.LlamaModel;
import io.github.spike4j.weights.WeightFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
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
