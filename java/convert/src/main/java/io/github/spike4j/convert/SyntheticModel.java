package io.github.spike4j.convert;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

import io.github.spike4j.convert.importer.Sources;
import io.github.spike4j.convert.importer.Matrix;
import io.github.spike4j.convert.importer.Checkpoint;
import io.github.spike4j.format.Architecture;
import io.github.spike4j.format.Encoding;
import io.github.spike4j.format.Layout;
import io.github.spike4j.format.Layouts;
import io.github.spike4j.format.S4jWriter;
import io.github.spike4j.format.Segment;
import io.github.spike4j.format.TokenizerInfo;

/**
 * A {@code .s4j} of random weights: the shape and recipe of a real model without its meaning, for benchmarks. Codes are random bytes put
 * straight into R16; scales keep activations near unit variance; salient channels are drawn at the recipe's share. Writing is as fast as
 * the disk; memory is that of the largest tensor. Equal arguments give equal bytes.
 */
public final class SyntheticModel {
    /** D, FF, L, H, KV, V by name. */
    private static final Map<String, int[]> SHAPES = shapesByName();
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

    private final Architecture a;
    private final Recipe recipe;
    private final long seed;
    private final SplittableRandom random;

    /** @param seed of the weights */
    public SyntheticModel(Architecture architecture, Recipe recipe, long seed) {
        this.a = Checkpoint.check("shape", architecture);
        this.recipe = recipe;
        this.seed = seed;
        random = new SplittableRandom(seed);
    }

    private static Map<String, int[]> shapesByName() {
        var all = new LinkedHashMap<String, int[]>();
        all.put("tinyllama-1.1b", new int[] {2048, 5632, 22, 32, 4, 32000});
        all.put("llama2-7b", new int[] {4096, 11008, 32, 32, 32, 32000});
        all.put("llama2-13b", new int[] {5120, 13824, 40, 40, 40, 32000});
        all.put("llama2-70b", new int[] {8192, 28672, 80, 64, 8, 32000});
        return all;
    }

    /** Names that {@link #shape} knows. */
    public static List<String> shapes() {
        return List.copyOf(SHAPES.keySet());
    }

    /**
     * The architecture of a shape.
     *
     * @param nameOrNumbers a name, or {@code D,FF,L,H,KV,V}: width, feed-forward width, layers, heads, kv heads, vocabulary
     * @param context positions
     * @throws RecipeException for anything else
     */
    public static Architecture shape(String nameOrNumbers, int context) {
        var n = SHAPES.get(nameOrNumbers);
        if (n == null) {
            n = numbers(nameOrNumbers);
        }
        try {
            return Checkpoint.check("shape " + nameOrNumbers,
                    Architecture.llama(n[2], n[0], n[1], n[3], n[4], n[0] / n[3], n[5], context, 1e-5f, 10000, false));
        } catch (ConversionException e) {
            throw new RecipeException(e.getMessage());
        }
    }

    private static int[] numbers(String text) {
        try {
            int[] n = Arrays.stream(text.split(",", -1)).map(String::strip).mapToInt(Integer::parseInt).toArray();
            if (n.length == 6 && Arrays.stream(n).allMatch(i -> i > 0) && n[0] % n[3] == 0 && n[3] % n[4] == 0) {
                return n;
            }
        } catch (NumberFormatException e) {
            // told below
        }
        throw new RecipeException("shape \"" + text + "\" is neither one of " + String.join(", ", SHAPES.keySet())
                + " nor six numbers D,FF,L,H,KV,V with D a multiple of H and H a multiple of KV");
    }

    /**
     * Writes the file.
     *
     * @throws ConversionException if it cannot be written
     */
    public void write(Path out, ProgressListener listener) {
        try (var writer = S4jWriter.create(out)) {
            var file = new ModelFile(writer, a, recipe);
            file.entry("tokenizer.json", byteTokenizer(Math.min(256, a.vocab())));
            long total = a.layers() + 2L;
            listener.progress("embedding", 0, total);
            file.embedding(new RandomRows(a.vocab(), a.hidden(), random.split()));
            for (int layer = 0; layer < a.layers(); layer++) {
                listener.progress("layer " + layer, layer + 1L, total);
                var name = "layers." + layer + ".";
                file.floats(name + "attn_norm", ones(a.hidden()), a.hidden());
                file.floats(name + "ffn_norm", ones(a.hidden()), a.hidden());
                if (a.qkNorm()) {
                    file.floats(name + "q_norm", ones(a.headDim()), a.headDim());
                    file.floats(name + "k_norm", ones(a.headDim()), a.headDim());
                }
                if (a.postNorms()) {
                    file.floats(name + "attn_post_norm", ones(a.hidden()), a.hidden());
                    file.floats(name + "ffn_post_norm", ones(a.hidden()), a.hidden());
                }
                layer(file, layer);
            }
            file.floats("final_norm", ones(a.hidden()), a.hidden());
            if (recipe.compute() == Recipe.Compute.DENSE) {
                dense(file, "lm_head", a.vocab(), a.hidden());
            } else {
                linear(file, "head_in", "lm_head", null, ModelFile.headSegments(a), 1, a.vocab(), 8, 0);
            }
            listener.progress("assemble", total - 1, total);
            file.finish(new TokenizerInfo(-1, new int[0], false), Map.of("source", "random weights", "seed", Long.toString(seed)), null);
            listener.progress("done", total, total);
        } catch (IOException e) {
            throw new ConversionException(out + ": cannot be written: " + Sources.reason(e), e);
        }
    }

    private void layer(ModelFile file, int layer) throws IOException {
        boolean spiking = recipe.compute() == Recipe.Compute.SPIKING;
        boolean own = spiking && recipe.masks() == Recipe.Masks.OWN && recipe.salientShare() > 0;
        for (var site : Site.values()) {
            for (var group : site.groups(layer, own)) {
                int rows = group.members().stream().mapToInt(w -> Checkpoint.shape(a, w)[0]).sum();
                if (spiking) {
                    var channels = draw(site.channels(a), recipe.salientShare());
                    linear(file, group.name(), group.linear(), site == Site.FFN_HIDDEN || channels.isIdentity() ? null : channels.permutation(),
                            ModelFile.segments(recipe, channels), recipe.clip(), rows, recipe.weightBits(), recipe.weightGroup());
                } else {
                    dense(file, group.linear(), rows, site.channels(a));
                }
            }
        }
        if (spiking) {
            file.attention(drawHeads(), drawHeads(), frozen(recipe.k(), recipe.kBits()), frozen(recipe.v(), recipe.vBits()));
        }
    }

    private ModelFile.Frozen frozen(Recipe.KvMode mode, int bits) {
        if (mode == Recipe.KvMode.TOKEN) {
            return null;
        }
        var ranges = new ModelFile.Frozen(new float[a.kvHeads() * a.headDim()], new byte[a.kvHeads() * a.headDim()]);
        Arrays.fill(ranges.scale(), 8f / ((1 << bits) - 1));
        Arrays.fill(ranges.zero(), (byte) (1 << bits - 1));
        return ranges;
    }

    private Channels draw(int n, double share) {
        return share == 0 ? Channels.plain(n) : Channels.of(Channels.draw(n, random), share);
    }

    private Channels[] drawHeads() {
        var heads = new Channels[a.kvHeads()];
        Arrays.setAll(heads, h -> draw(a.headDim(), recipe.kvSalientShare()));
        return heads;
    }

    private void dense(ModelFile file, String name, int rows, int columns) throws IOException {
        var encoding = file.denseEncoding();
        try (var arena = Arena.ofConfined()) {
            var data = arena.allocate(Layouts.weightBytes(Layout.R16, encoding, rows, columns), 64);
            // a random sign and mantissa under one exponent: magnitudes of 1 to 2 times a power of two, about 1 / sqrt(columns)
            long exponent = 127L - (long) (Math.log(columns) / Math.log(4) + 0.5);
            long keep = encoding == Encoding.F32 ? 0x807fffff_807fffffL : 0x807f807f_807f807fL;
            long set = encoding == Encoding.F32 ? exponent << 23 | exponent << 55 : (exponent << 7) * 0x0001_0001_0001_0001L;
            fill(data, keep, set);
            // zero weights meet the padded channels, whose activations nobody defines
            int padded = (int) Layouts.pad(columns, Layouts.SEGMENT);
            zeroTail(data, Layouts.panels(rows), 16L * padded * encoding.bits() / 8, columns, encoding.bits());
            zeroRows(data, rows, 0, 16L * padded * encoding.bits() / 8);
            file.dense(name, rows, columns, data);
        }
    }

    private void linear(ModelFile file, String group, String name, int[] permutation, Segment[] segments, double clip, int rows, int bits,
            int weightGroup) throws IOException {
        int panels = Layouts.panels(rows);
        int columns = Arrays.stream(segments).mapToInt(Segment::channels).sum();
        int groups = Arrays.stream(segments).mapToInt(Segment::groups).sum();
        int storage = Encoding.ofCodes(bits).bits();
        int levels = (1 << bits) - 1;
        int middle = (levels + 1) / 2;
        try (var arena = Arena.ofConfined()) {
            var data = arena.allocate(Layouts.weightBytes(Layout.R16, Encoding.ofCodes(bits), rows,
                    Arrays.stream(segments).mapToInt(Segment::channels).toArray()), 64);
            fill(data, -1, 0);
            long at = 0;
            for (var s : segments) {
                long panel = Layouts.r16Panel(s.channels(), storage);
                zeroTail(data.asSlice(at, panels * panel), panels, panel, s.channels(), storage);
                zeroRows(data, rows, at, panel);
                at += panels * panel;
            }
            int mw = weightGroup == 0 ? 1 : 32;
            var scale = new float[16 * panels];
            // uniform codes have a standard deviation of levels / sqrt(12)
            Arrays.fill(scale, 0, rows, (float) (Math.sqrt(12.0 / columns) / levels / mw));
            var zero = new byte[16 * panels * (weightGroup == 0 ? 1 : groups)];
            Arrays.fill(zero, (byte) middle);
            byte[] mult = null;
            if (weightGroup > 0) {
                mult = new byte[16 * panels * groups];
                Arrays.fill(mult, (byte) mw);
            }
            var worst = new long[segments.length];
            for (int i = 0; i < worst.length; i++) {
                worst[i] = (long) mw * middle * segments[i].channels();
            }
            var linear = new SpikeLinear(data, scale, zero, mult, sums(data, rows, segments, storage, middle), weightGroup == 0 ? 1 : groups,
                    worst);
            file.spiking(group, permutation, segments, clip, name, rows, bits, linear, null);
        }
    }

    /** Sums of w - zw of the real codes, or null if they are not needed. */
    private static int[] sums(MemorySegment data, int rows, Segment[] segments, int bits, int middle) {
        if (!SpikeLinear.needsSums(segments)) {
            return null;
        }
        int panels = Layouts.panels(rows);
        int groups = Arrays.stream(segments).mapToInt(Segment::groups).sum();
        int perByte = 8 / bits;
        int mask = (1 << bits) - 1;
        var sum = new int[16 * panels * groups];
        long at = 0;
        int first = 0;
        for (var s : segments) {
            var panel = new byte[(int) Layouts.r16Panel(s.channels(), bits)];
            int step = s.group() == 0 ? Math.max(1, s.channels()) : s.group();
            for (int p = 0; p < panels; p++, at += panel.length) {
                MemorySegment.copy(data, ValueLayout.JAVA_BYTE, at, panel, 0, panel.length);
                int live = Math.min(16, rows - 16 * p);
                for (int vector = 0; vector < panel.length; vector += 64) {
                    int k0 = vector / 64 * 4 * perByte;
                    for (int byteAt = 0; byteAt < 64; byteAt++) {
                        int r = byteAt / 4;
                        for (int plane = 0; plane < perByte; plane++) {
                            int k = k0 + 4 * plane + byteAt % 4;
                            if (r < live && k < s.channels()) {
                                sum[(p * groups + first + k / step) * 16 + r] += (panel[vector + byteAt] >> plane * bits & mask) - middle;
                            }
                        }
                    }
                }
            }
            first += s.groups();
        }
        return sum;
    }

    private void fill(MemorySegment data, long keep, long set) {
        var r = random.split();
        for (long at = 0; at < data.byteSize(); at += 8) {
            data.set(LONG, at, r.nextLong() & keep | set);
        }
    }

    /** Zeroes channels from {@code channels} on in every panel. */
    private static void zeroTail(MemorySegment data, int panels, long panelBytes, int channels, int bits) {
        int perVector = 32 / bits;
        int k0 = channels / perVector * perVector;
        long from = (long) channels / perVector * 64;
        for (int p = 0; p < panels; p++) {
            if (from == panelBytes) {
                return;
            }
            var panel = data.asSlice(p * panelBytes, panelBytes);
            panel.asSlice(Math.min(panelBytes, from + (channels > k0 ? 64 : 0))).fill((byte) 0);
            for (int k = channels; channels > k0 && k < k0 + perVector; k++) {
                for (int r = 0; r < 16; r++) {
                    if (bits <= 8) {
                        long at = Layouts.r16Byte(k, r, bits);
                        int mask = (1 << bits) - 1 << Layouts.r16Shift(k, bits);
                        panel.set(ValueLayout.JAVA_BYTE, at, (byte) (panel.get(ValueLayout.JAVA_BYTE, at) & ~mask));
                    } else {
                        panel.asSlice(from + 4L * r + 2L * (k % perVector), bits / 8).fill((byte) 0);
                    }
                }
            }
        }
    }

    /** Zeroes the rows that pad the last panel. */
    private static void zeroRows(MemorySegment data, int rows, long segment, long panelBytes) {
        if (rows % 16 == 0) {
            return;
        }
        long last = segment + rows / 16 * panelBytes;
        for (long vector = last; vector < last + panelBytes; vector += 64) {
            data.asSlice(vector + 4L * (rows % 16), 64 - 4L * (rows % 16)).fill((byte) 0);
        }
    }

    private static float[] ones(int n) {
        var f = new float[n];
        Arrays.fill(f, 1);
        return f;
    }

    private record RandomRows(int rows, int columns, SplittableRandom random) implements Matrix {
        @Override
        public void read(int r, float[] out, int at) {
            for (int c = 0; c < columns; c++) {
                out[at + c] = (float) random.nextDouble(-1.7, 1.7);
            }
        }
    }

    /** A byte-level tokenizer of {@code tokens} bytes and no merges. */
    static byte[] byteTokenizer(int tokens) {
        var vocabulary = new StringBuilder();
        int beyond = 256;
        for (int b = 0; b < 256; b++) {
            boolean printable = b > ' ' && b <= '~' || b >= 0xa1 && b != 0xad;
            char c = printable ? (char) b : (char) beyond++;
            if (b < tokens) {
                vocabulary.append(b == 0 ? "" : ",").append('"').append(c == '"' || c == '\\' ? "\\" : "").append(c).append("\":").append(b);
            }
        }
        return ("""
                {"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
                "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false},
                "post_processor":null,"decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},
                "model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,
                "fuse_unk":false,"byte_fallback":false,"ignore_merges":false,"vocab":{%s},"merges":[]}}
                """.formatted(vocabulary)).getBytes(StandardCharsets.UTF_8);
    }
}
