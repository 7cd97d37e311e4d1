package io.github.spike4j.bindings;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/**
 * Wrong sizes, ranges and alignments throw before the call. The kernel table is a null pointer here: a check that lets its case
 * through shows as a {@link NativeException}, not as the expected exception.
 */
class CheckedLayerTest {
    private static final AttentionSpec.Scores SCORES = new AttentionSpec.Scores(0.25f, 0, 0);
    private final Arena arena = Arena.ofConfined();
    private final KernelTable k = new KernelTable(Tier.SCALAR, MemorySegment.NULL);
    private final GifSpec gif = new GifSpec(arena, List.of(new GifSegment(100, 4, 0), new GifSegment(28, 5, 1)), null, 0.85f);
    private final SpikeBuffer spikes = new SpikeBuffer(arena, gif, 4);

    @AfterEach
    void close() {
        arena.close();
    }

    @Test
    void derivedSizes() {
        assertEquals(128, gif.channels());
        assertEquals(128 + 64, gif.padded());
        assertEquals(2, gif.groups());
        assertEquals((128 * 4 + 64 * 5) / 64, gif.planeWords());
        assertEquals(7, new GifSegment(100, 4, 0, 64, 15, 16).groups());
        assertEquals(0, new GifSegment(0, 4, 0).groups());
        // 64 positions of 48 + 16 K channels (4 and 8 bits) and 64 + 0 V channels (4 bits), then 24 bytes of scales and sums.
        assertEquals(64 * (48 / 2 + 16 + 64 / 2 + 24), AttentionSpec.pageBytes(64, 16, 0, new AttentionSpec.Bits(8, 4, 5, 4, 5)));
    }

    @Test
    void segments() {
        rejected("channels", () -> new GifSegment(-1, 4, 0));
        rejected("bits", () -> new GifSegment(64, 1, 0));
        rejected("bits", () -> new GifSegment(64, 9, 0));
        rejected("rangeSet", () -> new GifSegment(64, 4, 4));
        rejected("actGroup", () -> new GifSegment(64, 4, 0, 24, 15, 16));
        rejected("maxMultiplier", () -> new GifSegment(64, 4, 0, 64, 256, 64));
        rejected("group", () -> new GifSegment(64, 4, 0, 64, 15, 0));
        rejected("group", () -> new GifSegment(64, 4, 0, 64, 15, 128));
        rejected("segments", () -> new GifSpec(arena, List.of(), null));
        rejected("perm.length", () -> new GifSpec(arena, gif.segments(), new int[127]));
        rejected("perm", () -> new GifSpec(arena, gif.segments(), new int[128]));
        rejected("clip[0]", () -> new GifSpec(arena, gif.segments(), null, 1.5f));
        rejected("clip[1]", () -> new GifSpec(arena, gif.segments(), null, 1, Float.NaN));
        rejected("channels", () -> new GifSpec(arena, List.of(new GifSegment(0, 4, 0)), null));
    }

    @Test
    void encoding() {
        var x = floats(4 * 130);
        rejected("rows", () -> Encoding.encode(k, gif, x, 130, spikes, 2, 1));
        rejected("rows", () -> Encoding.encode(k, gif, x, 130, spikes, 0, 5));
        rejected("x", () -> Encoding.encode(k, gif, x, 127, spikes, 0, 4));
        rejected("x", () -> Encoding.encode(k, gif, x, 132, spikes, 0, 4));
        rejected("x", () -> Encoding.encode(k, gif, x, Long.MAX_VALUE, spikes, 0, 4));
        rejected("x", () -> Encoding.encode(k, gif, x.asSlice(2), 128, spikes, 0, 4));
        rejected("x", () -> Encoding.encode(k, gif, MemorySegment.ofArray(new float[1000]), 128, spikes, 0, 4));
        rejected("out", () -> Encoding.encode(k, gif, x, 130, new SpikeBuffer(arena, 4, 128, 2), 0, 4));
        rejected("out", () -> Encoding.encode(k, gif, x, 130, new SpikeBuffer(arena, 4, 192, 1), 0, 4));
        rejected("count", () -> Encoding.spikeSteps(k, x, 16, 2, 17, x));
        rejected("steps", () -> Encoding.spikeSteps(k, x, 16, 2, 4, bytes(63)));
        rejected("steps", () -> Encoding.spikeSteps(k, x, 16, 2, 4, bytes(64).asReadOnly()));
        rejected("planes", () -> Encoding.planes(k, gif, spikes, bytes(4 * 13 * 8 - 1), 0, 4));
    }

    @Test
    void buffersOfTheCaller() {
        rejected("scale", () -> new SpikeBuffer(arena, 4, bytes(256), floats(15), floats(4), floats(4), floats(4), floats(4)));
        rejected("mult", () -> new SpikeBuffer(arena, 4, bytes(256), floats(16), floats(8), floats(4), floats(8), floats(4)));
        rejected("sum", () -> new SpikeBuffer(arena, 4, bytes(256), floats(16), floats(8), floats(8), floats(8).asReadOnly(), floats(4)));
        rejected("silent", () -> new SpikeBuffer(arena, 4, bytes(256), floats(16), floats(4), floats(4), floats(4), floats(3)));
        rejected("sum", () -> new QueryBuffer(arena, 2, 2, bytes(256), floats(4), floats(4), floats(7), floats(2)));
        var sequences = new SequenceTable(bytes(2 * 32));
        rejected("rows", () -> new QueryBuffer(arena, 0, 2, bytes(256), floats(4), floats(4), floats(8), floats(2)));
        rejected("heads", () -> new QueryBuffer(arena, 2, 0, bytes(256), floats(4), floats(4), floats(8), floats(2)));
        rejected("rows", () -> new QueryBuffer(arena, -1, 2, 64));
        rejected("sequences", () -> sequences.filled(3, 1, 64));
        rejected("context", () -> sequences.filled(1, 0, 64));
        rejected("context", () -> sequences.filled(1, -1, 64));
        rejected("context", () -> sequences.filled(1, 1L << 31, 64));
        rejected("blockBytes", () -> sequences.filled(1, 1, 0));
        rejected("blockBytes", () -> sequences.filled(1, 1, -64));
        rejected("structs", () -> new SequenceTable(bytes(31)));
    }

    @Test
    void weights() {
        int padded = 32;
        var parts = new Weights.Parts(bytes(padded * 192 / 2), floats(padded), bytes(padded), null, null, null);
        var w = new Weights(arena, gif, parts, 20, 1, 4, Weights.Layout.R16);
        rejected("weightGroups", () -> new Weights(arena, gif, parts, 20, 3, 4, Weights.Layout.R16));
        rejected("bits", () -> new Weights(arena, gif, parts, 20, 1, 3, Weights.Layout.R16));
        rejected("data", () -> new Weights(arena, gif, parts, 20, 1, 8, Weights.Layout.R16));
        rejected("data", () -> new Weights(arena, gif, parts, 33, 1, 4, Weights.Layout.R16));
        rejected("data", () -> new Weights(arena, gif, with(parts, bytes(padded * 96 + 64).asSlice(1)), 20, 1, 4, Weights.Layout.R16));
        rejected("sum", () -> new Weights(arena, gif, parts, 20, 1, 2, Weights.Layout.P64));
        rejected("sum", () -> new Weights(arena, new GifSpec(arena, List.of(new GifSegment(128, 8, 0)), null), parts, 20, 1, 4,
                Weights.Layout.R16));
        rejected("mult", () -> new Weights(arena, gif, parts, 20, 2, 4, Weights.Layout.R16));
        rejected("steps", () -> new Weights(arena, gif, parts, 20, 1, 4, Weights.Layout.R16, 1, 17));
        rejected("steps", () -> new Weights(arena, gif, parts, 20, 1, 4, Weights.Layout.R16, 1));
        rejected("data", () -> new Weights(arena, gif, parts, 20, 1, 4, Weights.Layout.R16, 1, 2));
        var stepped = new Weights.Parts(bytes(padded * 256 / 2), floats(2 * padded), bytes(padded), null, null, null);
        rejected("scale", () -> new Weights(arena, gif, stepped, 20, 1, 4, Weights.Layout.R16, 1, 2));
        var wide = new GifSpec(arena, List.of(new GifSegment(128, 16, 0)), null);
        assertEquals(256, wide.padded());
        rejected("sum", () -> new Weights(arena, wide, parts, 20, 1, 4, Weights.Layout.R16));
        rejected("gif", () -> Encoding.planes(k, wide, spikes, bytes(1 << 12), 0, 1));
        var y = floats(3 * 20);
        rejected("begin", () -> Linear.linear(k, w, spikes, 3, y, 20, false, 8, 20));
        rejected("end", () -> Linear.linear(k, w, spikes, 3, y, 20, false, 0, 19));
        rejected("output rows", () -> Linear.linear(k, w, spikes, 3, y, 20, false, 0, 32));
        rejected("y", () -> Linear.linear(k, w, spikes, 3, y, 19, false, 0, 20));
        rejected("y", () -> Linear.linear(k, w, spikes, 4, y, 20, false, 0, 20));
        rejected("y", () -> Linear.linear(k, w, spikes, 3, y.asReadOnly(), 20, false, 0, 20));
        rejected("x", () -> Linear.linear(k, w, spikes, 5, floats(100), 20, false, 0, 20));
        rejected("layout", () -> Linear.linearPlanes(k, w, spikes, bytes(1000), 3, y, 20, false, 0, 20));
        rejected("data", () -> new DenseWeights(arena, bytes(16 * 64 * 2 - 1), null, 16, 33, DType.BF16));
        var dense = new DenseWeights(arena, bytes(16 * 64 * 2), null, 16, 33, DType.BF16);
        rejected("x", () -> Linear.dense(k, dense, floats(32), 33, 1, y, 16, false, 0, 16));
    }

    @Test
    void rows() {
        var x = floats(64);
        rejected("weight", () -> Rows.rmsNorm(k, x, 32, floats(31), 32, 1e-5f, x, 32, false, 0, 2));
        rejected("y", () -> Rows.rmsNorm(k, x, 32, x, 32, 1e-5f, floats(63), 32, false, 0, 2));
        rejected("gateUp", () -> Rows.glu(k, Rows.Activation.SILU, x, 63, 32, x, 32, 0, 1));
        rejected("table", () -> Rows.embed(k, bytes(127), DType.BF16, 2, 32, 1, bytes(8), x, 32, 0, 2));
        rejected("x", () -> Rows.softcap(k, x, 32, 33, 1, 0, 2));
        rejected("ids", () -> Rows.embed(k, bytes(128), DType.BF16, 2, 32, 1, bytes(7), x, 32, 0, 2));
        rejected("x", () -> Rows.hadamard(k, x, 32, 32, 0, 3));
        rejected("channels", () -> Rows.hadamard(k, x, 32, 0, 0, 1));
        rejected("n", () -> Rows.argmax(k, x, 0));
        rejected("x", () -> Rows.argmax(k, x, 65));
    }

    @Test
    void attention() {
        int[] identity = IntStream.range(0, 16).toArray();
        var bits = new AttentionSpec.Bits(8, 4, 5, 4, 5);
        rejected("bits.vSalient", () -> new AttentionSpec.Bits(8, 4, 5, 4, 6));
        rejected("softcap", () -> new AttentionSpec.Scores(1, -1, 0));
        rejected("kappa", () -> new AttentionSpec.Scores(0, 0, 0));
        rejected("kappa", () -> new AttentionSpec.Scores(Float.NaN, 0, 0));
        rejected("window", () -> new AttentionSpec.Scores(1, 0, -1));
        rejected("headDim", () -> AttentionSpec.dense(arena, 1, 3, SCORES, 0));
        rejected("heads", () -> AttentionSpec.dense(arena, 3, 16, SCORES, 0, 8192));
        rejected("pageOffset", () -> AttentionSpec.dense(arena, 1, 16, SCORES, 32));
        rejected("pageOffset", () -> AttentionSpec.dense(arena, 1, 16, SCORES, -64));
        rejected("pageOffset", () -> AttentionSpec.dense(arena, 1, 16, SCORES, Long.MAX_VALUE / 64 * 64));
        rejected("pageOffset", () -> AttentionSpec.spiking(arena, 1, 16, SCORES,
                List.of(new KvHead(identity, identity, 0, 0, null, null, Long.MAX_VALUE / 64 * 64)), bits, false, false));
        rejected("kPerm", () -> AttentionSpec.spiking(arena, 1, 16, SCORES, List.of(new KvHead(new int[16], identity, 0, 0, null, null, 0)), bits, false, false));
        rejected("vPerm", () -> AttentionSpec.spiking(arena, 1, 16, SCORES, List.of(new KvHead(identity, new int[8], 0, 0, null, null, 0)), bits, false, false));
        var spec = AttentionSpec.spiking(arena, 2, 16, SCORES, List.of(new KvHead(identity, identity, 2, 2, null, null, 0)), bits, false, false);
        var ranges = new KvHead.Frozen(new float[16], new byte[16]);
        var little = new KvHead.Frozen(new float[15], new byte[16]);
        rejected("sharedK", () -> AttentionSpec.spiking(arena, 1, 16, SCORES, List.of(new KvHead(identity, identity, 0, 0, ranges, null, 0)), bits, true, false));
        rejected("frozenV", () -> AttentionSpec.spiking(arena, 1, 16, SCORES, List.of(new KvHead(identity, identity, 0, 0, null, little, 0)), bits, false, false));
        rejected("frozenV", () -> AttentionSpec.spiking(arena, 2, 16, SCORES, List.of(new KvHead(identity, identity, 0, 0, null, ranges, 0),
                new KvHead(identity, identity, 0, 0, null, null, 1 << 14)), bits, false, false));
        var dense = AttentionSpec.dense(arena, 2, 16, SCORES, 0);
        var blocks = new BlockTable(arena, 2, spec.blockBytes());
        rejected("block index", () -> blocks.set(1, bytes(spec.blockBytes())));
        rejected("block", () -> blocks.set(0, bytes(spec.blockBytes() - 64)));
        rejected("block", () -> blocks.set(0, bytes(spec.blockBytes() + 64).asSlice(8)));
        blocks.set(0, bytes(spec.blockBytes()));
        var sequences = new SequenceTable(arena, 1);
        rejected("blocks", () -> sequences.add(0, 2, 63, blocks));
        rejected("rows", () -> sequences.add(0, 0, 0, blocks));
        rejected("row", () -> sequences.add(1L << 31, 1, 0, blocks));
        rejected("blocks", () -> sequences.add(0, 1, Integer.MAX_VALUE - 1, blocks));
        rejected("position", () -> sequences.add(0, 1, Integer.MAX_VALUE, blocks));
        sequences.add(0, 2, 3, blocks);
        rejected("sequences", () -> sequences.add(2, 2, 3, blocks));
        var q = new QueryBuffer(arena, 2, 2, spec.queryBytes());
        var qkv = floats(2 * 64);
        rejected("spiking", () -> Attention.append(k, dense, qkv, 64, floats(5 * 16), sequences, q, 0, 2));
        rejected("rows", () -> Attention.append(k, spec, qkv, 64, floats(5 * 16), sequences, q, 0, 3));
        rejected("qkv", () -> Attention.append(k, spec, qkv, 63, floats(5 * 16), sequences, q, 0, 2));
        rejected("rope", () -> Attention.append(k, spec, qkv, 64, floats(5 * 16 - 1), sequences, q, 0, 2));
        rejected("queries", () -> Attention.append(k, spec, qkv, 64, floats(5 * 16), sequences, new QueryBuffer(arena, 2, 1, 64), 0, 2));
        rejected("sequences", () -> Attention.denseAppend(k, dense, qkv, 64, floats(5 * 16), sequences, 0, 2));
        rejected("kv heads", () -> Attention.attend(k, spec, q, sequences, floats(64), 32, bytes(64), 0, 2, 0, 2));
        rejected("out", () -> Attention.attend(k, spec, q, sequences, floats(63), 32, bytes(64), 0, 2, 0, 1));
    }

    @Test
    void messageNamesExpectedAndActual() {
        var e = rejected("x", () -> Rows.argmax(k, floats(4), 5));
        assertEquals("x: expected at least 5 x 4 bytes, got 16", e.getMessage());
    }

    private static Weights.Parts with(Weights.Parts parts, MemorySegment data) {
        return new Weights.Parts(data, parts.scale(), parts.zero(), parts.mult(), parts.sum(), parts.bias());
    }

    private MemorySegment floats(long count) {
        return arena.allocate(count * Float.BYTES, 64);
    }

    private MemorySegment bytes(long count) {
        return arena.allocate(count, 64);
    }

    private static IllegalArgumentException rejected(String name, Executable call) {
        var e = assertThrows(IllegalArgumentException.class, call);
        assertTrue(e.getMessage().contains(name), () -> "expected '" + name + "' in: " + e.getMessage());
        return e;
    }
}
