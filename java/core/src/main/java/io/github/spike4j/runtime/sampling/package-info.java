/** Choosing tokens from logits, and the end of a text. */
package io.github.spike4j.runtime.sampling;
