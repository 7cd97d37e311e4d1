package io.github.spike4j.convert.fuzz;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.List;

import io.github.spike4j.convert.TinyModel;

/** A safetensors file beside a sound config.json. */
public final class SafetensorsFuzz {
    private static final Scratch SCRATCH = new Scratch();

    static {
        SCRATCH.write("config.json", TinyModel.config(true, false).getBytes(StandardCharsets.UTF_8));
        SCRATCH.write("tokenizer.json", TinyModel.tokenizer());
    }

    private SafetensorsFuzz() { }

    public static void fuzzerTestOneInput(byte[] data) {
        SCRATCH.write("model.safetensors", data);
        CheckpointReader.read(SCRATCH.folder());
    }

    public static List<byte[]> seeds() throws IOException {
        var folder = new TinyModel(true).huggingFace(Files.createTempDirectory("seed"), "BF16", 1);
        return List.of(Files.readAllBytes(folder.resolve("model.safetensors")));
    }
}
