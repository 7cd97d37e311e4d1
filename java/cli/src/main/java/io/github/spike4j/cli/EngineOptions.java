package io.github.spike4j.cli;

import io.github.spike4j.SpikeEngine;
import io.github.spike4j.Weights;
import java.util.List;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;

/** Where a model runs: options of every command that runs one. */
final class EngineOptions {

    private static final List<String> BACKENDS = List.of("auto", "native", "vector", "scalar");
    private static final List<String> WEIGHTS = List.of("mapped", "ram");
    private static final List<String> TIERS = List.of("auto", "scalar", "avx2", "avxvnni", "avx512", "amx");

    @Option(names = "--threads", paramLabel = "N", description = "Compute threads. Default: all processors.")
    private int threads = Runtime.getRuntime().availableProcessors();

    @Option(names = "--backend", paramLabel = "NAME",
            description = "auto, native (C), vector (Vector API) or scalar (plain Java). Default: ${DEFAULT-VALUE}.")
    private String backend = "auto";

    @Option(names = "--tier", paramLabel = "NAME",
            description = "Native tier: auto, scalar, avx2, avxvnni, avx512 or amx. Default: ${DEFAULT-VALUE}.")
    private String tier = "auto";

    @Option(names = "--weights", paramLabel = "WHERE",
            description = "mapped (the file, which must not be truncated meanwhile) or ram (a copy, in huge pages). Default: ${DEFAULT-VALUE}.")
    private String weights = "mapped";

    @Spec(Target.MIXEE)
    private CommandSpec command;

    /** A builder with these options. */
    SpikeEngine.Builder builder() {
        require(threads >= 1 && threads <= 1024, "--threads must be 1 to 1024, not " + threads);
        require(BACKENDS.contains(backend), "--backend must be one of " + String.join(", ", BACKENDS) + ", not " + backend);
        require(TIERS.contains(tier), "--tier must be one of " + String.join(", ", TIERS) + ", not " + tier);
        require(WEIGHTS.contains(weights), "--weights must be mapped or ram, not " + weights);
        require(tier.equals("auto") || backend.equals("auto") || backend.equals("native"),
                "--tier is for the native backend, not for " + backend);
        // The library calls scalar Java "java", for "scalar" names the C tier there.
        var builder = SpikeEngine.builder().threads(threads).backend(backend.equals("scalar") ? "java" : backend)
                .weights(weights.equals("ram") ? Weights.RAM : Weights.MAPPED);
        return tier.equals("auto") ? builder : builder.tier(tier);
    }

    private void require(boolean condition, String message) {
        usage(condition, command, message);
    }

    /** Ends the command with a usage error unless {@code condition} holds. */
    static void usage(boolean condition, CommandSpec command, String message) {
        if (!condition) {
            throw new ParameterException(command.commandLine(), message);
        }
    }
}
