package io.github.spike4j.convert.importer;

import java.util.List;

import io.github.spike4j.convert.fuzz.CheckpointReader;
import io.github.spike4j.convert.fuzz.Scratch;

/** A GGUF file, for Jazzer (see package fuzz). */
public final class GgufFuzz {
    private static final Scratch SCRATCH = new Scratch();

    private GgufFuzz() { }

    public static void fuzzerTestOneInput(byte[] data) {
        CheckpointReader.read(SCRATCH.write("model.gguf", data));
    }

    public static List<byte[]> seeds() {
        return List.of(new GgufCheckpointTest.Tiny("llama").builder().bytes(), new GgufCheckpointTest.Tiny("gemma2").builder().bytes(),
                new GgufBuilder(1).key("general.architecture", GgufBuilder.STRING, "llama").strings("tokenizer.ggml.tokens", "a", "b")
                        .tensor("t", 2, new byte[18], 32).bytes());
    }
}
