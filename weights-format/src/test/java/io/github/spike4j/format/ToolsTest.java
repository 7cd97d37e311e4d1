package io.github.spike4j.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.zip.ZipFile;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Everyday tools list and test the files. */
class ToolsTest {
    @TempDir
    Path dir;
    private Path file;

    @BeforeEach
    void write() throws Exception {
        file = Samples.spiking().write(dir.resolve("model.s4j"));
    }

    @Test
    void unzip() throws Exception {
        String output = run("unzip", "-t", file.toString());
        assertEquals(true, output.contains("No errors detected"), output);
    }

    @Test
    void jar() throws Exception {
        String jar = Path.of(System.getProperty("java.home"), "bin", "jar").toString();
        assertEquals(List.copyOf(PlainReader.list(file).keySet()), run(jar, "tf", file.toString()).lines().toList());
    }

    @Test
    void python() throws Exception {
        assertEquals("None\n", run("python3", "-c",
                "import sys, zipfile; print(zipfile.ZipFile(sys.argv[1]).testzip())", file.toString()));
    }

    @Test
    void javaUtilZip() throws Exception {
        try (var zip = new ZipFile(file.toFile())) {
            for (var e : PlainReader.list(file).entrySet()) {
                try (var in = zip.getInputStream(zip.getEntry(e.getKey()))) {
                    assertEquals(java.util.HexFormat.of().formatHex(PlainReader.read(file, e.getValue())),
                            java.util.HexFormat.of().formatHex(in.readAllBytes()), e.getKey());
                }
            }
        }
    }

    private String run(String... command) throws Exception {
        Path output = dir.resolve("output");
        Process process;
        try {
            process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile()).start();
        } catch (IOException e) {
            assumeTrue(false, command[0] + " is not installed");
            return "";
        }
        assertEquals(true, process.waitFor(60, TimeUnit.SECONDS), command[0] + " does not end");
        String text = Files.readString(output);
        assertEquals(0, process.exitValue(), text);
        return text;
    }
}
