/** Commands of the {@code spike4j} launcher; each talks to the library's public API. */
package io.github.spike4j.cli;
