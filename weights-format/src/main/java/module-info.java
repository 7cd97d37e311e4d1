/** The {@code .s4j} weights file: its reader and writer. */
module io.github.spike4j.format {
    exports io.github.spike4j.format;
}
