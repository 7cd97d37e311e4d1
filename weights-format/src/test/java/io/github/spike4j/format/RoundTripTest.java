package io.github.spike4j.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RoundTripTest {
    @TempDir
    Path dir;

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void readsWhatWasWritten(boolean ram) throws Exception {
        for (Samples samples : List.of(Samples.spiking(), Samples.dense())) {
            Path out = samples.write(dir.resolve("model.s4j"));
            try (S4jFile file = ram ? S4jFile.openInRam(out, (bytes, arena) -> arena.allocate(bytes, 4096)) : S4jFile.open(out)) {
                var checked = new ArrayList<String>();
                file.verify((name, bytes) -> checked.add(name));
                assertEquals(1 + samples.entries.size() + samples.tensors.size(), checked.size());
                Manifest expected = samples.manifest().withTensors(file.manifest().tensors());
                assertEquals(JsonWriter.line(expected), JsonWriter.line(file.manifest()));
                assertEquals(samples.entries.keySet(), file.entries());
                for (var e : samples.entries.entrySet()) {
                    assertArrayEquals(e.getValue(), file.entry(e.getKey()));
                }
                assertEquals(samples.tensors.stream().map(TensorInfo::name).toList(),
                        file.manifest().tensors().stream().map(TensorInfo::name).toList());
                for (TensorInfo t : file.manifest().tensors()) {
                    MemorySegment data = file.tensor(t.name());
                    assertArrayEquals(samples.data.get(t.name()), data.toArray(ValueLayout.JAVA_BYTE), t.name());
                    assertTrue(data.isReadOnly());
                    assertEquals(0, data.address() % (t.bytes() >= 1 << 16 ? 4096 : 64), t.name());
                }
                assertThrows(IllegalArgumentException.class, () -> file.tensor("no_such"));
                assertEquals("no_such", assertThrows(S4jFormatException.class, () -> file.entry("no_such")).entry());
            }
        }
    }

    @Test
    void closedFileGivesNoMemory() throws Exception {
        S4jFile file = S4jFile.open(Samples.spiking().write(dir.resolve("model.s4j")));
        MemorySegment data = file.tensor("embedding");
        file.close();
        file.close();
        assertThrows(IllegalStateException.class, () -> data.get(ValueLayout.JAVA_BYTE, 0));
    }

    @Test
    void equalCallsGiveEqualBytesWhateverTheTimeZone() throws Exception {
        byte[] first = Files.readAllBytes(Samples.spiking().write(dir.resolve("a.s4j")));
        var zone = java.util.TimeZone.getDefault();
        try {
            java.util.TimeZone.setDefault(java.util.TimeZone.getTimeZone("Pacific/Kiritimati"));
            assertArrayEquals(first, Files.readAllBytes(Samples.spiking().write(dir.resolve("b.s4j"))));
        } finally {
            java.util.TimeZone.setDefault(zone);
        }
    }

    @Test
    void leftoversOfAnEarlierWriterAreDeletedAndNothingElse() throws Exception {
        Samples samples = Samples.spiking();
        byte[] expected = Files.readAllBytes(samples.write(dir.resolve("a.s4j")));
        Path out = dir.resolve("b.s4j");
        // more tensors than the next one has, and one half-written
        try (S4jWriter ended = S4jWriter.create(out)) {
            for (int i = 0; i <= samples.tensors.size(); i++) {
                ended.tensor(TensorInfo.row("t" + i, Encoding.U8, 9), MemorySegment.ofArray(new byte[9]));
            }
            ended.commit("all", "");
            ended.tensor(TensorInfo.row("half", Encoding.U8, 9)).write(ByteBuffer.allocate(5));
            ended.suspend();
        }
        assertFalse(Files.exists(out));
        assertTrue(Files.exists(dir.resolve("b.s4j.work/blocks/0")));
        assertArrayEquals(expected, Files.readAllBytes(samples.write(out)));
        assertEquals(List.of("a.s4j", "b.s4j"), names(dir));

        Path foreign = Files.createDirectories(dir.resolve("b.s4j.work/blocks")).resolve("1.txt");
        Files.writeString(foreign, "mine");
        assertArrayEquals(expected, Files.readAllBytes(samples.write(out)));
        try (S4jWriter writer = S4jWriter.create(out)) {
            samples.write(writer);
        }
        assertEquals("mine", Files.readString(foreign));
        assertEquals(List.of("1.txt"), names(foreign.getParent()));
    }

    private static List<String> names(Path folder) throws java.io.IOException {
        try (var files = Files.list(folder)) {
            return files.map(p -> p.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void unfinishedWriterLeavesNoFileAndKeepsTheOldOne() throws Exception {
        Samples samples = Samples.dense();
        Path out = dir.resolve("model.s4j");
        try (S4jWriter writer = S4jWriter.create(out)) {
            samples.write(writer);
        }
        assertEquals(List.of(), names(dir));
        Files.writeString(out, "old");
        try (S4jWriter writer = S4jWriter.create(out)) {
            assertThrows(S4jFormatException.class, () -> writer.finish(samples.manifest()));
        }
        assertEquals("old", Files.readString(out));
    }

    @Test
    void damageOfABlockIsNoticedWhenAssembling() throws Exception {
        Samples samples = Samples.dense();
        Path out = dir.resolve("model.s4j");
        try (S4jWriter writer = S4jWriter.create(out)) {
            samples.write(writer);
            Path block = dir.resolve("model.s4j.work/blocks/2");
            byte[] bytes = Files.readAllBytes(block);
            bytes[9] ^= 1;
            Files.write(block, bytes);
            assertThrows(java.io.IOException.class, () -> writer.finish(samples.manifest()));
        }
        assertFalse(Files.exists(out));
    }

    @Test
    void writerRefusesWhatCannotBeRead() throws Exception {
        TensorInfo t = TensorInfo.row("t", Encoding.F32, 4);
        try (S4jWriter writer = S4jWriter.create(dir.resolve("model.s4j"))) {
            var sixteen = MemorySegment.ofArray(new byte[16]);
            assertThrows(IllegalArgumentException.class, () -> writer.tensor(t, MemorySegment.ofArray(new byte[15])));
            assertThrows(IllegalArgumentException.class,
                    () -> writer.tensor(TensorInfo.row("../t", Encoding.F32, 4), sixteen));
            var channel = writer.tensor(t);
            assertThrows(IllegalStateException.class, () -> writer.tensor(TensorInfo.row("u", Encoding.F32, 4)));
            assertThrows(java.io.IOException.class, () -> channel.write(ByteBuffer.allocate(17)));
            assertThrows(java.io.IOException.class, channel::close);
            writer.tensor(t, sixteen);
            assertThrows(IllegalArgumentException.class, () -> writer.tensor(t, sixteen));
            for (String name : List.of("manifest.json", "tensors/x", "/x", "../x", "a//b", "A", "", "a/.b")) {
                assertThrows(IllegalArgumentException.class, () -> writer.entry(name, new byte[1]), name);
            }
        }
    }
}
