package io.github.spike4j.convert.fuzz;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.List;

import io.github.spike4j.convert.TinyModel;

/** A config.json beside sound weights. */
public final class ConfigFuzz {
    private static final Scratch SCRATCH = new Scratch();

    static {
        try {
            new TinyModel(true).huggingFace(SCRATCH.folder(), "BF16", 1);
        } catch (IOException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private ConfigFuzz() { }

    public static void fuzzerTestOneInput(byte[] data) {
        SCRATCH.write("config.json", data);
        CheckpointReader.read(SCRATCH.folder());
    }

    public static List<byte[]> seeds() {
        return List.of(TinyModel.config(true, false).getBytes(StandardCharsets.UTF_8),
                TinyModel.config(true, false).replace("10000.0", "10000.0, \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0,"
                        + " \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 32}")
                        .getBytes(StandardCharsets.UTF_8));
    }
}
