package io.github.spike4j.cli;

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
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;

/** {@code spike4j inspect}. */
@Command(name = "inspect", description = "Show what is in a .s4j file.", sortOptions = false, mixinStandardHelpOptions = true)
final class InspectCommand implements Callable<Integer> {

    @Parameters(paramLabel = "MODEL", description = "The .s4j file.")
    private Path file;

    @Option(names = "--tensors", description = "List every tensor.")
    private boolean tensors;

    @Mixin
    private Report report;

    /** The {@code --json} form: the file, then the manifest. */
    record Result(String file, long fileBytes, int formatVersion, Architecture architecture, String compute, JsonNode recipe,
            Map<String, InputGroup> inputGroups, Map<String, Linear> linears, Attention attention, List<TensorInfo> tensors,
            TokenizerInfo tokenizer, Map<String, String> provenance, String license, List<String> entries) {}

    @Override
    public Integer call() throws IOException {
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
        var a = r.architecture;
        var text = new StringBuilder();
        line(text, "file", "%s (%,d bytes, format %d)", r.file, r.fileBytes, r.formatVersion);
        line(text, "model", "%s, %d layers, %d channels, %d in the MLP, %d/%d heads of %d", a.family(), a.layers(), a.hidden(),
                a.intermediate(), a.heads(), a.kvHeads(), a.headDim());
        line(text, "text", "vocabulary %d, context %d, %s embedding", a.vocab(), a.context(),
                a.tiedEmbeddings() ? "tied" : "untied");
        line(text, "compute", "%s", r.compute);
        line(text, "recipe", "%s", r.recipe == null ? "none" : r.recipe.path("name").asString("unnamed"));
        if (!r.inputGroups.isEmpty()) {
            line(text, "groups", "%s", segments(r));
        }
        if (r.attention != null) {
            line(text, "attention", "Q %d bits, K %s, V %s, K ranges by %s", r.attention.qBits(),
                    Arrays.toString(r.attention.kBits()), Arrays.toString(r.attention.vBits()), r.attention.kMode());
        }
        var byEncoding = r.tensors.stream()
                .collect(Collectors.groupingBy(t -> t.encoding() + "/" + t.layout(), TreeMap::new,
                        Collectors.summingLong(TensorInfo::bytes)));
        line(text, "tensors", "%d: %s", r.tensors.size(), byEncoding.entrySet().stream()
                .map(e -> "%s %,d bytes".formatted(e.getKey(), e.getValue()))
                .collect(Collectors.joining(", ")));
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
