package io.github.spike4j.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Damaged, hostile and newer files: one exception that names file, entry and reason. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DamageTest {
    @TempDir
    static Path dir;
    private Path sound;

    @BeforeAll
    void write() throws Exception {
        sound = Samples.spiking().write(dir.resolve("sound.s4j"));
    }

    @Test
    void theForgeItselfIsSound() throws Exception {
        assertEquals(-1, Arrays.mismatch(Files.readAllBytes(sound), Forge.of(sound).bytes()));
    }

    // ---- container -----------------------------------------------------------------------------------------------------

    Stream<Arguments> containers() {
        return Stream.of(
                container("empty", null, "no ZIP directory", b -> new byte[0]),
                container("text", null, "no ZIP directory", b -> "x".repeat(500).getBytes(StandardCharsets.US_ASCII)),
                container("only an end record", null, "not at its place", b -> Arrays.copyOfRange(b, b.length - 22, b.length)),
                container("empty ZIP", null, "not its first entry", b -> Container.directory(List.of())),
                container("cut in the data", null, "no ZIP directory", b -> Arrays.copyOf(b, b.length / 2)),
                container("cut in the directory", null, "no ZIP directory", b -> Arrays.copyOf(b, b.length - 30)),
                container("trailing byte", null, "no ZIP directory", b -> Arrays.copyOf(b, b.length + 1)),
                container("leading byte", null, "not at its place", b -> {
                    byte[] c = new byte[b.length + 1];
                    System.arraycopy(b, 0, c, 1, b.length);
                    return c;
                }),
                container("comment", null, "no ZIP directory", edit(b -> b[b.length - 2] = 1)),
                container("directory moved", null, "not at its place", edit(b -> b[b.length - 6] ^= 1)),
                container("local name", "manifest.json", "local header", edit(b -> b[30] = 'M')),
                container("local size", "manifest.json", "local header", edit(b -> b[18] ^= 1)),
                container("local date", "manifest.json", "local header", edit(b -> b[12] ^= 1)),
                container("alignment padding", "manifest.json", "local header", edit(b -> b[60] = 1)),
                container("data descriptor", "manifest.json", "local header", edit(b -> b[6] |= 8)),
                container("manifest bit", "manifest.json", "CRC-32", edit(b -> b[100] ^= 1)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("containers")
    void containerIsRefused(String what, String entry, String reason, Function<byte[], byte[]> damage) throws Exception {
        refused(damage.apply(Files.readAllBytes(sound)), entry, reason);
    }

    private static Arguments container(String what, String entry, String reason, Function<byte[], byte[]> damage) {
        return arguments(what, entry, reason, damage);
    }

    private static Function<byte[], byte[]> edit(Consumer<byte[]> change) {
        return b -> {
            byte[] c = b.clone();
            change.accept(c);
            return c;
        };
    }

    @Test
    void directoryAndLocalHeadersBothForged() throws Exception {
        byte[] b = Files.readAllBytes(sound);
        int directory = ByteBuffer.wrap(b).order(ByteOrder.LITTLE_ENDIAN).getInt(b.length - 6);
        byte[] flags = b.clone();
        flags[6] |= 8;
        flags[directory + 8] |= 8;
        refused(flags, "manifest.json", "local header");
        byte[] deflated = b.clone();
        deflated[8] = 8;
        deflated[directory + 10] = 8;
        refused(deflated, "manifest.json", "local header");
        byte[] attributes = b.clone();
        attributes[directory + 40] = 1;
        refused(attributes, null, "canonical");
    }

    @Test
    void entriesOverlapRepeatOrLeaveGaps() throws Exception {
        Forge forge = Forge.of(sound);
        List<byte[]> data = new ArrayList<>(forge.contents.values());
        List<Container.Entry> entries = forge.entries();

        // the last entry's directory record points at the one before
        var overlap = new ArrayList<>(entries);
        Container.Entry last = entries.getLast();
        overlap.set(entries.size() - 1, new Container.Entry(last.name(), entries.get(entries.size() - 2).offset(), last.size(),
                last.crc()));
        byte[] b = forge.bytes();
        byte[] forged = Container.directory(overlap);
        byte[] whole = Arrays.copyOf(b, b.length - Container.directory(entries).length + forged.length);
        System.arraycopy(forged, 0, whole, whole.length - forged.length, forged.length);
        refused(whole, null, "not at its place|overlap|canonical|local header");

        var twice = new ArrayList<>(entries);
        twice.add(new Container.Entry("tokenizer.json", last.end(), 3, 0));
        data.add(new byte[3]);
        refused(Forge.zip(twice, data), "tokenizer.json", "twice");
        data.removeLast();

        // 64 bytes that belong to nobody
        var gap = new ArrayList<>(entries);
        Container.Entry first = entries.get(1);
        List<byte[]> gapData = new ArrayList<>(data);
        gapData.set(0, Arrays.copyOf(data.get(0), data.get(0).length + 64));
        long shift = 64;
        for (int i = 1; i < gap.size(); i++) {
            Container.Entry e = gap.get(i);
            gap.set(i, new Container.Entry(e.name(), e.offset() + shift, e.size(), e.crc()));
        }
        refused(Forge.zip(gap, gapData), first.name(), "gap");
    }

    @Test
    void entriesThatDoNotBelong() throws Exception {
        Forge forge = Forge.of(sound);
        forge.contents.put("tensors/extra", new byte[4]);
        refused(forge.bytes(), "manifest.json", "not those of the file");

        forge = Forge.of(sound);
        forge.contents.remove("tensors/final_norm");
        refused(forge.bytes(), "tensors/final_norm", "not in the file");

        forge = Forge.of(sound);
        forge.contents.put("tensors/final_norm", new byte[316]);
        refused(forge.bytes(), "tensors/final_norm", "316 bytes, the manifest says 320");

        forge = Forge.of(sound);
        byte[] manifest = forge.contents.remove("manifest.json");
        refused(forge.bytes(), null, "manifest.json is not its first entry");
        forge.contents.put("manifest.json", manifest);
        refused(forge.bytes(), null, "manifest.json is not its first entry");

        for (String name : List.of("../x", "/x", "a//b", "Tokenizer.json", ".hidden", "a/../b", "x".repeat(161))) {
            forge = Forge.of(sound);
            forge.contents.put(name, new byte[1]);
            refused(forge.bytes(), null, "illegal entry name");
        }
    }

    @Test
    void noFileAndDirectory() {
        var e = assertThrows(S4jFormatException.class, () -> S4jFile.open(dir.resolve("absent.s4j")));
        assertEquals(dir.resolve("absent.s4j") + ": no such file", e.getMessage());
        assertThrows(S4jFormatException.class, () -> S4jFile.open(dir));
    }

    // ---- manifest ------------------------------------------------------------------------------------------------------

    Stream<Arguments> manifests() {
        return Stream.of(
                manifest("newer", "format version 3, this version reads 1 to 2", m -> m.put("formatVersion", 3)),
                manifest("no version", "formatVersion", m -> m.remove("formatVersion")),
                manifest("version as text", "formatVersion", m -> m.put("formatVersion", "1")),
                manifest("unknown field", "surprise", m -> m.put("surprise", 1)),
                manifest("missing field", "tokenizer", m -> m.remove("tokenizer")),
                manifest("number as text", "layers", m -> at(m, "architecture").put("layers", "2")),
                manifest("fraction", "layers", m -> at(m, "architecture").put("layers", 2.5)),
                manifest("null number", "layers", m -> at(m, "architecture").putNull("layers")),
                manifest("family", "'gpt9', this version knows llama", m -> at(m, "architecture").put("family", "gpt9")),
                manifest("compute", "'analog', this version knows", m -> m.put("compute", "analog")),
                manifest("encoding", "Encoding", m -> at(m, "tensors", 0).put("encoding", "F8")),
                manifest("encoding by number", "Encoding", m -> at(m, "tensors", 0).put("encoding", 1)),
                manifest("layout", "Layout", m -> at(m, "tensors", 0).put("layout", "X7")),
                manifest("too many layers", "layers 100000 is not in 1 to 1024",
                        m -> at(m, "architecture").put("layers", 100000)),
                manifest("a layer more", "linear layers.2.attn_q is missing", m -> {
                    at(m, "architecture").put("layers", 3).set("layerRopes", at(m, "architecture").get("layerWindows").deepCopy());
                    ((ArrayNode) at(m, "architecture").get("layerRopes")).removeAll().add(0).add(0).add(0);
                    ((ArrayNode) at(m, "architecture").get("layerWindows")).add(0);
                }),
                manifest("a layer less", "not one of this architecture", m -> {
                    at(m, "architecture").put("layers", 1);
                    ((ArrayNode) at(m, "architecture").get("layerRopes")).remove(0);
                    ((ArrayNode) at(m, "architecture").get("layerWindows")).remove(0);
                }),
                manifest("hidden", "the architecture needs", m -> at(m, "architecture").put("hidden", 79)),
                manifest("heads", "no multiple", m -> at(m, "architecture").put("heads", 3)),
                manifest("odd head", "odd", m -> at(m, "architecture").put("headDim", 19)),
                manifest("epsilon", "normEps", m -> at(m, "architecture").put("normEps", -1)),
                manifest("older, with newer fields", "(at architecture); formatVersion is 1", m -> m.put("formatVersion", 1)),
                manifest("older field", "ropeTheta", m -> at(m, "architecture").put("ropeTheta", 10000)),
                manifest("period", "period -1.0", m -> ((ArrayNode) at(m, "architecture", "ropes", 0).get("periods")).set(0, -1)),
                manifest("periods", "headDim / 2", m -> ((ArrayNode) at(m, "architecture", "ropes", 0).get("periods")).remove(0)),
                manifest("magnitude", "magnitude 0.0", m -> at(m, "architecture", "ropes", 0).put("magnitude", 0)),
                manifest("rope of a layer", "layerRopes 1", m -> ((ArrayNode) at(m, "architecture").get("layerRopes")).set(0, 1)),
                manifest("window", "layerWindows -1", m -> ((ArrayNode) at(m, "architecture").get("layerWindows")).set(0, -1)),
                manifest("windows", "has not 2 values", m -> ((ArrayNode) at(m, "architecture").get("layerWindows")).remove(0)),
                manifest("activation", "'relu', this version knows gelu_tanh and silu", m -> at(m, "architecture").put("activation", "relu")),
                manifest("attention scale", "attentionScale 0.0", m -> at(m, "architecture").put("attentionScale", 0)),
                manifest("soft cap", "attentionSoftcap -1.0", m -> at(m, "architecture").put("attentionSoftcap", -1)),
                manifest("steps", "one number for each segment", m -> ((ArrayNode) at(m, "linears", "layers.1.attn_o").get("steps")).remove(0)),
                manifest("no steps", "steps 0", m -> ((ArrayNode) at(m, "linears", "layers.1.attn_o").get("steps")).set(0, 0)),
                manifest("other steps", "has shape", m -> ((ArrayNode) at(m, "linears", "layers.1.attn_o").get("steps")).set(0, 1)),
                manifest("permutation of two groups", "layers.0.attn_in.permutation is named twice", m -> at(m, "inputGroups", "layers.1.attn_in")
                        .put("permutation", "layers.0.attn_in.permutation")),
                manifest("permutation of two layers", "layers.0.k_permutation is named twice", m -> at(m, "attention", "layers", 1)
                        .put("kPermutation", "layers.0.k_permutation")),
                manifest("ranges of two layers", "layers.0.k_scale is named twice", m -> at(m, "attention", "layers", 1)
                        .put("kScale", "layers.0.k_scale")),
                manifest("not ASCII", "is the text '?', not an integer", m -> at(m, "architecture").put("heads", "\ud83d\ude00")),
                manifest("long text", "is the text '" + "x".repeat(40) + "', not an integer", m -> at(m, "architecture").put("heads", "x".repeat(99))),
                manifest("v mode", "'x', this version knows token and frozen", m -> at(m, "attention").put("vMode", "x")),
                manifest("v mode without ranges", "vScale or Zero, but the mode is token", m -> at(m, "attention").put("vMode", "token")),
                manifest("k ranges", "'x', this version knows separate and shared", m -> at(m, "attention").put("kRanges", "x")),
                manifest("k ranges, frozen", "but kMode is frozen", m -> at(m, "attention").put("kRanges", "shared")),
                manifest("no bits", "bits 12, not 2 to 8 or 16", m -> at(m, "inputGroups", "head_in", "segments", 0).put("bits", 12)),
                manifest("null tensors", "tensors", m -> m.putNull("tensors")),
                manifest("null in tensors", "tensors", m -> ((ArrayNode) m.get("tensors")).addNull()),
                manifest("null group", "inputGroups", m -> at(m, "inputGroups").putNull("head_in")),
                manifest("tensor name", "illegal name", m -> at(m, "tensors", 0).put("name", "../embedding")),
                manifest("tensor twice", "twice", m -> ((ArrayNode) m.get("tensors")).add(at(m, "tensors", 0).deepCopy())),
                manifest("negative shape", "shape [-40, -80]",
                        m -> at(m, "tensors", 0).putArray("shape").add(-40).add(-80)),
                manifest("shape that overflows", "shape",
                        m -> at(m, "tensors", 0).putArray("shape").add(1L << 62).add(1L << 62)),
                manifest("bytes", "bytes, its shape needs", m -> at(m, "tensors", 0).put("bytes", 6399)),
                manifest("hash", "sha256", m -> at(m, "tensors", 0).put("sha256", "00")),
                manifest("segments", "segments hold 79 of 80", m -> at(m, "inputGroups", "head_in", "segments", 0)
                        .put("channels", 79)),
                manifest("no segments", "segments", m -> at(m, "inputGroups", "head_in").putArray("segments")),
                manifest("bits", "bits 9, not", m -> at(m, "inputGroups", "head_in", "segments", 0).put("bits", 9)),
                manifest("range set", "rangeSet 4", m -> at(m, "inputGroups", "head_in", "segments", 0).put("rangeSet", 4)),
                manifest("group", "multiple of 16", m -> at(m, "inputGroups", "head_in", "segments", 0).put("group", 24)),
                manifest("clip", "clip 0.0", m -> ((ArrayNode) at(m, "inputGroups", "head_in").get("clip")).set(0, 0)),
                manifest("permutation", "no tensor", m -> at(m, "inputGroups", "head_in").put("permutation", "none")),
                manifest("permutation type", "tensor final_norm is F32",
                        m -> at(m, "inputGroups", "head_in").put("permutation", "final_norm")),
                manifest("no input group", "no input group", m -> at(m, "linears", "lm_head").put("input", "none")),
                manifest("other input", "channels", m -> at(m, "linears", "lm_head").put("input", "layers.0.ffn_hidden")),
                manifest("no weight", "no tensor", m -> at(m, "linears", "lm_head").putNull("weight")),
                manifest("no scale", "scale is null", m -> at(m, "linears", "lm_head").putNull("scale")),
                manifest("no sum", "sum is null", m -> at(m, "linears", "lm_head").putNull("sum")),
                manifest("weight groups", "weightGroups 7", m -> at(m, "linears", "lm_head").put("weightGroups", 7)),
                manifest("float weights of codes", "has no input", m -> at(m, "linears", "lm_head").putNull("input")),
                manifest("another's weight", "shape",
                        m -> at(m, "linears", "lm_head").put("weight", "layers.0.attn_qkv.weight")),
                manifest("unknown linear", "linear extra is not one",
                        m -> at(m, "linears").set("extra", at(m, "linears", "lm_head").deepCopy())),
                manifest("dense with spikes", "in a dense model", m -> m.put("compute", "dense")),
                manifest("no attention", "attention is null", m -> m.putNull("attention")),
                manifest("k mode", "'sequence', this version knows token and frozen",
                        m -> at(m, "attention").put("kMode", "sequence")),
                manifest("salient", "salient channels 21", m -> ((ArrayNode) at(m, "attention", "layers", 0).get("kSalient"))
                        .set(0, 21)),
                manifest("v bits", "salient is ordinary or one more", m -> at(m, "attention").putArray("vBits").add(4).add(8)),
                manifest("eos", "tokenizer.eos 40", m -> at(m, "tokenizer").putArray("eos").add(40)),
                manifest("bos", "addBos without bos", m -> at(m, "tokenizer").put("bos", -1)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("manifests")
    void manifestIsRefused(String what, String reason, Consumer<ObjectNode> change) throws Exception {
        refused(Forge.of(sound).manifest(change).bytes(), "manifest.json", reason);
    }

    private static Arguments manifest(String what, String reason, Consumer<ObjectNode> change) {
        return arguments(what, reason, change);
    }

    private static ObjectNode at(JsonNode node, Object... path) {
        for (Object step : path) {
            node = step instanceof Integer i ? node.get(i) : node.get((String) step);
        }
        return (ObjectNode) node;
    }

    /** Version 1 does not know them, whatever they say. */
    @Test
    void firstVersionWithNewerFields() throws Exception {
        Path first = Path.of(System.getProperty("spike4j.home", ".."), "weights-format/src/test/resources/golden/v1-spiking.s4j");
        Files.createDirectories(dir);
        S4jFile.open(Forge.of(first).write(dir.resolve("damaged.s4j"))).close();
        for (var change : Map.<String, Consumer<ObjectNode>>of(
                "'qkNorm' (at architecture)", m -> at(m, "architecture").put("qkNorm", false),
                "'hadamard' (at inputGroups.head_in)", m -> at(m, "inputGroups", "head_in").put("hadamard", false),
                "'steps' (at linears.lm_head)", m -> at(m, "linears", "lm_head").putNull("steps"),
                "'vMode' (at attention)", m -> at(m, "attention").put("vMode", "token"),
                "'vScale' (at attention.layers[0])", m -> at(m, "attention", "layers", 0).putNull("vScale")).entrySet()) {
            refused(Forge.of(first).manifest(change.getValue()).bytes(), "manifest.json",
                    "has an unknown field " + change.getKey() + "; formatVersion is 1");
        }
    }

    @Test
    void manifestThatIsNoJson() throws Exception {
        String text = new String(Forge.of(sound).contents.get("manifest.json"), StandardCharsets.UTF_8);
        for (String bad : List.of("", "null", "[]", "{", "\"x\"", "{}", text + "x", text + "{}", "[".repeat(100_000),
                text.replaceFirst("\\{", "{\"formatVersion\": 1,"), "{\"formatVersion\": 1e99}", "\u0000")) {
            refused(Forge.of(sound).text(bad).bytes(), "manifest.json", "");
        }
    }

    // ---- data ----------------------------------------------------------------------------------------------------------

    @Test
    void permutationsThatAreNone() throws Exception {
        for (int value : new int[] {-1, 80, Integer.MIN_VALUE, 10}) {
            refused(Forge.of(sound).tensor("layers.0.attn_in.permutation",
                    d -> ByteBuffer.wrap(d).order(ByteOrder.LITTLE_ENDIAN).putInt(8, value)).bytes(),
                    "tensors/layers.0.attn_in.permutation", "not a permutation");
        }
        refused(Forge.of(sound).tensor("layers.1.v_permutation",
                d -> ByteBuffer.wrap(d).order(ByteOrder.LITTLE_ENDIAN).putInt(21 * 4, 20)).bytes(),
                "tensors/layers.1.v_permutation", "not a permutation of 0 to 19");
    }

    @Test
    void verifyNamesEveryDamagedEntry() throws Exception {
        byte[] whole = Files.readAllBytes(sound);
        for (var e : PlainReader.list(sound).entrySet()) {
            // permutations are checked at opening
            if (e.getKey().equals("manifest.json") || e.getKey().endsWith("permutation")) {
                continue;
            }
            byte[] b = whole.clone();
            b[(int) (e.getValue().data() + e.getValue().size() / 2)] ^= 0x10;
            Path file = Files.write(dir.resolve("damaged.s4j"), b);
            try (S4jFile s4j = S4jFile.open(file)) {
                var thrown = assertThrows(S4jFormatException.class, () -> s4j.verify((name, bytes) -> { }), e.getKey());
                assertEquals(e.getKey(), thrown.entry());
                assertTrue(thrown.getMessage().startsWith(file + ": " + e.getKey() + ": damaged"), thrown.getMessage());
            }
        }
    }

    @Test
    void verifyChecksValues() throws Exception {
        wrongValue("lm_head.scale", d -> d[3] = d[2] = (byte) 0xff);
        wrongValue("layers.0.attn_qkv.bias", d -> d[3] = d[2] = (byte) 0xff);
        wrongValue("layers.0.attn_qkv.zero", d -> d[5] = 16);
        wrongValue("layers.0.ffn_gate_up.mult", d -> d[5] = 64);
        for (String norm : List.of("layers.1.attn_norm", "layers.0.ffn_norm", "final_norm", "layers.1.k_scale")) {
            wrongValue(norm, d -> d[7] = d[6] = (byte) 0xff);
        }
        wrongValue("embedding", d -> d[9] = d[8] = (byte) 0xff);
        wrongValue("layers.0.k_zero", d -> d[20 + 19] = 16);
        // kv head 0 has 18 ordinary channels of 4 bits, then 2 salient ones of 5
        wrongValue("layers.1.k_zero", d -> d[17] = 16);
        wrongValue("layers.1.k_zero", d -> d[18] = 32);
        Forge.of(sound).tensor("layers.1.k_zero", d -> d[18] = 31).write(dir.resolve("fine.s4j"));
        try (S4jFile s4j = S4jFile.open(dir.resolve("fine.s4j"))) {
            s4j.verify((name, bytes) -> { });
        }
        Path dense = Samples.dense().write(dir.resolve("dense.s4j"));
        for (String weight : List.of("embedding", "layers.0.ffn_down.weight", "lm_head.weight")) {
            wrongValue(dense, weight, d -> d[3] = d[2] = (byte) 0xff);
        }
    }

    /** The 32-bit sums of N4, from the codes: 5 groups of 16 channels (the last has 12), 15 (w - zw) times mw = 63 at 7 bits. */
    @Test
    void verifyBoundsTheSums() throws Exception {
        long worst = 63L * 15 * 76 * 127;
        int most = (int) (Integer.MAX_VALUE / worst);
        for (int row : new int[] {0, 17, 191}) {
            for (int m : new int[] {most, most + 1}) {
                Forge forge = Forge.of(sound)
                        .tensor("layers.0.ffn_gate_up.weight", d -> fill(d, row, 2 * 96, new int[] {76, 4}))
                        .tensor("layers.0.ffn_gate_up.zero", d -> fillRow(d, row, 6, 0))
                        .tensor("layers.0.ffn_gate_up.mult", d -> fillRow(d, row, 6, 63))
                        .manifest(t -> at(t, "inputGroups", "layers.0.ffn_in", "segments", 0).put("bits", 7).put("maxMultiplier", m));
                Path file = forge.write(dir.resolve("damaged.s4j"));
                try (S4jFile s4j = S4jFile.open(file)) {
                    if (m == most) {
                        s4j.verify((name, bytes) -> { });
                    } else {
                        var e = assertThrows(S4jFormatException.class, () -> s4j.verify((name, bytes) -> { }));
                        assertEquals("tensors/layers.0.ffn_gate_up.weight", e.entry());
                        assertTrue(e.reason().startsWith("row " + row + ": ") && e.reason().contains("2^31"), e.getMessage());
                    }
                }
            }
        }
    }

    /** Sets all codes of a row of 4-bit R16 weights to 15. */
    private static void fill(byte[] weight, int row, int rows, int[] segments) {
        int first = 0;
        for (int channels : segments) {
            int panel = (int) Layouts.pad(channels, 64) * 8;
            for (int k = 0; k < channels; k++) {
                weight[first + row / 16 * panel + (int) Layouts.r16Byte(k, row % 16, 4)] |= (byte) (15 << Layouts.r16Shift(k, 4));
            }
            first += rows / 16 * panel;
        }
    }

    private static void fillRow(byte[] data, int row, int groups, int value) {
        for (int g = 0; g < groups; g++) {
            data[(row / 16 * groups + g) * 16 + row % 16] = (byte) value;
        }
    }

    private void wrongValue(String tensor, Consumer<byte[]> change) throws Exception {
        wrongValue(sound, tensor, change);
    }

    private void wrongValue(Path model, String tensor, Consumer<byte[]> change) throws Exception {
        Path file = Forge.of(model).tensor(tensor, change).write(dir.resolve("damaged.s4j"));
        try (S4jFile s4j = S4jFile.open(file)) {
            assertEquals("tensors/" + tensor,
                    assertThrows(S4jFormatException.class, () -> s4j.verify((name, bytes) -> { })).entry());
        }
    }

    private void refused(byte[] bytes, String entry, String reason) throws Exception {
        Path file = Files.write(dir.resolve("damaged.s4j"), bytes);
        var e = assertThrows(S4jFormatException.class, () -> S4jFile.open(file).close());
        assertTrue(e.getMessage().startsWith(file.toString()) && !e.getMessage().contains("Source:"), e.getMessage());
        assertEquals(file, e.file());
        if (entry != null) {
            assertEquals(entry, e.entry(), e.getMessage());
        }
        assertTrue(Stream.of(reason.split("\\|")).anyMatch(r -> e.reason().contains(r)), e.getMessage());
        assertThrows(S4jFormatException.class, () -> S4jFile.openInRam(file, (size, arena) -> arena.allocate(size, 4096)).close());
    }
}
