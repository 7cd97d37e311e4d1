package io.github.spike4j.bindings;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Properties;
import org.junit.jupiter.api.Test;

/** Any edit of the header, even of a comment, asks for a look at the bindings. */
class ProvenanceTest {
    @Test
    void bindingsComeFromThisHeader() throws Exception {
        var provenance = new Properties();
        try (var in = Files.newBufferedReader(Repository.HOME.resolve("bindings/jextract/provenance.properties"))) {
            provenance.load(in);
        }
        for (var key : List.of("jextract.version", "jextract.commit", "jextract.jdk", "libclang.version", "command")) {
            assertFalse(provenance.getProperty(key, "").isBlank(), key);
        }
        var header = Files.readString(Repository.HOME.resolve(provenance.getProperty("header"))).replace("\r", "");
        var hash = MessageDigest.getInstance("SHA-256").digest(header.getBytes(StandardCharsets.UTF_8));
        assertEquals(provenance.getProperty("header.sha256"), HexFormat.of().formatHex(hash),
                "spike4j.h changed: regenerate the bindings, see bindings/README.md");
    }
}
