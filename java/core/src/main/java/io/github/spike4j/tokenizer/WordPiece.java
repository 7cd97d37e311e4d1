package io.github.spike4j.tokenizer;

import java.nio.charset.StandardCharsets;

/** BERT's model: the longest token that starts the word, then the longest continuation, and so on; a word that cannot be made is unknown. */
final class WordPiece implements Model {
    private final Vocabulary vocabulary;
    private final ByteTrie trie;
    /** Node below which the continuations are, or {@link ByteTrie#NONE}. */
    private final int continuations;
    private final String unknown;
    private final long maxCharacters;
    private final WordCache cache = new WordCache();

    /**
     * @param prefix what the file writes before a token that continues a word, such as {@code ##}
     * @param maxCharacters code points; a longer word is unknown
     */
    WordPiece(Vocabulary vocabulary, String unknown, String prefix, long maxCharacters) {
        this.vocabulary = vocabulary;
        this.unknown = unknown;
        this.maxCharacters = maxCharacters;
        trie = new ByteTrie(vocabulary, _ -> true);
        continuations = trie.walk(prefix.getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public Vocabulary vocabulary() {
        return vocabulary;
    }

    @Override
    public PreTokenizer.Sink encoder(Ints out) {
        Bytes utf8 = new Bytes(256);
        return new WordCache.Encoder(cache, out) {
            @Override
            void encode(String text, int start, int end) {
                if (!isMade(text, start, end)) {
                    ids.length = 0;
                    ids.add(vocabulary.unknown(unknown));
                }
            }

            private boolean isMade(String text, int start, int end) {
                if (text.codePointCount(start, end) > maxCharacters) return false;
                utf8.clear();
                utf8.addUtf8(text, start, end);
                for (int i = 0; i < utf8.length; ) {
                    int longest = -1;
                    int longestEnd = i;
                    int node = i == 0 ? ByteTrie.ROOT : continuations;
                    for (int k = i; k < utf8.length && node != ByteTrie.NONE; k++) {
                        node = trie.child(node, utf8.array[k]);
                        if (node != ByteTrie.NONE && trie.token(node) >= 0) {
                            longest = trie.token(node);
                            longestEnd = k + 1;
                        }
                    }
                    if (longest < 0) return false;
                    ids.add(longest);
                    i = longestEnd;
                }
                return true;
            }
        };
    }
}
