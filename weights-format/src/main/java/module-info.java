/** The {@code .s4j} weights file: its reader and writer. */
module io.github.spike4j.format {
    requires transitive tools.jackson.databind;
    requires org.apache.commons.compress;

    // Uncomment with the first class: exports io.github.spike4j.format;
}
