package io.github.spike4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import org.junit.jupiter.api.Test;

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
    void usageErrorsAreOneLineAndCode2() {
        Cli.run().fails(2, "no command given", "--help");
        Cli.run("--nope").fails(2, "--nope");
        Cli.run("dance").fails(2, "dance");
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
        assertEquals("IllegalStateException", Failure.oneLine(new IllegalStateException()));
    }
}
