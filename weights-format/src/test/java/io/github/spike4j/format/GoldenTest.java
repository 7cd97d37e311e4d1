package io.github.spike4j.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Committed files that every later version must read to the same contents and write to the same bytes.
 * {@code -Dspike4j.golden=write} makes them anew; that is a change of the format.
 */
class GoldenTest {
    private static final Path GOLDEN = Path.of(System.getProperty("spike4j.home", ".."), "weights-format", "src", "test",
            "resources", "golden");

    @TempDir
    Path dir;

    @Test
    void spiking() throws Exception {
        golden("spiking", Samples.spiking());
    }

    @Test
    void dense() throws Exception {
        golden("dense", Samples.dense());
    }

    /** A file of version 1 reads as version 2 with what its absence meant. */
    @Test
    void firstVersion() throws Exception {
        Path file = GOLDEN.resolve("v1-spiking.s4j");
        assertEquals(Files.readString(GOLDEN.resolve("v1-spiking.txt")), listing(file), "the second reader's view");
        try (S4jFile s4j = S4jFile.open(file)) {
            s4j.verify((entry, bytes) -> { });
            Manifest m = s4j.manifest();
            assertEquals(1, m.formatVersion());
            assertEquals(Architecture.llama(2, 80, 96, 4, 2, 20, 40, 128, 1e-5f, 10000, true), m.architecture());
            assertEquals("token separate false", m.attention().vMode() + " " + m.attention().kRanges() + " " + m.attention().hadamard());
            assertTrue(m.inputGroups().values().stream().noneMatch(InputGroup::hadamard));
            assertTrue(m.linears().values().stream().allMatch(l -> l.steps() == null));
        }
    }

    /** Fields may come in any order: those of every object are turned round, the manifest is the same. */
    @ParameterizedTest
    @ValueSource(strings = {"spiking", "dense", "v1-spiking"})
    void fieldsInAnyOrder(String name) throws Exception {
        Path file = GOLDEN.resolve(name + ".s4j");
        Forge forge = Forge.of(file);
        forge.text(Trees.MAPPER.writeValueAsString(turned(forge.manifest())));
        try (S4jFile sound = S4jFile.open(file); S4jFile turned = S4jFile.open(forge.write(dir.resolve("turned.s4j")))) {
            assertEquals(Trees.MAPPER.readTree(JsonWriter.line(sound.manifest())), Trees.MAPPER.readTree(JsonWriter.line(turned.manifest())));
        }
    }

    private static JsonNode turned(JsonNode node) {
        if (node instanceof ObjectNode object) {
            var turned = Trees.MAPPER.createObjectNode();
            List.copyOf(object.properties()).reversed().forEach(p -> turned.set(p.getKey(), turned(p.getValue())));
            return turned;
        }
        if (node instanceof ArrayNode array) {
            var turned = Trees.MAPPER.createArrayNode();
            array.forEach(e -> turned.add(turned(e)));
            return turned;
        }
        return node;
    }

    private void golden(String name, Samples samples) throws Exception {
        Path file = GOLDEN.resolve(name + ".s4j");
        Path listing = GOLDEN.resolve(name + ".txt");
        if ("write".equals(System.getProperty("spike4j.golden"))) {
            Files.createDirectories(GOLDEN);
            samples.write(file);
            Files.writeString(listing, listing(file));
        }
        assertEquals(Files.readString(listing), listing(file), "the second reader's view");
        try (S4jFile s4j = S4jFile.open(file)) {
            s4j.verify((entry, bytes) -> { });
            // written again from what was read, not from the random numbers it was made of
            Path again = dir.resolve("again.s4j");
            try (S4jWriter writer = S4jWriter.create(again)) {
                for (String entry : s4j.entries()) {
                    writer.entry(entry, s4j.entry(entry));
                }
                for (TensorInfo t : s4j.manifest().tensors()) {
                    writer.tensor(t, MemorySegment.ofArray(PlainReader.read(file, PlainReader.list(file)
                            .get("tensors/" + t.name()))));
                }
                writer.finish(s4j.manifest());
            }
            assertArrayEquals(Files.readAllBytes(file), Files.readAllBytes(again));
        }
    }

    /** Every entry with offset, size and checksums, and a code and sum of each weight, as the second reader sees them. */
    private static String listing(Path file) throws IOException {
        Map<String, PlainReader.Entry> entries = PlainReader.list(file);
        JsonNode manifest = Trees.MAPPER.readTree(PlainReader.read(file, entries.get("manifest.json")));
        var text = new StringBuilder();
        for (var e : entries.entrySet()) {
            byte[] data = PlainReader.read(file, e.getValue());
            var crc = new CRC32();
            crc.update(data);
            assertEquals(e.getValue().crc(), (int) crc.getValue(), e.getKey());
            String sha = HexFormat.of().formatHex(S4jFile.sha256().digest(data));
            text.append("%8d %7d %08x %s %s\n".formatted(e.getValue().data(), data.length, e.getValue().crc(),
                    sha.substring(0, 16), e.getKey()));
        }
        var infos = new TreeMap<String, JsonNode>();
        for (JsonNode t : manifest.get("tensors")) {
            infos.put(t.get("name").asString(), t);
            byte[] data = PlainReader.read(file, entries.get("tensors/" + t.get("name").asString()));
            assertEquals(t.get("sha256").asString(), HexFormat.of().formatHex(S4jFile.sha256().digest(data)));
        }
        for (var linear : manifest.get("linears").properties()) {
            JsonNode input = linear.getValue().get("input");
            if (input.isNull()) {
                continue;
            }
            JsonNode segmentNodes = manifest.get("inputGroups").get(input.asString()).get("segments");
            int[] segments = new int[segmentNodes.size()];
            for (int i = 0; i < segments.length; i++) {
                segments[i] = segmentNodes.get(i).get("channels").asInt();
            }
            JsonNode info = infos.get(linear.getValue().get("weight").asString());
            byte[] weight = PlainReader.read(file, entries.get("tensors/" + info.get("name").asString()));
            int bits = Integer.parseInt(info.get("encoding").asString().substring(1));
            int rows = linear.getValue().get("rows").asInt();
            long sum = 0;
            for (int row = 0; row < rows; row++) {
                for (int s = 0; s < segments.length; s++) {
                    for (int k = 0; k < segments[s]; k++) {
                        int code = PlainReader.code(weight, info.get("layout").asString(), bits, rows, segments, s, row, k);
                        sum = sum * 31 + code;
                    }
                }
            }
            text.append("%-24s %-4s U%d %016x\n".formatted(linear.getKey(), info.get("layout").asString(), bits, sum));
        }
        return text.toString();
    }
}
