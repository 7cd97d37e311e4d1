package io.github.spike4j.format;

/**
 * What generation needs of the tokenizer beyond {@code tokenizer.json}.
 *
 * @param bos    first token of a text, -1 if there is none
 * @param eos    tokens that end a generation
 * @param addBos whether a prompt starts with {@code bos}
 */
public record TokenizerInfo(int bos, int[] eos, boolean addBos) { }
