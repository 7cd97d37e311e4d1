package io.github.spike4j.cli;

import io.github.spike4j.ChatTemplate;
import io.github.spike4j.SpikeException;
import io.github.spike4j.convert.tokenizer.TokenizerSource;
import io.github.spike4j.format.S4jFile;
import io.github.spike4j.format.S4jFormatException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code spike4j verify}. */
@Command(name = "verify", description = "Check every hash of a .s4j file.", sortOptions = false, mixinStandardHelpOptions = true)
final class VerifyCommand implements Callable<Integer> {

    @Parameters(paramLabel = "MODEL", description = "The .s4j file.")
    private Path file;

    @Option(names = "--quiet", description = "No progress.")
    private boolean quiet;

    @Mixin
    private Report report;

    @Spec
    private CommandSpec spec;

    /** The {@code --json} form; a damaged file is an error, so {@code ok} is always true. */
    record Result(String file, long fileBytes, int entries, boolean ok, double seconds) {}

    @Override
    public Integer call() throws IOException {
        var start = System.nanoTime();
        var size = Files.size(Failure.readableFile(file));
        var entries = new int[1];
        try (var s4j = S4jFile.open(file);
                var progress = Progress.of("verify", Progress.Unit.BYTES, quiet, spec.commandLine().getErr())) {
            var done = new long[1];
            // every byte is hashed, then nearly every one is looked at
            s4j.verify((name, bytes) -> {
                entries[0]++;
                progress.progress(name, done[0] += bytes, 2 * size);
            }, (name, bytes) -> progress.progress(name + ": values", done[0] += bytes, 2 * size));
            readTexts(s4j);
        }
        var seconds = (System.nanoTime() - start) / 1e9;
        report.print(new Result(file.toString(), size, entries[0], true, seconds),
                "%s: ok (%d entries, %,d bytes, %.2f s)".formatted(file, entries[0], size, seconds));
        return 0;
    }

    /** What opening a model leaves to the first who needs it. */
    private void readTexts(S4jFile s4j) throws S4jFormatException {
        if (s4j.hasEntry("tokenizer.json")) {
            TokenizerSource.open(file);
        }
        for (var entry : s4j.entries()) {
            if (entry.endsWith(".jinja")) {
                try {
                    ChatTemplate.of(new String(s4j.entry(entry), StandardCharsets.UTF_8));
                } catch (SpikeException.Template e) {
                    throw new Failure(file + ": " + entry + ": " + e.getMessage());
                }
            }
        }
    }
}
