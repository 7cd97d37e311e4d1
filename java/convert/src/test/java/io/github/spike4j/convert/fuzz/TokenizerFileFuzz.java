package io.github.spike4j.convert.fuzz;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.tokenizer.TokenizerSource;

/** A tokenizer.model (SentencePiece's protocol buffer, or tiktoken's ranks), and a text through what it describes. */
public final class TokenizerFileFuzz {
    private static final Scratch SCRATCH = new Scratch();
    private static final String TEXT = "Hello ab, 123 wörld! \uD83D\uDE00";

    private TokenizerFileFuzz() { }

    public static void fuzzerTestOneInput(byte[] data) {
        try {
            var tokenizer = TokenizerSource.open(SCRATCH.write("tokenizer.model", data));
            tokenizer.decode(tokenizer.encode(TEXT, true, true));
        } catch (ConversionException e) {
            // refused
        }
    }

    public static List<byte[]> seeds() {
        var ranks = new StringBuilder();
        for (int i = 0; i < 256; i++) {
            ranks.append(Base64.getEncoder().encodeToString(new byte[] {(byte) i})).append(' ').append(i).append('\n');
        }
        ranks.append("YWI= 256\n");
        return List.of(sentencePiece(1), sentencePiece(2), ranks.toString().getBytes(StandardCharsets.UTF_8));
    }

    /** Pieces, a trainer_spec with model_type, and a normalizer_spec. */
    private static byte[] sentencePiece(int modelType) {
        var out = new ByteArrayOutputStream();
        var pieces = new String[] {"<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "▁a", "<0x41>"};
        for (int i = 0; i < pieces.length; i++) {
            int type = i == 0 ? 2 : i < 3 ? 3 : pieces[i].startsWith("<0x") ? 6 : 1;
            var piece = new ByteArrayOutputStream();
            field(piece, 1, pieces[i].getBytes(StandardCharsets.UTF_8));
            piece.write(2 << 3 | 5);
            piece.writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putFloat(-i).array());
            piece.writeBytes(new byte[] {3 << 3, (byte) type});
            field(out, 1, piece.toByteArray());
        }
        field(out, 2, new byte[] {3 << 3, (byte) modelType});
        var normalizer = new ByteArrayOutputStream();
        field(normalizer, 1, "identity".getBytes(StandardCharsets.UTF_8));
        normalizer.writeBytes(new byte[] {3 << 3, 1, 4 << 3, 0});
        field(out, 3, normalizer.toByteArray());
        return out.toByteArray();
    }

    private static void field(ByteArrayOutputStream out, int number, byte[] content) {
        out.write(number << 3 | 2);
        out.write(content.length);
        out.writeBytes(content);
    }
}
