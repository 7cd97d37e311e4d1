package io.github.spike4j.cli;

import java.io.PrintWriter;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** A progress bar on standard error, if that is a terminal; warnings in any case. */
final class Progress implements AutoCloseable {

    private final ProgressBar bar;
    private final PrintWriter err;

    private Progress(ProgressBar bar, PrintWriter err) {
        this.bar = bar;
        this.err = err;
    }

    /** Without a bar if {@code quiet}, or if nobody watches: the launcher says so in {@code spike4j.terminal}. */
    static Progress of(String task, boolean quiet, PrintWriter err) {
        var show = !quiet && Boolean.getBoolean("spike4j.terminal");
        return new Progress(show
                ? new ProgressBarBuilder()
                        .setTaskName(task)
                        .setInitialMax(-1)
                        .setStyle(ProgressBarStyle.ASCII)
                        .setUpdateIntervalMillis(200)
                        .build()
                : null,
                err);
    }

    /** Shows that {@code done} of {@code total} units are done, and what is being done. */
    void progress(String phase, long done, long total) {
        if (bar != null) {
            bar.maxHint(total);
            bar.stepTo(done);
            bar.setExtraMessage(phase);
        }
    }

    /** Prints one line. */
    void warning(String message) {
        err.println("spike4j: warning: " + message);
        err.flush();
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
        }
    }
}
