package io.github.spike4j.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Identity of the sources that this project's CI cannot run, because it has no such hardware. The hash of a tier is what
 * {@code (cd native/src && LC_ALL=C sha256sum TIER/* | sha256sum)} prints.
 */
final class Sources {

    static final List<String> TIERS = List.of("avx512", "amx", "cuda");

    private Sources() {}

    /** SHA-256 of each tier of {@link #TIERS} that has sources under {@code src}. */
    static Map<String, String> hashes(Path src) throws IOException {
        var hashes = new TreeMap<String, String>();
        for (var tier : TIERS) {
            if (Files.isDirectory(src.resolve(tier))) {
                hashes.put(tier, hash(src, tier));
            }
        }
        return hashes;
    }

    private static String hash(Path src, String tier) throws IOException {
        var digest = sha256();
        try (var list = Files.list(src.resolve(tier))) {
            for (var file : list.filter(Files::isRegularFile).sorted().toList()) {
                var line = HexFormat.of().formatHex(sha256().digest(Files.readAllBytes(file)))
                        + "  " + tier + "/" + file.getFileName() + "\n";
                digest.update(line.getBytes(StandardCharsets.UTF_8));
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java has SHA-256", e);
        }
    }
}
