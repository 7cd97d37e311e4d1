package io.github.spike4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

/** {@code inspect} of what other projects write. */
class InspectSourceTest {

    @TempDir
    Path dir;

    /** Version 3 with an architecture, a text, 9 strings and a tensor of 2 rows of 32 in Q8_0. */
    private Path gguf(String name) throws IOException {
        var b = ByteBuffer.allocate(1024).order(ByteOrder.LITTLE_ENDIAN).put("GGUF".getBytes(StandardCharsets.US_ASCII)).putInt(3).putLong(1).putLong(3);
        string(b, "general.architecture").putInt(8);
        string(b, "mamba");
        string(b, "text").putInt(8);
        string(b, "two\nlines");
        string(b, "words").putInt(9).putInt(8).putLong(9);
        for (int i = 0; i < 9; i++) {
            string(b, "word" + i);
        }
        string(b, "weight").putInt(2).putLong(32).putLong(2).putInt(8).putLong(0);
        b.position((b.position() + 31) / 32 * 32 + 2 * 34);
        return Files.write(dir.resolve(name), Arrays.copyOf(b.array(), b.position()));
    }

    private static ByteBuffer string(ByteBuffer b, String text) {
        return b.putLong(text.length()).put(text.getBytes(StandardCharsets.US_ASCII));
    }

    @Test
    void json() throws IOException {
        var file = gguf("a.gguf");
        var run = Cli.run("inspect", file, "--json");
        assertEquals(0, run.code(), run.toString());
        var json = JsonMapper.shared().readTree(run.out());
        assertEquals(List.of("file", "kind", "fileBytes", "architecture", "problem", "metadata", "tensors"), List.copyOf(json.propertyNames()));
        assertEquals("gguf", json.path("kind").asString());
        assertEquals(Files.size(file), json.path("fileBytes").asLong());
        assertTrue(json.path("architecture").isNull());
        assertTrue(json.path("problem").asString("").contains("\"mamba\" is not supported"));
        assertEquals("two\nlines", json.path("metadata").path("text").asString());
        assertEquals(9, json.path("metadata").path("words").path("count").asInt());
        assertEquals("{\"name\":\"weight\",\"type\":\"Q8_0\",\"shape\":[2,32],\"bytes\":68}", json.path("tensors").path(0).toString());
    }

    @Test
    void text() throws IOException {
        var file = gguf("a.gguf");
        var run = Cli.run("inspect", file);
        assertEquals(0, run.code(), run.toString());
        assertTrue(run.out().contains("convert    no: "), run.out());
        assertTrue(run.out().lines().anyMatch(line -> line.matches("text +two\u23celines")), run.out());
        assertTrue(run.out().lines().anyMatch(line -> line.matches("words +9 STRING, first \\[word0, .*word7]")), run.out());
        assertFalse(run.out().lines().anyMatch(line -> line.startsWith("weight")), run.out());
        run = Cli.run("inspect", file, "--tensors");
        assertTrue(run.out().lines().anyMatch(line -> line.matches("weight +\\[2, 32] +Q8_0 +68")), run.out());
    }

    @Test
    void damaged() throws IOException {
        var file = gguf("a.gguf");
        Files.write(file, Arrays.copyOf(Files.readAllBytes(file), (int) Files.size(file) - 1));
        Cli.run("inspect", file).fails(1, file + ": damaged or truncated: tensor weight");
        for (var name : List.of("a.gguf", "a.safetensors", "a.pth", "a.bin")) {
            Cli.run("inspect", Files.writeString(dir.resolve(name), "some text")).fails(1, name);
        }
        Cli.run("inspect", dir.resolve("absent.gguf")).fails(1, "absent.gguf: no such file");
    }
}
