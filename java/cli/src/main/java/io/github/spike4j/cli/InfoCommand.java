package io.github.spike4j.cli;

import io.github.spike4j.SpikeEngine;
import io.github.spike4j.SpikeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code spike4j info}. */
@Command(name = "info", description = "Show what this machine can run.", sortOptions = false, mixinStandardHelpOptions = true)
final class InfoCommand implements Callable<Integer> {

    @Mixin
    private Report report;

    /**
     * A backend or native tier.
     *
     * @param reason why it can be used, or why not
     */
    record Backend(String name, String tier, boolean available, String reason) {}

    /** The {@code --json} form. */
    record Result(String version, String java, String os, String arch, String processor, int processors, String backend, String tier,
            String reason, List<Backend> backends) {}

    @Override
    public Integer call() throws IOException {
        var backends = new ArrayList<Backend>();
        for (var tier : List.of("scalar", "avx2", "avxvnni", "avx512", "amx")) {
            backends.add(probe("native", tier, SpikeEngine.builder().backend("native").tier(tier)));
        }
        backends.add(probe("vector", "java", SpikeEngine.builder().backend("vector")));
        backends.add(probe("scalar", "java", SpikeEngine.builder().backend("java")));
        try (var engine = SpikeEngine.builder().threads(1).build()) {
            var result = new Result(Main.Version.text(), Runtime.version().toString(), System.getProperty("os.name"),
                    System.getProperty("os.arch"), processor(), Runtime.getRuntime().availableProcessors(), engine.backend(),
                    engine.tier(), engine.backendReason(), backends);
            report.print(result, text(result));
        }
        return 0;
    }

    private static Backend probe(String name, String tier, SpikeEngine.Builder builder) {
        try (var engine = builder.threads(1).build()) {
            return new Backend(name, tier, true, engine.backendReason());
        } catch (SpikeException.Device e) {
            return new Backend(name, tier, false, e.getMessage());
        }
    }

    private static String text(Result r) {
        return """
                spike4j    %s, Java %s, %s %s
                processor  %s, %d threads
                default    %s %s: %s
                %s""".formatted(r.version, r.java, r.os, r.arch, r.processor, r.processors, r.backend, r.tier, r.reason,
                r.backends.stream()
                        .map(b -> "%-10s %-8s %s".formatted(b.name, b.tier, b.available ? "yes" : "no: " + b.reason))
                        .collect(Collectors.joining("\n")));
    }

    private static String processor() throws IOException {
        var file = Path.of("/proc/cpuinfo");
        if (Files.isReadable(file)) {
            try (var lines = Files.lines(file)) {
                return lines.filter(line -> line.startsWith("model name"))
                        .map(line -> line.substring(line.indexOf(':') + 1).strip())
                        .findFirst()
                        .orElse("unknown");
            }
        }
        return "unknown";
    }
}
