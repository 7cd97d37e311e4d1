package io.github.spike4j.cli;

import io.github.spike4j.format.Encoding;
import io.github.spike4j.format.Linear;
import io.github.spike4j.format.S4jFile;
import io.github.spike4j.format.TensorInfo;
import io.github.spike4j.kernels.DenseWeights;
import io.github.spike4j.kernels.GifSpec;
import io.github.spike4j.kernels.Kernels;
import io.github.spike4j.kernels.SpikeWeights;
import io.github.spike4j.kernels.Spikes;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntConsumer;

/** What a machine can do at best with a model, to compare its speed with. Maps the model's file a second time. */
final class Bounds implements AutoCloseable {

    /** Seconds that each bound is measured for, at least. */
    private static final double SECONDS = 0.5;

    private final Kernels kernels;
    private final S4jFile s4j;
    private final Team team;
    private final ArrayList<MemorySegment> tensors = new ArrayList<>();

    /** Opens the file of a model that runs on this backend. */
    Bounds(Path file, String backend, String tier, int threads) throws IOException {
        kernels = Kernels.of(switch (backend) {
            case "native" -> tier;
            case "vector" -> "vector";
            default -> "java";
        });
        s4j = S4jFile.open(file);
        team = new Team(threads);
        for (var t : s4j.manifest().tensors()) {
            if (!t.name().equals("embedding")) {
                tensors.add(s4j.tensor(t.name()));
            }
        }
    }

    @Override
    public void close() {
        team.close();
        s4j.close();
    }

    /** Bytes that one token must read: all tensors, and of the embedding one row. */
    long weightBytesPerToken() {
        return tensors.stream().mapToLong(MemorySegment::byteSize).sum()
                + s4j.info("embedding").bytes() / s4j.manifest().architecture().vocab();
    }

    /**
     * Reads of the mapped weights, 10^9 bytes a second: each thread its slice of every tensor, over and over for half a second, as decode
     * does. A memory's bandwidth can change from one second to the next, so this is measured right before and after what it bounds.
     */
    double readGBps() {
        IntConsumer pass = thread -> {
            for (var t : tensors) {
                long lines = t.byteSize() / 64;
                long from = lines * thread / team.size() * 64;
                long to = lines * (thread + 1) / team.size() * 64;
                if (to > from) {
                    kernels.readBandwidth(t.asSlice(from, to - from));
                }
            }
        };
        return tensors.stream().mapToLong(t -> t.byteSize() / 64 * 64).sum() / team.passes(pass).mean() / 1e9;
    }

    private Linear widest() {
        return s4j.manifest().linears().entrySet().stream()
                .filter(e -> e.getKey().startsWith("layers.0."))
                .map(Map.Entry::getValue)
                .max(Comparator.comparingLong(l -> (long) l.rows() * l.channels()))
                .orElseThrow();
    }

    /** 10^9 multiply-accumulates a second of the widest linear of the first layer on a batch of {@code tokens}, all threads. */
    double gemmGmacPerSecond(int tokens) {
        try (var arena = Arena.ofShared()) {
            return gemm(arena, tokens);
        }
    }

    private double gemm(Arena arena, int tokens) {
        var linear = widest();
        // Up to 512 tokens, as the engine takes a prompt.
        int batch = Math.min(tokens, 512);
        int channels = linear.channels();
        int rows = linear.rows();
        var x = arena.allocate(4L * batch * channels, 64);
        var random = new SplittableRandom(3);
        for (long i = 0; i < (long) batch * channels; i++) {
            x.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
        }
        var y = arena.allocate(4L * batch * rows, 64);
        IntConsumer pass;
        if (linear.input() == null) {
            var info = s4j.info(linear.weight());
            var w = new DenseWeights(rows, channels, info.encoding() == Encoding.BF16, s4j.tensor(linear.weight()), null);
            pass = thread -> kernels.dense(w, x, channels, batch, y, rows, false, from(rows, thread, team), from(rows, thread + 1, team));
        } else {
            var spec = spec(s4j, linear);
            var w = new SpikeWeights(spec, rows, s4j.info(linear.weight()).encoding().bits(), SpikeWeights.Layout.R16, linear.weightGroups(),
                    s4j.tensor(linear.weight()), s4j.tensor(linear.scale()), s4j.tensor(linear.zero()),
                    linear.mult() == null ? null : s4j.tensor(linear.mult()), linear.sum() == null ? null : s4j.tensor(linear.sum()), null);
            var spikes = Spikes.of(arena, spec, batch);
            kernels.encode(spec, x, channels, spikes, 0, batch);
            pass = thread -> kernels.linear(w, spikes, batch, y, rows, false, from(rows, thread, team), from(rows, thread + 1, team));
        }
        return (double) batch * rows * channels / team.passes(pass).best() / 1e9;
    }

    /** First row of a thread: a multiple of 16, or all rows. */
    private static int from(int rows, int thread, Team team) {
        return thread == team.size() ? rows : (int) ((long) (rows / 16) * thread / team.size()) * 16;
    }

    private static GifSpec spec(S4jFile s4j, Linear linear) {
        var group = s4j.manifest().inputGroups().get(linear.input());
        var clip = new float[group.clip().size()];
        for (int i = 0; i < clip.length; i++) {
            clip[i] = group.clip().get(i);
        }
        int[] order = null;
        if (group.permutation() != null) {
            order = s4j.tensor(group.permutation()).toArray(ValueLayout.JAVA_INT);
        }
        return new GifSpec(order, group.segments().stream().map(s -> new GifSpec.Segment(s.channels(), s.bits(), s.rangeSet(), s.actGroup(),
                s.maxMultiplier(), s.group())).toList(), clip);
    }

    /** That linear's instructions in registers only, all threads; 0 if the backend has no such bound. */
    double peakGmacPerSecond() {
        var linear = widest();
        if (linear.input() == null) {
            return 0;
        }
        var segments = s4j.manifest().inputGroups().get(linear.input()).segments();
        TensorInfo weight = s4j.info(linear.weight());
        // The segment that most channels lie in.
        int bits = segments.stream().max(Comparator.comparingInt(s -> s.channels())).orElseThrow().bits();
        int stored = weight.encoding().bits();
        if (kernels.gemmPeak(stored, bits, 1) == 0) {
            return 0;
        }
        // So many iterations that starting the threads does not count.
        long count = 1024;
        long nanos;
        do {
            count *= 2;
            var start = System.nanoTime();
            kernels.gemmPeak(stored, bits, count);
            nanos = System.nanoTime() - start;
        } while (nanos < 20_000_000);
        long iterations = count;
        long macs = kernels.gemmPeak(stored, bits, iterations);
        return macs * team.size() / team.passes(_ -> kernels.gemmPeak(stored, bits, iterations)).best() / 1e9;
    }

    /** Threads that start a pass together. */
    private static final class Team implements AutoCloseable {
        private final int size;
        private final ExecutorService threads;

        Team(int size) {
            this.size = size;
            threads = Executors.newFixedThreadPool(size);
        }

        int size() {
            return size;
        }

        /** Seconds of a pass, the least and the mean. */
        record Seconds(double best, double mean) {}

        /** Several passes, all threads starting each together. */
        Seconds passes(IntConsumer pass) {
            var barrier = new CyclicBarrier(size);
            double best = Double.POSITIVE_INFINITY;
            double total = 0;
            int count = 0;
            for (; count < 3 || total < SECONDS; count++) {
                var start = System.nanoTime();
                var running = new ArrayList<Future<?>>();
                for (int t = 0; t < size; t++) {
                    int thread = t;
                    running.add(threads.submit(() -> {
                        barrier.await();
                        pass.accept(thread);
                        return null;
                    }));
                }
                try {
                    for (var one : running) {
                        one.get();
                    }
                } catch (InterruptedException | ExecutionException e) {
                    throw new IllegalStateException("the bounds could not be measured: " + e.getMessage(), e);
                }
                var seconds = (System.nanoTime() - start) / 1e9;
                total += seconds;
                best = Math.min(best, seconds);
            }
            return new Seconds(best, total / count);
        }

        @Override
        public void close() {
            threads.shutdownNow();
        }
    }
}
