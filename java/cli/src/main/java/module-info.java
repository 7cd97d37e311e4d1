/** The {@code spike4j} command. */
module io.github.spike4j.cli {
    requires info.picocli;
    requires io.github.spike4j;
    requires io.github.spike4j.convert;
    requires io.github.spike4j.format;
    requires jdk.unsupported; // Interrupts
    requires me.tongfei.progressbar;
    requires tools.jackson.databind;

    opens io.github.spike4j.cli to info.picocli, tools.jackson.databind;
}
