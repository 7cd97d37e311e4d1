package io.github.spike4j.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.spike4j.TinyModels;
import io.github.spike4j.model.LlamaModel;
import io.github.spike4j.weights.WeightFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RopeTablesTest {
    @TempDir
    private Path dir;

    @Test
    void growsAheadOfUseAndKeepsItsRows() throws IOException, InterruptedException {
        try (var file = WeightFile.open(TinyModels.features(dir)); var ropes = new RopeTables(new LlamaModel(file))) {
            ropes.prepare(10, 2000);
            assertEquals(256, ropes.positions());
            ropes.prepare(129, 2000); // past the middle: from now on the next are being made
            for (int i = 0; i < 1000 && ropes.positions() == 256; i++) {
                Thread.sleep(5);
                ropes.prepare(130, 2000);
            }
            assertEquals(512, ropes.positions(), "grown before position 256 is reached");
            ropes.prepare(1500, 2000); // a jump
            assertTrue(ropes.positions() >= 1500);
            ropes.prepare(2000, 2000);
            assertEquals(2000, ropes.positions(), "no more than any step can read");
            var rope = file.manifest().architecture().ropes().get(1);
            for (int p = 0; p < 2000; p++) {
                for (int i = 0; i < 10; i++) {
                    assertEquals(1f, at(ropes.table(-1), p, i));
                    assertEquals(0f, at(ropes.table(-1), p, 10 + i));
                    double period = rope.periods().get(i);
                    assertEquals(period == 0 ? 1 : (float) (StrictMath.cos(p / period) * rope.magnitude()), at(ropes.table(1), p, i));
                    assertEquals(period == 0 ? 0 : (float) (StrictMath.sin(p / period) * rope.magnitude()), at(ropes.table(1), p, 10 + i));
                }
            }
        }
    }

    private static float at(MemorySegment table, int position, int i) {
        return table.getAtIndex(ValueLayout.JAVA_FLOAT, position * 20L + i);
    }
}
