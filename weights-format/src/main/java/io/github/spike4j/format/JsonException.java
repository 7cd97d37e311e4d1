package io.github.spike4j.format;

/** A text that is not JSON, or JSON that is not what it should be. The message is one line without the file's name. */
final class JsonException extends Exception {
    private static final long serialVersionUID = 1L;

    private final String reason;
    private final String path;

    JsonException(String reason) {
        this(reason, "");
    }

    private JsonException(String reason, String path) {
        super(path.isEmpty() ? reason : reason + " (at " + path + ")");
        this.reason = reason;
        this.path = path;
    }

    /** The same one step further out: {@code step} is a field's name or an index in brackets. */
    JsonException in(String step) {
        return new JsonException(reason, path.isEmpty() || path.startsWith("[") ? step + path : step + "." + path);
    }
}
