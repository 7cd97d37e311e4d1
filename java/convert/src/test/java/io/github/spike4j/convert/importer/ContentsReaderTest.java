package io.github.spike4j.convert.importer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.SourceContents;
import io.github.spike4j.convert.SourceContents.Tensor;
import io.github.spike4j.convert.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ContentsReaderTest {
    @TempDir
    Path dir;

    @Test
    void gguf() throws IOException {
        var b = new GgufBuilder(2).key("general.architecture", GgufBuilder.STRING, "bert").strings("few", "a", "b")
                .key("many", GgufBuilder.ARRAY, new GgufBuilder(2).array(GgufBuilder.U8, 0, 1, 2, 3, 4, 5, 6, 7, 8))
                .key("yes", GgufBuilder.BOOL, true).tensor("w", 12, new byte[2 * 144], 256, 2);
        // Without its usual ending.
        var file = b.write(dir.resolve("model"));
        assertTrue(SourceContents.isSource(file));
        var c = SourceContents.of(file);
        assertEquals("gguf", c.kind());
        assertEquals(Files.size(file), c.bytes());
        assertNull(c.architecture());
        assertTrue(c.problem().contains("architecture \"bert\" is not supported"), c.problem());
        assertEquals(Map.of("GGUF.version", 2, "general.architecture", "bert", "few", List.of("a", "b"), "yes", true,
                "many", Map.of("type", "UINT8", "count", 9L, "first", List.of(0L, 1L, 2L, 3L, 4L, 5L, 6L, 7L))), c.metadata());
        assertEquals(List.of(new Tensor("w", "Q4_K", List.of(2L, 256L), 288)), c.tensors());
    }

    @Test
    void huggingFace() throws IOException {
        var model = new TinyModel(true);
        var folder = model.huggingFace(dir.resolve("m"), "BF16", 3);
        var c = SourceContents.of(folder);
        assertEquals("huggingface", c.kind());
        assertNull(c.problem());
        assertEquals(TinyModel.HIDDEN, c.architecture().hidden());
        assertEquals(TinyModel.INNER, c.metadata().get("intermediate_size"));
        assertEquals(List.of(2, 3), c.metadata().get("eos_token_id"));
        assertEquals(2 + 9 * TinyModel.LAYERS, c.tensors().size());
        assertTrue(c.tensors().contains(new Tensor("model.layers.1.mlp.down_proj.weight", "BF16", List.of((long) TinyModel.HIDDEN, (long) TinyModel.INNER),
                2 * TinyModel.HIDDEN * TinyModel.INNER)));

        var shard = SourceContents.of(folder.resolve("model-00002-of-00003.safetensors"));
        assertEquals("safetensors", shard.kind());
        assertEquals(Map.of("format", "pt"), shard.metadata());
        assertTrue(shard.tensors().size() < c.tensors().size());

        Files.writeString(folder.resolve("config.json"), "{\"architectures\": [\"T5Model\"]}");
        var other = SourceContents.of(folder);
        assertTrue(other.problem().contains("T5Model"), other.problem());
        assertEquals(c.tensors(), other.tensors());
    }

    @Test
    void pyTorch() throws IOException {
        var file = dir.resolve("pytorch_model.bin");
        PyTorchWriter.write(file, "F16", Map.of("a.weight", PyTorchWriter.Tensor.of("0", new float[] {1, 2, 3, 4, 5, 6}, 2, 3)));
        var c = SourceContents.of(file);
        assertEquals("pytorch", c.kind());
        assertEquals(List.of(new Tensor("a.weight", "F16", List.of(2L, 3L), 12)), c.tensors());
        assertTrue(c.problem().contains("config.json"), c.problem());
    }

    @Test
    void llama2c() throws IOException {
        var c = SourceContents.of(new TinyModel(false).llama2c(dir.resolve("m")));
        assertEquals("llama2c", c.kind());
        assertEquals(TinyModel.VOCAB, c.architecture().vocab());
    }

    @Test
    void noSource() throws IOException {
        var text = Files.writeString(dir.resolve("text"), "some text");
        assertFalse(SourceContents.isSource(text));
        for (var name : List.of("text", "absent", "a.gguf", "a.safetensors", "a.pth")) {
            var file = dir.resolve(name);
            if (name.startsWith("a.")) {
                Files.writeString(file, "some text");
            }
            var message = assertThrows(ConversionException.class, () -> SourceContents.of(file)).getMessage();
            assertTrue(message.startsWith(file + ": ") && message.lines().count() == 1, message);
        }
    }
}
