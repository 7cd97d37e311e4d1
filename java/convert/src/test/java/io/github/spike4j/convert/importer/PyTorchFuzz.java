package io.github.spike4j.convert.importer;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.fuzz.Scratch;
import io.github.spike4j.convert.importer.PyTorchWriter.Tensor;

/**
 * A PyTorch checkpoint, for Jazzer (see package fuzz). The first byte says what the rest is: the ZIP, or the pickle of one with a storage of 64
 * bytes, so that the ZIP's structure does not keep everything out.
 */
public final class PyTorchFuzz {
    private static final Scratch SCRATCH = new Scratch();

    private PyTorchFuzz() { }

    public static void fuzzerTestOneInput(byte[] data) {
        if (data.length == 0) {
            return;
        }
        var rest = Arrays.copyOfRange(data, 1, data.length);
        try (var arena = Arena.ofConfined()) {
            if (data[0] % 4 == 0) {
                PyTorchFile.read(SCRATCH.write("x.pt", rest), arena).values().forEach(PyTorchFuzz::use);
            } else if (PyTorchPickle.read("x.pt", rest, key -> storage(key, arena)) instanceof Map<?, ?> all) {
                all.values().forEach(PyTorchFuzz::use);
            }
        } catch (ConversionException e) {
            // refused
        }
    }

    private static MemorySegment storage(String key, Arena arena) {
        if (key.equals("0")) {
            return arena.allocate(64, 64);
        }
        throw new ConversionException("no storage " + key);
    }

    static void use(Object value) {
        if (value instanceof StoredTensor t && ElementType.of(t.type()) != null && t.shape().length == 2 && t.shape()[0] < 1000
                && t.shape()[1] < 1000) {
            t.matrix((int) t.shape()[0], (int) t.shape()[1], "the target").values();
        }
    }

    public static List<byte[]> seeds() throws IOException {
        var tensors = new LinkedHashMap<String, Tensor>();
        tensors.put("w", Tensor.of("0", new float[] {1, 2, 3, 4, 5, 6}, 2, 3));
        var file = SCRATCH.folder().resolve("seed.pt");
        PyTorchWriter.write(file, "F32", tensors);
        var zip = Files.readAllBytes(file);
        byte[] pickle;
        try (var archive = new java.util.zip.ZipFile(file.toFile())) {
            var entry = archive.stream().map(ZipEntry::getName).filter(n -> n.endsWith("data.pkl")).findFirst().orElseThrow();
            pickle = archive.getInputStream(archive.getEntry(entry)).readAllBytes();
        }
        Files.delete(file);
        return List.of(join((byte) 0, zip), join((byte) 1, pickle),
                join((byte) 1, "\u0080\u0002ccollections\nOrderedDict\nq\0)Rq\1.".getBytes(StandardCharsets.ISO_8859_1)));
    }

    private static byte[] join(byte first, byte[] rest) {
        var all = new byte[rest.length + 1];
        all[0] = first;
        System.arraycopy(rest, 0, all, 1, rest.length);
        return all;
    }
}
