package io.github.spike4j.format;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeSet;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Whatever happens to a file, the reader throws nothing but S4jFormatException, and no change of a single bit anywhere goes
 * unnoticed. The seed is a system property and printed on failure.
 */
class FuzzTest {
    private static final long SEED = Long.getLong("spike4j.seed", 42);

    @TempDir
    static Path dir;
    private static Path spiking;
    private static Path dense;

    @BeforeAll
    static void write() throws Exception {
        spiking = Samples.spiking().write(dir.resolve("spiking.s4j"));
        dense = Samples.dense().write(dir.resolve("dense.s4j"));
    }

    @Test
    void everyTruncationIsRefused() throws Exception {
        byte[] whole = Files.readAllBytes(dense);
        var cuts = new TreeSet<Integer>();
        for (var e : PlainReader.list(dense).values()) {
            for (int d = -1; d <= 1; d++) {
                for (long at : new long[] {e.header(), e.header() + 30, e.data(), e.data() + e.size() / 2,
                    e.data() + e.size()}) {
                    cuts.add((int) at + d);
                }
            }
        }
        for (int i = 1; i < 200; i++) {
            cuts.add(whole.length - i);
        }
        for (int cut : cuts.subSet(0, whole.length)) {
            Path file = Files.write(dir.resolve("cut.s4j"), Arrays.copyOf(whole, cut));
            assertTrue(!opensAndVerifies(file, "cut at " + cut), "cut at " + cut);
        }
    }

    /** One random bit of every header byte, of a few bytes in each tensor, and of every eighth byte of the manifest. */
    @Test
    void everyFlippedBitIsNoticed() throws Exception {
        var random = new SplittableRandom(SEED);
        byte[] whole = Files.readAllBytes(dense);
        var places = new TreeSet<Integer>();
        for (int i = 0; i < whole.length; i++) {
            places.add(i);
        }
        for (var e : PlainReader.list(dense).entrySet()) {
            if (e.getValue().size() > 100) {
                int start = (int) e.getValue().data();
                int size = (int) e.getValue().size();
                for (int i = 1; i < size - 1; i++) {
                    if (random.nextInt(e.getKey().equals("manifest.json") ? 64 : size) > 8) {
                        places.remove(start + i);
                    }
                }
            }
        }
        for (int place : places) {
            byte[] b = whole.clone();
            int bit = random.nextInt(8);
            b[place] ^= (byte) (1 << bit);
            Path file = Files.write(dir.resolve("flipped.s4j"), b);
            assertTrue(!opensAndVerifies(file, "byte " + place + " bit " + bit), "unnoticed: byte " + place + " bit " + bit);
        }
    }

    @Test
    void scrambledFilesNeverThrowAnythingElse() throws Exception {
        var random = new SplittableRandom(SEED);
        byte[] whole = Files.readAllBytes(spiking);
        for (int round = 0; round < 400; round++) {
            byte[] b = whole.clone();
            for (int n = random.nextInt(1, 4); n > 0; n--) {
                // half of the time near the directory
                int at = random.nextBoolean() ? random.nextInt(b.length) : b.length - 1 - random.nextInt(8000);
                int length = Math.min(b.length - at, random.nextInt(1, 40));
                switch (random.nextInt(5)) {
                    case 0 -> {
                        byte[] noise = new byte[length];
                        random.nextBytes(noise);
                        System.arraycopy(noise, 0, b, at, length);
                    }
                    case 1 -> Arrays.fill(b, at, at + length, (byte) 0xff);
                    case 2 -> Arrays.fill(b, at, at + length, (byte) 0);
                    case 3 -> System.arraycopy(b, random.nextInt(b.length - length), b, at, length);
                    default -> {
                        byte[] shorter = new byte[b.length - length];
                        System.arraycopy(b, 0, shorter, 0, at);
                        System.arraycopy(b, at + length, shorter, at, b.length - at - length);
                        b = shorter;
                    }
                }
            }
            opensAndVerifies(Files.write(dir.resolve("scrambled.s4j"), b), "round " + round);
        }
    }

    /** Every value of the manifest, one after the other, replaced by things that do not belong there. */
    @Test
    void hostileManifestValues() throws Exception {
        var values = List.of("null", "-1", "0", "1", "2147483647", "9223372036854775807", "1e300", "1.5", "\"\"", "\"x\"", "[]",
                "{}", "true", "[null]", "[[[]]]");
        var random = new SplittableRandom(SEED);
        for (Path file : List.of(spiking, dense)) {
            Forge forge = Forge.of(file);
            String sound = new String(forge.contents.get("manifest.json"), java.nio.charset.StandardCharsets.UTF_8);
            int places = places(forge.manifest()).size();
            for (int i = 0; i < places; i++) {
                String value = values.get(random.nextInt(values.size()));
                forge.text(sound);
                ObjectNode tree = forge.manifest();
                Place place = places(tree).get(i);
                place.set(Trees.MAPPER.readTree(value));
                forge.text(Trees.MAPPER.writeValueAsString(tree));
                opensAndVerifies(forge.write(dir.resolve("hostile.s4j")), place + " = " + value);
            }
        }
    }

    private record Place(JsonNode parent, String key, int index) {
        void set(JsonNode value) {
            if (parent instanceof ObjectNode object) {
                object.set(key, value);
            } else {
                ((ArrayNode) parent).set(index, value);
            }
        }

        @Override
        public String toString() {
            return key == null ? "[" + index + "]" : key;
        }
    }

    private static List<Place> places(JsonNode node) {
        var places = new ArrayList<Place>();
        if (node instanceof ObjectNode object) {
            object.properties().forEach(p -> {
                places.add(new Place(node, p.getKey(), 0));
                places.addAll(places(p.getValue()));
            });
        } else if (node instanceof ArrayNode array) {
            for (int i = 0; i < array.size(); i++) {
                places.add(new Place(node, null, i));
                places.addAll(places(array.get(i)));
            }
        }
        return places;
    }

    private static boolean opensAndVerifies(Path path, String what) {
        try (S4jFile file = S4jFile.open(path)) {
            file.verify((name, bytes) -> { });
            return true;
        } catch (S4jFormatException e) {
            return false;
        } catch (RuntimeException | Error e) {
            return fail(what + ", seed " + SEED + ": " + e, e);
        }
    }
}
