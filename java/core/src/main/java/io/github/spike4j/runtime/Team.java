package io.github.spike4j.runtime;

/** The threads that compute: the caller of {@link #run} is number 0, the others wait for it. */
final class Team implements AutoCloseable {
    /** What all threads do together. */
    interface Job {
        /** Never throws; passes the same barriers on every thread. */
        void run(int thread);
    }

    private final Barrier barrier;
    private final Thread[] helpers;
    /** Null ends the helpers. Written before a barrier and read after it. */
    private Job job;

    /** A team whose threads need no preparation. */
    Team(int threads) {
        this(threads, () -> { });
    }

    /** @param prepare what each helper does first; the caller of {@link #run} does it itself */
    Team(int threads, Runnable prepare) {
        barrier = new Barrier(threads);
        helpers = new Thread[threads - 1];
        for (int i = 0; i < helpers.length; i++) {
            int index = i + 1;
            helpers[i] = Thread.ofPlatform().daemon().name("spike4j-" + index).start(() -> {
                prepare.run();
                help(index);
            });
        }
    }

    private void help(int index) {
        while (true) {
            barrier.await(index);
            var work = job;
            if (work == null) {
                return;
            }
            work.run(index);
        }
    }

    int threads() {
        return helpers.length + 1;
    }

    /** Waits for all threads in the midst of a job. */
    void barrier(int thread) {
        barrier.await(thread);
    }

    /** Runs a job on all threads. It must end with a barrier. */
    void run(Job work) {
        job = work;
        barrier.await(0);
        work.run(0);
    }

    @Override
    public void close() {
        job = null;
        barrier.await(0);
        boolean interrupted = false;
        for (var helper : helpers) {
            while (helper.isAlive()) {
                try {
                    helper.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
