package io.github.spike4j.convert.importer;

import io.github.spike4j.convert.ConversionException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

import io.github.spike4j.format.Architecture;
import io.github.spike4j.format.TokenizerInfo;
import io.github.spike4j.tokenizer.Llama2cTokenizer;
import io.github.spike4j.tokenizer.TokenizerException;

/**
 * llama2.c's version 0 {@code .bin}: int32 dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size (negative: lm_head apart), seq_len;
 * then float32 weights by kind, all layers of a kind together. Its q and k rotate neighbouring channels; their rows are put into halves
 * order here. The tokenizer lies beside it: {@code tokVOCAB.bin} or {@code tokenizer.bin}.
 */
final class Llama2cCheckpoint implements Checkpoint {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int HEADER = 7 * 4;
    /** The magic of versions 1 and 2, "ak42". */
    private static final int MAGIC = 0x616b3432;

    private final Path file;
    private final int context;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment map;
    /** Of the file. */
    private final Architecture architecture;
    private final Map<Weight, Long> offsets = new EnumMap<>(Weight.class);
    private final byte[] tokenizerJson;

    /** @param context 0: that of the file */
    Llama2cCheckpoint(Path file, int context) {
        this.file = file;
        this.context = context;
        try {
            map = Sources.map(file, arena);
            architecture = header();
            layout();
            tokenizerJson = translateTokenizer();
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    private Architecture header() {
        if (map.byteSize() < HEADER) {
            throw new ConversionException(file + ": " + map.byteSize() + " bytes are no llama2.c checkpoint");
        }
        if (map.get(INT, 0) == MAGIC) {
            throw new ConversionException(file + ": llama2.c version " + map.get(INT, 4) + " is not supported; export version 0");
        }
        int dim = map.get(INT, 0);
        int heads = map.get(INT, 12);
        int vocab = map.get(INT, 20);
        if (heads < 1 || dim < 1 || dim % heads != 0 || vocab == Integer.MIN_VALUE) {
            throw new ConversionException(file + ": not a llama2.c checkpoint: width " + dim + ", " + heads + " heads");
        }
        return Checkpoint.check(file + ": not a llama2.c checkpoint",
                Architecture.llama(map.get(INT, 8), dim, map.get(INT, 4), heads, map.get(INT, 16), dim / heads, Math.abs(vocab),
                        map.get(INT, 24), 1e-5f, 10000, vocab > 0));
    }

    private void layout() {
        long at = HEADER;
        for (var w : List.of(Weight.EMBEDDING, Weight.ATTENTION_NORM, Weight.Q, Weight.K, Weight.V, Weight.O, Weight.FFN_NORM, Weight.GATE,
                Weight.DOWN, Weight.UP, Weight.NORM)) {
            offsets.put(w, at);
            var s = Checkpoint.shape(architecture, w);
            at += 4L * s[0] * s[1] * (w == Weight.EMBEDDING || w == Weight.NORM ? 1 : architecture.layers());
        }
        at += 4L * architecture.context() * architecture.headDim();
        offsets.put(Weight.LM_HEAD, architecture.tiedEmbeddings() ? offsets.get(Weight.EMBEDDING) : at);
        at += architecture.tiedEmbeddings() ? 0 : 4L * architecture.vocab() * architecture.hidden();
        if (at != map.byteSize()) {
            throw new ConversionException(file + ": " + map.byteSize() + " bytes, but its header asks for " + at
                    + "; it is truncated or no llama2.c checkpoint");
        }
    }

    private byte[] translateTokenizer() {
        var names = List.of("tok" + architecture.vocab() + ".bin", "tokenizer.bin");
        for (var name : names) {
            var beside = file.resolveSibling(name);
            if (Files.exists(beside)) {
                try {
                    return Llama2cTokenizer.toJson(Sources.bytes(beside), architecture.vocab()).getBytes(StandardCharsets.UTF_8);
                } catch (TokenizerException e) {
                    throw new ConversionException(beside + ": " + e.getMessage(), e);
                }
            }
        }
        throw new ConversionException(file + ": no tokenizer beside it; put " + String.join(" or ", names) + " into its folder");
    }

    @Override
    public Architecture architecture() {
        return context == 0 ? architecture : architecture.withContext(context);
    }

    @Override
    public int positions() {
        return architecture.context();
    }

    @Override
    public Matrix weight(Weight weight, int layer) {
        var offset = offsets.get(weight);
        if (offset == null) {
            return null;
        }
        var shape = Checkpoint.shape(architecture, weight);
        long size = 4L * shape[0] * shape[1];
        boolean once = weight == Weight.EMBEDDING || weight == Weight.LM_HEAD || weight == Weight.NORM;
        Matrix rows = new Rows(shape[0], shape[1], map.asSlice(offset + (once ? 0 : layer * size), size));
        return weight == Weight.Q || weight == Weight.K ? rows.rows(HeadRows.neighbours(shape[0], architecture.headDim())) : rows;
    }

    private record Rows(int rows, int columns, MemorySegment data) implements Matrix {
        @Override
        public void read(int r, float[] out, int at) {
            MemorySegment.copy(data, FLOAT, 4L * r * columns, out, at, columns);
        }
    }

    @Override
    public byte[] tokenizerJson() {
        return tokenizerJson;
    }

    /** llama2.c starts with BOS, and both BOS and EOS end a story. */
    @Override
    public TokenizerInfo tokenizer() {
        return new TokenizerInfo(1, new int[] {1, 2}, true);
    }

    @Override
    public Map<String, String> provenance() {
        return Map.of("source", file.getFileName().toString(), "sourceFormat", "llama2.c");
    }

    @Override
    public void close() {
        arena.close();
    }
}
