package io.github.spike4j.tokenizer;

/**
 * A tokenizer file that is damaged, or that asks for something this library does not have; the message says what and where. Messages quote
 * files, so they are made one line of bounded length here.
 */
public final class TokenizerException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private static final int MAX_LENGTH = 480;

    public TokenizerException(String message) {
        super(line(message));
    }

    public TokenizerException(String message, Throwable cause) {
        super(line(message), cause);
    }

    private static String line(String message) {
        StringBuilder line = new StringBuilder();
        for (int i = 0; i < message.length() && line.length() < MAX_LENGTH; i++) {
            char c = message.charAt(i);
            if (Character.isISOControl(c) || c == '\u2028' || c == '\u2029') line.append(String.format("\\u%04x", (int) c));
            else line.append(c);
        }
        return line.length() < MAX_LENGTH ? line.toString() : line + "...";
    }
}
