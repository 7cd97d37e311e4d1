/**
 * Commands of the {@code spike4j} launcher. Models run through the library's public API; {@code inspect}, {@code verify} and what else asks
 * for a file's manifest read it through the format's, and {@code bench} calls single kernels to measure the machine's bounds.
 */
package io.github.spike4j.cli;
