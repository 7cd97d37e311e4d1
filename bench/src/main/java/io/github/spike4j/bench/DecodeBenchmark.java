package io.github.spike4j.bench;

import io.github.spike4j.Sampling;
import io.github.spike4j.Session;
import io.github.spike4j.SpikeEngine;
import io.github.spike4j.SpikeModel;
import io.github.spike4j.Token;
import io.github.spike4j.TokenIds;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * A whole model, one token an operation, through the public API: as tokens with their text, and as bare ids. The model is the repository's
 * demo, or that of {@code -Dspike4j.model=FILE}.
 *
 * <p>With {@code -prof gc}, {@code gc.alloc.rate.norm} is the garbage of one token in all threads. Ids make none; what is left is JMH's own
 * of each iteration ({@link Floor}; iterations are long for its sake), and 272 bytes of each new generation. A text needs objects: see
 * RESULTS.md.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 10)
@Measurement(iterations = 3, time = 30)
public class DecodeBenchmark {

    /** Backend, as {@code SpikeEngine.Builder.backend} names it. */
    @Param({"native", "vector"})
    public String backend;

    /** Compute threads. */
    @Param({"1", "2"})
    public int threads;

    private SpikeEngine engine;
    private SpikeModel model;
    private Session session;
    private int prompt;
    private Sampling sampling;
    private Iterator<Token> tokens;
    private TokenIds ids;

    /** Opens the model. Nothing closes it: JMH counts what that allocates with the last iteration, and the process ends with it. */
    @Setup(Level.Trial)
    public void open() {
        var demo = Path.of(System.getProperty("spike4j.home", "."), "demo", "novelwiki-29m.s4j");
        engine = SpikeEngine.builder().backend(backend).threads(threads).build();
        model = engine.open(Path.of(System.getProperty("spike4j.model", demo.toString())));
        session = model.newSession();
        session.append("The history of the city"); // every text begins so
        prompt = session.position();
        sampling = Sampling.builder().temperature(1).maxTokens(session.maxContext()).build();
    }

    /** The next token; a text that has ended gives way to a new one. */
    @Benchmark
    public Token token() {
        if (tokens == null || !tokens.hasNext()) {
            session.truncate(prompt);
            tokens = session.generate(sampling).iterator();
        }
        return tokens.next();
    }

    /** The next id; a text that has ended gives way to a new one. */
    @Benchmark
    public int id() {
        int id = ids == null ? -1 : ids.next();
        if (id < 0) {
            session.truncate(prompt);
            ids = session.generateIds(sampling);
            id = ids.next();
        }
        return id;
    }

    /** No token, in about the same time: its garbage is JMH's own. */
    @State(Scope.Benchmark)
    @BenchmarkMode(Mode.Throughput)
    @OutputTimeUnit(TimeUnit.SECONDS)
    @Fork(1)
    @Warmup(iterations = 2, time = 10)
    @Measurement(iterations = 3, time = 30)
    public static class Floor {
        /** Waits. */
        @Benchmark
        public void nothing() {
            LockSupport.parkNanos(1_000_000);
        }
    }
}
