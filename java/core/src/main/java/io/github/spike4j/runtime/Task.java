package io.github.spike4j.runtime;

import io.github.spike4j.runtime.sampling.Candidates;

/**
 * A generation as the scheduler sees it. {@link #choose} is called on the scheduler's thread without its lock; the other methods under it: they
 * must be quick. None may wait for a session.
 */
public interface Task {
    /** Why a generation ended. */
    enum End {
        /** The model ended it. */
        EOS,
        /** As many tokens as asked for. */
        MAX_TOKENS,
        /** A stop text. */
        STOP,
        /** It was cancelled, or its session closed. */
        CANCELLED,
        /** No room for another token. */
        CONTEXT_FULL
    }

    /** Whether somebody wants it to end. */
    boolean cancelled();

    /** Chooses the next token, in the thread's {@code candidates}; -1 if the logits are damaged. What it throws ends the session. */
    int choose(float[] logits, Candidates candidates);

    /** Takes the token; the reason if the generation ends with it, else null. */
    End accept(int id);

    /** The generation ended. What it throws fails it, and its session. */
    void end(End reason);

    /** The generation failed. */
    void fail(RuntimeException e);
}
