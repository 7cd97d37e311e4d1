package io.github.spike4j.convert.tokenizer;

/**
 * The keys of a GGUF file, as far as a tokenizer needs them. Each method returns null if the file does not have the key, and throws a
 * {@link io.github.spike4j.convert.ConversionException} if its value is of another type.
 */
public interface GgufMetadata {

    /** The file, for messages. */
    String file();

    String string(String key);

    /** Of any integer type. */
    Long integer(String key);

    Boolean bool(String key);

    String[] strings(String key);

    /** An array of 32-bit floats. */
    float[] floats(String key);

    /** An array of integers of at most 32 bits, bytes too. */
    int[] integers(String key);
}
