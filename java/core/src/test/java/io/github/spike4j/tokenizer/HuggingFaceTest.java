package io.github.spike4j.tokenizer;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Equality with Hugging Face's own library, both ways. */
class HuggingFaceTest {
    /** For each file; -Dspike4j.strings=1000000 is the long round. */
    private static final int STRINGS = Integer.getInteger("spike4j.strings", 20_000);

    @ParameterizedTest
    @ValueSource(strings = {SharedData.NOVELWIKI, SharedData.LLAMA3, SharedData.QWEN3, SharedData.MISTRAL, "gpt2", "llama2.c"})
    void equal(String name) throws IOException {
        byte[] json = switch (name) {
            case "gpt2" -> SharedData.gpt2().getBytes(StandardCharsets.UTF_8);
            case "llama2.c" -> Llama2cTokenizer.toJson(SharedData.bytes("models/stories260k/tok512.bin"), 512).getBytes(StandardCharsets.UTF_8);
            default -> SharedData.bytes(name);
        };
        try (HuggingFace both = new HuggingFace(json)) {
            both.same(SharedData.text(SharedData.WIKI));
            both.same(SharedData.text(SharedData.NOVEL));
            both.same(RandomText.torture());
            both.sameOfRandom(STRINGS, 1);
            SplittableRandom random = new SplittableRandom(5);
            // low ids are the single bytes: most of their sequences are ill-formed
            for (int i = 0; i < STRINGS; i++) {
                both.sameText(random.ints(random.nextInt(1, 9), 0, random.nextBoolean() ? 262 : both.ours.vocabularySize()).toArray());
            }
        }
    }

    /** Components and options that the files at hand do not use, on a small vocabulary. */
    @ParameterizedTest
    @ValueSource(strings = {
        "'normalizer': {'type':'Sequence','normalizers':[{'type':'NFKC'},{'type':'Lowercase'},{'type':'Strip','strip_left':true,'strip_right':true}]}",
        "'normalizer': {'type':'Sequence','normalizers':[{'type':'NFD'},{'type':'StripAccents'},{'type':'Replace','pattern':{'Regex':'\\\\s+'},'content':'_'}]}",
        "'pre_tokenizer': {'type':'Metaspace','replacement':'▁','prepend_scheme':'first','split':true}, 'decoder': {'type':'Metaspace','replacement':'▁','prepend_scheme':'first','split':true}",
        "'pre_tokenizer': {'type':'Metaspace','replacement':'▁','prepend_scheme':'always','split':false}, 'decoder': {'type':'Metaspace','replacement':'▁','prepend_scheme':'always','split':false}",
        "'pre_tokenizer': {'type':'Sequence','pretokenizers':[{'type':'Punctuation','behavior':'Contiguous'},{'type':'ByteLevel','add_prefix_space':false,'trim_offsets':true,'use_regex':true},"
                + "{'type':'Digits','individual_digits':false},{'type':'Split','pattern':{'Regex':'[0-9][0-9][0-9]'},'behavior':'Isolated','invert':false}]}, 'decoder': {'type':'ByteLevel','add_prefix_space':true,'trim_offsets':true,'use_regex':true}",
        "'pre_tokenizer': {'type':'Sequence','pretokenizers':[{'type':'Digits','individual_digits':true},{'type':'ByteLevel','add_prefix_space':true,'trim_offsets':true,'use_regex':true}]}, 'decoder': {'type':'ByteLevel','add_prefix_space':true,'trim_offsets':true,'use_regex':true}",
        "'pre_tokenizer': {'type':'Split','pattern':{'String':' '},'behavior':'MergedWithPrevious','invert':false}",
        "'pre_tokenizer': {'type':'Split','pattern':{'Regex':'\\\\w+'},'behavior':'MergedWithPrevious','invert':true}",
        "'pre_tokenizer': {'type':'Split','pattern':{'Regex':'[a-m]'},'behavior':'MergedWithNext','invert':false}",
        "'pre_tokenizer': {'type':'Split','pattern':{'Regex':'[a-m]'},'behavior':'Contiguous','invert':false}",
        "'pre_tokenizer': {'type':'Split','pattern':{'Regex':'[a-m]'},'behavior':'Removed','invert':false}",
        "'pre_tokenizer': {'type':'Split','pattern':{'Regex':'\\\\p{Han}+|\\\\h+|\\\\p{^L}'},'behavior':'Isolated','invert':false}",
        "'pre_tokenizer': {'type':'Whitespace'}",
        "'pre_tokenizer': {'type':'WhitespaceSplit'}",
    })
    void components(String components) throws IOException {
        compare(small(components.replace('\'', '"')));
    }

    @Test
    void addedTokens() throws IOException {
        String json = small("""
                "normalizer": {"type":"Lowercase"}""").replace("\"added_tokens\": []", """
                "added_tokens": [
                  {"id": 273, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
                  {"id": 274, "content": "<S>x", "single_word": false, "lstrip": true, "rstrip": false, "normalized": false, "special": true},
                  {"id": 275, "content": "THE", "single_word": true, "lstrip": false, "rstrip": true, "normalized": true, "special": false},
                  {"id": 276, "content": "12", "single_word": true, "lstrip": true, "rstrip": true, "normalized": false, "special": false},
                  {"id": 277, "content": "...", "single_word": false, "lstrip": true, "rstrip": true, "normalized": true, "special": true}]""");
        compare(json);
    }

    private static void compare(String json) throws IOException {
        try (HuggingFace both = new HuggingFace(json)) {
            both.sameOfRandom(STRINGS / 20, 1);
        }
    }

    /** Bytes, ASCII and some merges; unknown characters fall back to bytes or vanish. */
    private static String small(String components) {
        StringBuilder vocab = new StringBuilder();
        int id = 0;
        for (int b = 0; b < 256; b++) vocab.append(id == 0 ? "" : ",").append(quote(String.valueOf(ByteAlphabet.charOf(b)))).append(':').append(id++);
        StringBuilder merges = new StringBuilder();
        for (String m : "t h,th e,Ġ t,i n,. .,.. .,1 2,12 3,▁ t,▁ th,▁ the,Ġ the,e r,Ġ Ġ,▁ ▁,s t".split(",")) {
            String[] p = m.split(" ");
            for (String s : new String[] {p[0], p[1], p[0] + p[1]}) {
                if (!vocab.toString().contains("," + quote(s) + ":")) vocab.append(',').append(quote(s)).append(':').append(id++);
            }
            merges.append(merges.isEmpty() ? "" : ",").append('[').append(quote(p[0])).append(',').append(quote(p[1])).append(']');
        }
        return "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\": []," + components + (components.contains("\"normalizer\"") ? "" : ",\"normalizer\":null")
                + (components.contains("\"pre_tokenizer\"") ? "" : ",\"pre_tokenizer\":null") + (components.contains("\"decoder\"") ? "" : ",\"decoder\":null")
                + ",\"post_processor\":null,\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":\"?\",\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":false,"
                + "\"byte_fallback\":false,\"ignore_merges\":false,\"vocab\":{" + vocab + "},\"merges\":[" + merges + "]}}";
    }

    private static String quote(String s) {
        return '"' + s.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }
}
