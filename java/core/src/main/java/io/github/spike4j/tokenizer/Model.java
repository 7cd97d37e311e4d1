package io.github.spike4j.tokenizer;

/** Turns a word into token ids. Immutable but for caches; any number of threads. */
sealed interface Model permits Bpe, Unigram, WordPiece, WordLevel, SentencePiece {
    Vocabulary vocabulary();

    /** Encodes words of one thread. */
    PreTokenizer.Sink encoder(Ints ids);
}
