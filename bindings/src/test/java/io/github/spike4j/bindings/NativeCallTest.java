package io.github.spike4j.bindings;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.spike4j.bindings.ffi.Spike4jH;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every argument arrives where the kernel expects it: small cases whose results follow from the specification by hand. */
class NativeCallTest {
    private static final AttentionSpec.Scores SCORES = new AttentionSpec.Scores(0.25f, 0, 0);
    private final Arena arena = Arena.ofConfined();
    private final RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(7);

    @AfterEach
    void close() {
        arena.close();
    }

    static List<KernelTable> tables() {
        return Arrays.stream(Tier.values()).filter(t -> t.ordinal() <= Tier.best().ordinal()).<KernelTable>mapMulti((tier, sink) -> {
            try {
                sink.accept(KernelTable.of(tier));
            } catch (NativeException e) {
                assertEquals(Spike4jH.S4J_E_UNSUPPORTED(), e.status());
            }
        }).toList();
    }

    @ParameterizedTest
    @MethodSource("tables")
    void encodeThenLinear(KernelTable k) {
        int channels = 64;
        int rows = 20;
        int tokens = 3;
        int[] perm = IntStream.range(0, channels).map(i -> (i * 5 + 3) % channels).toArray();
        var gif = new GifSpec(arena, List.of(new GifSegment(channels, 4, 0)), perm, 0.75f);
        var spikes = new SpikeBuffer(arena, gif, tokens);
        var x = arena.allocate(JAVA_FLOAT, tokens * 70L);
        for (long i = 0; i < tokens * 70L; i++) {
            x.setAtIndex(JAVA_FLOAT, i, (float) random.nextGaussian());
        }
        Encoding.encode(k, gif, x, 70, spikes, 0, tokens);

        int[][] codes = new int[rows][channels];
        var data = arena.allocate(32L * gif.padded() / 2, 64);
        var zero = arena.allocate(32);
        var scale = arena.allocate(JAVA_FLOAT, 32);
        for (int o = 0; o < rows; o++) {
            zero.set(JAVA_BYTE, o, (byte) (o % 16));
            scale.setAtIndex(JAVA_FLOAT, o, 0.01f * (o + 1));
            for (int c = 0; c < channels; c++) {
                codes[o][c] = random.nextInt(16);
                // R16, 4 bits: panel, vector of 8 channels, dword of the row, byte c % 4, high nibble from c % 8 = 4 on.
                long at = o / 16 * 16L * channels / 2 + c / 8 * 64L + o % 16 * 4L + c % 4;
                data.set(JAVA_BYTE, at, (byte) (data.get(JAVA_BYTE, at) | codes[o][c] << (c % 8 / 4 * 4)));
            }
        }
        var weights = new Weights(arena, gif, new Weights.Parts(data, scale, zero, null, null, null), rows, 1, 4, Weights.Layout.R16);
        var y = arena.allocate(JAVA_FLOAT, tokens * 24L);
        Linear.linear(k, weights, spikes, tokens, y, 24, false, 0, 16);
        Linear.linear(k, weights, spikes, tokens, y, 24, false, 16, rows);
        Linear.linear(k, weights, spikes, 1, y, 24, true, 16, rows);

        for (int t = 0; t < tokens; t++) {
            float hi = 0;
            float lo = 0;
            for (int c = 0; c < channels; c++) {
                hi = Math.max(hi, x.getAtIndex(JAVA_FLOAT, t * 70L + c));
                lo = Math.min(lo, x.getAtIndex(JAVA_FLOAT, t * 70L + c));
            }
            hi *= 0.75f;
            lo *= 0.75f;
            float s = Math.clamp((hi - lo) / 15, 1e-5f, 1e4f);
            int z = (int) Math.rint(Math.clamp(-lo / s, 0f, 15f));
            assertEquals(s, spikes.scale().getAtIndex(JAVA_FLOAT, t * 4L));
            assertEquals(z, spikes.zero().getAtIndex(JAVA_INT, t));
            assertEquals(1, spikes.mult().getAtIndex(JAVA_INT, t));
            int silent = 0;
            int[] d = new int[channels];
            for (int c = 0; c < channels; c++) {
                float v = x.getAtIndex(JAVA_FLOAT, t * 70L + perm[c]);
                d[c] = (int) Math.clamp((float) Math.rint(v / s) + z, 0f, 15f) - z;
                assertEquals(d[c], spikes.code().get(JAVA_BYTE, t * gif.padded() + c));
                silent += d[c] == 0 ? 1 : 0;
            }
            assertEquals(Arrays.stream(d).sum(), spikes.sum().getAtIndex(JAVA_INT, t));
            assertEquals(silent, spikes.silent().getAtIndex(JAVA_INT, t));
            for (int o = 0; o < rows; o++) {
                int sum = 0;
                for (int c = 0; c < channels; c++) {
                    sum += d[c] * (codes[o][c] - o % 16);
                }
                float expected = sum * (s * (0.01f * (o + 1)));
                assertEquals(t == 0 && o >= 16 ? expected + expected : expected, y.getAtIndex(JAVA_FLOAT, t * 24L + o));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("tables")
    void formsOfTheSameSpikes(KernelTable k) {
        var gif = new GifSpec(arena, List.of(new GifSegment(64, 3, 0)), null);
        var x = arena.allocate(JAVA_FLOAT, 64);
        for (int i = 0; i < 64; i++) {
            x.setAtIndex(JAVA_FLOAT, i, (float) random.nextGaussian());
        }
        var spikes = new SpikeBuffer(arena, gif, 1);
        Encoding.encode(k, gif, x, 64, spikes, 0, 1);
        var planes = arena.allocate(JAVA_LONG, gif.planeWords());
        Encoding.planes(k, gif, spikes, planes, 0, 1);
        var codes = arena.allocate(64);
        int z = spikes.zero().get(JAVA_INT, 0);
        for (int i = 0; i < 64; i++) {
            int code = 0;
            for (int b = 0; b < 3; b++) {
                code |= (int) (planes.getAtIndex(JAVA_LONG, b) >>> i & 1) << b;
            }
            assertEquals(spikes.code().get(JAVA_BYTE, i) + z, code);
            codes.set(JAVA_BYTE, i, (byte) code);
        }
        var steps = arena.allocate(64 * 2);
        Encoding.spikeSteps(k, codes, 64, 2, 2, steps);
        for (int i = 0; i < 64; i++) {
            int code = codes.get(JAVA_BYTE, i);
            assertEquals(Math.min(code, 3), steps.get(JAVA_BYTE, i));
            assertEquals(code, steps.get(JAVA_BYTE, i) + steps.get(JAVA_BYTE, 64 + i));
        }
    }

    @ParameterizedTest
    @MethodSource("tables")
    void denseAndRows(KernelTable k) {
        var x = arena.allocateFrom(JAVA_FLOAT, 3, 4);
        var y = arena.allocate(JAVA_FLOAT, 2);
        var one = arena.allocateFrom(JAVA_FLOAT, 1, 2);
        Rows.rmsNorm(k, x, 2, one, 2, 0, y, 2, false, 0, 1);
        float r = 1 / (float) Math.sqrt(25f / 2);
        assertEquals(3 * r, y.getAtIndex(JAVA_FLOAT, 0));
        assertEquals(4 * r * 2, y.getAtIndex(JAVA_FLOAT, 1));
        Rows.rmsNorm(k, x, 2, one, 2, 0, y, 2, true, 0, 1);
        assertEquals(3 * r + 3 * r, y.getAtIndex(JAVA_FLOAT, 0));
        for (var activation : Rows.Activation.values()) {
            Rows.glu(k, activation, arena.allocateFrom(JAVA_FLOAT, 0, 40, 5, 7), 4, 2, y, 2, 0, 1);
            assertEquals(0f, y.getAtIndex(JAVA_FLOAT, 0));
            assertEquals(40 * 7f, y.getAtIndex(JAVA_FLOAT, 1));
        }
        var table = arena.allocateFrom(JAVA_FLOAT, 1, 2, 3, 4, 5, 6);
        Rows.embed(k, table, DType.F32, 3, 2, 1, arena.allocateFrom(JAVA_INT, 2), y, 2, 0, 1);
        assertEquals(5f, y.getAtIndex(JAVA_FLOAT, 0));
        Rows.embed(k, table, DType.F32, 3, 2, 1.5f, arena.allocateFrom(JAVA_INT, 2), y, 2, 0, 1);
        assertEquals(7.5f, y.getAtIndex(JAVA_FLOAT, 0));
        y = arena.allocateFrom(JAVA_FLOAT, -1e9f, 0);
        Rows.softcap(k, y, 2, 2, 30, 0, 1);
        assertEquals(-30f, y.getAtIndex(JAVA_FLOAT, 0));
        assertEquals(0f, y.getAtIndex(JAVA_FLOAT, 1));
        assertEquals(1, Rows.argmax(k, arena.allocateFrom(JAVA_FLOAT, 1, 7, 7, 2), 4));
        // R16 f32: one channel a vector of 16 rows.
        var data = arena.allocate(16 * 64 * Float.BYTES, 64);
        data.setAtIndex(JAVA_FLOAT, 1, 2);
        data.setAtIndex(JAVA_FLOAT, 16 + 1, 10);
        var bias = arena.allocate(JAVA_FLOAT, 16);
        bias.setAtIndex(JAVA_FLOAT, 1, 0.5f);
        var out = arena.allocate(JAVA_FLOAT, 2);
        Linear.dense(k, new DenseWeights(arena, data, bias, 2, 2, DType.F32), x, 2, 1, out, 2, false, 0, 2);
        assertEquals(0f, out.getAtIndex(JAVA_FLOAT, 0));
        assertEquals(46.5f, out.getAtIndex(JAVA_FLOAT, 1));
    }

    @ParameterizedTest
    @MethodSource("tables")
    void attentionOverOnePositionReturnsItsValue(KernelTable k) {
        int dim = 32;
        int heads = 4;
        int kvHeads = 2;
        int row = (heads + 2 * kvHeads) * dim;
        var qkv = arena.allocate(JAVA_FLOAT, row);
        for (int i = 0; i < row; i++) {
            qkv.setAtIndex(JAVA_FLOAT, i, (float) random.nextGaussian());
        }
        var rope = arena.allocate(JAVA_FLOAT, dim);
        for (int i = 0; i < dim / 2; i++) {
            rope.setAtIndex(JAVA_FLOAT, i, 1);
        }
        var out = arena.allocate(JAVA_FLOAT, (long) heads * dim);
        var dense = AttentionSpec.dense(arena, heads, dim, SCORES, 0, AttentionSpec.densePageBytes(dim));
        var sequences = sequence(dense);
        Attention.denseAppend(k, dense, qkv, row, rope, sequences, 0, 1);
        Attention.denseAttend(k, dense, qkv, row, sequences, out, (long) heads * dim, scratch(dense), 0, 1, 0, kvHeads);
        for (int i = 0; i < heads * dim; i++) {
            assertEquals(value(qkv, i, dim), out.getAtIndex(JAVA_FLOAT, i));
        }

        var bits = new AttentionSpec.Bits(8, 4, 5, 7, 8);
        int[] perm = IntStream.range(0, dim).map(i -> (i * 7 + 1) % dim).toArray();
        var page = AttentionSpec.pageBytes(dim, 4, 4, bits);
        var spiking = AttentionSpec.spiking(arena, heads, dim, SCORES,
                List.of(new KvHead(perm, perm, 4, 4, null, null, 0), new KvHead(perm, perm, 4, 4, null, null, page)), bits, false, false);
        sequences = sequence(spiking);
        var q = new QueryBuffer(arena, 1, heads, spiking.queryBytes());
        Attention.append(k, spiking, qkv, row, rope, sequences, q, 0, 1);
        assertTrue(q.silent().get(JAVA_INT, 0) >= 0);
        out.fill((byte) 0);
        Attention.attend(k, spiking, q, sequences, out, (long) heads * dim, scratch(spiking), 0, 1, 0, kvHeads);
        for (int i = 0; i < heads * dim; i++) {
            // Half a step of 7 bits over the range of a normal row, which is below 8.
            assertEquals(value(qkv, i, dim), out.getAtIndex(JAVA_FLOAT, i), 8f / 127 / 2 + 1e-4f);
        }
    }

    private static float value(MemorySegment qkv, int i, int dim) {
        int kvHead = i / dim / 2;
        return qkv.getAtIndex(JAVA_FLOAT, (4 + 2 + kvHead) * (long) dim + i % dim);
    }

    private SequenceTable sequence(AttentionSpec spec) {
        var blocks = new BlockTable(arena, 1, spec.blockBytes());
        blocks.set(0, arena.allocate(spec.blockBytes(), 64));
        var sequences = new SequenceTable(arena, 1);
        sequences.add(0, 1, 0, blocks);
        return sequences;
    }

    private MemorySegment scratch(AttentionSpec spec) {
        return arena.allocate(Math.max(64, Attention.scratchBytes(spec, 1)), 64);
    }

    @ParameterizedTest
    @MethodSource("tables")
    void bounds(KernelTable k) {
        assertEquals(5 ^ 9, Bounds.readBandwidth(k, aligned(5, 0, 0, 0, 0, 0, 0, 9)));
        assertTrue(Bounds.gemmPeak(k, 4, 4, 10) > 0);
    }

    private MemorySegment aligned(long... words) {
        return arena.allocate(words.length * 8L, 64).copyFrom(MemorySegment.ofArray(words));
    }

    @Test
    void statusesAreNamed() {
        var k = KernelTable.of(Tier.SCALAR);
        var nan = arena.allocateFrom(JAVA_FLOAT, 1, Float.NaN);
        var e = assertThrows(NativeException.class, () -> Rows.argmax(k, nan, 2));
        assertTrue(e.isNonFinite());
        assertTrue(e.getMessage().startsWith("s4j_argmax: S4J_E_NONFINITE"), e.getMessage());
        e = assertThrows(NativeException.class,
                () -> Rows.embed(k, nan, DType.F32, 1, 2, 1, arena.allocateFrom(JAVA_INT, 1), nan, 2, 0, 1));
        assertEquals("s4j_embed: S4J_E_ARGUMENT: a count, range or option is not allowed", e.getMessage());
    }

    @ParameterizedTest
    @MethodSource("tables")
    void hadamard(KernelTable k) {
        var x = arena.allocateFrom(JAVA_FLOAT, 1, 2, 3, 4, 7, 1, 2, 3, 4);
        Rows.hadamard(k, x, 5, 4, 0, 2);
        assertEquals(List.of(5f, -1f, -2f, 0f, 7f, 5f, -1f, -2f, 0f),
                Arrays.stream(x.toArray(JAVA_INT)).mapToObj(Float::intBitsToFloat).map(v -> v + 0f).toList());
    }

    /** Rounding upwards, as the C library sets it, is found and undone for the thread that asks. */
    @Test
    void floatEnvironment() throws Throwable {
        NativeLibrary.require();
        var linker = Linker.nativeLinker();
        var symbol = linker.defaultLookup().find("fesetround");
        assumeTrue(symbol.isPresent(), "the C library does not export fesetround");
        var set = linker.downcallHandle(symbol.get(), FunctionDescriptor.of(JAVA_INT, JAVA_INT));
        assertFalse(FloatEnvironment.reset());
        assertEquals(0, (int) set.invokeExact(0x800)); // FE_UPWARD on x86
        assertTrue(FloatEnvironment.reset());
        assertFalse(FloatEnvironment.reset());
        assertEquals(0, (int) set.invokeExact(0)); // the x87 unit too
    }

    /** A call leaves no garbage once it is compiled. */
    @Test
    void callsAllocateNothing() {
        var k = KernelTable.of(Tier.SCALAR);
        var gif = new GifSpec(arena, List.of(new GifSegment(64, 4, 0)), null);
        var spikes = new SpikeBuffer(arena, gif, 1);
        var x = arena.allocate(JAVA_FLOAT, 64);
        var weights = new Weights(arena, gif, new Weights.Parts(arena.allocate(16 * 32, 64), arena.allocate(JAVA_FLOAT, 16),
                arena.allocate(16), null, null, null), 16, 1, 4, Weights.Layout.R16);
        var dense = AttentionSpec.dense(arena, 2, 2, SCORES, 0);
        var blocks = new BlockTable(arena, 1, dense.blockBytes());
        blocks.set(0, arena.allocate(dense.blockBytes(), 64));
        var sequences = new SequenceTable(arena, 1);
        var scratch = scratch(dense);
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        long allocated = Long.MAX_VALUE;
        for (int round = 0; round < 20 && allocated > 0; round++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < 20_000; i++) {
                Encoding.encode(k, gif, x, 64, spikes, 0, 1);
                Linear.linear(k, weights, spikes, 1, x, 16, false, 0, 16);
                Rows.argmax(k, x, 64);
                sequences.clear();
                sequences.add(0, 1, 0, blocks);
                Attention.denseAttend(k, dense, x, 8, sequences, x, 8, scratch, 0, 1, 0, 1);
            }
            allocated = threads.getCurrentThreadAllocatedBytes() - before;
        }
        // The measurement itself may allocate a little; one object a call would be 320,000 bytes and more.
        assertTrue(allocated < 20_000, allocated + " bytes in 20,000 rounds");
    }
}
