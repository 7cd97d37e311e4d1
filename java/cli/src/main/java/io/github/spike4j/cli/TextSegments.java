package io.github.spike4j.cli;

import io.github.spike4j.SpikeModel;
import io.github.spike4j.format.S4jFile;
import io.github.spike4j.format.TokenizerInfo;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;

/**
 * The text of the commands that measure on one. It is tokenized once and cut into segments of {@code --seq} tokens, without overlap and
 * without a rest.
 */
final class TextSegments {

    private static final int DEFAULT_SEQ = 1024;

    @Option(names = "--text", required = true, paramLabel = "FILE", description = "UTF-8 text.")
    private Path text;

    @Option(names = "--seq", paramLabel = "N", description = "Tokens of a segment. Default: 1024, fewer if the context or the text has fewer.")
    private Integer seq;

    @Option(names = "--segments", paramLabel = "N", description = "Only N segments, spread evenly over the text. Default: all.")
    private Integer segments;

    @Option(names = "--bos", paramLabel = "auto|on|off",
            description = "Whether the text starts with BOS; auto: as the tokenizer does. Default: ${DEFAULT-VALUE}.")
    private String bos = "auto";

    @Spec(Target.MIXEE)
    private CommandSpec spec;

    /** Checks the options that need no model. */
    void check() {
        EngineOptions.usage(seq == null || seq >= 2, spec, "--seq must be 2 or more, not " + seq);
        EngineOptions.usage(segments == null || segments >= 1, spec, "--segments must be 1 or more, not " + segments);
        EngineOptions.usage(List.of("auto", "on", "off").contains(bos), spec, "--bos must be auto, on or off, not " + bos);
    }

    /** Tokens of a segment; not before {@link #cut}. */
    int seq() {
        return seq;
    }

    Path text() {
        return text;
    }

    String read() throws IOException {
        return Texts.read(text);
    }

    /** The text's ids, with BOS as {@code --bos} wants it. */
    int[] encode(String content, SpikeModel model, Path file) throws IOException {
        TokenizerInfo tokenizer;
        try (var s4j = S4jFile.open(file)) {
            tokenizer = s4j.manifest().tokenizer();
        }
        var ids = model.encode(content);
        var id = tokenizer == null ? -1 : tokenizer.bos();
        var has = id >= 0 && ids.length > 0 && ids[0] == id;
        return switch (bos) {
            case "on" -> {
                EngineOptions.usage(id >= 0, spec, "--bos on: the model's tokenizer has no BOS");
                yield has ? ids : IntStream.concat(IntStream.of(id), IntStream.of(ids)).toArray();
            }
            case "off" -> has && tokenizer.addBos() ? Arrays.copyOfRange(ids, 1, ids.length) : ids;
            default -> ids;
        };
    }

    /**
     * The segments of {@code --segments}.
     *
     * @param context positions that the model has
     */
    List<int[]> cut(int[] ids, int context) {
        if (seq == null) {
            seq = Math.max(2, Math.min(DEFAULT_SEQ, Math.min(context, ids.length)));
        }
        EngineOptions.usage(seq <= context, spec, "--seq must be at most " + context + ", the model's context, not " + seq);
        var all = ids.length / seq;
        if (all == 0) {
            throw new Failure(text + ": " + ids.length + " tokens, but a segment has " + seq);
        }
        EngineOptions.usage(segments == null || segments <= all, spec,
                "--segments must be at most " + all + ", those of the text, not " + segments);
        var count = segments == null ? all : segments;
        return IntStream.range(0, count).map(i -> (int) ((long) i * all / count) * seq)
                .mapToObj(from -> Arrays.copyOfRange(ids, from, from + seq)).toList();
    }
}
