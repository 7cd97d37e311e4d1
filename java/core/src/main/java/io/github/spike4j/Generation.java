package io.github.spike4j;

import io.github.spike4j.runtime.Scheduler;
import io.github.spike4j.runtime.Task;
import io.github.spike4j.runtime.sampling.Candidates;
import io.github.spike4j.runtime.sampling.Sampler;
import io.github.spike4j.runtime.sampling.StopMatcher;
import io.github.spike4j.tokenizer.StreamDecoder;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A text in the making. Every iterator, subscriber and {@link #result} sees it from its beginning, however late it comes. Texts never split
 * a character, and never hold (a part of) a stop text.
 */
public final class Generation implements Iterable<Token> {
    /** Why it ended. */
    public enum Reason {
        /** The model ended it. */
        EOS,
        /** As many tokens as asked for. */
        MAX_TOKENS,
        /** A stop text. */
        STOP,
        /** {@link Generation#cancel}, or the session was closed. */
        CANCELLED,
        /** No room for another token. */
        CONTEXT_FULL
    }

    /**
     * The whole generation.
     *
     * @param ids tokens, without the one that ended it
     */
    public record Result(String text, List<Integer> ids, Reason reason) {}

    private final Scheduler.Session sequence;
    private final Sampling sampling;
    private final LogitsConsumer observer;
    private final Sampler sampler;
    private final StreamDecoder decoder;
    private final StopMatcher stops;
    private final StringBuilder piece = new StringBuilder();
    private final CompletableFuture<Result> result = new CompletableFuture<>();
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final List<Token> tokens = new ArrayList<>();
    private volatile boolean cancelled;
    private Reason reason;
    private RuntimeException failure;
    private int generated;
    private int promptLength;

    Generation(SpikeModel model, Scheduler.Session sequence, Sampling sampling, LogitsConsumer observer) {
        this.sequence = sequence;
        this.sampling = sampling;
        this.observer = observer;
        sampler = new Sampler(sampling, model.vocab());
        decoder = model.hasTokenizer() ? model.tokenizer().streamDecoder(true) : null;
        stops = sampling.stop().isEmpty() ? null : new StopMatcher(sampling.stop());
        if (stops != null) {
            model.tokenizer(); // stop texts need one
        }
    }

    void start() {
        var prompt = sequence.ids();
        promptLength = prompt.length;
        for (int id : prompt) {
            sampler.accept(id);
            if (decoder != null) {
                decoder.skip(id);
            }
        }
        sequence.start(new Producer(), sampling.maxTokens());
    }

    /** The scheduler's side. */
    private final class Producer implements Task {
        @Override
        public boolean cancelled() {
            return cancelled;
        }

        @Override
        public int choose(float[] logits, Candidates candidates) {
            if (observer != null) {
                observer.accept(promptLength + generated - 1, logits);
            }
            return sampler.sample(logits, candidates);
        }

        @Override
        public End accept(int id) {
            sampler.accept(id);
            generated++;
            piece.setLength(0);
            boolean stopped = false;
            if (decoder != null) {
                if (stops == null) {
                    decoder.push(id, piece);
                } else {
                    stopped = stops.push(decoder.push(id), piece);
                }
            }
            emit(new Token(id, piece.toString()));
            return stopped ? End.STOP : generated == sampling.maxTokens() ? End.MAX_TOKENS : null;
        }

        @Override
        public void end(End end) {
            finish(Reason.valueOf(end.name()), null);
        }

        @Override
        public void fail(RuntimeException e) {
            finish(null, e);
        }
    }

    private void emit(Token token) {
        lock.lock();
        try {
            tokens.add(token);
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void finish(Reason why, RuntimeException e) {
        lock.lock();
        try {
            if (reason != null || failure != null) {
                return;
            }
            if (decoder != null && e == null && why != Reason.STOP) {
                var rest = decoder.flush();
                rest = stops == null ? rest : stops.push(rest) + stops.flush();
                if (!rest.isEmpty()) {
                    tokens.add(new Token(Token.NONE, rest));
                }
            }
            reason = why;
            failure = e;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        // Whatever depends on the result must not run on the thread that computes.
        Thread.startVirtualThread(() -> {
            if (e != null) {
                result.completeExceptionally(e);
                return;
            }
            var text = new StringBuilder();
            tokens.forEach(t -> text.append(t.text()));
            result.complete(new Result(text.toString(), tokens.stream().map(Token::id).filter(id -> id != Token.NONE).toList(), why));
        });
    }

    /** Waits for token {@code index}; null after the last. */
    private Token await(int index) {
        lock.lock();
        try {
            while (true) {
                if (index < tokens.size()) {
                    return tokens.get(index);
                }
                if (failure != null) {
                    throw failure;
                }
                if (reason != null) {
                    return null;
                }
                changed.awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * The tokens, as they come; {@code hasNext} waits.
     *
     * <p>It throws the {@link SpikeException} of a generation that failed.
     */
    @Override
    public Iterator<Token> iterator() {
        return new Iterator<>() {
            private int index;
            private Token next;

            @Override
            public boolean hasNext() {
                if (next == null) {
                    next = await(index);
                }
                return next != null;
            }

            @Override
            public Token next() {
                if (!hasNext()) {
                    throw new NoSuchElementException();
                }
                var token = next;
                next = null;
                index++;
                return token;
            }
        };
    }

    /** The tokens as a stream with back-pressure; each subscriber is served by a virtual thread of its own. */
    public Flow.Publisher<Token> publisher() {
        return subscriber -> {
            java.util.Objects.requireNonNull(subscriber, "subscriber");
            var subscription = new TokenSubscription(subscriber);
            Thread.startVirtualThread(subscription);
        };
    }

    private final class TokenSubscription implements Flow.Subscription, Runnable {
        private final Flow.Subscriber<? super Token> subscriber;
        private final ReentrantLock gate = new ReentrantLock();
        private final Condition moved = gate.newCondition();
        private long demand;
        private boolean stopped;
        private boolean invalid;

        TokenSubscription(Flow.Subscriber<? super Token> subscriber) {
            this.subscriber = subscriber;
        }

        @Override
        public void request(long n) {
            change(() -> {
                invalid |= n <= 0;
                demand = n > Long.MAX_VALUE - demand ? Long.MAX_VALUE : demand + Math.max(n, 0);
            });
        }

        @Override
        public void cancel() {
            change(() -> stopped = true);
        }

        private void change(Runnable what) {
            gate.lock();
            try {
                what.run();
                moved.signalAll();
            } finally {
                gate.unlock();
            }
        }

        /** Waits for demand; false if the subscriber is done. */
        private boolean demanded() {
            gate.lock();
            try {
                while (demand == 0 && !stopped && !invalid) {
                    moved.awaitUninterruptibly();
                }
                if (demand != Long.MAX_VALUE) {
                    demand--;
                }
                return !stopped;
            } finally {
                gate.unlock();
            }
        }

        @Override
        public void run() {
            subscriber.onSubscribe(this);
            try {
                for (int i = 0;; i++) {
                    // The end needs no demand: it is looked for first.
                    var token = await(i);
                    if (token == null) {
                        if (!stopped()) {
                            subscriber.onComplete();
                        }
                        return;
                    }
                    if (!demanded()) {
                        return;
                    }
                    if (invalid) {
                        subscriber.onError(new IllegalArgumentException("request: expected 1 or more"));
                        return;
                    }
                    subscriber.onNext(token);
                }
            } catch (RuntimeException e) {
                subscriber.onError(e);
            }
        }

        private boolean stopped() {
            gate.lock();
            try {
                return stopped;
            } finally {
                gate.unlock();
            }
        }
    }

    /** The whole, once it has ended; exceptionally if it failed. */
    public CompletableFuture<Result> result() {
        return result.copy();
    }

    /** Ends it before its next token; what it has made so far stays in the session. */
    public void cancel() {
        cancelled = true;
        sequence.wake();
    }
}
