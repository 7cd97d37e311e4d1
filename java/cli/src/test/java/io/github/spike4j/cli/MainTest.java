package io.github.spike4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionException;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import picocli.CommandLine.Command;

class MainTest {

    @Test
    void helpAndVersion() {
        var help = Cli.run("--help");
        assertEquals(0, help.code());
        assertTrue(help.out().startsWith("Usage: spike4j"), help.out());
        var version = Cli.run("--version");
        assertEquals(0, version.code());
        assertTrue(version.out().startsWith("spike4j "), version.out());
    }

    @Test
    void everyCommandKnowsItsVersion() {
        for (var name : Main.commandLine().getSubcommands().keySet()) {
            var version = Cli.run(name, "--version");
            assertTrue(version.code() == 0 && version.out().startsWith("spike4j "), name + ": " + version);
        }
    }

    /** The null device's sister is always full. */
    @Test
    void outputThatIsLostIsAnError() throws IOException, InterruptedException {
        var full = new File("/dev/full");
        Assumptions.assumeTrue(full.exists());
        var process = Cli.jvm("info", "--json").redirectOutput(full).start();
        var err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(1, process.waitFor(), err);
        assertTrue(err.matches("spike4j: standard output: .*\n"), err);
    }

    @Test
    void usageErrorsAreOneLineAndCode2() {
        Cli.run().fails(2, "no command given", "--help");
        Cli.run("--nope").fails(2, "--nope");
        Cli.run("dance").fails(2, "dance");
        var both = Cli.run("run", "--prompt", "x", "--prompt-file", "y");
        both.fails(2, "mutually exclusive");
        assertFalse(both.err().contains("Error:"), both.err());
    }

    /** A command that fails as told. */
    @Command(name = "crash")
    record Crash(Throwable error) implements Callable<Integer> {
        @Override
        public Integer call() throws Exception {
            switch (error) {
                case Error e -> throw e;
                case Exception e -> throw e;
                default -> throw new AssertionError(error);
            }
        }
    }

    @Test
    void errorsOfTheJvmAreOneLineToo() {
        crash(new OutOfMemoryError("Java heap space")).fails(1, "out of memory: Java heap space");
        crash(new NoClassDefFoundError("a/B")).fails(1, "NoClassDefFoundError: a/B");
        crash(new StackOverflowError()).fails(1, "StackOverflowError");
        crash(new InternalError("a fault occurred in an unsafe memory access operation")).fails(1, "truncated");
        var traced = crash(new OutOfMemoryError("x"), "--debug");
        assertTrue(traced.code() == 1 && traced.err().contains("\tat io.github.spike4j"), traced.toString());
    }

    private static Cli crash(Throwable error, Object... more) {
        return Cli.run(Main.commandLine().addSubcommand(new Crash(error)), Stream.concat(Stream.of("crash"), Stream.of(more)).toArray());
    }

    @Test
    void debugAddsTheStackTrace() {
        var run = Cli.run("--debug", "--nope");
        assertEquals(2, run.code());
    }

    @Test
    void everyFailureBecomesOneLine() {
        assertEquals("x.s4j: no such file", Failure.oneLine(new UncheckedIOException(new NoSuchFileException("x.s4j"))));
        assertEquals("x.s4j: permission denied", Failure.oneLine(new AccessDeniedException("x.s4j")));
        assertEquals("a b", Failure.oneLine(new IllegalStateException("a\n   b\n")));
        assertEquals("lost", Failure.oneLine(new CompletionException(new IllegalStateException("lost"))));
        assertEquals("IllegalStateException", Failure.oneLine(new IllegalStateException()));
    }
}
