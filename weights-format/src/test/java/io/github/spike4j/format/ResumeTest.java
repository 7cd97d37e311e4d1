package io.github.spike4j.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Writers that end early, and those that go on after them. */
class ResumeTest {
    /** Tensors of one block. */
    private static final int BLOCK = 3;

    @TempDir
    Path dir;
    private final Samples samples = Samples.spiking();
    private Path out;
    private Path work;
    private byte[] expected;

    @BeforeEach
    void expect() throws IOException {
        expected = Files.readAllBytes(samples.write(dir.resolve("whole.s4j")));
        out = dir.resolve("model.s4j");
        work = dir.resolve("model.s4j.work");
    }

    private int blocks() {
        return Math.ceilDiv(samples.tensors.size(), BLOCK);
    }

    /** Does the blocks up to {@code end}, restoring those that can be. */
    private int go(S4jWriter writer, int end) throws IOException {
        int restored = 0;
        samples.entries.forEach(writer::entry);
        for (int b = 0; b < end; b++) {
            Optional<String> memo = writer.restore("b" + b);
            if (memo.isPresent()) {
                assertEquals("memo \"" + b + "\"", memo.get());
                restored++;
                continue;
            }
            for (TensorInfo t : samples.tensors.subList(b * BLOCK, Math.min(samples.tensors.size(), (b + 1) * BLOCK))) {
                writer.tensor(t, MemorySegment.ofArray(samples.data.get(t.name())));
            }
            writer.commit("b" + b, "memo \"" + b + "\"");
        }
        return restored;
    }

    private void finish(S4jWriter writer) throws IOException {
        writer.finish(samples.manifest());
        assertArrayEquals(expected, Files.readAllBytes(out));
        assertEquals(List.of("model.s4j", "whole.s4j"), names(dir));
    }

    private static List<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(p -> p.getFileName().toString()).sorted().toList();
        }
    }

    /** A folder as a killed process leaves it: a copy while its writer is at work. */
    private void kill(S4jWriter writer) throws IOException {
        Path copy = dir.resolve("copy");
        try (Stream<Path> files = Files.walk(work)) {
            for (Path p : files.toList()) {
                Files.copy(p, copy.resolve(work.relativize(p).toString()));
            }
        }
        writer.close();
        assertFalse(Files.exists(work));
        Files.move(copy, work);
    }

    @Test
    void continuesWhereverItWasKilled() throws Exception {
        for (int done = 0; done <= blocks(); done++) {
            try (S4jWriter writer = S4jWriter.resume(out, "job", false)) {
                assertEquals(Math.max(0, done - 1), go(writer, done));
                if (done < blocks()) {
                    writer.tensor(TensorInfo.row("torn", Encoding.U8, 9)).write(ByteBuffer.allocate(5));
                }
                assertFalse(Files.exists(out));
                kill(writer);
            }
        }
        try (S4jWriter writer = S4jWriter.resume(out, "job", false)) {
            assertEquals(blocks(), go(writer, blocks()));
            finish(writer);
        }
    }

    @Test
    void continuesAfterItWasSuspended() throws Exception {
        Files.writeString(out, "old");
        try (S4jWriter writer = S4jWriter.resume(out, "job", false)) {
            go(writer, 2);
            writer.tensor(samples.tensors.get(2 * BLOCK), MemorySegment.ofArray(samples.data.get(samples.tensors.get(2 * BLOCK).name())));
            writer.tensor(TensorInfo.row("torn", Encoding.U8, 9)).write(ByteBuffer.allocate(5));
            writer.suspend();
        }
        assertEquals("old", Files.readString(out));
        assertEquals(List.of("0", "1", "2", "3", "4", "5"), names(work.resolve("blocks")));
        try (S4jWriter writer = S4jWriter.resume(out, "job", false)) {
            assertEquals(2, go(writer, blocks()));
            finish(writer);
        }
        try (S4jWriter writer = S4jWriter.resume(out, "job", false)) {
            writer.suspend();
        }
        assertEquals(List.of("model.s4j", "whole.s4j"), names(dir), "nothing to keep");
    }

    /** Tensors of this writer and restored ones alike. */
    @Test
    void whatIsWrittenCanBeRead() throws Exception {
        try (S4jWriter writer = S4jWriter.resume(out, "job", false)) {
            go(writer, 2);
            writer.suspend();
        }
        try (S4jWriter writer = S4jWriter.resume(out, "job", false); Arena arena = Arena.ofConfined()) {
            assertEquals(2, go(writer, 3));
            var tensors = writer.tensors();
            assertEquals(samples.tensors.subList(0, 3 * BLOCK).stream().map(TensorInfo::name).toList(), tensors.stream().map(TensorInfo::name).toList());
            for (TensorInfo t : tensors) {
                assertArrayEquals(samples.data.get(t.name()), writer.map(t.name(), arena).toArray(ValueLayout.JAVA_BYTE), t.name());
            }
            assertThrows(IllegalArgumentException.class, () -> writer.map(samples.tensors.get(3 * BLOCK).name(), arena));
        }
    }

    /** Every kind of damage that a power cut does, and worse: the block is written again. */
    @Test
    void damagedBlocksAreWrittenAgain() throws Exception {
        for (String damage : List.of("flip", "cut", "zeros", "absent", "longer")) {
            try (S4jWriter writer = S4jWriter.resume(out, "job", false)) {
                go(writer, 4);
                writer.suspend();
            }
            Path block = work.resolve("blocks/" + (BLOCK + 1));
            byte[] bytes = Files.readAllBytes(block);
            switch (damage) {
                case "flip" -> {
                    bytes[bytes.length / 2] ^= 1;
                    Files.write(block, bytes);
                }
                case "cut" -> Files.write(block, Arrays.copyOf(bytes, bytes.length - 1));
                case "zeros" -> Files.write(block, new byte[bytes.length]);
                case "longer" -> Files.write(block, Arrays.copyOf(bytes, bytes.length + 1));
                default -> Files.delete(block);
            }
            try (S4jWriter writer = S4jWriter.resume(out, "job", false)) {
                assertEquals(3, go(writer, 4), damage);
                writer.suspend();
            }
            // what was written again is committed again
            try (S4jWriter writer = S4jWriter.resume(out, "job", false)) {
                assertEquals(4, go(writer, blocks()), damage);
                finish(writer);
            }
        }
    }

    /** The journal, cut at every byte, damaged at every byte: never wrong, never an error. */
    @Test
    void theJournalEndsAtItsFirstBadLine() throws Exception {
        try (S4jWriter writer = S4jWriter.resume(out, "job", false)) {
            go(writer, 3);
            writer.suspend();
        }
        Path journal = work.resolve("journal");
        byte[] bytes = Files.readAllBytes(journal);
        var ends = new java.util.ArrayList<Integer>();
        for (int i = 0; i < bytes.length; i++) {
            if (bytes[i] == '\n') {
                ends.add(i);
            }
        }
        assertEquals(4, ends.size());
        for (int cut = 0; cut < bytes.length; cut += 7) {
            int at = cut;
            int whole = (int) ends.stream().filter(e -> e < at).count();
            for (byte[] damaged : List.of(Arrays.copyOf(bytes, cut), flipped(bytes, cut))) {
                Files.write(journal, damaged);
                WorkFolder folder = WorkFolder.open(work);
                folder.release();
                assertEquals(whole == 0 ? null : "job", folder.job());
                for (int b = 0; b < 3; b++) {
                    assertEquals(b < whole - 1, folder.find("b" + b, b * BLOCK) != null, "cut at " + cut + ", block " + b);
                }
            }
        }
        // what is appended later follows the last good line
        Files.write(journal, Arrays.copyOf(bytes, bytes.length - 10));
        try (S4jWriter writer = S4jWriter.resume(out, "job", false)) {
            assertEquals(2, go(writer, 3));
            writer.suspend();
        }
        assertArrayEquals(bytes, Files.readAllBytes(journal));
    }

    private static byte[] flipped(byte[] bytes, int at) {
        byte[] damaged = bytes.clone();
        damaged[at] ^= 2;
        return damaged;
    }

    @Test
    void anotherJobIsRefusedUnlessRestarted() throws Exception {
        try (S4jWriter writer = S4jWriter.resume(out, "one", false)) {
            go(writer, 2);
            writer.suspend();
        }
        var e = assertThrows(S4jWriter.OtherJobException.class, () -> S4jWriter.resume(out, "two", false));
        assertEquals("one", e.job());
        try (S4jWriter writer = S4jWriter.resume(out, "one", false)) {
            assertEquals(2, go(writer, 2));
            writer.suspend();
        }
        try (S4jWriter writer = S4jWriter.resume(out, "two", true)) {
            assertEquals(0, go(writer, blocks()));
            finish(writer);
        }
    }

    @Test
    void statesComeBackWholeOrNotAtAll() throws Exception {
        byte[] data = new byte[3 << 20 | 5];
        new java.util.Random(1).nextBytes(data);
        byte[] back = new byte[data.length];
        try (S4jWriter writer = S4jWriter.resume(out, "job", false)) {
            assertFalse(writer.load("layers.0", MemorySegment.ofArray(back)));
            writer.save("layers.0", MemorySegment.ofArray(new byte[2]));
            writer.save("layers.0", MemorySegment.ofArray(data));
            writer.save("gone", MemorySegment.ofArray(data));
            writer.drop("gone");
            assertThrows(IllegalArgumentException.class, () -> writer.save("../x", MemorySegment.ofArray(data)));
            writer.suspend();
        }
        Path file = work.resolve("state/layers.0");
        byte[] bytes = Files.readAllBytes(file);
        try (S4jWriter writer = S4jWriter.resume(out, "job", false)) {
            assertTrue(writer.load("layers.0", MemorySegment.ofArray(back)));
            assertArrayEquals(data, back);
            assertFalse(writer.load("gone", MemorySegment.ofArray(back)));
            assertFalse(writer.load("layers.0", MemorySegment.ofArray(new byte[data.length - 1])));
            for (byte[] damaged : List.of(flipped(bytes, 0), flipped(bytes, bytes.length - 1), Arrays.copyOf(bytes, bytes.length - 1),
                    new byte[bytes.length], new byte[0])) {
                Files.write(file, damaged);
                assertFalse(writer.load("layers.0", MemorySegment.ofArray(back)));
            }
        }
        assertEquals(List.of("whole.s4j"), names(dir));
    }

    @Test
    void aSecondWriterIsRefused() throws Exception {
        try (S4jWriter writer = S4jWriter.create(out)) {
            var e = assertThrows(FileSystemException.class, () -> S4jWriter.create(out));
            assertEquals("this process is writing this file already", e.getReason());
            samples.write(writer);
            var other = other();
            assertEquals(1, other.waitFor());
            assertEquals("another process (" + ProcessHandle.current().pid() + ") is writing this file already",
                    new String(other.getErrorStream().readAllBytes()).strip());
            finish(writer);
        }
        assertEquals(0, other().waitFor());
    }

    /** {@link Other} in another JVM. */
    private Process other() throws Exception {
        var process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin/java").toString(), "-cp",
                System.getProperty("java.class.path") + ":" + System.getProperty("jdk.module.path", ""), Other.class.getName(), out.toString())
                .start();
        assertTrue(process.waitFor(60, TimeUnit.SECONDS));
        return process;
    }

    static final class Other {
        public static void main(String[] args) throws IOException {
            try {
                S4jWriter.create(Path.of(args[0])).close();
            } catch (FileSystemException e) {
                System.err.println(e.getReason());
                System.exit(1);
            }
        }
    }

    @Test
    void theSizeIsKnownBefore() throws Exception {
        for (Samples s : List.of(Samples.spiking(), Samples.dense(), Samples.spiking(3))) {
            Path file = s.write(dir.resolve("x.s4j"));
            Map<String, Integer> entries = s.entries.entrySet().stream().collect(Collectors.toMap(Map.Entry::getKey, e -> e.getValue().length));
            assertEquals(Files.size(file), S4jWriter.size(s.manifest().withTensors(s.tensors), entries));
        }
    }
}
