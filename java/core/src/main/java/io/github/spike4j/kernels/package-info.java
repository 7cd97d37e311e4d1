/** Every operation of the token path, one by one, for kernel developers. */
package io.github.spike4j.kernels;
