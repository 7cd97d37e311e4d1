package io.github.spike4j.bindings;

import static org.junit.jupiter.api.Assertions.assertNotNull;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/** Where the tests find the sources, the built library and the C compiler. */
final class Repository {
    static final Path HOME = Path.of(System.getProperty("spike4j.home", "..")).toAbsolutePath().normalize();
    static final Path HEADER = HOME.resolve("native/include/spike4j.h");

    private Repository() {
    }

    /** The generated sources by class name. */
    static List<Path> generatedSources() {
        try (Stream<Path> files = Files.list(HOME.resolve("bindings/src/main/java/io/github/spike4j/bindings/ffi"))) {
            return files.filter(f -> f.toString().endsWith(".java")).sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** First groups of all matches in the generated sources. */
    static List<String> generated(String regex) {
        return generatedSources().stream()
                .flatMap(f -> Pattern.compile(regex).matcher(read(f)).results().map(r -> r.group(1))).distinct().sorted().toList();
    }

    /** The library that the build put into the jar's resources. */
    static Path library() {
        var url = Repository.class.getResource("/" + NativeLoader.RESOURCE);
        assertNotNull(url, "the build put no " + NativeLoader.RESOURCE + " on the class path");
        return Path.of(java.net.URI.create(url.toString()));
    }

    /** Runs a tool in the C tool chain; skips the test if this machine does not have it. */
    static Result run(String... command) {
        try {
            var process = new ProcessBuilder(command).redirectErrorStream(true).start();
            var output = new String(process.getInputStream().readAllBytes());
            return new Result(process.waitFor(), output);
        } catch (IOException e) {
            Assumptions.abort("needs " + command[0] + ": " + e.getMessage());
            throw new AssertionError(e);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    record Result(int exitCode, String output) {
    }
}
