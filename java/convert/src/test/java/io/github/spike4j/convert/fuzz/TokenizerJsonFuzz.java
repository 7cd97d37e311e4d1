package io.github.spike4j.convert.fuzz;

import java.nio.charset.StandardCharsets;
import java.util.List;

import io.github.spike4j.convert.TinyModel;
import io.github.spike4j.tokenizer.Tokenizer;
import io.github.spike4j.tokenizer.TokenizerException;

/** A tokenizer.json, and a text through what it describes, both ways. */
public final class TokenizerJsonFuzz {
    private static final String TEXT = "Hello, 123 wörld!  \tA<s>b \uD83D\uDE00e\u0301 x'll\n\n";

    private TokenizerJsonFuzz() { }

    public static void fuzzerTestOneInput(byte[] data) {
        try {
            var tokenizer = Tokenizer.fromJson(data);
            tokenizer.decode(tokenizer.encode(TEXT, true), false);
        } catch (TokenizerException e) {
            // refused
        }
    }

    public static List<byte[]> seeds() {
        return List.of(TinyModel.tokenizer(), """
                {"version": "1.0", "added_tokens": [{"id": 4, "content": "<s>", "special": true, "lstrip": true, "normalized": false}],
                "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
                "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "\\\\p{N}{1,3}|\\\\s+(?!\\\\S)"},
                "behavior": "Isolated", "invert": false}, {"type": "Digits", "individual_digits": true},
                {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]},
                "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}}], "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [4], "tokens": ["<s>"]}}},
                "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
                "model": {"type": "BPE", "unk_token": "a", "fuse_unk": true, "byte_fallback": true, "vocab": {"a": 0, "b": 1, "ab": 2, "<0x41>": 3},
                "merges": ["a b"]}}""".getBytes(StandardCharsets.UTF_8), """
                {"model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["▁", -1.5], ["a", -2.5], ["ab", -3.0]], "byte_fallback": false},
                "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
                "normalizer": {"type": "Precompiled", "precompiled_charsmap": "CAAAAAAAAAAAAAAAYQA="}}""".getBytes(StandardCharsets.UTF_8));
    }
}
