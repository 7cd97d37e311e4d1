package io.github.spike4j.tokenizer;

import java.util.SplittableRandom;

/** Random strings that look for trouble: borders of scripts, spaces, digits, marks, surrogate pairs, pieces of special tokens. */
final class RandomText {
    private static final String[] PIECES = {
        " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "'s", "'LL", "'\u017f", "n't", "don't", "1", "12", "12345", "\u00bd", "\u0664", "\u2167", "\u4e03", "a", "B", "the ", " the",
        "\u00e9", "e\u0301", "\u00c5", "\u212b", "\u1ec7", "\uac00", "\u1100\u1161", "\ud83d\ude00", "\ud83d\ude36\u200d\ud83c\udf2b\ufe0f", "\ud83c\uddef\ud83c\uddf5", "\u6211\u60f3", "\u3042\u30a2",
        "\u041d\u0435", "\u0e01\u0e33", "\u05e9\u05b8", "\u0639\u064e", "\u0928\u093f", "<", ">", "<s>", "</s>", "<|", "|>", "<|end_of_text|>", "<|im_start|>", "<think>", "\u2581", "<0x0A>", "!", "...", "-", "_",
        "\"", "\\", "\u2028", "\u0000", "\u007f", "\u0085", "\u200b", "\ufeff", "\ufffd", "\u0130", "\u00df", "\u03a3", "\ufb01", "\ud835\udd38", "\ud869\uded6"
    };

    private RandomText() {}

    /** Each character that there is, borders of UTF-8's lengths, long runs, what editors and terminals trip over. */
    static String torture() {
        StringBuilder s = new StringBuilder();
        for (int c = 0; c <= 0x10FFFF; c++) {
            if (Character.isSurrogate((char) c) && c < 0x10000 || c > 0x3500 && c < 0xA000 || c > 0xAC80 && c < 0xD780 || c > 0x17100 && c < 0x18700 || c > 0x20100 && c < 0xE0000 || c > 0xE0200 && c < 0x10FF00) continue;
            s.appendCodePoint(c);
            if (c % 7 == 0) s.append(c % 2 == 0 ? " " : "a");
            if (c % 61 == 0) s.append('\n');
        }
        for (int c : new int[] {0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD, 0xFFFE, 0xFFFF, 0x10000, 0x1FFFF, 0x10FFFF}) s.appendCodePoint(c).append(' ').appendCodePoint(c);
        for (int n : new int[] {1, 2, 3, 16, 17, 83, 500}) {
            for (String piece : PIECES) s.append(piece.repeat(n)).append(n % 2 == 0 ? "\n" : " x");
        }
        return s.append("a\u0300\u0316\u0301".repeat(100)).append("\u202e\u2066abc\u2069\u202c").append("\ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67".repeat(20)).toString();
    }

    static String next(SplittableRandom random) {
        StringBuilder s = new StringBuilder();
        for (int n = random.nextInt(1, 24); n > 0; n--) {
            switch (random.nextInt(4)) {
                case 0, 1 -> s.append(PIECES[random.nextInt(PIECES.length)]);
                case 2 -> s.append((char) random.nextInt(0x20, 0x7F));
                default -> {
                    int c = random.nextInt(5) == 0 ? random.nextInt(0x110000) : random.nextInt(0x3100);
                    if (!(c >= 0xD800 && c < 0xE000)) s.appendCodePoint(c);
                }
            }
        }
        return s.toString();
    }
}
