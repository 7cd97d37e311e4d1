package io.github.spike4j.tokenizer;

/** A tokenizer file that is damaged, or that asks for something this library does not have; the message says what and where. */
public final class TokenizerException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public TokenizerException(String message) {
        super(message);
    }

    public TokenizerException(String message, Throwable cause) {
        super(message, cause);
    }
}
