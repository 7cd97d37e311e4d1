package io.github.spike4j.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Sources that CI cannot run must be those that ran on real hardware, or be named as not verified, with a reason. */
class VerifiedTest {

    private static final Path HOME = Path.of(System.getProperty("spike4j.home", ".."));

    @Test
    void sourcesAreAsLastRunOrListedAsUnverified() throws IOException {
        var json = JsonMapper.shared().readTree(Files.readString(HOME.resolve("bench/verified.json")));
        var sources = Sources.hashes(HOME.resolve("native/src"));
        check(json, sources);
    }

    /** Throws if an entry of {@code json} is missing, stale, or without its facts. */
    private static void check(JsonNode json, Map<String, String> sources) {
        sources.forEach((tier, hash) -> {
            var run = json.path("verified").path(tier);
            var reason = json.path("unverified").path(tier).asString("");
            if (reason.isBlank()) {
                assertEquals(hash, run.path("sha256").asString(""),
                        "native/src/" + tier + " changed since its last run on real hardware: run bench/device-bundle.sh there,"
                                + " or list it under \"unverified\" in bench/verified.json with a reason");
                assertFalse(run.path("device").asString("").isBlank(), tier + ": name the device");
                LocalDate.parse(run.path("date").asString(""));
                assertTrue(run.path("results").isObject(), tier + ": give the results");
            }
        });
        for (var list : new String[] {"verified", "unverified"}) {
            json.path(list).propertyNames().forEach(tier ->
                    assertTrue(sources.containsKey(tier), list + " names " + tier + ", which has no sources"));
        }
    }

    @Test
    void seesAChangedByteAndARenamedFile(@TempDir Path src) throws IOException {
        var file = Files.createDirectories(src.resolve("avx512")).resolve("linear.c");
        Files.writeString(file, "int x;\n");
        var before = Sources.hashes(src);
        // (LC_ALL=C sha256sum avx512/* | sha256sum)
        assertEquals(Map.of("avx512", "745a1f3c69797a0cb827a0b3043b1c468f926ed734d1e9e78ced521f83a3d14b"), before);
        Files.writeString(file, "int y;\n");
        var after = Sources.hashes(src);
        assertFalse(before.equals(after));
        Files.move(file, file.resolveSibling("linear2.c"));
        assertFalse(after.equals(Sources.hashes(src)));
    }
}
