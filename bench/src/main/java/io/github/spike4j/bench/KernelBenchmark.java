package io.github.spike4j.bench;

import io.github.spike4j.kernels.Activation;
import io.github.spike4j.kernels.AttentionSpec;
import io.github.spike4j.kernels.DenseWeights;
import io.github.spike4j.kernels.GifSpec;
import io.github.spike4j.kernels.Kernels;
import io.github.spike4j.kernels.Queries;
import io.github.spike4j.kernels.Sequences;
import io.github.spike4j.kernels.SpikeWeights;
import io.github.spike4j.kernels.Spikes;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
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
 * Every kernel of the token path on every backend, one thread, at the shapes of TinyLlama 1.1B: 2048 channels, 5632 in the MLP,
 * 32 query and 4 kv heads of 64, vocabulary 32000. {@code tokens} 1 is decode, 64 is prefill. No model file is needed.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class KernelBenchmark {

    private static final int CHANNELS = 2048;
    private static final int HIDDEN = 5632;
    private static final int HEADS = 32;
    private static final int KV_HEADS = 4;
    private static final int HEAD_DIM = 64;
    private static final int VOCABULARY = 32000;
    /** Positions in the cache before the benchmarked tokens. */
    private static final int CONTEXT = 448;
    /** A tenth of the channels, as in recipe w4a4-t2. */
    private static final int SALIENT = CHANNELS / 10;

    /** Backend, as {@link Kernels#of} names it. */
    @Param({"java", "vector", "scalar", "avx2"})
    public String backend;

    /** Rows of a call. */
    @Param({"1", "64"})
    public int tokens;

    private final SplittableRandom random = new SplittableRandom(1);
    private Arena arena;
    private Kernels kernels;
    private GifSpec spec;
    private GifSpec plain;
    private MemorySegment x;
    private MemorySegment gateUp;
    private MemorySegment y;
    private MemorySegment norm;
    private Spikes spikes;
    private Spikes plainSpikes;
    private MemorySegment planes;
    private MemorySegment codes;
    private MemorySegment steps;
    private SpikeWeights w4;
    private SpikeWeights w2;
    private SpikeWeights w8;
    private SpikeWeights ternary;
    private DenseWeights f32;
    private DenseWeights bf16;
    private MemorySegment table;
    private MemorySegment ids;
    private MemorySegment logits;
    private MemorySegment qkv;
    private MemorySegment rope;
    private AttentionSpec attention;
    private AttentionSpec denseAttention;
    private Sequences sequences;
    private Sequences denseSequences;
    private Queries queries;
    private MemorySegment scratch;
    private MemorySegment denseScratch;

    /** Allocates and fills every buffer; encodes what the linears read; fills the KV cache. */
    @Setup(Level.Trial)
    public void setup() {
        arena = Arena.ofShared();
        kernels = Kernels.of(backend);
        spec = new GifSpec(shuffled(CHANNELS), List.of(
                new GifSpec.Segment(CHANNELS - SALIENT, 4, 0, 0, 1, 0), new GifSpec.Segment(SALIENT, 5, 1, 0, 1, 0)),
                new float[] {0.85f, 1});
        plain = GifSpec.plain(CHANNELS, 4);
        x = gaussian(tokens * CHANNELS);
        y = floats(tokens * HIDDEN);
        norm = gaussian(CHANNELS);
        gateUp = gaussian(tokens * 2 * HIDDEN);
        spikes = Spikes.of(arena, spec, tokens);
        plainSpikes = Spikes.of(arena, plain, tokens);
        planes = arena.allocate(8L * tokens * plain.planeWords(), 64);
        kernels.encode(spec, x, CHANNELS, spikes, 0, tokens);
        kernels.encode(plain, x, CHANNELS, plainSpikes, 0, tokens);
        kernels.planes(plain, plainSpikes, planes, 0, tokens);
        codes = bytes(tokens * CHANNELS, 16);
        steps = arena.allocate(2L * tokens * CHANNELS, 64);
        w4 = weights(spec, 4, SpikeWeights.Layout.R16);
        w2 = weights(spec, 2, SpikeWeights.Layout.R16);
        w8 = weights(spec, 8, SpikeWeights.Layout.R16);
        ternary = weights(plain, 2, SpikeWeights.Layout.P64);
        f32 = new DenseWeights(HIDDEN, CHANNELS, false, gaussian(HIDDEN * CHANNELS), null);
        bf16 = new DenseWeights(HIDDEN, CHANNELS, true, halves(gaussian(HIDDEN * CHANNELS)), null);
        table = halves(gaussian(VOCABULARY * CHANNELS));
        ids = arena.allocate(4L * tokens, 64);
        for (int i = 0; i < tokens; i++) {
            ids.setAtIndex(ValueLayout.JAVA_INT, i, random.nextInt(VOCABULARY));
        }
        logits = gaussian(VOCABULARY);
        setupAttention();
    }

    private void setupAttention() {
        int positions = CONTEXT + tokens;
        rope = floats(positions * HEAD_DIM);
        for (int p = 0; p < positions; p++) {
            for (int i = 0; i < HEAD_DIM / 2; i++) {
                double angle = p * StrictMath.pow(10000, -2.0 * i / HEAD_DIM);
                rope.setAtIndex(ValueLayout.JAVA_FLOAT, (long) p * HEAD_DIM + i, (float) StrictMath.cos(angle));
                rope.setAtIndex(ValueLayout.JAVA_FLOAT, (long) p * HEAD_DIM + HEAD_DIM / 2 + i, (float) StrictMath.sin(angle));
            }
        }
        int stride = (HEADS + 2 * KV_HEADS) * HEAD_DIM;
        qkv = gaussian(positions * stride);
        attention = attention(false);
        denseAttention = attention(true);
        queries = new Queries(arena, positions, HEADS, attention.qPadded());
        var fill = sequences(attention, 0, positions);
        kernels.append(attention, qkv, stride, rope, fill, queries, 0, positions);
        sequences = new Sequences(arena, 1);
        sequences.add(0, tokens, CONTEXT, fill.table(0));
        var denseFill = sequences(denseAttention, 0, positions);
        kernels.denseAppend(denseAttention, qkv, stride, rope, denseFill, 0, positions);
        denseSequences = new Sequences(arena, 1);
        denseSequences.add(0, tokens, CONTEXT, denseFill.table(0));
        scratch = arena.allocate(Math.max(64, kernels.attendScratch(attention, positions)), 64);
        denseScratch = arena.allocate(Math.max(64, kernels.attendScratch(denseAttention, positions)), 64);
    }

    private AttentionSpec attention(boolean dense) {
        int salient = HEAD_DIM / 10;
        var heads = new ArrayList<AttentionSpec.KvHead>();
        for (int h = 0; h < KV_HEADS; h++) {
            // The page's size does not depend on where it lies.
            var first = new AttentionSpec.KvHead(shuffled(HEAD_DIM), shuffled(HEAD_DIM), null, null, null, null, salient, salient, 0);
            var size = spec(dense, List.of(first)).pageBytes(0);
            heads.add(new AttentionSpec.KvHead(first.kPerm(), first.vPerm(), null, null, null, null, salient, salient, h * size));
        }
        return spec(dense, heads);
    }

    private static AttentionSpec spec(boolean dense, List<AttentionSpec.KvHead> heads) {
        int queryHeads = HEADS / KV_HEADS * heads.size();
        return new AttentionSpec(queryHeads, HEAD_DIM, AttentionSpec.Scores.of(HEAD_DIM), dense, 8, new int[] {4, 5}, new int[] {4, 5}, AttentionSpec.Coding.TOKEN, heads,
                new AttentionSpec.Peer());
    }

    private Sequences sequences(AttentionSpec of, int position, int rows) {
        int blocks = (position + rows + AttentionSpec.PAGE - 1) / AttentionSpec.PAGE;
        var blockTable = new Sequences.BlockTable(arena, blocks);
        for (int b = 0; b < blocks; b++) {
            blockTable.set(b, arena.allocate(KV_HEADS * of.pageBytes(0), 64));
        }
        var list = new Sequences(arena, 1);
        list.add(0, rows, position, blockTable);
        return list;
    }

    /** Frees the buffers. */
    @TearDown(Level.Trial)
    public void tearDown() {
        arena.close();
    }

    /** N3, two segments, permuted. */
    @Benchmark
    public boolean encode() {
        return kernels.encode(spec, x, CHANNELS, spikes, 0, tokens);
    }

    /** Multi-step form of 4-bit codes, two steps. */
    @Benchmark
    public void spikeSteps() {
        kernels.spikeSteps(codes, tokens * CHANNELS, 3, 2, steps);
    }

    /** Bit-plane form. */
    @Benchmark
    public void planes() {
        kernels.planes(plain, plainSpikes, planes, 0, tokens);
    }

    /** N4, 4-bit weights. */
    @Benchmark
    public void linearW4() {
        kernels.linear(w4, spikes, tokens, y, HIDDEN, false, 0, HIDDEN);
    }

    /** N4, 2-bit weights. */
    @Benchmark
    public void linearW2() {
        kernels.linear(w2, spikes, tokens, y, HIDDEN, false, 0, HIDDEN);
    }

    /** N4, 8-bit weights. */
    @Benchmark
    public void linearW8() {
        kernels.linear(w8, spikes, tokens, y, HIDDEN, false, 0, HIDDEN);
    }

    /** N4, 2-bit weights by AND and popcount. */
    @Benchmark
    public void linearPlanes() {
        kernels.linearPlanes(ternary, plainSpikes, planes, tokens, y, HIDDEN, false, 0, HIDDEN);
    }

    /** DOT256, float weights. */
    @Benchmark
    public void denseF32() {
        kernels.dense(f32, x, CHANNELS, tokens, y, HIDDEN, false, 0, HIDDEN);
    }

    /** DOT256, bfloat16 weights. */
    @Benchmark
    public void denseBf16() {
        kernels.dense(bf16, x, CHANNELS, tokens, y, HIDDEN, false, 0, HIDDEN);
    }

    /** N2. */
    @Benchmark
    public boolean rmsNorm() {
        return kernels.rmsNorm(x, CHANNELS, norm, CHANNELS, 1e-5f, y, CHANNELS, false, 0, tokens);
    }

    /** N9. */
    @Benchmark
    public void glu() {
        kernels.glu(Activation.SILU, gateUp, 2 * HIDDEN, HIDDEN, y, HIDDEN, 0, tokens);
    }

    /** Embedding rows. */
    @Benchmark
    public void embed() {
        kernels.embed(table, true, VOCABULARY, CHANNELS, 1, ids, y, CHANNELS, 0, tokens);
    }

    /** Greedy sampling. */
    @Benchmark
    public int argmax() {
        return kernels.argmax(logits, VOCABULARY);
    }

    /** N5, N3: into the spiking cache. */
    @Benchmark
    public boolean append() {
        return kernels.append(attention, qkv, (HEADS + 2 * KV_HEADS) * HEAD_DIM, rope, sequences, queries, 0, tokens);
    }

    /** N7, N8. */
    @Benchmark
    public void attend() {
        kernels.attend(attention, queries, sequences, y, HEADS * HEAD_DIM, scratch, 0, tokens, 0, KV_HEADS);
    }

    /** Into the float cache. Rotates q in place: a rotation keeps its length, so values stay as they are in size. */
    @Benchmark
    public void denseAppend() {
        kernels.denseAppend(denseAttention, qkv, (HEADS + 2 * KV_HEADS) * HEAD_DIM, rope, denseSequences, 0, tokens);
    }

    /** Reference attention. */
    @Benchmark
    public void denseAttend() {
        kernels.denseAttend(denseAttention, qkv, (HEADS + 2 * KV_HEADS) * HEAD_DIM, denseSequences, y, HEADS * HEAD_DIM, denseScratch,
                0, tokens, 0, KV_HEADS);
    }

    private SpikeWeights weights(GifSpec of, int bits, SpikeWeights.Layout layout) {
        var data = bytes(HIDDEN * of.padded() / 8 * bits, 256);
        var zero = bytes(HIDDEN, 1 << bits);
        var sum = arena.allocate(4L * HIDDEN * of.groups(), 64);
        var scale = floats(HIDDEN);
        for (int o = 0; o < HIDDEN; o++) {
            scale.setAtIndex(ValueLayout.JAVA_FLOAT, o, 1e-3f * (1 + random.nextFloat()));
        }
        return new SpikeWeights(of, HIDDEN, bits, layout, 1, data, scale, zero, null, sum, null);
    }

    private int[] shuffled(int n) {
        var order = new int[n];
        for (int i = 0; i < n; i++) {
            int j = random.nextInt(i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        return order;
    }

    private MemorySegment floats(int n) {
        return arena.allocate(4L * n, 64);
    }

    private MemorySegment gaussian(int n) {
        var floats = floats(n);
        for (int i = 0; i < n; i++) {
            floats.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
        }
        return floats;
    }

    /** The upper halves of floats: bfloat16. */
    private MemorySegment halves(MemorySegment floats) {
        int n = Math.toIntExact(floats.byteSize() / 4);
        var halves = arena.allocate(2L * n, 64);
        for (int i = 0; i < n; i++) {
            halves.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (floats.getAtIndex(ValueLayout.JAVA_INT, i) >>> 16));
        }
        return halves;
    }

    private MemorySegment bytes(int n, int bound) {
        var bytes = arena.allocate(n, 64);
        for (int i = 0; i < n; i++) {
            bytes.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt(bound));
        }
        return bytes;
    }
}
