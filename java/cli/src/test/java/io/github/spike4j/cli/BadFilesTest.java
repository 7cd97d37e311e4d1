package io.github.spike4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.spike4j.convert.ProgressListener;
import io.github.spike4j.convert.Recipes;
import io.github.spike4j.convert.SyntheticModel;
import io.github.spike4j.format.S4jFile;
import io.github.spike4j.format.S4jWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.json.JsonMapper;

/** Every command that reads a model says in one line what is wrong with a file that is none. */
class BadFilesTest {

    @TempDir
    Path dir;

    @ParameterizedTest
    @ValueSource(strings = {"inspect", "verify"})
    void noModel(String command) throws IOException {
        Cli.run(command).fails(2, "MODEL");
        Cli.run(command, dir.resolve("absent.s4j")).fails(1, "absent.s4j", "no such file");
        // inspect also shows folders of checkpoints
        Cli.run(command, dir).fails(1, command.equals("inspect") ? "no weights" : "is a directory");
        var text = Files.writeString(dir.resolve("text.s4j"), "no archive\n");
        Cli.run(command, text).fails(1, "text.s4j", "not an .s4j file");
        var empty = Files.createFile(dir.resolve("empty.s4j"));
        Cli.run(command, empty).fails(1, "empty.s4j");
        Cli.run(command, "--nope", text).fails(2, "--nope");
    }

    @Test
    void runAndPerplexity() throws IOException {
        var text = Files.writeString(dir.resolve("text.s4j"), "no archive\n");
        var absent = dir.resolve("absent.s4j");
        Cli.run("run", absent, "--prompt", "x").fails(1, "absent.s4j", "no such file");
        Cli.run("run", dir, "--prompt", "x").fails(1, "is a directory");
        Cli.run("run", text, "--prompt", "x").fails(1, "text.s4j", "not an .s4j file");
        Cli.run("run", "--verify", text, "--prompt", "x").fails(1, "text.s4j", "not an .s4j file");
        Cli.run("run", text, "--prompt-file", absent).fails(1, "absent.s4j", "no such file");
        Cli.run("perplexity", absent, "--text", text, "--seq", 16).fails(1, "absent.s4j", "no such file");
        Cli.run("perplexity", text, "--text", absent, "--seq", 16).fails(1, "absent.s4j", "no such file");
        Cli.run("perplexity", text, "--text", text, "--seq", 16).fails(1, "text.s4j", "not an .s4j file");
        var bytes = Files.write(dir.resolve("latin1.txt"), new byte[] {'a', (byte) 0xe9, 'b'});
        Cli.run("run", text, "--prompt-file", bytes).fails(1, "latin1.txt", "not UTF-8");
    }

    /** Opening a named pipe would wait for somebody to write. */
    @Test
    @Timeout(60)
    void filesThatAreNone() throws Exception {
        var text = Files.writeString(dir.resolve("text.txt"), "some text");
        for (var name : List.of("pipe.s4j", "pipe.gguf", "pipe.bin", "pipe.safetensors")) {
            var pipe = dir.resolve(name);
            assertEquals(0, new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor());
            for (var command : List.<Object[]>of(new Object[] {"run", pipe, "--prompt", "x"}, new Object[] {"inspect", pipe},
                    new Object[] {"verify", pipe}, new Object[] {"chat", pipe}, new Object[] {"tokenize", pipe, "--text", "x"},
                    new Object[] {"perplexity", pipe, "--text", text}, new Object[] {"compare", pipe, pipe, "--text", text},
                    new Object[] {"convert", pipe, "-o", dir.resolve("out.s4j"), "--recipe", "bf16"})) {
                Cli.run(command).fails(1, name, "is not a regular file");
            }
        }
        var loop = Files.createSymbolicLink(dir.resolve("loop.s4j"), Path.of("loop.s4j"));
        var looping = Cli.run("run", loop, "--prompt", "x");
        looping.fails(1, "loop.s4j");
        assertFalse(looping.err().contains("no such file"), looping.err()); // the system's own words, in the user's language
        Cli.run("run", "", "--prompt", "x").fails(1, "empty");
        var converted = Files.writeString(dir.resolve("converted.s4j"), "PK");
        Cli.run("convert", converted, "-o", dir.resolve("out.s4j"), "--recipe", "bf16").fails(1, "converted.s4j", "converted already");
    }

    @Test
    void impossibleOptions() throws IOException {
        var text = Files.writeString(dir.resolve("text.s4j"), "no archive\n");
        Cli.run("run", text).fails(2, "--prompt");
        Cli.run("run", text, "--prompt", "x", "--prompt-file", text).fails(2, "--prompt");
        for (var option : List.of("-n 0", "-n -1", "-n x", "--temp -1", "--temp hot", "--top-p 0", "--top-p 1.5", "--min-p 2", "--top-k -1",
                "--seed x", "--threads 0", "--threads -2", "--backend gpu", "--weights disk", "--tier avx1024", "--backend vector --tier avx2", "--split 0",
                "--batch 0", "--nope")) {
            var arguments = new ArrayList<Object>(List.of("run", text, "--prompt", "x"));
            arguments.addAll(List.of(option.split(" ")));
            Cli.run(arguments.toArray()).fails(2);
        }
        for (var option : List.of("-n 0", "--temp -1", "--top-k -1", "--top-p 1.5", "--min-p 2", "--repeat-penalty 0")) {
            var words = option.split(" ");
            Cli.run("run", text, "--prompt", "x", words[0], words[1]).fails(2, words[0] + " is ");
        }
        for (var option : List.of("--seq 1", "--seq 16 --bos maybe", "--seq 16 --segments 0", "--seq 16 --threads 0")) {
            var arguments = new ArrayList<Object>(List.of("perplexity", text, "--text", text));
            arguments.addAll(List.of(option.split(" ")));
            Cli.run(arguments.toArray()).fails(2);
        }
        for (var threads : List.of("0", "-1", "1025")) {
            Cli.run("convert", text, "--recipe", "f32", "--dry-run", "--threads", threads).fails(2, "--threads", threads);
        }
        for (var context : List.of("0", "-1", "16777217", "4294967297", "long")) {
            Cli.run("convert", text, "--recipe", "f32", "--dry-run", "--context", context).fails(2, "--context", context);
        }
        Cli.run("perplexity", text, "--seq", 16).fails(2, "--text");
    }

    /** Of convert and bench alike: a recipe is an option. */
    @Test
    void recipesThatAreNone() throws IOException {
        var broken = Files.writeString(dir.resolve("broken.json"), "{\"base\":\n  [1");
        var odd = Files.writeString(dir.resolve("odd.json"), "{\"base\": \"w4a4\", \"colour\": 1}");
        var latin = Files.write(dir.resolve("latin1.json"), new byte[] {'{', (byte) 0xe9, '}'});
        for (var command : List.of(List.of("convert", odd, "-o", dir.resolve("never.s4j")),
                List.of("bench", "--shape", "64,96,2,4,2,80"))) {
            for (var recipe : Map.of(dir.resolve("absent.json"), "no such file", broken, "not valid JSON", odd, "colour", dir, "unknown recipe",
                    latin, "not UTF-8").entrySet()) {
                var arguments = new ArrayList<Object>(command);
                arguments.addAll(List.of("--recipe", recipe.getKey()));
                var run = Cli.run(arguments.toArray());
                run.fails(2, recipe.getKey().getFileName().toString(), recipe.getValue());
                assertFalse(run.err().contains("Source"), run.err());
            }
        }
    }

    private Path changed(String name, Path model, UnaryOperator<byte[]> change) throws IOException {
        return Files.write(dir.resolve(name), change.apply(Files.readAllBytes(model)));
    }

    private static UnaryOperator<byte[]> flip(int at) {
        return bytes -> {
            bytes[at] ^= 0x10;
            return bytes;
        };
    }

    /** Where {@code text} first is in {@code bytes}, which it must be. */
    private static int find(byte[] bytes, String text) {
        int at = new String(bytes, StandardCharsets.ISO_8859_1).indexOf(text);
        assertTrue(at >= 0, text);
        return at;
    }

    /** Runs all four commands that read a model. */
    private void allFail(Path file, String... words) throws IOException {
        var text = Files.writeString(dir.resolve("some.txt"), "some text");
        Cli.run("inspect", file).fails(1, words);
        Cli.run("verify", file).fails(1, words);
        Cli.run("run", file, "--prompt", "x").fails(1, words);
        Cli.run("run", "--verify", file, "--prompt", "x").fails(1, words);
        Cli.run("perplexity", file, "--text", text, "--seq", 4).fails(1, words);
    }

    @Test
    void truncatedFiles() throws IOException {
        var sound = model();
        int size = (int) Files.size(sound);
        for (int length : new int[] {1, 21, 100, size / 2, size - 4096, size - 1}) {
            allFail(changed("cut.s4j", sound, b -> Arrays.copyOf(b, length)), dir.resolve("cut.s4j") + ": not an .s4j file, or truncated");
        }
    }

    @Test
    void flippedBits() throws IOException {
        var sound = model();
        var bytes = Files.readAllBytes(sound);
        var bad = dir.resolve("bad.s4j").toString();
        allFail(changed("bad.s4j", sound, flip(find(bytes, "\"formatVersion\""))), bad + ": manifest.json: damaged: its CRC-32 is wrong");
        allFail(changed("bad.s4j", sound, flip(10)), bad + ": manifest.json: damaged: its local header");
        allFail(changed("bad.s4j", sound, flip(bytes.length - 1)), bad + ": not an .s4j file, or truncated");
        allFail(changed("bad.s4j", sound, flip(bytes.length - 6)), bad + ": damaged: ZIP directory not at its place");

        // The tokenizer is read by those that need it.
        var tokenizer = changed("bad.s4j", sound, flip(find(bytes, "tokenizer.json") + 500));
        var damaged = new String[] {bad + ": tokenizer.json: damaged: its CRC-32 is wrong"};
        Cli.run("verify", tokenizer).fails(1, damaged);
        Cli.run("run", tokenizer, "--prompt", "x").fails(1, damaged);
        Cli.run("perplexity", tokenizer, "--text", dir.resolve("some.txt"), "--seq", 4).fails(1, damaged);
        assertEquals(0, Cli.run("inspect", tokenizer).code());

        // Weights are not hashed to run them, unless --verify asks for it.
        int norm = find(bytes, "tensors/final_norm");
        var weights = changed("bad.s4j", sound, flip((norm + "tensors/final_norm".length() + 8 + 63) / 64 * 64));
        damaged = new String[] {bad + ": tensors/final_norm: damaged: its SHA-256 is not that of the manifest"};
        Cli.run("verify", weights).fails(1, damaged);
        Cli.run("run", "--verify", weights, "--prompt", "x").fails(1, damaged);
        assertEquals(0, Cli.run("inspect", weights).code());
        assertEquals(0, Cli.run("run", weights, "--prompt", "A", "-n", 2).code());
    }

    /** Sound by their checksums, but no tokenizer and no template. */
    @Test
    void textsThatCannotBeRead() throws IOException {
        var tokenizer = withEntry("tokenizer.json", "{}");
        for (var command : List.of("verify", "run")) {
            Cli.run(command.equals("run") ? new Object[] {"run", tokenizer, "--prompt", "x"} : new Object[] {command, tokenizer})
                    .fails(1, tokenizer + ": tokenizer.json: no \"model\"");
        }
        assertEquals(0, Cli.run("inspect", tokenizer).code());
        Cli.run("verify", withEntry("chat_template.jinja", "{% if %}")).fails(1, "changed.s4j: chat_template.jinja:");
        Cli.run("verify", withEntry("additional_chat_templates/rag.jinja", "{% if %}")).fails(1, "changed.s4j: additional_chat_templates/rag.jinja:");
        assertEquals(0, Cli.run("verify", withEntry("chat_template.jinja", "{{ messages }}")).code());
    }

    /** The sound model with another small entry. */
    private Path withEntry(String name, String text) throws IOException {
        var changed = dir.resolve("changed.s4j");
        try (var from = S4jFile.open(model()); var to = S4jWriter.create(changed)) {
            for (var tensor : from.manifest().tensors()) {
                to.tensor(tensor, from.tensor(tensor.name()));
            }
            for (var entry : from.entries()) {
                to.entry(entry, from.entry(entry));
            }
            to.entry(name, text.getBytes(StandardCharsets.UTF_8));
            to.finish(from.manifest());
        }
        return changed;
    }

    private Path model() throws IOException {
        var file = dir.resolve("sound.s4j");
        new SyntheticModel(SyntheticModel.shape("64,96,2,4,2,80", 64), Recipes.named("w4a4"), 1).write(file, ProgressListener.none());
        return file;
    }

    @Test
    void infoNamesEveryBackend() {
        var run = Cli.run("info", "--json");
        assertEquals(0, run.code(), run.toString());
        var json = JsonMapper.shared().readTree(run.out());
        assertEquals(7, json.path("backends").size());
        json.path("backends").forEach(b -> assertFalse(b.path("reason").asString("").isBlank()));
        assertEquals(0, Cli.run("info").code());
    }

    @ParameterizedTest
    @ValueSource(strings = {"inspect", "verify"})
    void debugShowsTheTrace(String command) throws IOException {
        var run = Cli.run(command, "--debug", Files.writeString(dir.resolve("text.s4j"), "no archive\n"));
        assertTrue(run.code() == 1 && run.err().contains("\tat io.github.spike4j"), run.toString());
    }
}
