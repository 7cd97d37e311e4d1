package io.github.spike4j.format;

/** A text that is not JSON, or JSON that is not what it should be. The message is one line without the file's name. */
final class JsonException extends Exception {
    private static final long serialVersionUID = 1L;

    JsonException(String message) {
        super(message);
    }
}
