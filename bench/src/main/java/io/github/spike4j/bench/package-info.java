/** Benchmarks, and the program that checks and measures a bare machine. */
package io.github.spike4j.bench;
