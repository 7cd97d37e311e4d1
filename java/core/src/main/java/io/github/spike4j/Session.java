package io.github.spike4j;

import io.github.spike4j.runtime.Scheduler;
import java.util.Arrays;

/**
 * A conversation with a model: its tokens and their cache. Calls may come from any thread, one at a time; a session that failed throws the
 * same exception from then on.
 */
public final class Session implements AutoCloseable {
    private final SpikeModel model;
    private final Scheduler.Session sequence;

    Session(SpikeModel model, Scheduler.Session sequence) {
        this.model = model;
        this.sequence = sequence;
    }

    /**
     * Appends a text; at the start of the session BOS comes first where the model wants it. Returns at once.
     *
     * @throws SpikeException.ContextFull if it does not fit; nothing is appended
     */
    public void append(String text) {
        append(model.encode(text, sequence.length() == 0));
    }

    /**
     * Makes the session hold a conversation, from its start: tokens that both have in common stay with their cache, what else the session
     * held is dropped, the rest is appended. So the whole conversation may be passed for each turn, and only what is new is computed.
     * Returns at once.
     *
     * @return how many tokens stay
     * @throws SpikeException.ContextFull if it does not fit; the session is as it was
     * @throws SpikeException.Template    if the template refuses the conversation; the session is as it was
     */
    public int append(Chat chat) {
        var wanted = model.encode(chat);
        if (wanted.length > maxContext()) {
            throw new SpikeException.ContextFull(wanted.length, maxContext());
        }
        int common = Arrays.mismatch(sequence.ids(), wanted);
        if (common < 0) {
            return wanted.length;
        }
        sequence.truncate(common);
        sequence.append(Arrays.copyOfRange(wanted, common, wanted.length));
        return common;
    }

    /**
     * Drops the tokens from a position on. Where every layer of the model sees only a window of positions, the cache holds the last two windows:
     * to go back further is right, but all tokens that stay are computed again.
     *
     * @throws IllegalArgumentException if the session holds fewer tokens
     */
    public void truncate(int position) {
        sequence.truncate(position);
    }

    /** Appends tokens. Returns at once; see {@link #append(String)}. */
    public void append(int... ids) {
        sequence.append(ids);
    }

    /** Starts to generate; what it generates becomes part of the session. */
    public Generation generate(Sampling sampling) {
        return generate(sampling, null);
    }

    /**
     * Starts to generate, and hands over the logits that each token is chosen from, on the thread that computes: {@code logits} must be
     * quick, for the tokens of all sessions wait, and must not wait for a session (that throws). What it throws ends the generation and the
     * session, an {@link Error} as the cause of an {@link IllegalStateException}; the other sessions go on. Null for none.
     */
    public Generation generate(Sampling sampling, LogitsConsumer logits) {
        var generation = new Generation(model, sequence, sampling, logits);
        generation.start();
        return generation;
    }

    /**
     * Starts to generate without text: nothing is allocated from token to token.
     *
     * @throws IllegalArgumentException if {@code sampling} has stop texts
     */
    public TokenIds generateIds(Sampling sampling) {
        var ids = new TokenIds(model, sequence, sampling);
        ids.start();
        return ids;
    }

    /** A copy of the logits after the last token, by token id. Waits until they are there. */
    public float[] logits() {
        return sequence.logits();
    }

    /**
     * Appends tokens and hands over the logits after each of them, on the caller's thread.
     *
     * @throws SpikeException.ContextFull if they do not fit; nothing is appended
     */
    public void evaluate(int[] ids, LogitsConsumer consumer) {
        sequence.evaluate(ids, consumer::accept);
    }

    /** A second session that goes on from here; the cache so far is shared. */
    public Session fork() {
        return new Session(model, sequence.fork());
    }

    /** Number of tokens. */
    public int position() {
        return sequence.length();
    }

    /** Most tokens. */
    public int maxContext() {
        return sequence.maxContext();
    }

    /** All tokens so far. */
    public int[] ids() {
        return sequence.ids();
    }

    /** Counts of this session. */
    public Statistics statistics() {
        return sequence.statistics();
    }

    /** Cancels its generation, waits for the step, frees the cache. Idempotent. */
    @Override
    public void close() {
        sequence.close();
    }
}
