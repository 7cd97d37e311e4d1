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
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * A whole model, one token an operation, through the public API: as tokens with their text, and as bare ids (which make no garbage). The model is the repository's demo, or that of
 * {@code -Dspike4j.model=FILE}. With {@code -prof gc}, {@code gc.alloc.rate.norm} is the garbage of one token.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
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
    private Iterator<Token> tokens;
    private TokenIds ids;

    /** Opens the model. */
    @Setup(Level.Trial)
    public void open() {
        var demo = Path.of(System.getProperty("spike4j.home", "."), "demo", "novelwiki-29m.s4j");
        engine = SpikeEngine.builder().backend(backend).threads(threads).build();
        model = engine.open(Path.of(System.getProperty("spike4j.model", demo.toString())));
    }

    /** A new text from the same beginning. */
    private Sampling start() {
        if (session != null) {
            session.close();
        }
        session = model.newSession();
        session.append("The history of the city");
        return Sampling.builder().temperature(1).maxTokens(session.maxContext()).build();
    }

    /** Closes everything. */
    @TearDown(Level.Trial)
    public void close() {
        session.close();
        model.close();
        engine.close();
    }

    /** The next token; a text that has ended gives way to a new one. */
    @Benchmark
    public Token token() {
        if (tokens == null || !tokens.hasNext()) {
            var sampling = start();
            tokens = session.generate(sampling).iterator();
        }
        return tokens.next();
    }

    /** The next id; a text that has ended gives way to a new one. */
    @Benchmark
    public int id() {
        int id = ids == null ? -1 : ids.next();
        if (id < 0) {
            var sampling = start();
            ids = session.generateIds(sampling);
            id = ids.next();
        }
        return id;
    }
}
