package io.github.spike4j.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.concurrent.CompletionException;
import picocli.CommandLine.ParameterException;

/** A command that cannot do its work; the message is complete, fit to be shown to a user. */
final class Failure extends RuntimeException {

    private static final long serialVersionUID = 1L;

    Failure(String message) {
        super(message);
    }

    /** The file, if it can be read; what is wrong otherwise. */
    static Path readable(Path file) throws IOException {
        if (file.toString().isEmpty()) {
            throw new Failure("the name of a file is empty");
        }
        Files.readAttributes(file, BasicFileAttributes.class); // tells absent from hidden by a folder's permissions
        if (!Files.isReadable(file)) {
            throw new AccessDeniedException(file.toString());
        }
        return file;
    }

    /** As {@link #readable}, and not a directory. */
    static Path readableFile(Path file) throws IOException {
        if (Files.isDirectory(readable(file))) {
            throw new Failure(file + ": is a directory, not a file");
        }
        return file;
    }

    /** The one line that says what went wrong. The messages of file system exceptions are mere file names: here they get words. */
    static String oneLine(Throwable error) {
        var cause = error instanceof UncheckedIOException || error instanceof CompletionException && error.getCause() != null
                ? error.getCause() : error;
        var text = switch (cause) {
            case NoSuchFileException e -> e.getFile() + ": no such file";
            case AccessDeniedException e -> e.getFile() + ": permission denied";
            case FileAlreadyExistsException e -> e.getFile() + ": exists already";
            case NotDirectoryException e -> e.getFile() + ": not a directory";
            case DirectoryNotEmptyException e -> e.getFile() + ": directory is not empty";
            case FileSystemException e when e.getReason() != null -> e.getFile() + ": " + e.getReason();
            case OutOfMemoryError e -> "out of memory: " + e.getMessage();
            // So the JVM reports that a page of a mapped file is gone.
            case InternalError e when e.getMessage() != null && e.getMessage().contains("unsafe memory access") ->
                "a mapped file cannot be read: it was truncated after it was opened, or the disk fails";
            // picocli begins some of its messages so.
            case ParameterException e when e.getMessage() != null -> e.getMessage().replaceFirst("^Error: ", "");
            default -> {
                var message = cause.getMessage();
                var name = cause.getClass().getSimpleName();
                yield message == null || message.isBlank() ? name : cause instanceof Error ? name + ": " + message : message;
            }
        };
        return text.strip().replaceAll("\\s*\\R\\s*", " ");
    }
}
