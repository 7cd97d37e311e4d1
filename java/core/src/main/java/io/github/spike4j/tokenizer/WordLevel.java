package io.github.spike4j.tokenizer;

/** The simplest model: a word is a token, or unknown. */
record WordLevel(Vocabulary vocabulary, String unknown) implements Model {
    @Override
    public PreTokenizer.Sink encoder(Ints ids) {
        Bytes utf8 = new Bytes(256);
        return (text, start, end, first) -> {
            utf8.clear();
            utf8.addUtf8(text, start, end);
            int id = vocabulary.find(utf8.array, 0, utf8.length);
            ids.add(id >= 0 ? id : vocabulary.unknown(unknown));
        };
    }
}
