package io.github.spike4j.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.spike4j.kernels.GifSpec.Segment;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every backend that runs here gives the bits of scalar Java, kernel by kernel, over random shapes, widths, groups and tails. */
class KernelIdentityTest {
    private static final int ROUNDS = 40;
    private final Kernels reference = Kernels.of("java");

    static Stream<String> backends() {
        return Stream.of("vector", "scalar", "avx2").filter(name -> {
            try {
                Kernels.of(name);
                return true;
            } catch (UnsupportedOperationException e) {
                System.out.println("skipped: backend " + name + ": " + e.getMessage());
                return false;
            }
        });
    }

    @ParameterizedTest
    @MethodSource("backends")
    void encodeAndLinear(String name) {
        Kernels k = Kernels.of(name);
        for (int round = 0; round < ROUNDS; round++) {
            var random = new SplittableRandom(round);
            try (Arena arena = Arena.ofConfined()) {
                int[] weightGroup = {0};
                GifSpec spec = spec(random, weightGroup);
                int tokens = random.nextInt(1, 20);
                int xStride = spec.channels() + random.nextInt(5);
                MemorySegment x = floats(arena, random, tokens * xStride, 3);
                for (int i = 0; i < xStride; i++) { // ties: x = (i / 2) * s of the row's own scale
                    x.setAtIndex(ValueLayout.JAVA_FLOAT, i, (i % 31 - 15) / 2f);
                }
                Spikes a = Spikes.of(arena, spec, tokens);
                Spikes b = Spikes.of(arena, spec, tokens);
                assertEquals(reference.encode(spec, x, xStride, a, 0, tokens), k.encode(spec, x, xStride, b, 0, tokens));
                String where = name + ", round " + round + ", " + spec;
                same(a.code(), b.code(), where + " code");
                same(a.scale(), b.scale(), where + " scale");
                same(a.zero(), b.zero(), where + " zero");
                same(a.mult(), b.mult(), where + " mult");
                same(a.sum(), b.sum(), where + " sum");
                same(a.silent(), b.silent(), where + " silent");

                int rows = random.nextInt(1, 80);
                SpikeWeights w = weights(arena, random, spec, rows, new int[] {2, 4, 8}[random.nextInt(3)], weightGroup[0] > 0);
                int yStride = rows + random.nextInt(4);
                boolean add = random.nextBoolean();
                MemorySegment ya = floats(arena, random, tokens * yStride, 1);
                MemorySegment yb = arena.allocate(ya.byteSize(), 64).copyFrom(ya);
                reference.linear(w, a, tokens, ya, yStride, add, 0, rows);
                int middle = rows > 16 ? 16 : rows; // in two pieces, in the other order
                if (middle < rows) {
                    k.linear(w, a, tokens, yb, yStride, add, middle, rows);
                }
                k.linear(w, a, tokens, yb, yStride, add, 0, middle);
                same(ya, yb, where + " linear of " + rows + " rows, " + w.bits() + " bits, " + tokens + " tokens");
            }
        }
    }

    @ParameterizedTest
    @MethodSource("backends")
    void rowsOfFloats(String name) {
        Kernels k = Kernels.of(name);
        for (int round = 0; round < ROUNDS; round++) {
            var random = new SplittableRandom(round);
            try (Arena arena = Arena.ofConfined()) {
                int n = round % 2 == 0 ? random.nextInt(1, 1300) : 64 * random.nextInt(1, 20);
                int rows = random.nextInt(1, 40);
                int tokens = random.nextInt(1, 10);
                MemorySegment x = floats(arena, random, tokens * 2 * n, 4);
                MemorySegment gain = floats(arena, random, n, 1);
                MemorySegment a = arena.allocate(4L * tokens * n, 64);
                MemorySegment b = arena.allocate(4L * tokens * n, 64);
                for (boolean add : new boolean[] {false, true}) {
                    assertEquals(reference.rmsNorm(x, 2 * n, gain, n, 1e-5f, a, n, add, 0, tokens),
                            k.rmsNorm(x, 2 * n, gain, n, 1e-5f, b, n, add, 0, tokens));
                    same(a, b, name + " rmsNorm " + n + (add ? " added" : ""));
                }
                reference.hadamard(a, n, n, 0, tokens);
                k.hadamard(b, n, n, 0, tokens);
                same(a, b, name + " hadamard " + n);
                for (var activation : Activation.values()) {
                    reference.glu(activation, x, 2 * n, n, a, n, 0, tokens);
                    k.glu(activation, x, 2 * n, n, b, n, 0, tokens);
                    same(a, b, name + " " + activation + " " + n);
                }
                float cap = (float) random.nextDouble(0.2, 4);
                reference.softcap(a, n, n, cap, 0, tokens);
                k.softcap(b, n, n, cap, 0, tokens);
                same(a, b, name + " softcap " + n);
                MemorySegment ids = arena.allocateFrom(ValueLayout.JAVA_INT, random.ints(tokens, 0, tokens).toArray());
                float scale = random.nextBoolean() ? 1 : cap;
                reference.embed(x, false, tokens, n, scale, ids, a, n, 0, tokens);
                k.embed(x, false, tokens, n, scale, ids, b, n, 0, tokens);
                same(a, b, name + " embed " + n);
                assertEquals(reference.argmax(x, n), k.argmax(x, n));
                boolean bf16 = random.nextBoolean();
                long padded = (n + 63) & -64;
                MemorySegment data = bf16 ? halves(arena, random, ((rows + 15) & -16) * padded) : floats(arena, random, (int) (((rows + 15) & -16) * padded), 1);
                DenseWeights w = new DenseWeights(rows, n, bf16, data, random.nextBoolean() ? floats(arena, random, (rows + 15) & -16, 1) : null);
                MemorySegment ya = arena.allocate(4L * tokens * rows, 64);
                MemorySegment yb = arena.allocate(4L * tokens * rows, 64);
                reference.dense(w, x, 2 * n, tokens, ya, rows, false, 0, rows);
                k.dense(w, x, 2 * n, tokens, yb, rows, false, 0, rows);
                same(ya, yb, name + " dense " + rows + " x " + n + (bf16 ? " bf16" : " f32"));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("backends")
    void attention(String name) {
        Kernels k = Kernels.of(name);
        for (int round = 0; round < ROUNDS; round++) {
            var random = new SplittableRandom(round);
            try (Arena arena = Arena.ofConfined()) {
                boolean dense = round % 4 == 3;
                int d = new int[] {8, 16, 32, 64, 128, 6}[random.nextInt(6)];
                int kv = random.nextInt(1, 4);
                int heads = kv * random.nextInt(1, 4);
                AttentionSpec spec = attention(random, d, heads, kv, dense);
                long blockBytes = spec.kvHeads().getLast().pageOffset() + spec.pageBytes(kv - 1);
                int first = random.nextInt(1, 90);
                int rows = first + random.nextInt(1, 90);
                MemorySegment rope = floats(arena, random, rows * d, 1);
                int stride = (heads + 2 * kv) * d;
                MemorySegment qkv = floats(arena, random, rows * stride, 2);
                MemorySegment a = run(reference, arena, spec, qkv, stride, rope, first, rows, blockBytes);
                MemorySegment b = run(k, arena, spec, qkv, stride, rope, first, rows, blockBytes);
                same(a, b, name + " attention " + spec);
            }
        }
    }

    /** Two batches of one session: `first` tokens, then the rest; returns the outputs of all rows. */
    private static MemorySegment run(Kernels k, Arena arena, AttentionSpec spec, MemorySegment tokens, int stride, MemorySegment rope,
            int first, int rows, long blockBytes) {
        MemorySegment qkv = arena.allocate(tokens.byteSize(), 64).copyFrom(tokens);
        var table = new Sequences.BlockTable(arena, (rows + 63) / 64);
        for (int i = 0; i < table.capacity(); i++) {
            table.set(i, arena.allocate(blockBytes, 64));
        }
        int kv = spec.kvHeads().size();
        int width = spec.heads() * spec.headDim();
        MemorySegment out = arena.allocate(4L * rows * width, 64);
        MemorySegment scratch = arena.allocate(Math.max(64, k.attendScratch(spec, rows)), 64);
        Sequences seq = new Sequences(arena, 1);
        Queries q = spec.dense() ? null : new Queries(arena, rows, spec.heads(), spec.qPadded());
        int[][] batches = {{0, first}, {first, rows}};
        for (int[] batch : batches) {
            int n = batch[1] - batch[0];
            MemorySegment x = qkv.asSlice(4L * batch[0] * stride);
            MemorySegment y = out.asSlice(4L * batch[0] * width);
            seq.clear();
            seq.add(0, n, batch[0], table);
            if (spec.dense()) {
                k.denseAppend(spec, x, stride, rope, seq, 0, n);
                k.denseAttend(spec, x, stride, seq, y, width, scratch, 0, n, 0, kv);
            } else {
                k.append(spec, x, stride, rope, seq, q, 0, n);
                k.attend(spec, q, seq, y, width, scratch, 0, n, 0, kv);
            }
        }
        return out;
    }

    private static AttentionSpec attention(SplittableRandom random, int d, int heads, int kv, boolean dense) {
        int bits = random.nextInt(4, 9);
        int salientBits = Math.min(8, bits + 1);
        var coding = new AttentionSpec.Coding(AttentionSpec.Coding.K.values()[random.nextInt(3)],
                AttentionSpec.Coding.V.values()[random.nextInt(2)], random.nextInt(3) == 0);
        boolean frozen = coding.k() == AttentionSpec.Coding.K.FROZEN;
        List<AttentionSpec.KvHead> list = new ArrayList<>();
        long offset = 0;
        for (int h = 0; h < kv; h++) {
            float[] scale = new float[d];
            int[] zero = new int[d];
            for (int c = 0; c < d; c++) {
                scale[c] = (float) random.nextDouble(0.05, 0.5);
                zero[c] = random.nextInt(16);
            }
            var head = new AttentionSpec.KvHead(permutation(random, d), permutation(random, d), scale, zero, scale, zero, random.nextInt(d / 2),
                    random.nextInt(d / 2), offset);
            list.add(head);
            var sizer = new AttentionSpec(kv, d, AttentionSpec.Scores.of(d), dense, bits, new int[] {bits, salientBits}, new int[] {bits, salientBits}, coding,
                    List.of(head), new AttentionSpec.Peer());
            offset += sizer.pageBytes(0);
        }
        var scores = random.nextInt(3) == 0 ? AttentionSpec.Scores.of(d)
                : new AttentionSpec.Scores((float) random.nextDouble(0.05, 1), random.nextBoolean() ? 0 : random.nextInt(1, 5),
                        random.nextBoolean() ? 0 : random.nextInt(1, 100));
        return new AttentionSpec(heads, d, scores, dense, frozen ? 8 : random.nextBoolean() ? 8 : bits,
                new int[] {bits, salientBits}, new int[] {bits, salientBits}, coding, list, new AttentionSpec.Peer());
    }

    private static int[] permutation(SplittableRandom random, int n) {
        int[] p = IntStream.range(0, n).toArray();
        for (int i = n - 1; i > 0; i--) {
            int j = random.nextInt(i + 1);
            int t = p[i];
            p[i] = p[j];
            p[j] = t;
        }
        return p;
    }

    private static GifSpec spec(SplittableRandom random, int[] weightGroup) {
        int n = random.nextInt(1, 4);
        weightGroup[0] = random.nextInt(3) == 0 ? 64 : 0;
        List<Segment> segments = new ArrayList<>();
        boolean separate = random.nextBoolean();
        for (int i = 0; i < n; i++) {
            int act = random.nextInt(3) == 0 ? random.nextBoolean() ? 64 : 128 : 0;
            int group = weightGroup[0] == 0 ? act : 64;
            segments.add(new Segment(random.nextInt(1, 300), random.nextInt(6) == 0 ? 16 : random.nextInt(2, 9), separate ? i : 0, act, act == 0 ? 1 : random.nextInt(1, 256), group));
        }
        int channels = segments.stream().mapToInt(Segment::channels).sum();
        return new GifSpec(random.nextBoolean() ? permutation(random, channels) : null, segments,
                random.nextBoolean() ? new float[] {0.85f, 1, 0.9f, 1} : null);
    }

    private static SpikeWeights weights(Arena arena, SplittableRandom random, GifSpec spec, int rows, int bits, boolean grouped) {
        int padded = (rows + 15) & -16;
        boolean plain = spec.segments().stream().allMatch(s -> s.group() == 0);
        int[] steps = plain && random.nextInt(3) == 0 ? spec.segments().stream().mapToInt(_ -> random.nextInt(1, 4)).toArray() : null;
        int groups = 0;
        int scales = 0;
        long channels = 0;
        for (int i = 0; i < spec.segments().size(); i++) {
            int n = steps == null ? 1 : steps[i];
            groups += n * spec.segments().get(i).groups();
            channels += (long) n * spec.segments().get(i).padded();
            scales += n;
        }
        MemorySegment data = arena.allocate(padded * channels * bits / 8, 64);
        for (long i = 0; i < data.byteSize(); i++) {
            data.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt());
        }
        MemorySegment zero = bytes(arena, random, padded * (grouped ? groups : 1), 1 << bits);
        MemorySegment mult = grouped ? bytes(arena, random, padded * groups, 63) : null;
        MemorySegment sum = arena.allocate(4L * padded * groups, 64);
        for (int i = 0; i < padded * groups; i++) {
            sum.setAtIndex(ValueLayout.JAVA_INT, i, random.nextInt(-1000, 1000));
        }
        return new SpikeWeights(spec, steps, rows, bits, SpikeWeights.Layout.R16, grouped ? groups : 1, data, floats(arena, random, padded * scales, 1), zero, mult,
                sum, random.nextBoolean() ? floats(arena, random, padded, 1) : null);
    }

    private static MemorySegment bytes(Arena arena, SplittableRandom random, int n, int bound) {
        MemorySegment m = arena.allocate(n, 64);
        for (int i = 0; i < n; i++) {
            m.set(ValueLayout.JAVA_BYTE, i, (byte) (bound == 63 ? 1 + random.nextInt(63) : random.nextInt(bound)));
        }
        return m;
    }

    private static MemorySegment halves(Arena arena, SplittableRandom random, long n) {
        MemorySegment m = arena.allocate(2 * n, 64);
        for (long i = 0; i < n; i++) {
            m.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (Float.floatToIntBits((float) (random.nextDouble() - 0.5)) >> 16));
        }
        return m;
    }

    private static MemorySegment floats(Arena arena, SplittableRandom random, int n, float range) {
        MemorySegment m = arena.allocate(4L * n, 64);
        for (int i = 0; i < n; i++) {
            m.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) ((random.nextDouble() - 0.4) * range));
        }
        return m;
    }

    private static void same(MemorySegment expected, MemorySegment actual, String what) {
        long at = expected.mismatch(actual);
        assertEquals(-1, at, () -> what + ": first difference at byte " + at + " of " + expected.byteSize());
    }
}
