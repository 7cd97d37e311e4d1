package io.github.spike4j.convert.tokenizer;

/**
 * A token that is found in the text before the model sees it.
 *
 * @param singleWord only where no word character is beside it
 * @param lstrip     takes the white space on its left with it
 * @param rstrip     takes the white space on its right with it
 * @param normalized looked for in the normalized text, not the raw one
 * @param special    a control token: no part of the text
 */
record AddedToken(int id, String content, boolean singleWord, boolean lstrip, boolean rstrip, boolean normalized, boolean special) {

    static AddedToken control(int id, String content) {
        return new AddedToken(id, content, false, false, false, false, true);
    }

    static AddedToken text(int id, String content, boolean normalized) {
        return new AddedToken(id, content, false, false, false, normalized, false);
    }
}
