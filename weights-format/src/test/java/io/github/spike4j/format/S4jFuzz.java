package io.github.spike4j.format;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * A {@code .s4j} file, for Jazzer (see java/convert's package fuzz). The first byte says what the rest is: the whole file, or the manifest of
 * an otherwise sound one, so that checksums do not keep everything out.
 */
public final class S4jFuzz {
    private static final Path FOLDER;
    private static final Forge SOUND;

    static {
        try {
            FOLDER = Files.createTempDirectory("fuzz");
            SOUND = Forge.of(Samples.spiking(1).write(FOLDER.resolve("sound.s4j")));
        } catch (IOException e) {
            throw new ExceptionInInitializerError(e);
        }
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                Files.deleteIfExists(FOLDER.resolve("sound.s4j"));
                Files.deleteIfExists(FOLDER.resolve("input.s4j"));
                Files.delete(FOLDER);
            } catch (IOException e) {
                // the system's temporary folder is emptied some day
            }
        }));
    }

    private S4jFuzz() { }

    public static void fuzzerTestOneInput(byte[] data) {
        if (data.length == 0) {
            return;
        }
        byte[] rest = Arrays.copyOfRange(data, 1, data.length);
        try {
            if (data[0] % 4 == 0) {
                Files.write(FOLDER.resolve("input.s4j"), rest);
            } else {
                SOUND.contents.put("manifest.json", rest);
                SOUND.write(FOLDER.resolve("input.s4j"));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        try (var file = S4jFile.open(FOLDER.resolve("input.s4j"))) {
            file.verify((entry, bytes) -> { });
        } catch (S4jFormatException e) {
            // refused
        }
    }

    public static List<byte[]> seeds() throws IOException {
        var file = Files.readAllBytes(Samples.dense().write(FOLDER.resolve("sound.s4j")));
        var dense = new byte[file.length + 1];
        System.arraycopy(file, 0, dense, 1, file.length);
        byte[] manifest = SOUND.contents.get("manifest.json");
        var spiking = new byte[manifest.length + 1];
        spiking[0] = 1;
        System.arraycopy(manifest, 0, spiking, 1, manifest.length);
        return List.of(dense, spiking);
    }
}
