package io.github.spike4j.convert;

/** A checkpoint that cannot be converted; the message is one line naming what, where and what to do. */
public class ConversionException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** One line for the user. */
    public ConversionException(String message) {
        super(oneLine(message));
    }

    /** One line for the user, and what caused it. */
    public ConversionException(String message, Throwable cause) {
        super(oneLine(message), cause);
    }

    /** Names that a file gave may hold anything, line breaks too. */
    private static String oneLine(String message) {
        return message.replaceAll("[\\p{Cntrl}\\u2028\\u2029]+", " ");
    }
}
