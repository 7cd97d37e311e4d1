/** Text to token ids and back, streaming whole UTF-8 characters only. */
package io.github.spike4j.tokenizer;
