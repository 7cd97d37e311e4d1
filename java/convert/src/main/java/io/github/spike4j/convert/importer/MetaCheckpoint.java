package io.github.spike4j.convert.importer;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.tokenizer.TokenizerSource;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

import tools.jackson.databind.JsonNode;

import io.github.spike4j.format.Architecture;
import io.github.spike4j.format.TokenizerInfo;

/**
 * A folder as Meta publishes LLaMA: {@code params.json}, {@code consolidated.00.pth} (more of them are the shards of model parallelism: slices
 * of every matrix) and a tokenizer. q and k rotate neighbouring channels; their rows are put into halves order here. params.json says
 * nothing of the context: see {@link #context}.
 */
final class MetaCheckpoint implements Checkpoint {
    /** What params.json may hold; anything else, unless null, changes the model. */
    private static final Set<String> KNOWN = Set.of("dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "multiple_of", "ffn_dim_multiplier",
            "norm_eps", "rope_theta", "use_scaled_rope", "rope_scaling_factor", "rope_high_freq_factor", "max_seq_len", "max_batch_size", "head_dim",
            "model_parallel_size");
    private static final int MAX_SHARDS = 64;

    private final Path folder;
    private final int context;
    private final String where;
    private final JsonNode params;
    private final Arena arena = Arena.ofShared();
    private final List<Map<String, StoredTensor>> shards;
    /** Of the source. */
    private final Architecture architecture;
    private final TokenizerSource tokenizer;

    /** @param context 0: that of the source */
    MetaCheckpoint(Path folder, int context) {
        this.folder = folder;
        this.context = context;
        where = folder.resolve("params.json").toString();
        try {
            params = Sources.json(folder.resolve("params.json"));
            shards = shards(folder, arena);
            architecture = read();
            tokenizer = TokenizerSource.open(folder);
            check();
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    /** Whether Meta's files lie in a folder. */
    static boolean is(Path folder) {
        return Files.exists(folder.resolve("params.json")) && !Files.exists(folder.resolve("config.json"));
    }

    /** The tensors of each shard. */
    static List<Map<String, StoredTensor>> shards(Path folder, Arena arena) {
        var shards = new ArrayList<Map<String, StoredTensor>>();
        while (shards.size() < MAX_SHARDS && Files.exists(shard(folder, shards.size()))) {
            shards.add(PyTorchFile.read(shard(folder, shards.size()), arena));
        }
        try (var files = Files.list(folder)) {
            // a hole in the numbers would make a model of slices that do not belong side by side
            long n = files.filter(f -> f.getFileName().toString().matches("consolidated\\.\\d+\\.pth")).count();
            if (n != shards.size() || n == 0) {
                throw new ConversionException(folder + ": " + n + " files consolidated.NN.pth beside params.json, but "
                        + shard(folder, shards.size()).getFileName() + " is missing");
            }
        } catch (IOException e) {
            throw new ConversionException(folder + ": cannot be read: " + Sources.reason(e), e);
        }
        return shards;
    }

    private static Path shard(Path folder, int i) {
        return folder.resolve("consolidated.%02d.pth".formatted(i));
    }

    // ---- params.json -----------------------------------------------------------------------------------------------------

    private Architecture read() {
        for (var name : params.propertyNames()) {
            if (!KNOWN.contains(name) && !params.get(name).isNull()) {
                throw bad(Sources.printable(name) + " is not known; supported are Meta's LLaMA 1 to 3");
            }
        }
        int dim = integer("dim", null);
        int heads = integer("n_heads", null);
        if (heads < 1) {
            throw bad("n_heads is " + heads);
        }
        int headDim = integer("head_dim", dim / heads);
        int vocab = integer("vocab_size", -1);
        var table = stored(0, "tok_embeddings.weight");
        if (vocab < 0 && table.shape().length == 2 && table.shape()[0] < Integer.MAX_VALUE) {
            vocab = (int) table.shape()[0]; // LLaMA 1 and 2 leave it to the tokenizer; their embedding is sliced by columns
        }
        var gate = stored(0, "layers.0.feed_forward.w1.weight").shape();
        long inner = gate.length == 2 ? gate[0] * shards.size() : 0;
        double theta = number("rope_theta", 10000);
        if (!(theta > 1 && theta < 1e12)) {
            throw bad("rope_theta " + theta + " is not between 1 and 1e12");
        }
        double eps = number("norm_eps", 1e-5);
        boolean scaled = params.path("use_scaled_rope").asBoolean(false);
        var a = Architecture.llama(integer("n_layers", null), dim, (int) Math.min(inner, Integer.MAX_VALUE), heads, integer("n_kv_heads", heads),
                headDim, vocab, integer("max_seq_len", context(eps, theta, scaled)), (float) eps, theta, false);
        Checkpoint.check(where, a);
        if (!scaled) {
            return a;
        }
        double high = number("rope_high_freq_factor", 4);
        double factor = number("rope_scaling_factor", 8);
        if (!(high > 1) || !(factor > 0)) {
            throw bad("rope_scaling_factor " + factor + " and rope_high_freq_factor " + high + " are not as in any model");
        }
        var periods = RopeScaling.llama3(RopeScaling.periods(headDim, theta), factor, 1, high, 8192);
        return Checkpoint.check(where, a.withRopes(List.of(RopeScaling.rope(periods, 1, headDim)), a.layerRopes()));
    }

    /** What Meta trained: LLaMA 1 has an epsilon of 1e-6, Code Llama theta 10^6, LLaMA 3 theta 500000, from 3.1 on scaled. */
    private static int context(double eps, double theta, boolean scaled) {
        return scaled ? 131072 : theta == 500000 ? 8192 : theta == 1e6 ? 16384 : eps == 1e-6 ? 2048 : 4096;
    }

    private int integer(String field, Integer otherwise) {
        return Sources.integer(where, field, params.path(field), otherwise);
    }

    private double number(String field, double otherwise) {
        return Sources.number(where, field, params.path(field), otherwise);
    }

    private ConversionException bad(String what) {
        return new ConversionException(where + ": " + what);
    }

    // ---- weights ---------------------------------------------------------------------------------------------------------

    /** All weights are there, and no others. */
    private void check() {
        var names = new HashSet<>(Set.of("rope.freqs"));
        for (var w : Weight.values()) {
            boolean once = w == Weight.EMBEDDING || w == Weight.NORM || w == Weight.LM_HEAD;
            for (int i = 0; i < (once ? 1 : architecture.layers()) && weight(w, i) != null; i++) {
                names.add(name(w, i));
            }
        }
        for (var shard : shards) {
            for (var e : shard.entrySet()) {
                if (!names.contains(e.getKey()) && !e.getKey().endsWith(".attention.inner_attention.rope.freqs")) {
                    throw new ConversionException(e.getValue().where() + " has no place in Meta's LLaMA as params.json describes it");
                }
            }
        }
    }

    private static String name(Weight w, int layer) {
        var block = switch (w) {
            case EMBEDDING -> "tok_embeddings.weight";
            case NORM -> "norm.weight";
            case LM_HEAD -> "output.weight";
            case ATTENTION_NORM -> "attention_norm";
            case FFN_NORM -> "ffn_norm";
            case Q -> "attention.wq";
            case K -> "attention.wk";
            case V -> "attention.wv";
            case O -> "attention.wo";
            case GATE -> "feed_forward.w1";
            case UP -> "feed_forward.w3";
            case DOWN -> "feed_forward.w2";
            default -> null;
        };
        return block == null || block.endsWith(".weight") ? block : "layers." + layer + "." + block + ".weight";
    }

    private StoredTensor stored(int shard, String name) {
        var tensor = shards.get(shard).get(name);
        if (tensor == null) {
            throw new ConversionException(shard(folder, shard) + ": tensor " + name + " is missing; params.json does not match the weights");
        }
        return tensor;
    }

    @Override
    public Architecture architecture() {
        return context == 0 ? architecture : architecture.withContext(context);
    }

    @Override
    public int positions() {
        return architecture.context();
    }

    @Override
    public Matrix weight(Weight w, int layer) {
        var name = name(w, layer);
        if (name == null) {
            return null;
        }
        var shape = Checkpoint.shape(architecture, w);
        var m = switch (w) {
            case NORM, ATTENTION_NORM, FFN_NORM -> stored(0, name).matrix(shape[0], shape[1], where);
            case O, DOWN -> columns(name, shape);
            // sliced by columns up to LLaMA 2, by rows since
            case EMBEDDING -> stored(0, name).is(shape[0], part(shape[1], name)) ? columns(name, shape) : rows(name, shape);
            default -> rows(name, shape);
        };
        return w == Weight.Q || w == Weight.K ? m.rows(HeadRows.neighbours(shape[0], architecture.headDim())) : m;
    }

    private Matrix rows(String name, int[] shape) {
        return Matrix.concat(parts(name, part(shape[0], name), shape[1]));
    }

    private Matrix columns(String name, int[] shape) {
        return Matrix.concatColumns(parts(name, shape[0], part(shape[1], name)));
    }

    private int part(int whole, String name) {
        if (whole % shards.size() != 0) {
            throw new ConversionException(folder + ": " + shards.size() + " shards cannot share the " + whole + " rows or columns of " + name);
        }
        return whole / shards.size();
    }

    private List<Matrix> parts(String name, int rows, int columns) {
        var parts = new ArrayList<Matrix>();
        for (int i = 0; i < shards.size(); i++) {
            parts.add(stored(i, name).matrix(rows, columns, where));
        }
        return parts;
    }

    // ---- the rest --------------------------------------------------------------------------------------------------------

    @Override
    public byte[] tokenizerJson() {
        return tokenizer.json();
    }

    @Override
    public TokenizerInfo tokenizer() {
        return tokenizer.policy().info();
    }

    @Override
    public Map<String, String> chatTemplates() {
        return tokenizer.chatTemplates();
    }

    @Override
    public Map<String, String> provenance() {
        return Map.of("source", folder.toAbsolutePath().normalize().getFileName().toString(), "sourceFormat", "meta");
    }

    @Override
    public void close() {
        arena.close();
    }
}
