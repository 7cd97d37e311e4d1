package io.github.spike4j;

import java.io.IOException;
import java.nio.file.Path;

/** Tiny models for tests of other packages. */
public final class TinyModels {
    private TinyModels() {}

    /** Writes a spiking model into a directory. */
    public static Path spiking(Path dir) throws IOException {
        return new TinyModel(TinyModel.Kind.SPIKING, 31).write(dir.resolve("tiny.s4j"));
    }

    /** Writes a spiking model with every feature of an architecture. */
    public static Path features(Path dir) throws IOException {
        return new TinyModel(TinyModel.Kind.FEATURES, 32).write(dir.resolve("features.s4j"));
    }
}
