/**
 * Fuzz targets of every parser that reads files from outside, for Jazzer (libFuzzer for the JVM, guided by coverage):
 * {@code mvn -q -DskipTests -Pfuzz -pl java/convert -am verify -Dfuzz.args="--runs 1000000 GgufFuzz"}. A target is a class with
 * {@code fuzzerTestOneInput(byte[])} and {@code seeds()}; anything thrown but the parser's own exception is a finding, as are an
 * OutOfMemoryError and an input that takes longer than the limit.
 */
package io.github.spike4j.convert.fuzz;
