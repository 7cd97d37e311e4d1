package io.github.spike4j.convert;

import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import java.nio.file.Files;
import java.nio.file.Path;

/** Test data outside the repository. */
public final class SharedData {
    private SharedData() { }

    public static Path path(String name) {
        Path path = Path.of(System.getProperty("spike4j.shared.dir", "../../../shared"), name);
        if (!Files.exists(path)) {
            String message = "test data " + name + " is not there (-Dspike4j.shared.dir=...)";
            if (System.getProperty("spike4j.shared", "optional").equals("required")) {
                fail(message);
            }
            abort(message);
        }
        return path;
    }
}
