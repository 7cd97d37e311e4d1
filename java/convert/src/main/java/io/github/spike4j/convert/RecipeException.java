package io.github.spike4j.convert;

/** A recipe, or an option on top of one, that makes no sense. */
public final class RecipeException extends ConversionException {
    private static final long serialVersionUID = 1L;

    /** One line for the user. */
    public RecipeException(String message) {
        super(message);
    }
}
