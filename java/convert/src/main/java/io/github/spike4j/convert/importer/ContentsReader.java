package io.github.spike4j.convert.importer;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.SourceContents;
import io.github.spike4j.convert.SourceContents.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

import tools.jackson.databind.json.JsonMapper;

/** Reads {@link SourceContents}. */
public final class ContentsReader {
    /** Longer arrays of GGUF metadata are abbreviated. */
    private static final int FIRST = 8;

    private ContentsReader() { }

    /** The kind of a source, or null if it is none. */
    public static String kind(Path source) {
        var name = source.toAbsolutePath().normalize().getFileName();
        if (Files.isDirectory(source) || name == null) {
            return MetaCheckpoint.is(source) ? "meta" : "huggingface";
        }
        if (GgufFile.is(source)) {
            return "gguf";
        }
        return switch (name.toString().replaceFirst(".*\\.", "")) {
            case "gguf" -> "gguf";
            case "safetensors" -> "safetensors";
            case "pth", "pt" -> "pytorch";
            case "bin" -> PyTorchFile.isZip(source) ? "pytorch" : "llama2c";
            default -> null;
        };
    }

    /** As {@link SourceContents#of}. */
    public static SourceContents read(Path source) {
        if (!Files.exists(source)) {
            throw new ConversionException(source + ": no such file or folder");
        }
        var kind = kind(source);
        if (kind == null) {
            throw new ConversionException(source + ": unknown kind of checkpoint; " + Checkpoint.SUPPORTED);
        }
        try (var arena = Arena.ofConfined()) {
            long bytes = size(source);
            var metadata = new LinkedHashMap<String, Object>();
            var tensors = List.<Tensor>of();
            switch (kind) {
                case "gguf" -> {
                    var file = new GgufFile(source, arena);
                    bytes = file.bytes();
                    metadata.put("GGUF.version", file.version());
                    file.metadata().forEach((key, value) -> metadata.put(key, plain(value)));
                    tensors = file.tensors().stream().map(ContentsReader::tensor).toList();
                }
                case "safetensors" -> {
                    metadata.putAll(SafeTensors.metadata(source, arena));
                    tensors = tensors(SafeTensors.read(source, arena));
                }
                case "pytorch" -> tensors = tensors(PyTorchFile.read(source, arena));
                case "huggingface" -> {
                    if (Files.exists(source.resolve("config.json"))) {
                        metadata.putAll(json(source.resolve("config.json")));
                    }
                    tensors = tensors(WeightFiles.open(source, null, arena));
                }
                case "meta" -> {
                    metadata.putAll(json(source.resolve("params.json")));
                    var shards = MetaCheckpoint.shards(source, arena);
                    var all = new LinkedHashMap<String, StoredTensor>();
                    for (int i = 0; i < shards.size(); i++) {
                        var prefix = shards.size() == 1 ? "" : "%02d/".formatted(i);
                        shards.get(i).forEach((tensor, t) -> all.put(prefix + tensor, t));
                    }
                    tensors = tensors(all);
                }
                default -> { }
            }
            try (var checkpoint = Checkpoint.open(source)) {
                return new SourceContents(kind, bytes, checkpoint.architecture(), null, metadata, tensors);
            } catch (ConversionException e) {
                if (kind.equals("llama2c")) {
                    // Such a file has no sign of its own: only if all of it fits is it one.
                    throw e;
                }
                return new SourceContents(kind, bytes, null, e.getMessage(), metadata, tensors);
            }
        }
    }

    private static Map<String, Object> json(Path file) {
        var all = new LinkedHashMap<String, Object>();
        Sources.json(file).properties().forEach(e -> all.put(e.getKey(), JsonMapper.shared().treeToValue(e.getValue(), Object.class)));
        return all;
    }

    private static Tensor tensor(GgufFile.Tensor t) {
        return new Tensor(t.name(), t.type().name(), Arrays.stream(t.shape()).boxed().toList().reversed(), t.data().byteSize());
    }

    private static List<Tensor> tensors(Map<String, StoredTensor> all) {
        return all.entrySet().stream().map(e -> {
            var t = e.getValue();
            var element = ElementType.of(t.type());
            return new Tensor(e.getKey(), t.type(), Arrays.stream(t.shape()).boxed().toList(),
                    element == null ? t.data().byteSize() : element.bytes * StoredTensor.elements(t.shape()));
        }).toList();
    }

    private static Object plain(Object value) {
        if (!(value instanceof GgufValue v)) {
            return value;
        }
        if (!v.isArray()) {
            return v.get();
        }
        var first = v.first(FIRST).stream().map(ContentsReader::plain).toList();
        if (v.count() <= FIRST) {
            return first;
        }
        var abbreviated = new LinkedHashMap<String, Object>();
        abbreviated.put("type", v.elementType().name());
        abbreviated.put("count", v.count());
        abbreviated.put("first", first);
        return abbreviated;
    }

    private static long size(Path source) {
        try (var files = Files.isDirectory(source) ? Files.list(source).filter(Files::isRegularFile) : Stream.of(source)) {
            long bytes = 0;
            for (var file : files.toList()) {
                bytes += Files.size(file);
            }
            return bytes;
        } catch (IOException e) {
            throw new ConversionException(source + ": cannot be read: " + Sources.reason(e), e);
        }
    }
}
