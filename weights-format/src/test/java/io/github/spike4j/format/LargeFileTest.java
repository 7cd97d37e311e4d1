package io.github.spike4j.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Files beyond 4 GiB, and what opening costs. */
class LargeFileTest {
    @TempDir
    Path dir;

    /**
     * Files of 6.4 and 4.3 GiB, nearly all of them holes: a tensor beyond 4 GiB (F32 only), and tensors behind that place.
     * Writing them takes a minute of checksums on a slow machine, so it must be asked for: {@code -Dspike4j.large=true}.
     */
    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16"})
    @EnabledIfSystemProperty(named = "spike4j.large", matches = "true")
    void zip64(Encoding encoding) throws Exception {
        int hidden = 1088;
        int vocab = 1 << 20;
        var a = Architecture.llama(1, hidden, 16, 1, 1, 2, vocab, 16, 1e-5f, 10000, false);
        var tensors = new ArrayList<>(List.of(TensorInfo.row("embedding", encoding, vocab, hidden)));
        var linears = new LinkedHashMap<String, Linear>();
        var shapes = new LinkedHashMap<String, int[]>();
        shapes.put("layers.0.attn_qkv", new int[] {6, hidden});
        shapes.put("layers.0.attn_o", new int[] {hidden, 2});
        shapes.put("layers.0.ffn_gate_up", new int[] {32, hidden});
        shapes.put("layers.0.ffn_down", new int[] {hidden, 16});
        shapes.put("lm_head", new int[] {vocab, hidden});
        shapes.forEach((name, s) -> {
            tensors.add(TensorInfo.weight(name + ".weight", Layout.R16, Encoding.BF16, s[0], s[1]));
            linears.put(name, Linear.dense(s[0], s[1], name + ".weight", null));
        });
        for (String norm : List.of("layers.0.attn_norm", "layers.0.ffn_norm", "final_norm")) {
            tensors.add(TensorInfo.row(norm, Encoding.F32, hidden));
        }
        var manifest = new Manifest(Manifest.VERSION, a, "dense", null, Map.of(), linears, null, List.of(), null, Map.of(),
                "none");

        Path out = dir.resolve("large.s4j");
        try (S4jWriter writer = S4jWriter.create(out)) {
            for (TensorInfo t : tensors) {
                Path block = dir.resolve("large.s4j.work/blocks").resolve(Integer.toString(writer.written.size()));
                try (var file = FileChannel.open(block, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
                    file.write(ByteBuffer.allocate(1), t.bytes() - 1);
                }
                writer.written.put(t.name(), new S4jWriter.Block(t.withSha256("0".repeat(64)), crcOfZeros(t.bytes())));
            }
            try (var holes = new HoleStream(out)) {
                writer.assemble(holes, manifest);
            }
        }
        assertTrue(Files.size(out) > 1L << 32);
        try (S4jFile file = S4jFile.open(out)) {
            var embedding = file.tensor("embedding");
            assertEquals((long) encoding.bits() / 8 * vocab * hidden, embedding.byteSize());
            assertEquals(0, embedding.get(ValueLayout.JAVA_BYTE, embedding.byteSize() - 1));
            assertEquals(4L * hidden, file.tensor("final_norm").byteSize());
        }
        Map<String, PlainReader.Entry> plain = PlainReader.list(out);
        assertEquals((long) encoding.bits() / 8 * vocab * hidden, plain.get("tensors/embedding").size());
        assertTrue(plain.get("tensors/final_norm").data() > 1L << 32);
        try (var zip = new java.util.zip.ZipFile(out.toFile())) {
            assertEquals(List.copyOf(plain.keySet()), zip.stream().map(java.util.zip.ZipEntry::getName).toList());
        }
    }

    /** A model of 32 layers, 1115 tensors. Time is that of the processor: the machine may be busy. */
    @Test
    void openingIsCheap() throws Exception {
        Path file = Samples.spiking(32).write(dir.resolve("model.s4j"));
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        long time = Long.MAX_VALUE;
        long memory = Long.MAX_VALUE;
        int tensors = 0;
        for (int i = 0; i < 40; i++) {
            long allocated = threads.getCurrentThreadAllocatedBytes();
            long start = threads.getCurrentThreadCpuTime();
            try (S4jFile s4j = S4jFile.open(file)) {
                time = Math.min(time, threads.getCurrentThreadCpuTime() - start);
                memory = Math.min(memory, threads.getCurrentThreadAllocatedBytes() - allocated);
                tensors = s4j.manifest().tensors().size();
            }
        }
        assertEquals(1339, tensors);
        assertTrue(memory < 16 << 20, memory + " bytes");
        assertTrue(time < 50_000_000, time / 1000 + " us");
    }

    private static long crcOfZeros(long n) {
        var crc = new CRC32();
        byte[] zeros = new byte[1 << 20];
        for (long at = 0; at < n; at += zeros.length) {
            crc.update(zeros, 0, (int) Math.min(zeros.length, n - at));
        }
        return crc.getValue();
    }

    /** Writes a file and leaves out large pieces that are all zero. */
    private static final class HoleStream extends OutputStream {
        private static final byte[] ZEROS = new byte[1 << 20];
        private final FileChannel file;

        HoleStream(Path path) throws IOException {
            file = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        }

        @Override
        public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int n) throws IOException {
            if (n >= 4096 && n <= ZEROS.length && java.util.Arrays.equals(bytes, offset, offset + n, ZEROS, 0, n)) {
                file.position(file.position() + n);
            } else {
                var buffer = ByteBuffer.wrap(bytes, offset, n);
                while (buffer.hasRemaining()) {
                    file.write(buffer);
                }
            }
        }

        @Override
        public void close() throws IOException {
            file.close();
        }
    }
}
