package io.github.spike4j;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.spike4j.weights.WeightFile;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Flow;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Sessions, generations, failures and ends. */
@Timeout(60)
class EngineTest {
    @TempDir
    private static Path dir;
    private static Path file;

    @BeforeAll
    static void write() throws IOException {
        file = new TinyModel(TinyModel.Kind.SPIKING, 21).write(dir.resolve("engine-test.s4j"));
    }

    /** Sampling that never meets the end of the model's own accord: hot, so that the text varies. */
    private static Sampling hot(int tokens) {
        return Sampling.builder().temperature(2).seed(5).maxTokens(tokens).build();
    }

    @Test
    void threeLinesToText() {
        try (var model = SpikeModel.open(file)) {
            var text = model.generate("abc", 20);
            assertEquals(text, model.generate("abc", 20));
            assertFalse(text.isEmpty());
        }
    }

    @Test
    void idsAreThoseOfTheTokens() {
        try (var model = SpikeModel.open(file); var session = model.newSession(); var other = model.newSession()) {
            session.append("abc");
            other.append("abc");
            var expected = session.generate(hot(50)).result().join();
            var ids = other.generateIds(hot(50));
            var actual = new ArrayList<Integer>();
            for (int id = ids.next(); id >= 0; id = ids.next()) {
                actual.add(id);
            }
            assertEquals(expected.ids(), actual);
            assertEquals(expected.reason(), ids.reason());
            assertEquals(-1, ids.next());
            assertArrayEquals(session.ids(), other.ids());
            assertThrows(IllegalArgumentException.class, () -> other.generateIds(Sampling.builder().stop("x").build()));
        }
    }

    /** Bytes that all threads allocate while a session makes 60 tokens: none, once the code is compiled. */
    @Test
    void idsMakeNoGarbage() {
        var threads = (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean();
        long least = Long.MAX_VALUE;
        try (var model = SpikeModel.open(file)) {
            for (int round = 0; round < 400 && least > 0; round++) {
                try (var session = model.newSession()) {
                    session.append("abc");
                    var ids = session.generateIds(hot(80));
                    for (int i = 0; i < 10; i++) {
                        ids.next();
                    }
                    long before = threads.getTotalThreadAllocatedBytes();
                    for (int i = 0; i < 60; i++) {
                        ids.next();
                    }
                    least = Math.min(least, threads.getTotalThreadAllocatedBytes() - before);
                }
            }
        }
        assertEquals(0, least);
    }

    /** What a further generation of a session allocates does not grow with its length or the vocabulary. */
    @Test
    void anotherGenerationMakesLittleGarbage() {
        var threads = (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean();
        long least = Long.MAX_VALUE;
        try (var model = SpikeModel.open(file); var session = model.newSession()) {
            session.append("abc");
            int prompt = session.position();
            var sampling = hot(80);
            for (int round = 0; round < 400 && least >= 512; round++) {
                long before = threads.getTotalThreadAllocatedBytes();
                var ids = session.generateIds(sampling);
                while (ids.next() >= 0) { }
                session.truncate(prompt);
                least = Math.min(least, threads.getTotalThreadAllocatedBytes() - before);
            }
        }
        assertTrue(least < 512, "bytes: " + least);
    }

    /** The engine does not wait for who reads: nothing is lost if it is slow, or comes at the end, or the session went on. */
    @Test
    void idsWaitForASlowReader() throws InterruptedException {
        try (var model = SpikeModel.open(file); var session = model.newSession(); var slow = model.newSession()) {
            session.append("abc");
            int prompt = session.position();
            var late = session.generateIds(hot(100));
            while (late.reason() == null) {
                Thread.sleep(1);
            }
            var expected = java.util.Arrays.copyOfRange(session.ids(), prompt, session.position());
            session.truncate(prompt);
            session.append(new int[200]);
            slow.append("abc");
            var others = slow.generateIds(hot(100));
            for (int i = 0; i < expected.length - 1; i++) {
                assertEquals(expected[i], late.next());
                Thread.sleep(0, i % 7 * 100_000);
                assertEquals(expected[i], others.next());
            }
        }
    }

    @Test
    void cancelledIdsEnd() {
        try (var model = SpikeModel.open(file); var session = model.newSession()) {
            session.append("abc");
            var ids = session.generateIds(hot(100));
            ids.next();
            ids.cancel();
            int more = 0;
            while (ids.next() >= 0) {
                more++;
            }
            assertTrue(more < 99);
            assertEquals(Generation.Reason.CANCELLED, ids.reason());
        }
    }

    @Test
    void bosComesFirstAndOnce() {
        try (var model = SpikeModel.open(file); var session = model.newSession()) {
            session.append("a");
            session.append("b");
            assertArrayEquals(new int[] {TinyModel.BOS, 'a', 'b'}, session.ids());
            assertArrayEquals(new int[] {TinyModel.BOS, 'a'}, model.encode("a"));
        }
    }

    @Test
    void everyViewOfAGenerationIsTheSame() throws InterruptedException {
        try (var model = SpikeModel.open(file); var session = model.newSession()) {
            session.append("abc");
            var generation = session.generate(hot(50));
            var streamed = new StringBuilder();
            generation.forEach(t -> streamed.append(t.text()));
            var again = new StringBuilder();
            generation.forEach(t -> again.append(t.text()));
            var published = new StringBuilder();
            var done = new CountDownLatch(1);
            generation.publisher().subscribe(new Flow.Subscriber<>() {
                private Flow.Subscription subscription;

                @Override
                public void onSubscribe(Flow.Subscription s) {
                    subscription = s;
                    s.request(1);
                }

                @Override
                public void onNext(Token token) {
                    published.append(token.text());
                    subscription.request(1);
                }

                @Override
                public void onError(Throwable e) {
                    done.countDown();
                }

                @Override
                public void onComplete() {
                    done.countDown();
                }
            });
            assertTrue(done.await(30, TimeUnit.SECONDS));
            var result = generation.result().join();
            assertEquals(result.text(), streamed.toString());
            assertEquals(result.text(), again.toString());
            assertEquals(result.text(), published.toString());
            assertEquals(model.decode(result.ids().stream().mapToInt(i -> i).toArray()), result.text());
        }
    }

    @Test
    void aGenerationGoesOnWhereTheLastOneStopped() {
        try (var model = SpikeModel.open(file); var once = model.newSession(); var twice = model.newSession()) {
            once.append("abc");
            twice.append("abc");
            once.generate(Sampling.greedy(20)).result().join();
            twice.generate(Sampling.greedy(7)).result().join();
            twice.generate(Sampling.greedy(13)).result().join();
            assertArrayEquals(once.ids(), twice.ids());
            assertArrayEquals(once.logits(), twice.logits());
        }
    }

    @Test
    void stopTextsEndAndAreLeftOut() {
        try (var model = SpikeModel.open(file); var session = model.newSession(); var same = model.newSession()) {
            session.append("abc");
            same.append("abc");
            var text = session.generate(hot(60)).result().join().text();
            var stop = text.substring(10, 12);
            var result = same.generate(Sampling.builder().temperature(2).seed(5).maxTokens(60).stop(stop).build()).result().join();
            assertEquals(Generation.Reason.STOP, result.reason());
            assertEquals(text.substring(0, text.indexOf(stop)), result.text());
        }
    }

    @Test
    void cancelledAndClosedGenerationsEnd() {
        try (var model = SpikeModel.open(file)) {
            var session = model.newSession();
            session.append("abc");
            var generation = session.generate(hot(250));
            generation.iterator().next();
            assertThrows(IllegalStateException.class, () -> session.append("x"));
            generation.cancel();
            var result = generation.result().join();
            assertTrue(result.reason() == Generation.Reason.CANCELLED || result.ids().size() == 250 || result.reason() == Generation.Reason.EOS);
            var next = session.generate(hot(100));
            session.close();
            session.close();
            next.result().join();
            assertThrows(SpikeException.Closed.class, () -> session.append("x"));
            assertEquals(0, model.usedBlocks());
        }
    }

    @Test
    void aFullContextIsOneClearError() {
        try (var model = SpikeModel.open(file); var session = model.newSession(SessionOptions.maxContext(70))) {
            session.append(new int[60]);
            var e = assertThrows(SpikeException.ContextFull.class, () -> session.append(new int[11]));
            assertTrue(e.getMessage().contains("71") && e.getMessage().contains("70"), e.getMessage());
            assertEquals(60, session.position());
            var result = session.generate(hot(100)).result().join();
            assertTrue(result.reason() == Generation.Reason.CONTEXT_FULL && session.position() == 70 || result.reason() == Generation.Reason.EOS);
            assertThrows(IllegalArgumentException.class, () -> model.newSession(SessionOptions.maxContext(301)));
            assertThrows(IllegalArgumentException.class, () -> session.append(260));
        }
    }

    @Test
    void aNonFiniteSessionFailsAlone() {
        try (var engine = SpikeEngine.builder().threads(2).promptPiece(8).build(); var model = engine.open(file);
                var good = model.newSession(); var bad = model.newSession(); var alone = model.newSession()) {
            alone.append(new int[40]);
            var expected = alone.logits();
            bad.append(1, 2, TinyModel.POISON, 3);
            good.append(new int[40]);
            var e = assertThrows(SpikeException.NonFinite.class, bad::logits);
            assertEquals(0, e.layer());
            assertEquals("attn_in", e.operation());
            assertTrue(e.getMessage().contains("position 2"), e.getMessage());
            assertThrows(SpikeException.NonFinite.class, () -> bad.append(1));
            assertArrayEquals(expected, good.logits());
            try (var failing = model.newSession()) {
                failing.append(1);
                failing.logits();
                failing.append(TinyModel.POISON);
                // it may be found before the generation starts
                var thrown = assertThrows(RuntimeException.class, () -> failing.generate(hot(3)).result().join());
                assertInstanceOf(SpikeException.NonFinite.class, thrown instanceof CompletionException c ? c.getCause() : thrown);
            }
        }
    }

    /** What an observer throws ends its session; the engine and the other sessions go on. */
    @Test
    void whateverAnObserverThrowsEndsItsSession() {
        try (var engine = SpikeEngine.builder().threads(2).build(); var model = engine.open(file); var other = model.newSession()) {
            for (var thrown : List.of(new AssertionError("mine"), new StackOverflowError(), new OutOfMemoryError("mine"),
                    new ArithmeticException("mine"), new IllegalStateException("mine"))) {
                try (var session = model.newSession()) {
                    session.append("abc");
                    var result = session.generate(Sampling.greedy(5), (_, _) -> sneak(thrown)).result();
                    var e = assertThrows(CompletionException.class, () -> result.orTimeout(20, TimeUnit.SECONDS).join()).getCause();
                    assertEquals(thrown, e instanceof IllegalStateException && thrown instanceof Error ? e.getCause() : e);
                    assertEquals(e, assertThrows(RuntimeException.class, session::logits));
                }
            }
            other.append("abc");
            assertEquals(5, other.generate(hot(5)).result().orTimeout(20, TimeUnit.SECONDS).join().ids().size());
        }
    }

    /** A text whose end cannot be made fails its generation, as whatever fails before does: nobody waits, the others go on. */
    @Test
    void aTextThatCannotBeMadeEndsItsSession() throws IOException {
        var tiny = new TinyModel(TinyModel.Kind.SPIKING, 21);
        var grow = ",{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"[^x]\"},\"content\":\"" + "a".repeat(256) + "\"}"; // of the whole text
        tiny.decoder = "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"ByteLevel\"}" + grow + grow + "]}";
        try (var model = SpikeModel.open(tiny.write(dir.resolve("endless.s4j")))) {
            for (boolean observed : new boolean[] {false, true}) {
                try (var session = model.newSession()) {
                    session.append(1, 2, 3);
                    var generation = session.generate(hot(50), (position, _) -> {
                        if (observed && position == 30) {
                            throw new IllegalStateException("observed");
                        }
                    });
                    var e = assertThrows(ExecutionException.class, () -> generation.result().get(20, TimeUnit.SECONDS));
                    assertTrue(e.getCause().getMessage().contains(observed ? "observed" : "characters"), e.toString());
                    assertThrows(RuntimeException.class, () -> session.append(1));
                }
            }
            try (var other = model.newSession()) {
                other.append(1, 2, 3);
                other.logits();
            }
        }
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> void sneak(Throwable t) throws T {
        throw (T) t;
    }

    /** Evaluations beside generations on one thread: no row is lost, nobody waits for ever. */
    @Test
    void evaluationsBesideBusySessionsSeeEveryRow() throws InterruptedException {
        try (var engine = SpikeEngine.builder().threads(1).build(); var model = engine.open(file)) {
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(4);
            var threads = new ArrayList<Thread>();
            var wrong = java.util.Collections.synchronizedList(new ArrayList<List<Integer>>());
            var generations = new LongAdder();
            for (int k = 0; k < 8; k++) {
                threads.add(Thread.ofPlatform().daemon().start(() -> {
                    while (System.nanoTime() < end) {
                        try (var session = model.newSession()) {
                            session.append(1);
                            session.generate(hot(50)).result().join(); // it draws POISON as the 107th token
                            generations.increment();
                        }
                    }
                }));
            }
            for (int k = 0; k < 16; k++) {
                threads.add(Thread.ofPlatform().daemon().start(() -> {
                    while (System.nanoTime() < end) {
                        try (var session = model.newSession(SessionOptions.maxContext(64))) {
                            var positions = new ArrayList<Integer>();
                            session.evaluate(new int[] {1, 2, 3, 4, 5}, (position, _) -> positions.add(position));
                            if (!positions.equals(List.of(0, 1, 2, 3, 4))) {
                                wrong.add(positions);
                            }
                        }
                    }
                }));
            }
            for (var t : threads) {
                assertTrue(t.join(java.time.Duration.ofSeconds(20)), "an evaluation hangs");
            }
            assertEquals(List.of(), wrong);
            assertTrue(generations.sum() >= 8, "generations: " + generations);
        }
    }

    /** The largest piece is the model's context: it reserves no more. */
    @Test
    void aPieceIsAtMostTheContext() throws IOException {
        long before = residentKiB();
        try (var engine = SpikeEngine.builder().threads(1).promptPiece(Integer.MAX_VALUE).build(); var model = engine.open(file);
                var session = model.newSession()) {
            session.append(new int[290]);
            session.logits();
            assertEquals(1, session.statistics().steps());
            assertTrue(residentKiB() - before < 256 << 10, "KiB more: " + (residentKiB() - before));
        }
    }

    @Test
    void silentCodesAreCounted() {
        try (var model = SpikeModel.open(file); var session = model.newSession()) {
            session.append(new int[50]);
            session.logits();
            var s = session.statistics();
            assertEquals(50, s.tokens());
            // per layer: attn_in 80, q, k, v 160, attn_out 80, ffn_in 80, ffn_hidden 96; the logits of one token: 80
            assertEquals(50 * 2 * (80 + 160 + 80 + 80 + 96) + 80, s.codes());
            assertTrue(s.silentShare() > 0 && s.silentShare() < 1);
            assertEquals((s.codes() - s.silentCodes()) / 50.0, s.spikesPerToken());
            assertEquals(s, model.statistics());
        }
    }

    @Test
    void aHundredModelsOpenAndClose() throws IOException {
        openAndClose(50);
        int threads = Thread.activeCount();
        long before = residentKiB();
        openAndClose(100);
        // One workspace is about 4 MB: a hundred that were not freed could not hide.
        assertTrue(residentKiB() - before < 64 << 10, "KiB more: " + (residentKiB() - before));
        assertTrue(Thread.activeCount() <= threads, "threads: " + Thread.activeCount());
        assertEquals(0, mappings());
    }

    private static void openAndClose(int times) {
        for (int i = 0; i < times; i++) {
            try (var model = SpikeModel.open(file); var session = model.newSession()) {
                session.append(new int[290]);
                session.logits();
            }
        }
        System.gc();
    }

    private static long residentKiB() throws IOException {
        try (var lines = Files.lines(Path.of("/proc/self/status"))) {
            return lines.filter(l -> l.startsWith("VmRSS:")).mapToLong(l -> Long.parseLong(l.replaceAll("\\D", ""))).findFirst().orElseThrow();
        }
    }

    private static long mappings() throws IOException {
        try (var maps = Files.lines(Path.of("/proc/self/maps"))) {
            return maps.filter(l -> l.contains(file.toString())).count();
        }
    }

    /** Weights in memory need no file any more, and are given back. */
    @Test
    void weightsInRamOutliveTheFile() throws IOException {
        var copy = Files.copy(file, dir.resolve("copy.s4j"));
        try (var mapped = SpikeModel.open(file); var engine = SpikeEngine.builder().weights(Weights.RAM).build(); var model = engine.open(copy)) {
            Files.write(copy, new byte[0]);
            assertEquals(mapped.generate("abc", 20), model.generate("abc", 20));
            try (var maps = Files.lines(Path.of("/proc/self/maps"))) {
                assertEquals(0, maps.filter(l -> l.contains(copy.toString())).count());
            }
        }
        Files.copy(file, copy, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        long before = 0;
        for (int i = 0; i < 60; i++) {
            if (i == 20) {
                before = residentKiB();
            }
            try (var engine = SpikeEngine.builder().threads(1).weights(Weights.RAM).build(); var model = engine.open(copy)) {
                assertEquals(3, model.newSession().maxContext() / 100);
            }
        }
        // Each takes huge pages of 2 MB at least.
        assertTrue(residentKiB() - before < 32 << 10, "KiB more: " + (residentKiB() - before));
        var e = assertThrows(SpikeException.Device.class, () -> WeightFile.open(copy, (_, _) -> {
            throw new OutOfMemoryError("none left");
        }));
        assertTrue(e.getMessage().contains("copy.s4j") && e.getMessage().contains("none left"), e.getMessage());
        // A heap that is full has nothing to do with a copy.
        var path = (Path) Proxy.newProxyInstance(EngineTest.class.getClassLoader(), new Class<?>[] {Path.class}, (_, method, _) -> {
            if (method.getName().equals("toString")) {
                return "path";
            }
            throw new OutOfMemoryError("heap");
        });
        assertEquals("heap", assertThrows(OutOfMemoryError.class, () -> WeightFile.open(path)).getMessage());
        Files.write(copy, new byte[100]);
        try (var engine = SpikeEngine.builder().weights(Weights.RAM).build()) {
            assertThrows(SpikeException.Format.class, () -> engine.open(copy));
        }
    }

    @Test
    void twoEnginesLiveSideBySide() throws IOException {
        try (var a = SpikeEngine.builder().threads(2).build(); var b = SpikeEngine.builder().backend("java").threads(1).build();
                var x = a.open(file); var y = b.open(file); var again = a.open(file)) {
            var text = x.generate("abc", 10);
            assertEquals(text, y.generate("abc", 10));
            assertEquals(text, again.generate("abc", 10));
            assertTrue(mappings() > 0);
        }
        assertEquals(0, mappings());
    }

    @Test
    void closingTheEngineClosesAll() throws IOException {
        var engine = SpikeEngine.builder().threads(3).build();
        var model = engine.open(file);
        var session = model.newSession();
        session.append("abc");
        var generation = session.generate(hot(250));
        engine.close();
        engine.close();
        assertEquals(0, mappings());
        generation.result().join();
        assertThrows(SpikeException.Closed.class, () -> session.append("x"));
        assertThrows(SpikeException.Closed.class, model::newSession);
        assertThrows(SpikeException.Closed.class, () -> engine.open(file));
        model.close();
    }

    @Test
    void wrongNamesAreClear() {
        assertThrows(IllegalArgumentException.class, () -> SpikeEngine.builder().backend("avx3").build());
        assertThrows(IllegalArgumentException.class, () -> SpikeEngine.builder().tier("avx3").build());
        for (var backend : List.of("java", "vector", "avx2")) {
            assertThrows(IllegalArgumentException.class, () -> SpikeEngine.builder().backend(backend).tier("scalar").build(), backend);
        }
        var e = assertThrows(SpikeException.Format.class, () -> SpikeModel.open(dir.resolve("none.s4j")));
        assertTrue(e.getMessage().contains("none.s4j"), e.getMessage());
    }

    @Test
    void manyThreadsAndSessionsAtOnce() throws InterruptedException {
        try (var engine = SpikeEngine.builder().threads(2).build(); var model = engine.open(file)) {
            var texts = new ArrayList<String>();
            try (var session = model.newSession()) {
                session.append("seed");
                texts.add(session.generate(hot(40)).result().join().text());
            }
            var others = new ArrayList<Thread>();
            var seen = java.util.Collections.synchronizedList(new ArrayList<String>());
            for (int i = 0; i < 20; i++) {
                others.add(Thread.startVirtualThread(() -> {
                    try (var session = model.newSession()) {
                        session.append("seed");
                        seen.add(session.generate(hot(40)).result().join().text());
                    }
                }));
            }
            for (var t : others) {
                t.join();
            }
            assertEquals(java.util.Collections.nCopies(20, texts.getFirst()), seen);
            assertEquals(0, model.usedBlocks());
        }
    }

    /** The JVM ends though nothing was closed. */
    static final class Forgetful {
        public static void main(String[] args) {
            var model = SpikeModel.open(Path.of(args[0]));
            var session = model.newSession();
            session.append("x");
            System.out.println(session.logits().length);
        }
    }

    @Test
    void theJvmExits() throws IOException, InterruptedException {
        var java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        var process = new ProcessBuilder(List.of(java, "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"),
                Forgetful.class.getName(), file.toString())).redirectErrorStream(true).start();
        assertTrue(process.waitFor(30, TimeUnit.SECONDS), "still running");
        assertEquals(0, process.exitValue(), () -> "exit status; " + read(process));
    }

    private static String read(Process p) {
        try {
            return new String(p.getInputStream().readAllBytes());
        } catch (IOException e) {
            return e.toString();
        }
    }
}
