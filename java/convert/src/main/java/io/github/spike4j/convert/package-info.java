/** Importers, recipes and the writer that turn a checkpoint into spikes. */
package io.github.spike4j.convert;
