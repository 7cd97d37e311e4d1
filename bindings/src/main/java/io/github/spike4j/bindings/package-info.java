/** The native library seen from Java: loading, ABI check, and calls whose sizes are checked first. */
package io.github.spike4j.bindings;
