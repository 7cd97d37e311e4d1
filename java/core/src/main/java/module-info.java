/** Spike4J: spiking LLM inference. */
@SuppressWarnings("module") // the modules named in "exports ... to" are built after this one
module io.github.spike4j {
    requires io.github.spike4j.bindings;
    requires io.github.spike4j.format;
    requires static jdk.incubator.vector;

    exports io.github.spike4j;
    exports io.github.spike4j.kernels;
    exports io.github.spike4j.model to io.github.spike4j.convert;
    exports io.github.spike4j.runtime to io.github.spike4j.convert;
    exports io.github.spike4j.tokenizer to io.github.spike4j.convert;
    exports io.github.spike4j.weights to io.github.spike4j.convert;
}
