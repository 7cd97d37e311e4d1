package io.github.spike4j.convert.tokenizer;

import java.io.IOException;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

import io.github.spike4j.convert.SharedData;

/** Texts to compare tokenizers on. */
final class TestTexts {
    static final String WIKI = "text/wikitext-2/wiki.test.raw";

    private static final String[] PIECES = {
        " ", "  ", "   ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "'s", "'LL", "'\u017f", "don't", "1", "12", "12345", " 678", "\u00bd", "\u0664", "\u4e03", "a", "B", "the ", " the",
        "\u00e9", "e\u0301", "\u212b", "\uac00", "\ud83d\ude00", "\ud83d\ude36\u200d\ud83c\udf2b\ufe0f", "\u6211\u60f3", "\u3042\u30a2", "\u041d\u0435", "\u0e01\u0e33", "\u0639\u064e", "\u0928\u093f",
        "<", ">", "<|", "|>", "\u2581", "!", "...", "-", "\"", "\\", "\u2028", "\u0000", "\u0085", "\u200b", "\ufffd", "\u0130", "\ufb01", "\ud835\udd38", "Hello", "World", "camelCase", "ABCdef"
    };

    private TestTexts() { }

    static String read(String name) throws IOException {
        return Files.readString(SharedData.path(name));
    }

    /** Borders of scripts, spaces, digits, marks, surrogate pairs. */
    static String random(SplittableRandom random) {
        var s = new StringBuilder();
        for (int n = random.nextInt(1, 24); n > 0; n--) {
            switch (random.nextInt(4)) {
                case 0, 1 -> s.append(PIECES[random.nextInt(PIECES.length)]);
                case 2 -> s.append((char) random.nextInt(0x20, 0x7F));
                default -> {
                    int c = random.nextInt(0x700);
                    if (Character.isDefined(c)) {
                        s.appendCodePoint(c);
                    }
                }
            }
        }
        return s.toString();
    }

    record Vector(String text, int[] ids) { }

    /** llama.cpp's vectors: texts without BOS, special tokens parsed. */
    static List<Vector> vectors(String name) throws IOException {
        var texts = read("tokenizers/ggml-vocab/ggml-vocab-" + name + ".gguf.inp").split("\n__ggml_vocab_test__\n", -1);
        var lines = read("tokenizers/ggml-vocab/ggml-vocab-" + name + ".gguf.out").lines().toList();
        var vectors = new java.util.ArrayList<Vector>();
        for (int i = 0; i < lines.size(); i++) {
            vectors.add(new Vector(texts[i], Arrays.stream(lines.get(i).trim().split(" ")).filter(s -> !s.isEmpty()).mapToInt(Integer::parseInt).toArray()));
        }
        return vectors;
    }
}
