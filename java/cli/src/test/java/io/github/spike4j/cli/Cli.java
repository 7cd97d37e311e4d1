package io.github.spike4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import picocli.CommandLine;

/** What one run of the command gave, in this JVM or through the launcher. */
record Cli(int code, String out, String err) {

    /** Root of the repository. */
    static final Path HOME = Path.of(System.getProperty("spike4j.home", "../..")).toAbsolutePath().normalize();

    static final Path LAUNCHER = HOME.resolve("java/cli/spike4j");

    /** Test data outside the repository: a test that needs it is skipped where it is absent, unless it is required. */
    static Path shared(String name) {
        var path = Path.of(System.getProperty("spike4j.shared.dir", "../../../shared"), name);
        if (!Files.exists(path)) {
            if ("required".equals(System.getProperty("spike4j.shared"))) {
                fail(path + " is required, but not there");
            }
            Assumptions.abort(path + " is not there: test data outside the repository");
        }
        return path;
    }

    /** Runs the command in this JVM. */
    static Cli run(Object... args) {
        return run(Main.commandLine(), args);
    }

    /** Runs a command line that the test has added something to. */
    static Cli run(CommandLine line, Object... args) {
        var out = new StringWriter();
        var err = new StringWriter();
        line.setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
        var code = Main.execute(line, Stream.of(args).map(Object::toString).toArray(String[]::new));
        return new Cli(code, out.toString(), err.toString());
    }

    /** A JVM of its own that runs the command. */
    static ProcessBuilder jvm(Object... args) {
        var builder = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin/java").toString(), "--enable-native-access=ALL-UNNAMED",
                "-cp", System.getProperty("java.class.path"), Main.class.getName());
        Stream.of(args).map(Object::toString).forEach(builder.command()::add);
        return builder;
    }

    /** Runs a process to its end. */
    static Cli process(ProcessBuilder builder) throws IOException, InterruptedException {
        var out = Files.createTempFile("spike4j", ".out");
        var err = Files.createTempFile("spike4j", ".err");
        try {
            var process = builder.redirectOutput(out.toFile()).redirectError(err.toFile()).start();
            process.getOutputStream().close();
            if (!process.waitFor(120, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new AssertionError("did not end: " + builder.command());
            }
            // The launcher's filter of standard error ends a moment after the JVM.
            Thread.sleep(200);
            return new Cli(process.exitValue(), Files.readString(out), Files.readString(err));
        } finally {
            Files.delete(out);
            Files.delete(err);
        }
    }

    /** Asserts an error: this exit code, nothing on standard output, one line on standard error with each of these words. */
    void fails(int expectedCode, String... words) {
        assertEquals(expectedCode, code, toString());
        assertEquals("", out, toString());
        assertEquals(1, err.lines().count(), toString());
        assertEquals(true, err.startsWith("spike4j: "), toString());
        assertEquals(List.of(), Stream.of(words).filter(word -> !err.contains(word)).toList(), toString());
    }
}
