package io.github.spike4j.tokenizer;

import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Test data outside the repository: a test that needs it is skipped where it is absent, unless it is required. */
public final class SharedData {
    static final String NOVELWIKI = "models/novelwiki-29m/tokenizer.json";
    static final String MISTRAL = "tokenizers/llama2-hf/tokenizer.json";
    static final String LLAMA3 = "tokenizers/llama3/tokenizer.json";
    static final String QWEN3 = "tokenizers/qwen3/tokenizer.json";
    static final String WIKI = "text/wikitext-2/wiki.test.raw";
    static final String NOVEL = "text/novel-forster-1908.txt";

    private SharedData() {}

    public static Path path(String name) {
        Path path = Path.of(System.getProperty("spike4j.shared.dir", "../../../shared"), name);
        if (!Files.exists(path)) {
            String message = "test data " + name + " is not in " + path.getParent() + " (-Dspike4j.shared.dir=...)";
            if ("required".equals(System.getProperty("spike4j.shared"))) fail(message);
            abort(message);
        }
        return path;
    }

    static byte[] bytes(String name) throws IOException {
        return Files.readAllBytes(path(name));
    }

    static String text(String name) throws IOException {
        return Files.readString(path(name));
    }

    static Tokenizer tokenizer(String name) throws IOException {
        return Tokenizer.fromJson(bytes(name));
    }

    /** GPT-2's vocabulary and merges, in the form of one file. */
    static String gpt2() throws IOException {
        StringBuilder json = new StringBuilder("""
                {"added_tokens": [{"id": 50256, "content": "<|endoftext|>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
                 "normalizer": null, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
                 "post_processor": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true},
                 "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
                 "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": false, "vocab":\s""");
        json.append(text("tokenizers/gpt2/vocab.json")).append(", \"merges\": [");
        List<String> merges = text("tokenizers/gpt2/merges.txt").lines().filter(l -> !l.isEmpty() && !l.startsWith("#version")).toList();
        for (int i = 0; i < merges.size(); i++) {
            json.append(i == 0 ? "\"" : ",\"").append(merges.get(i).replace("\\", "\\\\").replace("\"", "\\\"")).append('"');
        }
        return json.append("]}}").toString();
    }

    static Tokenizer parse(String json) {
        return Tokenizer.fromJson(json.getBytes(StandardCharsets.UTF_8));
    }
}
