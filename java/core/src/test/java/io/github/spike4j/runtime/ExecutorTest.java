package io.github.spike4j.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.sun.management.ThreadMXBean;
import io.github.spike4j.TinyModels;
import io.github.spike4j.kernels.AttentionSpec;
import io.github.spike4j.kernels.Sequences.BlockTable;
import io.github.spike4j.model.LlamaModel;
import io.github.spike4j.weights.WeightFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
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
                        executor.step(batch, ids.length);
                    }
                }
                assertEquals(0, threads.getCurrentThreadAllocatedBytes() - before, "bytes for " + 10 * ids.length + " tokens");
            }
        }
    }
}
