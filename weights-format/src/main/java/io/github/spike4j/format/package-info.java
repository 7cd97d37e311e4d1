/** Reader and writer of the {@code .s4j} container; weights-format/SPEC.md gives its bytes. */
package io.github.spike4j.format;
