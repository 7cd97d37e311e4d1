package io.github.spike4j.cli;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Text files. */
final class Texts {

    private Texts() {}

    /** A UTF-8 file, whole. */
    static String read(Path file) throws IOException {
        try {
            return Files.readString(Failure.readableFile(file));
        } catch (CharacterCodingException e) {
            throw new Failure(file + ": is not UTF-8 text");
        }
    }
}
