package io.github.spike4j.convert;

import java.util.ArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;

/** A few threads that share independent tasks. Tasks write disjoint results, so the number of threads changes nothing. */
final class Workers implements AutoCloseable {
    private final int threads;
    private final ExecutorService pool;

    Workers(int threads) {
        this.threads = threads;
        pool = threads == 1 ? null
                : Executors.newFixedThreadPool(threads - 1, Thread.ofPlatform().daemon().name("spike4j-convert-", 0).factory());
    }

    int threads() {
        return threads;
    }

    /** Runs tasks 0 to {@code count - 1} and waits; the first failure is thrown. */
    void run(int count, IntConsumer task) {
        var next = new AtomicInteger();
        Runnable loop = () -> {
            for (int i; (i = next.getAndIncrement()) < count;) {
                try {
                    task.accept(i);
                } catch (RuntimeException | Error e) {
                    next.set(count);
                    throw e;
                }
            }
        };
        var others = new ArrayList<Future<?>>();
        for (int i = 1; i < Math.min(threads, count); i++) {
            others.add(pool.submit(loop));
        }
        RuntimeException failure = null;
        try {
            loop.run();
        } catch (RuntimeException e) {
            failure = e;
        }
        for (var f : others) {
            try {
                f.get();
            } catch (ExecutionException e) {
                switch (e.getCause()) {
                    case Error error -> throw error;
                    case RuntimeException r -> failure = failure == null ? r : failure;
                    default -> throw new AssertionError(e);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                failure = new ConversionException("the conversion was interrupted", e);
                next.set(count);
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    @Override
    public void close() {
        if (pool != null) {
            pool.shutdownNow();
        }
    }
}
