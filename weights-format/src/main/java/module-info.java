/** The {@code .s4j} weights file: its reader and writer. */
module io.github.spike4j.format {
    requires transitive tools.jackson.databind;
    requires org.apache.commons.compress;

    exports io.github.spike4j.format;
    // Jackson reads and writes the records of the manifest
    opens io.github.spike4j.format to tools.jackson.databind;
}
