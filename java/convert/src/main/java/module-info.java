/** Conversion of checkpoints into {@code .s4j} files. */
module io.github.spike4j.convert {
    requires io.github.spike4j;
    requires transitive io.github.spike4j.format;
    requires tools.jackson.databind;
    requires org.apache.commons.compress;

    exports io.github.spike4j.convert;
    exports io.github.spike4j.convert.tokenizer;
}
