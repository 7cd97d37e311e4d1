package io.github.spike4j.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Ids published elsewhere: the model card of novelwiki-29m, llama.cpp's vectors. */
class VectorsTest {
    @Test
    void novelwikiModelCard() throws IOException {
        Tokenizer t = SharedData.tokenizer(SharedData.NOVELWIKI);
        String text = "The history of the city is not a subject of debate, but it is a subject of debate. The city is a centre of the city's cultural and"
                + " economic life, and the city is a centre of the world's economic";
        int[] ids = {0, 475, 2260, 281, 262, 1448, 353, 367, 260, 1888, 281, 7514, 13, 430, 338, 353, 260, 1888, 281, 7514, 15, 381, 1448, 353, 260, 3966, 281, 262, 1448,
            370, 5721, 283, 3403, 832, 13, 283, 262, 1448, 353, 260, 3966, 281, 262, 908, 370, 3403};
        assertArrayEquals(ids, t.encode(text, true));
        assertEquals(text, t.decode(ids, true));
        assertEquals("<|begin_of_text|>" + text, t.decode(ids, false));
        assertEquals(8192, t.vocabularySize());
        assertEquals(0, t.bos());
        assertEquals(1, t.eos());
        assertEquals(475, t.id("The"));
        assertEquals("Ġhistory", t.token(2260));
    }

    @Test
    void llama3() throws IOException {
        vectors("llama-bpe", SharedData.tokenizer(SharedData.LLAMA3));
    }

    @Test
    void qwen() throws IOException {
        vectors("qwen2", SharedData.tokenizer(SharedData.QWEN3));
    }

    @Test
    void gpt2() throws IOException {
        vectors("gpt-2", SharedData.parse(SharedData.gpt2()));
    }

    /** Llama 2's vocabulary as llama2.c keeps it, against llama.cpp's reading of SentencePiece's own file. */
    @Test
    void llama2() throws IOException {
        String json = Llama2cTokenizer.toJson(SharedData.bytes("tokenizers/llama2/tokenizer.bin"), 32000);
        vectors("llama-spm", Tokenizer.fromJson(json.getBytes(StandardCharsets.UTF_8)));
    }

    private static void vectors(String name, Tokenizer tokenizer) throws IOException {
        String[] texts = SharedData.text("tokenizers/ggml-vocab/ggml-vocab-" + name + ".gguf.inp").split("\n__ggml_vocab_test__\n", -1);
        List<String> lines = SharedData.text("tokenizers/ggml-vocab/ggml-vocab-" + name + ".gguf.out").lines().toList();
        assertEquals(46, lines.size());
        for (int i = 0; i < lines.size(); i++) {
            int[] expected = Arrays.stream(lines.get(i).trim().split(" ")).filter(s -> !s.isEmpty()).mapToInt(Integer::parseInt).toArray();
            assertArrayEquals(expected, tokenizer.encode(texts[i], false), name + ": [" + texts[i] + "]");
        }
    }
}
