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
    private static final Forge DENSE;
    private static final Forge SPIKING;

    static {
        try {
            FOLDER = Files.createTempDirectory("fuzz");
            DENSE = Forge.of(Samples.dense().write(FOLDER.resolve("sound.s4j")));
            SPIKING = Forge.of(Samples.spiking(1).write(FOLDER.resolve("sound.s4j")));
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
                Forge sound = data[0] % 4 == 1 ? DENSE : SPIKING;
                sound.contents.put("manifest.json", rest);
                sound.write(FOLDER.resolve("input.s4j"));
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
        Path file = Samples.dense().write(FOLDER.resolve("sound.s4j"));
        return List.of(join(0, Files.readAllBytes(file)), join(1, PlainReader.read(file, PlainReader.list(file).get("manifest.json"))),
                join(2, SPIKING.contents.get("manifest.json")));
    }

    private static byte[] join(int first, byte[] rest) {
        var all = new byte[rest.length + 1];
        all[0] = (byte) first;
        System.arraycopy(rest, 0, all, 1, rest.length);
        return all;
    }
}
