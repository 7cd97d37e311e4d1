package io.github.spike4j.tokenizer;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Translates llama2.c's {@code tokenizer.bin} into {@code tokenizer.json}.
 *
 * <p>The file, little-endian: int32 length of the longest token; then to the end, a token each: float32 score, int32 length, UTF-8 bytes.
 * Tokens 0, 1, 2 are unknown, BOS and EOS; 3 to 258 the bytes. llama2.c puts a space in front, starts from characters (bytes where a
 * character is no token) and merges the adjacent pair whose joint text is the token of the highest score. As byte pair encoding: every
 * split of a token into two tokens is a merge, ranked by the token's score. Spaces stay spaces ({@code ▁} in a text is then no space,
 * as in llama2.c).
 */
public final class Llama2cTokenizer {
    private static final int FIRST_BYTE = 3;
    private static final int FIRST_TEXT = FIRST_BYTE + 256;
    private static final int MAX_LENGTH = 1024;

    private Llama2cTokenizer() {}

    private record Token(int id, float score, String text) {}

    private record Merge(Token whole, Token left, Token right) {}

    /**
     * The equivalent {@code tokenizer.json}.
     *
     * @param vocabularySize tokens the file must have (llama2.c takes it from the model), or -1 for as many as there are
     * @throws TokenizerException if the file is damaged or has another number of tokens
     */
    public static String toJson(byte[] file, int vocabularySize) {
        List<Token> tokens = read(file);
        if (vocabularySize >= 0 && tokens.size() != vocabularySize) {
            throw new TokenizerException("llama2.c tokenizer: " + tokens.size() + " tokens, but the model has " + vocabularySize);
        }
        StringBuilder out = new StringBuilder(file.length * 8);
        out.append("""
                {
                  "version": "1.0",
                  "truncation": null,
                  "padding": null,
                  "added_tokens": [
                """);
        for (int id = 0; id < FIRST_BYTE; id++) {
            out.append("    {\"id\": ").append(id).append(", \"content\": ").append(quote(tokens.get(id).text))
                    .append(", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, \"special\": true}")
                    .append(id + 1 < FIRST_BYTE ? ",\n" : "\n");
        }
        out.append("""
                  ],
                  "normalizer": {"type": "Prepend", "prepend": " "},
                  "pre_tokenizer": null,
                  "post_processor": {"type": "TemplateProcessing",
                    "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                    "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
                    "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
                  "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
                  "model": {
                    "type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null, "end_of_word_suffix": null,
                    "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
                    "vocab": {
                """);
        for (Token t : tokens) {
            out.append("      ").append(quote(t.text)).append(": ").append(t.id).append(t.id + 1 < tokens.size() ? ",\n" : "\n");
        }
        out.append("    },\n    \"merges\": [\n");
        List<Merge> merges = merges(tokens);
        for (int i = 0; i < merges.size(); i++) {
            out.append("      [").append(quote(merges.get(i).left.text)).append(", ").append(quote(merges.get(i).right.text)).append(']')
                    .append(i + 1 < merges.size() ? ",\n" : "\n");
        }
        return out.append("    ]\n  }\n}\n").toString();
    }

    private static List<Token> read(byte[] file) {
        ByteBuffer in = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
        if (in.remaining() < 4) throw new TokenizerException("llama2.c tokenizer: the file is empty");
        in.getInt();
        List<Token> tokens = new ArrayList<>();
        Map<String, Integer> seen = new HashMap<>();
        while (in.hasRemaining()) {
            int id = tokens.size();
            if (in.remaining() < 8) throw damaged(id, "the file ends too early");
            float score = in.getFloat();
            int length = in.getInt();
            if (length < 0 || length > in.remaining()) throw damaged(id, "its length is " + length + ", " + in.remaining() + " bytes are left");
            if (length > MAX_LENGTH) throw damaged(id, "its length is " + length + "; the limit is " + MAX_LENGTH);
            if (Float.isNaN(score)) throw damaged(id, "its score is not a number");
            for (int i = in.position(), n; i < in.position() + length; i += n) {
                if ((n = Utf8.wellFormedLength(file, i, in.position() + length)) == 0) throw damaged(id, "it is not UTF-8");
            }
            String text = new String(file, in.position(), length, StandardCharsets.UTF_8);
            in.position(in.position() + length);
            text = switch (id) {
                case 0 -> "<unk>";
                case 1 -> "<s>";
                case 2 -> "</s>";
                default -> text;
            };
            if (id >= FIRST_BYTE && id < FIRST_TEXT && !text.equals(String.format("<0x%02X>", id - FIRST_BYTE))) throw damaged(id, "it must be a byte, such as <0x0A>");
            Integer same = seen.putIfAbsent(text, id);
            if (same != null) throw damaged(id, "it is the same as token " + same);
            tokens.add(new Token(id, score, text));
        }
        if (tokens.size() < FIRST_TEXT) throw new TokenizerException("llama2.c tokenizer: " + tokens.size() + " tokens; at least 259 are needed");
        return tokens;
    }

    private static List<Merge> merges(List<Token> tokens) {
        Map<String, Token> byText = new HashMap<>();
        tokens.stream().skip(FIRST_BYTE).forEach(t -> byText.put(t.text, t));
        List<Merge> merges = new ArrayList<>();
        for (Token t : byText.values()) {
            for (int i = t.text.offsetByCodePoints(0, t.text.isEmpty() ? 0 : 1); i < t.text.length(); i = t.text.offsetByCodePoints(i, 1)) {
                Token left = byText.get(t.text.substring(0, i));
                Token right = byText.get(t.text.substring(i));
                if (left != null && right != null) merges.add(new Merge(t, left, right));
            }
        }
        merges.sort(Comparator.<Merge>comparingDouble(m -> 0.0 - m.whole.score).thenComparingInt(m -> m.whole.id).thenComparingInt(m -> -m.left.text.length()));
        return merges;
    }

    private static TokenizerException damaged(int id, String what) {
        return new TokenizerException("llama2.c tokenizer: token " + id + ": " + what);
    }

    private static String quote(String s) {
        StringBuilder out = new StringBuilder(s.length() + 2).append('"');
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            if (c == '"' || c == '\\') out.append('\\').append(c);
            else if (c < 0x20 || c == 0x7F) out.append(String.format("\\u%04x", (int) c));
            else out.append(c);
        }
        return out.append('"').toString();
    }
}
