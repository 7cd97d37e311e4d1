/** Backends, the engine's threads, KV pages, the scheduler and sampling. */
package io.github.spike4j.runtime;
