package io.github.spike4j.convert.importer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.TinyModel;
import io.github.spike4j.convert.importer.Checkpoint.Weight;
import io.github.spike4j.convert.importer.PyTorchWriter.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Meta's own format: the same model as in transformers' names must come out of it. */
class MetaTest {
    private static final Map<String, String> NAMES = Map.of("self_attn.q_proj", "attention.wq", "self_attn.k_proj", "attention.wk", "self_attn.v_proj",
            "attention.wv", "self_attn.o_proj", "attention.wo", "mlp.gate_proj", "feed_forward.w1", "mlp.down_proj", "feed_forward.w2", "mlp.up_proj",
            "feed_forward.w3", "input_layernorm", "attention_norm", "post_attention_layernorm", "ffn_norm");
    private static final String PARAMS = "{\"dim\": 48, \"n_layers\": 2, \"n_heads\": 4, \"n_kv_heads\": 2, \"norm_eps\": 1e-05, \"vocab_size\": %d, "
            + "\"multiple_of\": 32, \"ffn_dim_multiplier\": null%s}";

    @TempDir
    Path dir;

    private static String name(String ours) {
        var name = ours.replace("model.embed_tokens", "tok_embeddings").replace("lm_head", "output").replace("model.", "");
        for (var e : NAMES.entrySet()) {
            name = name.replace(e.getKey(), e.getValue());
        }
        return name;
    }

    /** Slice {@code s} of {@code n}: of the columns, the rows, or everything; neighbours are pairs in Meta's q and k. */
    private static Tensor slice(HuggingFaceModel model, String ours, int s, int n, boolean embeddingByColumns) {
        var w = model.weights.get(ours);
        var shape = model.shapes.get(ours);
        int columns = shape[shape.length - 1];
        int rows = shape.length == 2 ? shape[0] : 1;
        boolean wide = ours.contains("o_proj") || ours.contains("down_proj") || embeddingByColumns && ours.contains("embed_tokens");
        boolean norm = shape.length == 1;
        int r0 = wide || norm ? 0 : rows / n * s;
        int r1 = wide || norm ? rows : rows / n * (s + 1);
        int c0 = wide ? columns / n * s : 0;
        int c1 = wide ? columns / n * (s + 1) : columns;
        var out = new float[(r1 - r0) * (c1 - c0)];
        int d = 12;
        for (int r = r0; r < r1; r++) {
            int c = r % d;
            int from = ours.contains("q_proj") || ours.contains("k_proj") ? r - c + c / 2 + (c % 2) * (d / 2) : r;
            System.arraycopy(w, from * columns + c0, out, (r - r0) * (c1 - c0), c1 - c0);
        }
        return norm ? Tensor.of("", out, columns) : Tensor.of("", out, r1 - r0, c1 - c0);
    }

    private Path write(HuggingFaceModel model, int shards, boolean embeddingByColumns, String more) throws IOException {
        var folder = Files.createDirectories(dir.resolve("meta"));
        Files.writeString(folder.resolve("params.json"), PARAMS.formatted(embeddingByColumns ? -1 : 264, more));
        Files.write(folder.resolve("tokenizer.json"), TinyModel.tokenizer());
        for (int s = 0; s < shards; s++) {
            var tensors = new LinkedHashMap<String, Tensor>();
            for (var ours : model.weights.keySet()) {
                var t = slice(model, ours, s, shards, embeddingByColumns);
                tensors.put(name(ours), new Tensor("" + tensors.size(), t.values(), 0, t.shape(), t.strides()));
            }
            tensors.put("rope.freqs", Tensor.of("99", new float[6], 6));
            PyTorchWriter.write(folder.resolve("consolidated.0" + s + ".pth"), s % 2 == 0 ? "BF16" : "F16", tensors);
        }
        return folder;
    }

    private static HuggingFaceModel model() {
        return new HuggingFaceModel("LlamaForCausalLM", "llama", "'vocab_size': 264");
    }

    @ParameterizedTest
    @CsvSource({"1,true", "1,false", "2,true", "2,false"})
    void shards(int shards, boolean embeddingByColumns) throws IOException {
        var model = model();
        var folder = write(model, shards, embeddingByColumns, "");
        for (var source : new Path[] {folder, folder.resolve("consolidated.00.pth")}) {
            try (var c = Checkpoint.open(source); var expected = Checkpoint.open(model.write(dir.resolve("hf"), "F32", 1))) {
                var a = c.architecture();
                assertEquals(4096, a.context());
                assertEquals(expected.architecture().ropes(), a.ropes());
                assertEquals(expected.architecture().normEps(), a.normEps());
                for (var w : Weight.values()) {
                    for (int l = 0; l < 2; l++) {
                        if (expected.weight(w, l) == null) {
                            assertNull(c.weight(w, l));
                        } else {
                            assertArrayEquals(expected.weight(w, l).values(), c.weight(w, l).values(), w + " " + l);
                        }
                    }
                }
            }
        }
    }

    @Test
    void contents() throws IOException {
        var folder = write(model(), 2, false, "");
        var c = ContentsReader.read(folder);
        assertEquals("meta", c.kind());
        assertNull(c.problem());
        assertEquals(48, c.metadata().get("dim"));
        assertEquals(List.of(24L, 48L), c.tensors().stream().filter(t -> t.name().equals("01/layers.1.attention.wq.weight")).findFirst().orElseThrow().shape());
    }

    @ParameterizedTest
    @CsvSource({"1e-6,10000,false,2048", "1e-5,10000,false,4096", "1e-5,1000000.0,false,16384", "1e-5,500000,false,8192", "1e-5,500000.0,true,131072"})
    void generations(double eps, double theta, boolean scaled, int context) throws IOException {
        var folder = write(model(), 1, false, "");
        Files.writeString(folder.resolve("params.json"), PARAMS.formatted(264, ", \"rope_theta\": " + theta + ", \"use_scaled_rope\": " + scaled)
                .replace("1e-05", "" + eps));
        try (var c = Checkpoint.open(folder)) {
            assertEquals(context, c.architecture().context());
            double longest = Math.pow(theta, 10. / 12);
            // Llama 3.1: waves of more than 8192 positions are stretched by 8
            assertEquals(scaled && 2 * Math.PI * longest > 8192 ? 8 * longest : longest, c.architecture().ropes().getFirst().periods().get(5), 1e-6 * longest);
        }
    }

    @Test
    void oneMessageForWhatIsWrong() throws IOException {
        var folder = write(model(), 2, false, "");
        var params = folder.resolve("params.json");
        var good = Files.readString(params);
        refused(params, good.replace("\"multiple_of\"", "\"moe_args\": {}, \"multiple_of\""), folder, "params.json: moe_args is not known");
        refused(params, good.replace("\"dim\": 48,", ""), folder, "params.json: dim is missing");
        refused(params, good.replace("\"n_heads\": 4", "\"n_heads\": 0"), folder, "n_heads is 0");
        refused(params, good.replace("\"n_heads\": 4", "\"n_heads\": \"4\""), folder, "n_heads is \"4\", not an integer");
        refused(params, good.replace("\"n_layers\": 2", "\"n_layers\": 3"), folder, "layers.2.attention_norm.weight is missing");
        refused(params, good.replace("\"n_layers\": 2", "\"n_layers\": 1"), folder, "layers.1.", "has no place");
        refused(params, good.replace("\"dim\": 48", "\"dim\": 96"), folder, "has shape", "params.json asks for");
        refused(params, good.replace("\"n_kv_heads\": 2", "\"n_kv_heads\": 3"), folder, "4 heads are no multiple of 3 kv heads");
        refused(params, good.replace("1e-05", "true"), folder, "norm_eps is true, not a number");
        refused(params, good.replace("264", "263"), folder, "2 shards cannot share the 263");
        refused(params, "[]", folder, "not a JSON object");
        Files.writeString(params, good);
        Files.move(folder.resolve("consolidated.00.pth"), folder.resolve("consolidated.02.pth"));
        refused(params, good, folder, "2 files consolidated.NN.pth beside params.json, but consolidated.00.pth is missing");
        Files.move(folder.resolve("consolidated.01.pth"), folder.resolve("consolidated.00.pth"));
        refused(params, good, folder, "2 files consolidated.NN.pth beside params.json, but consolidated.01.pth is missing");
        refused(params, good, params, "give the folder");
        Files.delete(folder.resolve("consolidated.02.pth"));
        refused(params, good, folder, "has shape [132, 48]");
    }

    private static void refused(Path file, String content, Path source, String... words) throws IOException {
        Files.writeString(file, content);
        var message = assertThrows(ConversionException.class, () -> Checkpoint.open(source).close()).getMessage();
        assertEquals(1, message.lines().count(), message);
        for (var w : words) {
            assertTrue(message.contains(w), "\"" + w + "\" is not in: " + message);
        }
    }
}
