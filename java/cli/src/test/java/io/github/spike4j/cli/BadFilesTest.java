package io.github.spike4j.cli;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

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

    @ParameterizedTest
    @ValueSource(strings = {"inspect", "verify"})
    void debugShowsTheTrace(String command) throws IOException {
        var run = Cli.run(command, "--debug", Files.writeString(dir.resolve("text.s4j"), "no archive\n"));
        assertTrue(run.code() == 1 && run.err().contains("\tat io.github.spike4j"), run.toString());
    }
}
