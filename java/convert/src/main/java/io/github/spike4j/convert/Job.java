package io.github.spike4j.convert;

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
import java.util.stream.Collectors;
import java.util.stream.Stream;

import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

import io.github.spike4j.convert.importer.Checkpoint;
import io.github.spike4j.format.Manifest;

/**
 * What a conversion is made of, as text: conversions with equal texts write equal bytes, so that one may go on with the work of
 * another. The weights' files are told by name, size and time of modification, for reading gigabytes to hash them would take longer
 * than many a layer; everything small is told by its content.
 */
final class Job {
    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final String WEIGHTS = "(?i).*\\.(safetensors|bin|pth|pt|gguf)";

    private Job() { }

    /** @param provenance of the manifest: names the source, and the calibration text with its hash */
    static String of(ConvertRequest request, Checkpoint source, Map<String, String> provenance, String license) throws IOException {
        var job = JSON.createObjectNode();
        var version = job.putObject("version");
        version.put("spike4j", Job.class.getPackage().getImplementationVersion());
        version.put("format", Manifest.VERSION);
        job.set("recipe", Recipes.toJson(request.recipe()));
        var from = job.putObject("source");
        for (var file : files(request.source())) {
            var f = from.putObject(file.getFileName().toString());
            f.put("bytes", Files.size(file));
            f.put("modified", Files.getLastModifiedTime(file).toString());
        }
        from.set("architecture", JSON.valueToTree(source.architecture()));
        from.set("tokenizer", JSON.valueToTree(source.tokenizer()));
        from.put("tokenizerSha256", sha256(source.tokenizerJson()));
        var templates = from.putObject("chatTemplates");
        source.chatTemplates().forEach((name, template) -> templates.put(name, sha256(template.getBytes(StandardCharsets.UTF_8))));
        job.put("context", source.architecture().context());
        var calibration = job.putObject("calibration");
        new TreeMap<>(provenance).forEach((key, value) -> (key.startsWith("calibration") ? calibration : from).put(key, value));
        job.put("license", license);
        return JSON.writeValueAsString(job);
    }

    /** Files of weights: those of a folder, or a file and its neighbours of the same kind (shards, a tokenizer). */
    private static List<Path> files(Path source) throws IOException {
        var folder = Files.isDirectory(source) ? source : source.toAbsolutePath().getParent();
        var name = source.getFileName().toString();
        var kind = Files.isDirectory(source) ? WEIGHTS : ".*" + java.util.regex.Pattern.quote(name.substring(Math.max(0, name.lastIndexOf('.'))));
        try (Stream<Path> all = Files.list(folder)) {
            return all.filter(f -> f.getFileName().toString().matches(kind) && Files.isRegularFile(f)).sorted().toList();
        }
    }

    /** In what two jobs differ, for a message. */
    static String difference(String one, String other) {
        try {
            var a = (ObjectNode) JSON.readTree(one);
            var b = (ObjectNode) JSON.readTree(other);
            return a.propertyNames().stream().filter(n -> !a.get(n).equals(b.get(n))).collect(Collectors.joining(", "));
        } catch (JacksonException | ClassCastException e) {
            return "version";
        }
    }

    static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}
