package io.github.spike4j.convert.importer;

import io.github.spike4j.convert.ConversionException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** Finds the weights of a Hugging Face folder: safetensors, else PyTorch files; one, or shards with or without an index. */
final class WeightFiles {
    private static final String SAFETENSORS = ".safetensors";
    private static final String INDEX = ".index.json";
    private static final Pattern PYTORCH = Pattern.compile(".*\\.(bin|pth|pt)");
    /** What training leaves beside the weights. */
    private static final Pattern NO_WEIGHTS = Pattern.compile("(training_args|optimizer|scheduler|scaler|rng_state|random_states|trainer_state).*");
    private static final Pattern FILE_NAME = Pattern.compile("[A-Za-z0-9_-][A-Za-z0-9._-]*");
    private static final Pattern SHARD = Pattern.compile("(.*)-(\\d{5})-of-(\\d{5})(\\.[a-z]+)");

    private final Path folder;
    private final Arena arena;

    private WeightFiles(Path folder, Arena arena) {
        this.folder = folder;
        this.arena = arena;
    }

    /**
     * All tensors by the names of a {@code ...ForCausalLM}: {@code model.layers.0...}, {@code lm_head.weight}.
     *
     * @param given a file of the folder that the user named, or null
     */
    static Map<String, StoredTensor> open(Path folder, Path given, Arena arena) {
        return new WeightFiles(folder, arena).open(given == null ? null : given.getFileName().toString());
    }

    private Map<String, StoredTensor> open(String given) {
        var all = new LinkedHashMap<String, StoredTensor>();
        for (var name : files(given)) {
            var file = folder.resolve(name);
            for (var e : (name.endsWith(SAFETENSORS) ? SafeTensors.read(file, arena) : PyTorchFile.read(file, arena)).entrySet()) {
                if (all.put(e.getKey(), e.getValue()) != null) {
                    throw new ConversionException(folder + ": tensor " + e.getKey() + " is in two files");
                }
            }
        }
        return canonical(all);
    }

    /** The names of the files to read. */
    private TreeSet<String> files(String given) {
        var present = new TreeSet<String>();
        try (var list = Files.list(folder)) {
            list.map(p -> p.getFileName().toString()).filter(n -> !NO_WEIGHTS.matcher(n).matches()).forEach(present::add);
        } catch (IOException e) {
            throw new ConversionException(folder + ": cannot be read: " + Sources.reason(e), e);
        }
        if (given != null) {
            for (var name : present) {
                if (name.endsWith(INDEX) && indexed(name).contains(given)) {
                    return indexed(name);
                }
            }
            return new TreeSet<>(List.of(given));
        }
        for (var usual : List.of("model" + SAFETENSORS, "model" + SAFETENSORS + INDEX, "pytorch_model.bin", "pytorch_model.bin" + INDEX)) {
            if (present.contains(usual)) {
                return usual.endsWith(INDEX) ? indexed(usual) : new TreeSet<>(List.of(usual));
            }
        }
        for (var kind : List.of(Pattern.compile(".*\\" + SAFETENSORS), PYTORCH)) {
            var indices = matching(present, Pattern.compile(kind.pattern() + "\\" + INDEX));
            if (indices.size() == 1) {
                return indexed(indices.first());
            }
            var weights = matching(present, kind);
            if (weights.size() == 1 || isComplete(weights)) {
                return weights;
            }
            if (!weights.isEmpty()) {
                throw new ConversionException(folder + ": " + weights.size() + " weight files (" + weights.first() + ", ...) and no index that says "
                        + "which belong together; name the one to convert, or add " + "model" + SAFETENSORS + INDEX);
            }
        }
        throw new ConversionException(folder + ": no weights: neither model.safetensors, pytorch_model.bin nor an index of shards");
    }

    private static TreeSet<String> matching(TreeSet<String> names, Pattern pattern) {
        var some = new TreeSet<String>();
        names.stream().filter(n -> pattern.matcher(n).matches()).forEach(some::add);
        return some;
    }

    /** Whether the names are shards 1 to N of N. */
    private static boolean isComplete(TreeSet<String> names) {
        int i = 0;
        String prefix = null;
        for (var name : names) {
            var m = SHARD.matcher(name);
            if (!m.matches() || Integer.parseInt(m.group(2)) != ++i || Integer.parseInt(m.group(3)) != names.size()
                    || prefix != null && !m.group(1).equals(prefix)) {
                return false;
            }
            prefix = m.group(1);
        }
        return i > 0;
    }

    /** The files that an index names. */
    private TreeSet<String> indexed(String index) {
        var file = folder.resolve(index);
        var names = new TreeSet<String>();
        for (var e : Sources.json(file).path("weight_map").properties()) {
            var name = e.getValue().asString("");
            if (!FILE_NAME.matcher(name).matches() || !name.endsWith(SAFETENSORS) && !PYTORCH.matcher(name).matches()) {
                throw new ConversionException(file + ": \"" + Sources.printable(name) + "\" is not a file name of weights in the folder");
            }
            names.add(name);
        }
        if (names.isEmpty()) {
            throw new ConversionException(file + ": its weight_map names no files");
        }
        return names;
    }

    /**
     * Takes away what stands in front of the names of a causal language model, as {@code module.} of torch's DataParallel, and adds the
     * {@code model.} that a bare decoder lacks.
     */
    private static Map<String, StoredTensor> canonical(Map<String, StoredTensor> all) {
        var embeddings = all.keySet().stream().filter(n -> n.equals("embed_tokens.weight") || n.endsWith(".embed_tokens.weight")).toList();
        if (embeddings.size() != 1) {
            return all;
        }
        var decoder = embeddings.getFirst().substring(0, embeddings.getFirst().length() - "embed_tokens.weight".length());
        var outer = decoder.equals("model.") || decoder.endsWith(".model.") ? decoder.substring(0, decoder.length() - "model.".length()) : decoder;
        var renamed = new LinkedHashMap<String, StoredTensor>();
        for (var e : all.entrySet()) {
            var name = e.getKey();
            if (name.startsWith(outer) && name.substring(outer.length()).startsWith("lm_head.")) {
                name = name.substring(outer.length());
            } else if (name.startsWith(decoder)) {
                name = "model." + name.substring(decoder.length());
            }
            renamed.put(name, e.getValue());
        }
        return renamed;
    }
}
