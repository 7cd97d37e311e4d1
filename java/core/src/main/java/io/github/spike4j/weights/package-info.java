/** Tensors of a mapped {@code .s4j} file, used in place. */
package io.github.spike4j.weights;
