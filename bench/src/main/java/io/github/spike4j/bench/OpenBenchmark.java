package io.github.spike4j.bench;

import io.github.spike4j.SpikeEngine;
import io.github.spike4j.SpikeModel;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Opening the first model of a JVM: each figure is a process of its own, whose engine is there. The model is the repository's demo, or that
 * of {@code -Dspike4j.model=FILE}.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(10)
@Warmup(iterations = 0)
@Measurement(iterations = 1)
public class OpenBenchmark {
    private SpikeEngine engine;
    private Path file;

    /** Starts the engine, and lets it load its classes. */
    @Setup(Level.Trial)
    public void start() throws InterruptedException {
        var demo = Path.of(System.getProperty("spike4j.home", "."), "demo", "novelwiki-29m.s4j");
        file = Path.of(System.getProperty("spike4j.model", demo.toString()));
        engine = SpikeEngine.builder().build();
        Thread.sleep(200);
    }

    /** Opens it; the process ends next. */
    @Benchmark
    public SpikeModel first() {
        return engine.open(file);
    }
}
