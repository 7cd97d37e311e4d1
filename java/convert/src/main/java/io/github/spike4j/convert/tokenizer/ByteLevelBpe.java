package io.github.spike4j.convert.tokenizer;

import java.util.Collection;
import java.util.List;
import java.util.Map;

/**
 * Byte-level BPE (GPT-2, tiktoken) on its way to {@code tokenizer.json}: tokens and merges are written in GPT-2's alphabet, in which each
 * byte is a printable character.
 */
final class ByteLevelBpe {
    private static final char[] ALPHABET = new char[256];

    static {
        int other = 256;
        for (int b = 0; b < 256; b++) {
            boolean printable = b > ' ' && b < 0x7F || b > 0xA0 && b != 0xAD;
            ALPHABET[b] = (char) (printable ? b : other++);
        }
    }

    private ByteLevelBpe() { }

    /** Bytes in GPT-2's alphabet. */
    static String write(byte[] bytes) {
        var out = new char[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            out[i] = ALPHABET[bytes[i] & 0xFF];
        }
        return new String(out);
    }

    /** @param ignoreMerges a word that is a token is this token, whatever its merges (tiktoken) */
    static byte[] json(Map<String, Integer> vocabulary, List<List<String>> merges, boolean ignoreMerges, PreTokenizer words,
            Collection<AddedToken> added, TokenizerPolicy policy) {
        return new JsonForm().with(added, policy).with("normalizer", words.normalizer()).with("pre_tokenizer", words.component())
                .with("decoder", JsonForm.byteLevel(false, true)).with("model", JsonForm.bpe(vocabulary, merges, null, false, ignoreMerges)).bytes();
    }
}
