package io.github.spike4j.format;

import java.io.IOException;
import java.nio.file.Path;

/** A {@code .s4j} file that is damaged, not one, newer than this library, or cannot be read. */
public final class S4jFormatException extends IOException {
    private static final long serialVersionUID = 1L;

    private final transient Path file;
    private final String entry;
    private final String reason;

    /**
     * @param entry ZIP entry, or null when the file as a whole is meant
     */
    public S4jFormatException(Path file, String entry, String reason, Throwable cause) {
        super(file + (entry == null ? ": " : ": " + entry + ": ") + reason, cause);
        this.file = file;
        this.entry = entry;
        this.reason = reason;
    }

    /** Without a cause. */
    public S4jFormatException(Path file, String entry, String reason) {
        this(file, entry, reason, null);
    }

    /** The file; null after serialization. */
    public Path file() {
        return file;
    }

    /** The ZIP entry, or null. */
    public String entry() {
        return entry;
    }

    /** What is wrong. */
    public String reason() {
        return reason;
    }
}
