package io.github.spike4j.convert;

import io.github.spike4j.convert.importer.ContentsReader;
import io.github.spike4j.format.Architecture;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * What lies in a checkpoint of another project. Only headers are read, no weights.
 *
 * @param kind         {@code "gguf"}, {@code "safetensors"}, {@code "pytorch"}, {@code "llama2c"}; of a folder {@code "huggingface"} or
 *                     {@code "meta"}
 * @param bytes        size of the file with its parts, or of all files in the folder
 * @param architecture null if it cannot be converted
 * @param problem      why it cannot be converted, in one line; null if it can
 * @param metadata     by key: strings, numbers, booleans, lists and maps of such. Of a GGUF file: its version as {@code GGUF.version}, its keys; a
 *                     long array is the map of its {@code type}, its {@code count} and its {@code first} elements
 * @param tensors      in the order of the file; those of Meta's shards have the shard in front: {@code 01/norm.weight}
 */
public record SourceContents(String kind, long bytes, Architecture architecture, String problem, Map<String, Object> metadata,
        List<Tensor> tensors) {

    /**
     * A tensor.
     *
     * @param type  as the file names it
     * @param shape the outermost dimension first: a matrix is {@code [rows, columns]}, also in a GGUF file, which has it the other way round
     * @param bytes of its data
     */
    public record Tensor(String name, String type, List<Long> shape, long bytes) { }

    /** Whether {@code source} seems to be a checkpoint: a folder, or a file whose name or content is that of one. */
    public static boolean isSource(Path source) {
        return ContentsReader.kind(source) != null;
    }

    /**
     * Reads what is there.
     *
     * @param source a folder or a file that {@link #isSource}
     * @throws ConversionException if it is damaged or of no known kind; that it cannot be converted is no error here
     */
    public static SourceContents of(Path source) {
        return ContentsReader.read(source);
    }
}
