package io.github.spike4j.convert;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import io.github.spike4j.Sampling;
import io.github.spike4j.Session;
import io.github.spike4j.SpikeEngine;
import io.github.spike4j.SpikeModel;
import io.github.spike4j.format.S4jFile;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** One hash of logits, whatever computes them: backends x threads x prompt pieces x alone or beside others x forked cache. */
class IdentityMatrixTest {
    private static final String PROMPT = "Once upon a time, there was a little girl named Lily. She had a red ball and a big dog, and they loved to play "
            + "in the park every day until the sun went down and her mother called her home for dinner.";
    private static final int TOKENS = 6;

    @TempDir
    static Path directory;

    private static Path source;

    @BeforeAll
    static void shared() {
        source = SharedData.path("models/stories260k/stories260K.bin");
    }

    @ParameterizedTest
    @ValueSource(strings = {"w4a4-t2", "w4a4-t2-g128", "w8a8", "bf16", "w2a8", "paper-w4a4-t2", "w4a16"})
    void oneHash(String recipe) throws IOException {
        Path file = convert(recipe);
        Set<String> hashes = new HashSet<>();
        List<String> runs = new ArrayList<>();
        for (String backend : new String[] {"java", "vector", "scalar", "avx2"}) {
            for (int threads = 1; threads <= 2; threads++) {
                for (int piece : new int[] {1, 7, 64, 512}) {
                    if (piece == 1 && backend.equals("java")) {
                        continue; // the same path as 7 there, and slow
                    }
                    for (int others : piece == 7 ? new int[] {0, 7} : new int[] {0}) {
                        try (var engine = SpikeEngine.builder().backend(backend).threads(threads).promptPiece(piece).build();
                                var model = engine.open(file)) {
                            String hash = hash(model, others, threads == 2);
                            hashes.add(hash);
                            runs.add(hash + " " + backend + " threads=" + threads + " piece=" + piece + " others=" + others);
                        } catch (io.github.spike4j.SpikeException.Device e) {
                            System.out.println("skipped: " + backend + ": " + e.getMessage());
                        }
                    }
                }
            }
        }
        assertEquals(1, hashes.size(), () -> recipe + ":\n" + String.join("\n", runs));
    }

    @Test
    void aFlippedNibbleChangesTheHash() throws IOException {
        Path file = convert("w4a4-t2");
        String before;
        try (var model = SpikeModel.open(file)) {
            before = hash(model, 0, false);
        }
        byte[] weights;
        try (var s4j = S4jFile.open(file)) {
            weights = s4j.tensor("layers.2.ffn_down.weight").asSlice(0, 256).toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
        }
        byte[] all = Files.readAllBytes(file);
        int at = find(all, weights);
        Path damaged = directory.resolve("flipped.s4j");
        Files.copy(file, damaged);
        try (var raw = new RandomAccessFile(damaged.toFile(), "rw")) {
            raw.seek(at + 16);
            raw.write(all[at + 16] ^ 0x0f);
        }
        try (var model = SpikeModel.open(damaged)) {
            assertNotEquals(before, hash(model, 0, false));
        }
    }

    private static int find(byte[] all, byte[] part) {
        for (int i = 0; i + part.length <= all.length; i += 64) {
            if (java.util.Arrays.equals(all, i, i + part.length, part, 0, part.length)) {
                return i;
            }
        }
        throw new AssertionError("the tensor's bytes are not in the file");
    }

    private static Path convert(String recipe) {
        Path file = directory.resolve(recipe + ".s4j");
        if (!Files.exists(file)) {
            var how = recipe.equals("w4a16") ? Recipes.change(Recipes.named("w4a8"), Map.of("activationBits", 16, "v", "frozen")) : Recipes.named(recipe);
            Converter.convert(ConvertRequest.of(source, file, how).calibration(calibration()).threads(2), ProgressListener.none());
        }
        return file;
    }

    private static Path calibration() {
        try {
            Path text = directory.resolve("calibration.txt");
            if (!Files.exists(text)) {
                Files.writeString(text, (PROMPT + " ").repeat(200));
            }
            return text;
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    /** SHA-256 over the logits of the last prompt position and of each generated one. */
    private static String hash(SpikeModel model, int others, boolean fork) {
        int[] ids = model.encode(PROMPT);
        List<Session> rest = new ArrayList<>();
        try (var session = model.newSession()) {
            for (int i = 0; i < others; i++) {
                var other = model.newSession();
                rest.add(other);
                other.append(java.util.Arrays.copyOf(ids, ids.length - 3 * i));
            }
            session.append(ids);
            try (var branch = fork ? session.fork() : null) {
                var used = fork ? branch : session;
                var digest = MessageDigest.getInstance("SHA-256");
                for (int i = 0; i <= TOKENS; i++) {
                    float[] logits = used.logits();
                    var bytes = ByteBuffer.allocate(4 * logits.length).order(ByteOrder.LITTLE_ENDIAN);
                    bytes.asFloatBuffer().put(logits);
                    digest.update(bytes.array());
                    if (i < TOKENS) {
                        used.generate(Sampling.builder().maxTokens(1).build()).result().join();
                    }
                }
                return HexFormat.of().formatHex(digest.digest());
            }
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        } finally {
            rest.forEach(Session::close);
        }
    }
}
