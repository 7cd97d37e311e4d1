/** The public API: open a model, make a session, generate text. */
package io.github.spike4j;
