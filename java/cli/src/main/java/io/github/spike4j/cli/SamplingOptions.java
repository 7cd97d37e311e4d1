package io.github.spike4j.cli;

import io.github.spike4j.Sampling;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;

/** How tokens are chosen: options of every command that generates text. */
final class SamplingOptions {

    /** By the names that {@link Sampling} calls them in its messages. */
    private static final Map<String, String> OPTIONS = Map.of("maxTokens", "-n", "temperature", "--temp", "topK", "--top-k", "topP", "--top-p",
            "minP", "--min-p", "repetitionPenalty", "--repeat-penalty");

    @Option(names = "-n", paramLabel = "N", description = "Tokens to generate at most. Default: ${DEFAULT-VALUE}.")
    private int count;

    @Option(names = "--temp", paramLabel = "T", description = "Temperature; 0 takes the most probable token. Default: ${DEFAULT-VALUE}.")
    private double temperature;

    @Option(names = "--top-k", paramLabel = "K", description = "Only the K most probable tokens; 0: all. Default: ${DEFAULT-VALUE}.")
    private int topK;

    @Option(names = "--top-p", paramLabel = "P", description = "Only the most probable tokens that sum to P. Default: ${DEFAULT-VALUE}.")
    private double topP = 1;

    @Option(names = "--min-p", paramLabel = "P", description = "Only tokens with P times the best probability. Default: ${DEFAULT-VALUE}.")
    private double minP;

    @Option(names = "--repeat-penalty", paramLabel = "R", description = "Divides logits of the last 64 tokens. Default: ${DEFAULT-VALUE}.")
    private double penalty = 1;

    @Option(names = "--stop", paramLabel = "TEXT", description = "Ends the text; may be repeated.")
    private List<String> stop = List.of();

    @Option(names = "--seed", paramLabel = "S", description = "Equal seeds give equal texts. Default: ${DEFAULT-VALUE}.")
    private long seed;

    @Spec(Target.MIXEE)
    private CommandSpec command;

    /** @param count default of {@code -n} */
    SamplingOptions(int count) {
        this.count = count;
    }

    /** What the options say; a usage error if one is out of its range. */
    Sampling sampling() {
        try {
            return Sampling.builder().temperature(temperature).topK(topK).topP(topP).minP(minP).repetitionPenalty(penalty)
                    .seed(seed).stop(stop.toArray(String[]::new)).maxTokens(count).build();
        } catch (IllegalArgumentException e) {
            var words = e.getMessage().split(" ", 2);
            throw new ParameterException(command.commandLine(), OPTIONS.getOrDefault(words[0], words[0]) + " " + words[1], e);
        }
    }
}
