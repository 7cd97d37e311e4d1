package io.github.spike4j;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import io.github.spike4j.kernels.Kernels;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** One model, one text, one set of bits: whatever the backend, the threads, the split or the company in the batch. */
class ForwardTest {
    /** Three pages of positions. */
    private static final int LENGTH = 150;

    @TempDir
    private Path dir;

    private static int[] text(long seed, int length) {
        return new SplittableRandom(seed).ints(length, 0, 256).toArray();
    }

    private static float[][] evaluate(Session session, int[] ids) {
        var all = new float[ids.length][];
        int start = session.position();
        session.evaluate(ids, (position, logits) -> all[position - start] = logits.clone());
        return all;
    }

    private static final List<String> BACKENDS = backends();

    private static List<String> backends() {
        var all = new ArrayList<>(List.of("java"));
        for (var name : List.of("vector", "scalar", "avx2", "avxvnni", "avx512", "amx")) {
            try {
                Kernels.of(name);
                all.add(name);
            } catch (UnsupportedOperationException e) {
                System.out.println("not tested: " + e.getMessage());
            }
        }
        return all;
    }

    @ParameterizedTest
    @EnumSource(TinyModel.Kind.class)
    void equalsTheOracleOnEveryBackend(TinyModel.Kind kind) throws IOException {
        var tiny = new TinyModel(kind, 11);
        var file = tiny.write(dir.resolve("m.s4j"));
        int[] ids = text(1, LENGTH);
        var oracle = new Oracle(tiny);
        float[][] expected = oracle.logits(ids);
        for (var backend : BACKENDS) {
            for (int[] cut : new int[][] {{1, 512}, {3, 7}, {2, 1}}) {
                try (var engine = SpikeEngine.builder().backend(backend).threads(cut[0]).promptPiece(cut[1]).build();
                        var model = engine.open(file); var session = model.newSession()) {
                    var what = kind + " on " + backend + ", " + cut[0] + " threads, pieces of " + cut[1];
                    float[][] actual = evaluate(session, ids);
                    for (int t = 0; t < ids.length; t++) {
                        assertArrayEquals(expected[t], actual[t], what + ", position " + t);
                    }
                    assertArrayEquals(expected[LENGTH - 1], session.logits(), what);
                    assertEquals(oracle.silent, session.statistics().silentCodes(), what);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(TinyModel.Kind.class)
    void laterTokensNeverChangeEarlierLogits(TinyModel.Kind kind) throws IOException {
        var file = new TinyModel(kind, 12).write(dir.resolve("m.s4j"));
        int[] ids = text(2, 100);
        try (var model = SpikeModel.open(file); var whole = model.newSession(); var prefix = model.newSession()) {
            float[][] all = evaluate(whole, ids);
            float[][] some = evaluate(prefix, Arrays.copyOf(ids, 65));
            for (int t = 0; t < some.length; t++) {
                assertArrayEquals(all[t], some[t], "position " + t);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(TinyModel.Kind.class)
    void companyAndForksChangeNothing(TinyModel.Kind kind) throws IOException {
        var file = new TinyModel(kind, 13).write(dir.resolve("m.s4j"));
        int[] shared = text(3, 70);
        int[] left = text(4, 30);
        int[] right = text(5, 40);
        try (var engine = SpikeEngine.builder().threads(2).promptPiece(16).build(); var model = engine.open(file)) {
            var alone = new float[2][];
            for (int i = 0; i < 2; i++) {
                try (var session = model.newSession()) {
                    session.append(shared);
                    session.append(i == 0 ? left : right);
                    alone[i] = session.logits();
                }
            }
            try (var a = model.newSession(); var c = model.newSession(); var d = model.newSession()) {
                a.append(shared);
                try (var b = a.fork()) {
                    assertArrayEquals(a.logits(), b.logits());
                    // all at once: four sessions in one batch
                    a.append(left);
                    b.append(right);
                    c.append(text(6, 90));
                    d.append(shared);
                    assertArrayEquals(alone[0], a.logits());
                    assertArrayEquals(alone[1], b.logits());
                    d.append(right);
                    assertArrayEquals(alone[1], d.logits());
                }
            }
            assertEquals(0, model.usedBlocks());
        }
    }

    /** Blocks behind every window are given up, once for each session that holds them; a session may still go back as far as it likes. */
    @Test
    void blocksBehindEveryWindowAreGivenUp() throws IOException {
        var tiny = new TinyModel(TinyModel.Kind.WINDOWED, 15);
        var file = tiny.write(dir.resolve("m.s4j"));
        int[] ids = text(8, 290);
        var expected = new Oracle(tiny).logits(ids);
        try (var engine = SpikeEngine.builder().threads(2).promptPiece(20).build(); var model = engine.open(file); var session = model.newSession();
                var other = model.newSession()) {
            session.append(ids);
            assertArrayEquals(expected[289], session.logits());
            assertEquals(2, model.usedBlocks()); // 230..289 and what else lies in their blocks
            try (var fork = session.fork()) {
                assertEquals(2, model.usedBlocks());
                other.append(Arrays.copyOf(ids, 200)); // in the blocks that were given up
                assertArrayEquals(expected[199], other.logits());
                for (int length : new int[] {289, 255, 256, 223, 222, 100, 64, 1, 0}) {
                    var s = length % 2 == 0 ? fork : session;
                    s.truncate(length);
                    assertEquals(length, s.position());
                    s.append(Arrays.copyOfRange(ids, length, Math.min(290, length + 40)));
                    assertArrayEquals(expected[Math.min(289, length + 39)], s.logits(), "back to " + length);
                    s.append(Arrays.copyOfRange(ids, s.position(), 290));
                    assertArrayEquals(expected[289], s.logits(), "back to " + length);
                }
            }
            long before = model.statistics().tokens();
            session.truncate(250);
            session.logits();
            assertEquals(1, model.statistics().tokens() - before);
            assertEquals(expected[199].length, other.logits().length);
            assertEquals(1 + 2, model.usedBlocks()); // 192..255; 128..255
        }
    }

    @Test
    void aFlippedNibbleOfTheFileChangesTheLogits() throws IOException {
        var tiny = new TinyModel(TinyModel.Kind.SPIKING, 14);
        var before = logits(tiny.write(dir.resolve("a.s4j")));
        tiny.linears.get("layers.1.ffn_down").codes()[1234] ^= 8;
        assertNotEquals(Arrays.deepHashCode(before), Arrays.deepHashCode(logits(tiny.write(dir.resolve("b.s4j")))));
    }

    private static float[][] logits(Path file) {
        try (var model = SpikeModel.open(file); var session = model.newSession()) {
            return evaluate(session, text(7, 80));
        }
    }
}
