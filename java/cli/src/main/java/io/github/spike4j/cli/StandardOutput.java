package io.github.spike4j.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Standard output that tells when nothing can be written: {@code System.out} and print writers go on in silence, which makes a full disk a
 * success, and lets a program work on whose reader is gone.
 */
final class StandardOutput extends OutputStream {
    private static final Path LINK = Path.of("/proc/self/fd/1");

    private final FileOutputStream file = new FileOutputStream(FileDescriptor.out);

    private StandardOutput() {}

    /** A writer, to flush where output shall be seen; it throws {@link Lost}. */
    static PrintWriter writer() {
        return new PrintWriter(new OutputStreamWriter(new StandardOutput(), System.out.charset()));
    }

    @Override
    public void write(int b) {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) {
        try {
            file.write(bytes, offset, length);
        } catch (IOException e) {
            throw new Lost(e);
        }
    }

    /** Output could not be written. */
    static final class Lost extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Lost(IOException cause) {
            super("standard output: " + cause.getMessage(), cause);
        }

        /** Whether the reader of a pipe has seen enough, as {@code head} does: nothing to complain of. */
        boolean isReaderGone() {
            try {
                return Files.readSymbolicLink(LINK).toString().matches("(pipe|socket):.*");
            } catch (IOException e) {
                return false;
            }
        }
    }
}
