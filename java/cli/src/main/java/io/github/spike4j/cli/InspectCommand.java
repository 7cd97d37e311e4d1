package io.github.spike4j.cli;

import io.github.spike4j.convert.SourceContents;
import io.github.spike4j.format.Architecture;
import io.github.spike4j.format.Attention;
import io.github.spike4j.format.InputGroup;
import io.github.spike4j.format.Linear;
import io.github.spike4j.format.S4jFile;
import io.github.spike4j.format.TensorInfo;
import io.github.spike4j.format.TokenizerInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.LongSummaryStatistics;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.function.Function;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code spike4j inspect}. */
@Command(name = "inspect", description = "Show what is in a .s4j file or another project's checkpoint, without reading weights.",
        sortOptions = false, mixinStandardHelpOptions = true)
final class InspectCommand implements Callable<Integer> {

    /** Characters of a metadata value in text. */
    private static final int LINE = 120;

    @Parameters(paramLabel = "MODEL", description = "The .s4j, GGUF, safetensors or PyTorch file, or a Hugging Face folder.")
    private Path file;

    @Option(names = "--tensors", description = "List every tensor.")
    private boolean tensors;

    @Mixin
    private Report report;

    /** The {@code --json} form: the file, then the manifest. */
    record Result(String file, long fileBytes, int formatVersion, Architecture architecture, String compute, Map<String, Object> recipe,
            Map<String, InputGroup> inputGroups, Map<String, Linear> linears, Attention attention, List<TensorInfo> tensors,
            TokenizerInfo tokenizer, Map<String, String> provenance, String license, List<String> entries) {}

    /** The {@code --json} form of another project's checkpoint. */
    record Source(String file, String kind, long fileBytes, Architecture architecture, String problem, Map<String, Object> metadata,
            List<SourceContents.Tensor> tensors) {}

    @Override
    public Integer call() throws IOException {
        if (SourceContents.isSource(Failure.readable(file))) {
            var c = SourceContents.of(file);
            var source = new Source(file.toString(), c.kind(), c.bytes(), c.architecture(), c.problem(), c.metadata(), c.tensors());
            report.print(source, text(source));
            return 0;
        }
        try (var s4j = S4jFile.open(Failure.readableFile(file))) {
            var m = s4j.manifest();
            var result = new Result(file.toString(), Files.size(file), m.formatVersion(), m.architecture(), m.compute(), m.recipe(),
                    m.inputGroups(), m.linears(), m.attention(), m.tensors(), m.tokenizer(), m.provenance(), m.license(),
                    List.copyOf(s4j.entries()));
            report.print(result, text(result));
        }
        return 0;
    }

    private String text(Result r) {
        var text = new StringBuilder();
        line(text, "file", "%s (%,d bytes, format %d)", r.file, r.fileBytes, r.formatVersion);
        architecture(text, r.architecture);
        line(text, "compute", "%s", r.compute);
        line(text, "recipe", "%s", r.recipe == null ? "none" : r.recipe.getOrDefault("name", "unnamed"));
        if (!r.inputGroups.isEmpty()) {
            line(text, "groups", "%s", segments(r));
        }
        if (r.attention != null) {
            line(text, "attention", "Q %d bits, K %s, V %s, ranges of K by %s, %s, of V by %s%s", r.attention.qBits(),
                    Arrays.toString(r.attention.kBits()), Arrays.toString(r.attention.vBits()), r.attention.kMode(),
                    r.attention.kRanges(), r.attention.vMode(), r.attention.hadamard() ? ", rotated" : "");
        }
        tensors(text, r.tensors.stream(), t -> t.encoding() + "/" + t.layout(), TensorInfo::bytes);
        line(text, "entries", "%s", String.join(", ", r.entries));
        if (r.provenance != null) {
            r.provenance.forEach((key, value) -> line(text, key, "%s", value));
        }
        line(text, "licence", "%s", r.license == null ? "not stated" : r.license);
        if (tensors) {
            for (var t : r.tensors) {
                text.append("%n%-40s %-16s %-5s %-4s %,14d  %s".formatted(t.name(), Arrays.toString(t.shape()), t.encoding(),
                        t.layout(), t.bytes(), t.sha256()));
            }
        }
        return text.toString();
    }

    private String text(Source r) {
        var text = new StringBuilder();
        line(text, "file", "%s (%,d bytes, %s)", r.file, r.fileBytes, r.kind);
        if (r.architecture == null) {
            line(text, "convert", "no: %s", r.problem);
        } else {
            architecture(text, r.architecture);
        }
        tensors(text, r.tensors.stream(), SourceContents.Tensor::type, SourceContents.Tensor::bytes);
        r.metadata.forEach((key, value) -> text.append("%n%-40s %s".formatted(key, abbreviated(value))));
        if (tensors) {
            r.tensors.forEach(t -> text.append("%n%-40s %-16s %-7s %,14d".formatted(t.name(), t.shape(), t.type(), t.bytes())));
        }
        return text.toString();
    }

    /** One line, and not a long one. */
    private static String abbreviated(Object value) {
        var line = (value instanceof Map<?, ?> array && array.get("first") instanceof List<?> first
                ? "%s %s, first %s".formatted(array.get("count"), array.get("type"), first) : String.valueOf(value))
                .replaceAll("\\R", "\u23ce").replaceAll("\\p{Cntrl}", " ");
        return line.length() <= LINE ? line : line.substring(0, LINE) + "... (%,d characters)".formatted(line.length());
    }

    private static void architecture(StringBuilder text, Architecture a) {
        line(text, "model", "%s, %d layers, %d channels, %d in the MLP, %d/%d heads of %d", a.family(), a.layers(), a.hidden(),
                a.intermediate(), a.heads(), a.kvHeads(), a.headDim());
        line(text, "text", "vocabulary %d, context %d, %s embedding", a.vocab(), a.context(),
                a.tiedEmbeddings() ? "tied" : "untied");
    }

    /** Their number, and how many bytes each type has. */
    private static <T> void tensors(StringBuilder text, Stream<T> all, Function<T, String> type, ToLongFunction<T> bytes) {
        var byType = all.collect(Collectors.groupingBy(type, TreeMap::new, Collectors.summarizingLong(bytes)));
        line(text, "tensors", "%d: %s", byType.values().stream().mapToLong(LongSummaryStatistics::getCount).sum(),
                byType.entrySet().stream().map(e -> "%d %s of %,d bytes".formatted(e.getValue().getCount(), e.getKey(), e.getValue().getSum()))
                        .collect(Collectors.joining(", ")));
    }

    /** Each distinct list of segments once, with how many groups have it. */
    private static String segments(Result r) {
        return r.inputGroups.values().stream()
                .collect(Collectors.groupingBy(
                        g -> g.segments().stream().map(s -> s.channels() + "x" + s.bits() + "b").collect(Collectors.joining("+")),
                        TreeMap::new, Collectors.counting()))
                .entrySet().stream()
                .map(e -> e.getValue() + " of " + e.getKey())
                .collect(Collectors.joining(", "));
    }

    private static void line(StringBuilder text, String name, String format, Object... values) {
        if (!text.isEmpty()) {
            text.append(System.lineSeparator());
        }
        text.append("%-10s ".formatted(name)).append(format.formatted(values));
    }
}
