package io.github.spike4j.convert.fuzz;

import java.nio.file.Path;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.importer.Checkpoint;
import io.github.spike4j.convert.importer.Checkpoint.Weight;
import io.github.spike4j.convert.importer.Matrix;

/** Reads of a checkpoint what a conversion would read. */
public final class CheckpointReader {
    private CheckpointReader() { }

    public static void read(Path source) {
        try (var c = Checkpoint.open(source)) {
            for (var w : Weight.values()) {
                for (int layer = 0; layer < c.architecture().layers(); layer++) {
                    ends(c.weight(w, layer));
                }
            }
            c.tokenizerJson();
            c.tokenizer();
            c.chatTemplates();
            c.provenance();
            c.license();
        } catch (ConversionException e) {
            // refused
        }
    }

    /** The first and the last row: where they lie is what a file can lie about. */
    private static void ends(Matrix m) {
        if (m != null && m.rows() > 0) {
            var row = new float[m.columns()];
            m.read(0, row, 0);
            m.read(m.rows() - 1, row, 0);
        }
    }
}
