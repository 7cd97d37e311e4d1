package io.github.spike4j.convert.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import tools.jackson.databind.JsonNode;

import io.github.spike4j.convert.SharedData;
import io.github.spike4j.convert.importer.Sources;

/** Real files of every form: published vectors, and the same vocabulary in two forms. */
class RealTokenizersTest {
    private static final int STRINGS = 2_000;

    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({"llama-spm, llama2/tokenizer.model", "llama-spm, llama2/tokenizer.bin", "gpt-2, gpt2", "llama-bpe, llama3/tokenizer.model", "llama-bpe, llama3",
            "qwen2, qwen3", "llama-spm, ggml-vocab/ggml-vocab-llama-spm.gguf", "gpt-2, ggml-vocab/ggml-vocab-gpt-2.gguf",
            "deepseek-coder, ggml-vocab/ggml-vocab-deepseek-coder.gguf"})
    void vectors(String name, String path) throws IOException {
        var tokenizer = TokenizerSource.open(SharedData.path("tokenizers/" + path));
        var vectors = TestTexts.vectors(name);
        assertEquals(46, vectors.size());
        for (var v : vectors) {
            assertArrayEquals(v.ids(), tokenizer.encode(v.text(), false, true), name + ": [" + v.text() + "]");
        }
    }

    /** Llama 2 as SentencePiece keeps it and as llama2.c does, whose translation is another one and knows no raw spaces. */
    @Test
    void sentencePieceAndLlama2c() throws IOException {
        same(TokenizerSource.open(SharedData.path("tokenizers/llama2/tokenizer.model")),
                TokenizerSource.open(SharedData.path("tokenizers/llama2/tokenizer.bin")), "\u2581");
    }

    /** Llama 3 as tiktoken keeps it and as Hugging Face translated it. */
    @Test
    void tiktokenAndHuggingFace() throws IOException {
        var ranks = TokenizerSource.open(SharedData.path("tokenizers/llama3/tokenizer.model"));
        var json = TokenizerSource.open(SharedData.path("tokenizers/llama3/tokenizer.json"));
        same(ranks, json, null);
        assertEquals(json.vocabularySize(), ranks.vocabularySize());
        for (int id = 0; id < json.vocabularySize(); id++) {
            assertEquals(json.token(id), ranks.token(id));
        }
        assertEquals(TokenizerSource.Kind.TIKTOKEN, ranks.kind());
        assertEquals(128000, ranks.encode("x", true, true)[0]);
        assertNotNull(ranks.chatTemplates().get("default"));
    }

    /** Without files beside it, the family's own special tokens are there. */
    @Test
    void tiktokenAlone() throws IOException {
        Files.copy(SharedData.path("tokenizers/llama3/tokenizer.model"), folder.resolve("any.tiktoken"));
        var ranks = TokenizerSource.open(folder);
        assertArrayEquals(new int[] {128000, 128006, 882, 128007, 271, 6151, 128009, 128255},
                ranks.encode("<|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|reserved_special_token_250|>", true, true));
        assertArrayEquals(new int[] {128001}, ranks.policy().eos());
    }

    /** Vectors on which three other implementations agree. */
    @Test
    void smolLm2() throws IOException {
        var tokenizer = TokenizerSource.open(SharedData.path("models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf"));
        var golden = Sources.json(SharedData.path("models/smollm2-135m-instruct/golden.json")).path("tokenizer_vectors");
        assertFalse(golden.path("vectors").isEmpty());
        for (var v : golden.path("vectors")) {
            int[] ids = v.path("ids").valueStream().mapToInt(JsonNode::intValue).toArray();
            assertArrayEquals(ids, tokenizer.encode(v.path("text").stringValue(), true, v.path("parse_special").booleanValue()), v.path("name").stringValue());
            assertEquals(v.path(v.path("round_trip").booleanValue() ? "text" : "decoded").stringValue(), tokenizer.decode(ids), v.path("name").stringValue());
        }
        assertEquals(303_415, tokenizer.encode(TestTexts.read(TestTexts.WIKI), true, false).length);
        assertEquals(1, tokenizer.policy().bos());
        assertFalse(tokenizer.policy().addBos());
        assertArrayEquals(new int[] {2, 0}, tokenizer.policy().eos());
        assertEquals(2, tokenizer.policy().pad());
        assertTrue(tokenizer.chatTemplates().get("default").contains("<|im_start|>"));
    }

    @Test
    void stories() throws IOException {
        same(TokenizerSource.open(SharedData.path("models/stories260k/stories260K-f32.gguf")),
                TokenizerSource.open(SharedData.path("models/stories260k/tok512.bin")), "\u2581");
    }

    @Test
    void policies() {
        var llama2 = TokenizerSource.open(SharedData.path("tokenizers/llama2/tokenizer.model"));
        assertEquals(1, llama2.policy().bos());
        assertArrayEquals(new int[] {2}, llama2.policy().eos());
        assertTrue(llama2.policy().addBos());
        assertFalse(llama2.policy().addEos());
        assertEquals(0, llama2.policy().unknown());
        assertEquals(-1, llama2.policy().pad());
        assertEquals(32000, llama2.vocabularySize());
        var qwen = TokenizerSource.open(SharedData.path("tokenizers/qwen3"));
        assertEquals(-1, qwen.policy().bos());
        assertArrayEquals(new int[] {151645}, qwen.policy().eos());
        assertEquals(151643, qwen.policy().pad());
        assertTrue(qwen.chatTemplates().get("default").contains("<|im_start|>"));
    }

    private static void same(TokenizerSource a, TokenizerSource b, String but) throws IOException {
        var wiki = TestTexts.read(TestTexts.WIKI);
        assertArrayEquals(a.encode(wiki, false, true), b.encode(wiki, false, true));
        var random = new SplittableRandom(7);
        for (int i = 0; i < STRINGS; i++) {
            var text = TestTexts.random(random);
            if (but != null) {
                text = text.replace(but, "");
            }
            assertArrayEquals(a.encode(text, false, true), b.encode(text, false, true), text);
        }
    }
}
