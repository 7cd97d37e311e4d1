package io.github.spike4j.convert;

import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import java.nio.file.Files;
import java.nio.file.Path;

/** Test data that users do not have: absent, a test is skipped, or fails under {@code -Dspike4j.shared=required}. */
final class Shared {
    private Shared() {}

    static Path file(String name) {
        Path path = Path.of(System.getProperty("spike4j.shared.dir", "../../../shared")).resolve(name);
        if (!Files.exists(path)) {
            String message = "test data " + name + " is not in " + path.getParent() + " (-Dspike4j.shared.dir=...)";
            if ("required".equals(System.getProperty("spike4j.shared"))) {
                fail(message);
            }
            abort(message);
        }
        return path;
    }
}
