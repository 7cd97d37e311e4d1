package io.github.spike4j.convert.importer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.zip.ZipEntry;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.TinyModel;
import io.github.spike4j.convert.importer.Checkpoint.Weight;
import io.github.spike4j.convert.importer.PyTorchWriter.Tensor;

/** Checkpoints of torch.save: what they may hold, and what is refused. */
class PyTorchTest {
    @TempDir
    Path dir;

    private static Map<String, Tensor> tensors(TinyModel model, String prefix) {
        var tensors = new LinkedHashMap<String, Tensor>();
        model.weights.forEach((name, values) -> tensors.put(prefix + name, Tensor.of("" + tensors.size(), values, model.shapes.get(name))));
        return tensors;
    }

    /** A folder with config and tokenizer, without weights. */
    private Path folder(TinyModel model) throws IOException {
        var folder = model.huggingFace(dir.resolve("m"), "F32", 1);
        Files.delete(folder.resolve("model.safetensors"));
        return folder;
    }

    private static void check(TinyModel model, Path source) {
        try (var c = Checkpoint.open(source)) {
            assertArrayEquals(model.weights.get("model.embed_tokens.weight"), c.weight(Weight.EMBEDDING, 0).values());
            assertArrayEquals(model.weights.get("model.layers.1.self_attn.k_proj.weight"), c.weight(Weight.K, 1).values());
            assertArrayEquals(model.weights.get("model.layers.0.mlp.down_proj.weight"), c.weight(Weight.DOWN, 0).values());
            assertArrayEquals(model.weights.get("model.norm.weight"), c.weight(Weight.NORM, 0).values());
            assertArrayEquals(model.weights.get("lm_head.weight"), c.weight(Weight.LM_HEAD, 0).values());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"F64", "F32", "F16", "BF16"})
    void types(String dtype) throws IOException {
        var model = new TinyModel(false);
        var folder = folder(model);
        PyTorchWriter.write(folder.resolve("pytorch_model.bin"), dtype, tensors(model, ""));
        check(model, folder);
        check(model, folder.resolve("pytorch_model.bin"));
    }

    @Test
    void shardsWithAndWithoutIndex() throws IOException {
        var model = new TinyModel(false);
        var folder = folder(model);
        var all = tensors(model, "");
        var index = new StringBuilder();
        for (int s = 0; s < 3; s++) {
            var mine = new LinkedHashMap<String, Tensor>();
            var file = "pytorch_model-0000%d-of-00003.bin".formatted(s + 1);
            for (var e : all.entrySet()) {
                if (mine.size() <= all.size() / 3 && !index.toString().contains('"' + e.getKey() + '"')) {
                    mine.put(e.getKey(), e.getValue());
                    index.append(index.isEmpty() ? "" : ",").append("\"%s\":\"%s\"".formatted(e.getKey(), file));
                }
            }
            PyTorchWriter.write(folder.resolve(file), "F32", mine);
        }
        check(model, folder);
        Files.writeString(folder.resolve("pytorch_model.bin.index.json"), "{\"weight_map\":{" + index + "}}");
        Files.writeString(folder.resolve("training_args.bin"), "no weights");
        check(model, folder);
        check(model, folder.resolve("pytorch_model-00002-of-00003.bin"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"module.", "model.", "_orig_mod.", "model.module."})
    void namesWithSomethingInFront(String prefix) throws IOException {
        var model = new TinyModel(false);
        var folder = folder(model);
        PyTorchWriter.write(folder.resolve("checkpoint.pt"), "F32", tensors(model, prefix));
        check(model, folder.resolve("checkpoint.pt"));
    }

    /** Transposed tensors, slices of a larger one, and tensors that share a storage. */
    @Test
    void views() throws IOException {
        var storage = new float[1000];
        for (int i = 0; i < storage.length; i++) {
            storage[i] = i;
        }
        var file = dir.resolve("views.pt");
        PyTorchWriter.write(file, "F32", Map.of("transposed", new Tensor("0", storage, 0, new long[] {3, 5}, new long[] {1, 3}),
                "slice", new Tensor("0", storage, 100, new long[] {4, 6}, new long[] {20, 2}),
                "column", new Tensor("0", storage, 7, new long[] {5}, new long[] {199}),
                "cube", new Tensor("0", storage, 0, new long[] {10, 10, 10}, new long[] {100, 10, 1})));
        try (var arena = Arena.ofConfined()) {
            var t = PyTorchFile.read(file, arena);
            assertArrayEquals(new float[] {0, 3, 6, 9, 12, 1, 4, 7, 10, 13, 2, 5, 8, 11, 14}, t.get("transposed").matrix(3, 5, "the test").values());
            var expected = new float[24];
            for (int i = 0; i < 24; i++) {
                expected[i] = 100 + i / 6 * 20 + i % 6 * 2;
            }
            assertArrayEquals(expected, t.get("slice").matrix(4, 6, "the test").values());
            assertArrayEquals(new float[] {7, 206, 405, 604, 803}, t.get("column").matrix(1, 5, "the test").values());
            assertTrue(assertThrows(ConversionException.class, () -> t.get("cube").matrix(10, 100, "the test")).getMessage()
                    .contains("[10, 10, 10]; the test asks for [10, 100]"));
        }
    }

    /** Bytes of a pickle: characters, and in braces strings of protocol 2. */
    private static byte[] pickle(Object... parts) {
        var out = new ByteArrayOutputStream();
        out.writeBytes(new byte[] {(byte) 0x80, 2});
        for (var p : parts) {
            switch (p) {
                case Integer b -> out.write(b);
                case String s when s.startsWith("{") -> {
                    out.writeBytes(new byte[] {'X', (byte) (s.length() - 2), 0, 0, 0});
                    out.writeBytes(s.substring(1, s.length() - 1).getBytes(StandardCharsets.ISO_8859_1));
                }
                default -> out.writeBytes(p.toString().getBytes(StandardCharsets.ISO_8859_1));
            }
        }
        return out.toByteArray();
    }

    /** A tensor w of 2 x 3 floats whose storage, sizes and strides may lie. */
    private static Object[] tensor(int elements, int offset, int rows, int columns, int rowStride) {
        return new Object[] {"}", "{w}", "ctorch._utils\n_rebuild_tensor_v2\n((", "{storage}", "ctorch\nFloatStorage\n", "{0}", "{cpu}", "K", elements, "tQK",
                offset, "K", rows, "K", columns, 0x86, "K", rowStride, "K", 1, 0x86, 0x89, "}tRs."};
    }

    private void refused(byte[] pickle, String... words) throws IOException {
        var file = dir.resolve("x.pt");
        PyTorchWriter.zip(file, "x/", Map.of("data.pkl", pickle, "data/0", new byte[24]), ZipEntry.STORED);
        refused(file, words);
    }

    private static void refused(Path file, String... words) {
        try (var arena = Arena.ofConfined()) {
            var message = assertThrows(ConversionException.class, () -> PyTorchFile.read(file, arena)).getMessage();
            assertEquals(1, message.lines().count(), message);
            for (var w : words) {
                assertTrue(message.contains(w), "\"" + w + "\" is not in: " + message);
            }
        }
    }

    @Test
    void nothingIsExecuted() throws IOException {
        for (var evil : List.of("posix.system", "builtins.eval", "os.popen", "torch.load", "numpy.core.multiarray._reconstruct",
                "argparse.Namespace", "torch._utils._rebuild_qtensor", "collections.OrderedDict.update")) {
            int dot = evil.lastIndexOf('.');
            refused(pickle("c" + evil.substring(0, dot) + "\n" + evil.substring(dot + 1) + "\n", "(", "{touch /tmp/x}", "tR."), "it refers to " + evil,
                    "save model.state_dict()");
            refused(pickle("{" + evil.substring(0, dot) + "}", "{" + evil.substring(dot + 1) + "}", 0x93, "(", "{id}", "tR."), "it refers to " + evil);
        }
        refused(pickle("ccollections\nOrderedDict\n)", 0x81, "."), "opcode 0x81");
        refused(pickle("(S'echo'\niposix\nsystem\n."), "opcode 0x53");
        refused(pickle("(", "{id}", "oposix\nsystem\n."), "opcode 0x6f");
        refused(pickle(0x82, 1, "."), "opcode 0x82");
        refused(pickle("Pid\n."), "opcode 0x50");
    }

    @Test
    void oneMessageForWhatIsWrong() throws IOException {
        var file = dir.resolve("x.pt");
        PyTorchWriter.zip(file, "x/", Map.of("data.pkl", pickle(tensor(6, 0, 2, 3, 3)), "data/0", new byte[24]), ZipEntry.STORED);
        try (var arena = Arena.ofConfined()) {
            assertEquals(List.of("w"), List.copyOf(PyTorchFile.read(file, arena).keySet()));
        }
        refused(pickle(tensor(7, 0, 2, 3, 3)), "storage 0 of 7 F32 has 24 bytes");
        refused(pickle(tensor(6, 1, 2, 3, 3)), "shape [2, 3], strides [3, 1] from element 1 lies outside of its storage of 6");
        refused(pickle(tensor(6, 0, 2, 3, 4)), "lies outside");
        refused(pickle(tensor(6, 0, 200, 200, 0)), "lies outside");
        refused(pickle(tensor(6, 7, 0, 3, 3)), "lies outside");
        refused(pickle("N."), "no dictionary of tensors");
        refused(pickle("}."), "no dictionary of tensors");
        refused(pickle("}", "{a}", "N", "s."), "no dictionary of tensors");
        refused(pickle("."), "its stack is empty");
        refused(pickle("}"), "ends too early");
        refused(pickle("X", 255, 255, 255, 255, "abc"), "ends too early");
        refused(pickle(0x8d, 255, 255, 255, 255, 255, 255, 255, 255, "abc"), "ends too early");
        refused(pickle(0x8b, 255, 255, 255, 127, "abc"), "ends too early");
        refused(pickle("X", 1, 0, 0, 0, 0xff, "."), "not UTF-8");
        refused(pickle("}}Ns."), "a key that is neither");
        refused(pickle("}(", "{a}", "u."), "a key without a value");
        refused(pickle("}u."), "no mark");
        refused(pickle("NNa."), "something else stands for a list");
        refused(pickle("Kac"), "ends too early");
        refused(pickle("h", 9, "."), "memo 9 is not set");
        refused(pickle("NQ."), "names no storage");
        refused(pickle("(", "{storage}", "ctorch\nFloatStorage\n", "{9}", "{cpu}", "K", 1, "tQ."), "storage 9 is missing");
        refused(pickle("ctorch._utils\n_rebuild_tensor_v2\n)R."), "a tensor without its arguments");
        refused(pickle("ctorch._utils\n_rebuild_parameter\n)R."), "a parameter without its arguments");
        refused(pickle("N)R."), "something else stands for something that can be called");
        refused(pickle("ccollections\nOrderedDict\n(Nt", "R."), "made of arguments");
        refused(pickle("(".repeat(1 << 22)), "steps");
        refused(new byte[] {(byte) 0x80, 1, '.'}, "protocol 1");

        PyTorchWriter.zip(file, "x/", Map.of("data.pkl", pickle("}."), "data/0", new byte[24]), ZipEntry.DEFLATED);
        refused(file, "is compressed", "save it again");
        PyTorchWriter.zip(file, "x/", Map.of("data/0", new byte[24]), ZipEntry.STORED);
        refused(file, "0 entries data.pkl");
        PyTorchWriter.zip(file, "x/", Map.of("data.pkl", pickle("}."), "byteorder", "big".getBytes(StandardCharsets.US_ASCII)), ZipEntry.STORED);
        refused(file, "byte order");
        PyTorchWriter.zip(file, "x/", Map.of("data.pkl", pickle("}."), "y/data.pkl", pickle("}.")), ZipEntry.STORED);
        refused(file, "2 entries data.pkl");
        Files.write(file, new byte[] {(byte) 0x80, 2, (byte) 0x8a, 10, 0x6c});
        refused(file, "not a PyTorch checkpoint of version 1.6", "safetensors");
        Files.write(file, new byte[0]);
        refused(file, "not a PyTorch checkpoint");
        PyTorchWriter.zip(file, "x/", Map.of("data.pkl", pickle(tensor(6, 0, 2, 3, 3)), "data/0", new byte[24]), ZipEntry.STORED);
        var good = Files.readAllBytes(file);
        for (int cut = 4; cut < good.length; cut += 7) {
            Files.write(file, Arrays.copyOf(good, cut));
            refused(file, "damaged or truncated ZIP");
        }
        int at = new String(good, StandardCharsets.ISO_8859_1).indexOf("_rebuild");
        good[at] ^= 1;
        Files.write(file, good);
        refused(file, "x/data.pkl is damaged: its checksum is wrong");
    }

    /** Changed bytes give values or one message. */
    @Test
    void mutations() throws IOException {
        var file = dir.resolve("x.pt");
        PyTorchWriter.write(file, "F32", tensors(new TinyModel(true), ""));
        byte[] pickle;
        try (var zip = new java.util.zip.ZipFile(file.toFile())) {
            pickle = zip.getInputStream(zip.getEntry("archive/data.pkl")).readAllBytes();
        }
        var random = new Random(5);
        int refused = 0;
        for (int i = 0; i < 10000; i++) {
            var damaged = i % 4 == 0 ? Arrays.copyOf(pickle, random.nextInt(pickle.length)) : pickle.clone();
            for (int n = random.nextInt(6); n >= 0 && damaged.length > 0; n--) {
                int p = random.nextInt(damaged.length);
                damaged[p] = switch (random.nextInt(3)) {
                    case 0 -> (byte) random.nextInt();
                    case 1 -> damaged[random.nextInt(damaged.length)];
                    default -> (byte) (damaged[p] ^ 1 << random.nextInt(8));
                };
            }
            try {
                if (PyTorchPickle.read("test", damaged, _ -> MemorySegment.ofArray(new byte[41600])) instanceof Map<?, ?> m) {
                    m.values().forEach(PyTorchTest::use);
                }
            } catch (ConversionException e) {
                assertEquals(1, e.getMessage().lines().count(), e.getMessage());
                refused++;
            }
        }
        assertTrue(refused > 5000, "" + refused);
    }

    @Test
    void mutationsOfTheZip() throws IOException {
        var file = dir.resolve("x.pt");
        PyTorchWriter.zip(file, "x/", Map.of("data.pkl", pickle(tensor(6, 0, 2, 3, 3)), "data/0", new byte[24], "version", new byte[] {'3'}), ZipEntry.STORED);
        var good = Files.readAllBytes(file);
        var random = new Random(6);
        int refused = 0;
        for (int i = 0; i < 3000; i++) {
            var damaged = i % 4 == 0 ? Arrays.copyOf(good, random.nextInt(good.length)) : good.clone();
            for (int n = random.nextInt(4); n >= 0 && damaged.length > 0; n--) {
                damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
            }
            Files.write(file, damaged);
            try (var arena = Arena.ofConfined()) {
                PyTorchFile.read(file, arena).values().forEach(PyTorchTest::use);
            } catch (ConversionException e) {
                assertEquals(1, e.getMessage().lines().count(), e.getMessage());
                refused++;
            }
        }
        assertTrue(refused > 1000, "" + refused);
    }

    private static void use(Object value) {
        if (value instanceof StoredTensor t && ElementType.of(t.type()) != null && t.shape().length == 2 && t.shape()[0] < 1000 && t.shape()[1] < 1000) {
            t.matrix((int) t.shape()[0], (int) t.shape()[1], "the test").values();
        }
    }
}
