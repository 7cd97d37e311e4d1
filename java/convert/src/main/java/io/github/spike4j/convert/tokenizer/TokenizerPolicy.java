package io.github.spike4j.convert.tokenizer;

import io.github.spike4j.format.TokenizerInfo;

/**
 * What a tokenizer's files say about its special tokens; -1 where they name none.
 *
 * @param bos     the token that starts a text
 * @param eos     the tokens that end a generation, the tokenizer's own end of text first
 * @param addBos  whether an encoded text starts with {@code bos}
 * @param addEos  whether an encoded text ends with the first of {@code eos}
 * @param unknown stands for what no token covers
 * @param pad     fills batches of other engines; never produced
 */
public record TokenizerPolicy(int bos, int[] eos, boolean addBos, boolean addEos, int unknown, int pad) {

    /** The part of it that a manifest holds. */
    public TokenizerInfo info() {
        return new TokenizerInfo(bos, eos, addBos && bos >= 0);
    }
}
