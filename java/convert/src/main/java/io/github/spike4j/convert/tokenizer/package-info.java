/** Tokenizers of every supported form, translated into the one that {@code .s4j} files hold: Hugging Face's {@code tokenizer.json}. */
package io.github.spike4j.convert.tokenizer;
