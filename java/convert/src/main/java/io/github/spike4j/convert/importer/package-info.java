/** Checkpoints of other projects: each format's reader gives the same {@link io.github.spike4j.convert.importer.Checkpoint}. */
package io.github.spike4j.convert.importer;
