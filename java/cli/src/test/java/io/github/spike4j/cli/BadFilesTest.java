package io.github.spike4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
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
        Cli.run(command, dir).fails(1, "is a directory");
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

    @Test
    void impossibleOptions() throws IOException {
        var text = Files.writeString(dir.resolve("text.s4j"), "no archive\n");
        Cli.run("run", text).fails(2, "--prompt");
        Cli.run("run", text, "--prompt", "x", "--prompt-file", text).fails(2, "--prompt");
        for (var option : List.of("-n 0", "-n -1", "-n x", "--temp -1", "--temp hot", "--top-p 0", "--top-p 1.5", "--min-p 2", "--top-k -1",
                "--seed x", "--threads 0", "--threads -2", "--backend gpu", "--tier avx1024", "--backend vector --tier avx2", "--split 0",
                "--batch 0", "--nope")) {
            var arguments = new ArrayList<Object>(List.of("run", text, "--prompt", "x"));
            arguments.addAll(List.of(option.split(" ")));
            Cli.run(arguments.toArray()).fails(2);
        }
        for (var option : List.of("--seq 1", "--seq 16 --bos maybe", "--seq 16 --segments 0", "--seq 16 --threads 0")) {
            var arguments = new ArrayList<Object>(List.of("perplexity", text, "--text", text));
            arguments.addAll(List.of(option.split(" ")));
            Cli.run(arguments.toArray()).fails(2);
        }
        Cli.run("perplexity", text, "--seq", 16).fails(2, "--text");
        Cli.run("perplexity", text, "--text", text).fails(2, "--seq");
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
