package io.github.spike4j.convert;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Conversions that are killed, run out of disk, meet another one: whatever happens, the next one ends with the same bytes. */
class LongWorkTest {
    @TempDir
    Path dir;
    private Path source;
    private Path text;
    private Path out;
    private Path work;

    @BeforeEach
    void write() throws IOException {
        source = new TinyModel(false, true).huggingFace(dir.resolve("tiny"), "F32", 2);
        text = Files.writeString(dir.resolve("text.txt"), TinyModel.TEXT);
        out = dir.resolve("x.s4j");
        work = dir.resolve("x.s4j.work");
    }

    private ConvertRequest request(Path file, Recipe recipe) {
        var request = ConvertRequest.of(source, file, recipe).threads(2);
        return recipe.usesCalibration() ? request.calibration(text) : request;
    }

    /** What an uninterrupted conversion writes. */
    private Path expected(Recipe recipe) {
        var file = dir.resolve("expected.s4j");
        assertEquals(0, Converter.convert(request(file, recipe).overwrite(true), ProgressListener.none()).resumed());
        return file;
    }

    private static List<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(p -> p.getFileName().toString()).sorted().toList();
        }
    }

    static Stream<Recipe> recipes() {
        var t2 = Recipes.named("w4a4-t2");
        return Stream.of(t2, Recipes.named("paper-w4a4-t2"), Recipes.named("bf16"), Recipes.named("w4a4-t2-g128"),
                Recipes.change(t2, Map.of("name", "random", "saliency", "random", "k", "frozen", "v", "frozen")),
                Recipes.change(t2, Map.of("name", "gain", "saliency", "gain", "masks", "own", "weightGroup", 16)));
    }

    private static final class Killed extends Error {
        private static final long serialVersionUID = 1L;
    }

    /** Ends after so many steps of its own, which are those after what it restored. */
    private static ProgressListener killer(int steps) {
        var left = new int[] {steps};
        return (phase, done, total) -> {
            assertTrue(done >= 0 && done <= total, phase + ": " + done + " of " + total);
            if (--left[0] < 0) {
                throw new Killed();
            }
        };
    }

    /** Ends after every single step, and goes on. */
    @ParameterizedTest
    @MethodSource("recipes")
    void goesOnStepByStep(Recipe recipe) throws IOException {
        var expected = expected(recipe);
        var request = request(out, recipe);
        int kills = 0;
        int resumed = -1;
        while (resumed < 0) {
            // one step of progress a run; with calibration a block takes as many as there are segments
            int steps = kills % 40 == 39 ? 20 : 1 + kills % 3;
            kills++;
            try {
                resumed = Converter.convert(request, killer(steps)).resumed();
            } catch (Killed e) {
                assertFalse(Files.exists(out));
            }
            assertTrue(kills < 400);
        }
        assertTrue(kills > 4 && resumed > 4, kills + " kills, " + resumed + " blocks resumed");
        assertEquals(-1, Files.mismatch(expected, out));
        assertEquals(List.of("expected.s4j", "text.txt", "tiny", "x.s4j"), names(dir));
    }

    /** Ends anywhere, and the next run does the whole rest. */
    @Test
    void goesOnFromAnywhere() throws IOException {
        var recipe = Recipes.named("w4a4-t2");
        var expected = expected(recipe);
        int last = 0;
        for (int steps = 0; steps < 60; steps++) {
            int after = steps;
            try {
                Converter.convert(request(out, recipe), killer(after));
            } catch (Killed e) {
                if (Files.exists(out)) {
                    break; // at the very end
                }
                var told = new ArrayList<Long>();
                var report = Converter.convert(request(out, recipe).overwrite(true), new ProgressListener() {
                    @Override
                    public void progress(String phase, long done, long total) {
                        assertTrue(told.isEmpty() || done >= told.getLast());
                        told.add(done);
                    }

                    @Override
                    public void resumed(long done, long total) {
                        assertTrue(told.isEmpty());
                        told.add(done);
                    }
                });
                assertTrue(report.resumed() >= last, "after " + steps);
                assertEquals(-1, Files.mismatch(expected, out), "after " + steps);
                last = report.resumed();
                Files.delete(out);
                assertFalse(Files.exists(work));
            }
        }
        assertEquals(15, last, "embedding, 2 x (norms, 4 linears, attention), final_norm, lm_head");
    }

    @ParameterizedTest
    @ValueSource(strings = {"w4a4-t2", "paper-w4a4-t2"})
    void damagedWorkIsDoneAgain(String name) throws IOException {
        var recipe = Recipes.named(name);
        var expected = expected(recipe);
        var files = new ArrayList<String>();
        // after the calibration of block 1, whose input and statistics are kept then
        for (int i = 0; i == 0 || i < files.size(); i++) {
            var calibrations = new int[1];
            assertThrows(Killed.class, () -> Converter.convert(request(out, recipe).overwrite(true), (phase, _, _) -> {
                calibrations[0] += phase.matches("layers.1.attn_q(kv)?") ? 1 : 0;
                if (calibrations[0] > 0) {
                    throw new Killed();
                }
            }));
            if (files.isEmpty()) {
                try (Stream<Path> all = Files.walk(work)) {
                    all.filter(Files::isRegularFile).map(f -> work.relativize(f).toString()).filter(f -> !f.equals("lock") && !f.matches("blocks/.*[1-9]")).forEach(files::add);
                }
                assertTrue(files.containsAll(List.of("journal", "blocks/0", "state/layers.0.statistics", "state/layers.1.statistics")),
                        files.toString());
            }
            var damaged = work.resolve(files.get(i));
            var bytes = Files.readAllBytes(damaged);
            bytes[bytes.length / 2] ^= 4;
            Files.write(damaged, bytes);
            Converter.convert(request(out, recipe).overwrite(true), ProgressListener.none());
            assertEquals(-1, Files.mismatch(expected, out), files.get(i));
        }
    }

    /** The expensive part is not done twice. */
    @Test
    void calibrationIsKept() {
        var recipe = Recipes.named("w4a4-t2");
        var phases = new ArrayList<String>();
        assertThrows(Killed.class, () -> Converter.convert(request(out, recipe), (phase, _, _) -> {
            if (phase.equals("layers.1.ffn_down")) {
                throw new Killed();
            }
        }));
        Converter.convert(request(out, recipe), (phase, _, _) -> phases.add(phase));
        assertEquals("layers.1.ffn_down", phases.getFirst());
        assertFalse(phases.stream().anyMatch(p -> p.contains("calibration")), phases.toString());
    }

    @Test
    void workOfAnotherConversionIsRefused() throws IOException {
        var t2 = Recipes.named("w4a4-t2");
        var request = request(out, t2);
        Runnable leave = () -> assertThrows(Killed.class, () -> Converter.convert(request.restart(true), killer(20)));
        leave.run();
        refused(request(out, Recipes.named("w4a4")), "(other recipe)");
        refused(request.license("MIT"), "(other license)");
        refused(request.context(32), "(other source, context, calibration)");
        Files.writeString(text, TinyModel.TEXT + "!");
        refused(request, "(other calibration)");
        Files.writeString(text, TinyModel.TEXT);
        Files.setLastModifiedTime(source.resolve("model-00001-of-00002.safetensors"), java.nio.file.attribute.FileTime.fromMillis(1000));
        refused(request, "(other source)");
        leave.run();
        Files.writeString(source.resolve("chat_template.jinja"), "{{ messages }}");
        refused(request, "(other source)");
        // threads are no part of it
        leave.run();
        assertTrue(Converter.convert(request.threads(1), ProgressListener.none()).resumed() > 0);
        assertEquals(-1, Files.mismatch(expected(t2), out));
        assertFalse(Files.exists(work));
    }

    private static void refused(ConvertRequest request, String difference) {
        var message = assertThrows(ConversionException.class, () -> Converter.convert(request, ProgressListener.none())).getMessage();
        assertEquals(request.out() + ".work: unfinished work of another conversion " + difference
                + "; repeat that one to finish it, or add --restart to throw it away", message);
    }

    @Test
    void twoAtOnceAreRefused() {
        var request = request(out, Recipes.named("bf16"));
        var messages = new ArrayList<String>();
        Converter.convert(request, (phase, _, _) -> {
            if (phase.equals("lm_head")) {
                messages.add(assertThrows(ConversionException.class, () -> Converter.convert(request, ProgressListener.none())).getMessage());
            }
        });
        assertEquals(List.of(out + ": cannot be written: this process is writing this file already"), messages);
    }

    // ---- other processes -----------------------------------------------------------------------------------------------

    /** A conversion in a JVM of its own: OUT, SOURCE, TEXT or nothing, milliseconds a step. With a text w4a4-t2, else w4a4. */
    static final class Main {
        public static void main(String[] args) {
            try {
                var request = ConvertRequest.of(Path.of(args[1]), Path.of(args[0]), Recipes.named(args[2].isEmpty() ? "w4a4" : "w4a4-t2"))
                        .calibration(args[2].isEmpty() ? null : Path.of(args[2]));
                var report = Converter.convert(request.threads(1), (_, _, _) -> {
                    System.out.write('.');
                    System.out.flush();
                    try {
                        Thread.sleep(Integer.parseInt(args[3]));
                    } catch (InterruptedException e) {
                        throw new AssertionError(e);
                    }
                });
                System.out.println("resumed " + report.resumed());
            } catch (ConversionException e) {
                System.err.println(e.getMessage());
                System.exit(1);
            }
        }
    }

    /** @param prefix of the command */
    private ProcessBuilder process(Path file, String text, int pause, String... prefix) {
        var command = new ArrayList<>(List.of(prefix));
        command.addAll(List.of(Path.of(System.getProperty("java.home"), "bin/java").toString(), "-Xshare:auto", "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"), Main.class.getName(), file.toString(),
                source.toString(), text, Integer.toString(pause)));
        return new ProcessBuilder(command).redirectErrorStream(false);
    }

    private static String[] end(Process process) throws IOException, InterruptedException {
        var out = new String(process.getInputStream().readAllBytes()).strip();
        var err = new String(process.getErrorStream().readAllBytes()).strip();
        assertTrue(process.waitFor(60, TimeUnit.SECONDS));
        return new String[] {Integer.toString(process.exitValue()), out, err};
    }

    @Test
    @Timeout(120)
    void killedTenTimesAtRandomMoments() throws Exception {
        var expected = expected(Recipes.named("w4a4-t2"));
        var seed = System.nanoTime();
        var random = new Random(seed);
        int killed = 0;
        while (killed < 10) {
            var process = process(out, text.toString(), 25).start();
            process.getInputStream().read(); // at work
            if (!process.waitFor(random.nextInt(250), TimeUnit.MILLISECONDS)) {
                process.destroyForcibly().waitFor();
                killed++;
            }
            if (Files.exists(out)) {
                // done between two kills: it must be right, and the next one starts anew
                assertEquals(-1, Files.mismatch(expected, out), "seed " + seed);
                Files.delete(out);
            }
        }
        var end = end(process(out, text.toString(), 0).start());
        assertEquals("0", end[0], end[2]);
        assertEquals(-1, Files.mismatch(expected, out), "seed " + seed);
        assertFalse(Files.exists(work));
    }

    private Path uncalibrated() {
        var file = dir.resolve("expected.s4j");
        Converter.convert(ConvertRequest.of(source, file, Recipes.named("w4a4")), ProgressListener.none());
        return file;
    }

    /** A limit on the size of files stops the assembly, for no tensor is so large. */
    @Test
    void aFileThatMayNotGrow() throws Exception {
        var expected = uncalibrated();
        long blocks = Files.size(expected) / 2 / 512;
        var end = end(process(out, "", 0, "sh", "-c", "ulimit -f " + blocks + "; exec \"$@\"", "sh").start());
        full(end, out, "File too large");
        assertEquals(List.of("blocks", "journal", "lock"), names(work));
        var report = Converter.convert(ConvertRequest.of(source, out, Recipes.named("w4a4")), ProgressListener.none());
        assertEquals(15, report.resumed());
        assertEquals(-1, Files.mismatch(expected, out));
    }

    /** A file system of its own that is too small; needs root. */
    @Test
    void aFullDisk() throws Exception {
        var expected = uncalibrated();
        var mount = Files.createDirectories(dir.resolve("small"));
        var size = Files.size(expected);
        if (new ProcessBuilder("mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", mount.toString()).redirectErrorStream(true).start().waitFor() != 0) {
            Assumptions.abort("cannot mount a small file system: needs root");
        }
        try {
            var file = mount.resolve("x.s4j");
            // beside something that takes nearly all: nothing can be done
            Files.write(mount.resolve("ballast"), new byte[(int) size - 8192]);
            full(end(process(file, "", 0).start()), file, "No space left");
            assertEquals(List.of("ballast"), names(mount));
            // room for the parts, not for the whole
            Files.delete(mount.resolve("ballast"));
            full(end(process(file, "", 0).start()), file, "No space left");
            assertEquals(List.of("x.s4j.work"), names(mount));
            assertEquals(0, new ProcessBuilder("mount", "-o", "remount,size=" + 4 * size, mount.toString()).start().waitFor());
            var end = end(process(file, "", 0).start());
            assertEquals("0", end[0], end[2]);
            assertTrue(Integer.parseInt(end[1].replaceAll("\\.*resumed ", "")) > 2, end[1]);
            assertEquals(-1, Files.mismatch(expected, file));
            assertEquals(List.of("x.s4j"), names(mount));
        } finally {
            new ProcessBuilder("umount", mount.toString()).start().waitFor();
        }
    }

    private static void full(String[] end, Path file, String reason) {
        assertEquals("1", end[0], Arrays.toString(end));
        assertTrue(end[2].matches(java.util.regex.Pattern.quote(file + ": cannot be written: ") + reason
                + ".*: some [0-9,]+ more bytes are needed in .*, [0-9,]+ are free; make room and .* goes on from here"), end[2]);
        assertFalse(Files.exists(file));
    }
}
