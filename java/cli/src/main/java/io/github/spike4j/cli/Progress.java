package io.github.spike4j.cli;

import java.io.PrintWriter;
import java.text.DecimalFormat;
import java.text.DecimalFormatSymbols;
import java.time.Duration;
import java.util.Locale;
import java.util.function.LongSupplier;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * How far long work is, on standard error: on a terminal a bar, else a line every few seconds, for logs; each with the rate and the
 * time left. Warnings in any case.
 */
final class Progress implements AutoCloseable {

    /** What is counted, and how it is shown. */
    enum Unit {
        STEPS("steps", 1), SEGMENTS("segments", 1), BYTES("MB", 1_000_000), WEIGHTS("M weights", 1_000_000);

        private final String text;
        private final long size;

        Unit(String text, long size) {
            this.text = text;
            this.size = size;
        }
    }

    private enum Form { SILENT, LINES, BAR }

    private static final long LINE_NANOS = 5_000_000_000L;

    private final String task;
    private final Unit unit;
    private final Form form;
    private final PrintWriter err;
    private final LongSupplier clock;
    private ProgressBar bar;
    /** When this run began, and with how much done already. */
    private final long start;
    private long startDone;
    private long lastLine;

    private Progress(String task, Unit unit, Form form, PrintWriter err, LongSupplier clock) {
        this.task = task;
        this.unit = unit;
        this.form = form;
        this.err = err;
        this.clock = clock;
        start = clock.getAsLong();
        lastLine = start;
    }

    /** Silent but for warnings if {@code quiet}; the launcher says in {@code spike4j.terminal} whether somebody watches. */
    static Progress of(String task, Unit unit, boolean quiet, PrintWriter err) {
        var form = quiet ? Form.SILENT : Boolean.getBoolean("spike4j.terminal") ? Form.BAR : Form.LINES;
        return new Progress(task, unit, form, err, System::nanoTime);
    }

    /** For logs, with another clock (nanoseconds). */
    static Progress lines(String task, Unit unit, PrintWriter err, LongSupplier clock) {
        return new Progress(task, unit, Form.LINES, err, clock);
    }

    /** An earlier run has done this much: it does not count for the rate. */
    void resumed(long done, long total) {
        startDone = done;
        if (form != Form.SILENT) {
            err.printf("spike4j: %s: goes on, %d %% were done by an earlier run%n", task, percent(done, total));
            err.flush();
        }
    }

    /** Shows that {@code done} of {@code total} units are done, and what is being done. */
    void progress(String phase, long done, long total) {
        switch (form) {
            case SILENT -> { }
            case LINES -> line(phase, done, total);
            case BAR -> {
                if (bar == null) {
                    bar = new ProgressBarBuilder()
                            .setTaskName(task)
                            .setInitialMax(total)
                            .setStyle(ProgressBarStyle.ASCII)
                            .setUnit(unit == Unit.STEPS || unit == Unit.SEGMENTS ? "" : " " + unit.text, unit.size)
                            .showSpeed(new DecimalFormat("#,##0.0", DecimalFormatSymbols.getInstance(Locale.ROOT)))
                            .startsFrom(startDone, Duration.ZERO)
                            .setUpdateIntervalMillis(200)
                            .build();
                }
                bar.maxHint(total);
                bar.stepTo(done);
                bar.setExtraMessage(" " + phase);
            }
        }
    }

    private void line(String phase, long done, long total) {
        long now = clock.getAsLong();
        if (now - lastLine < LINE_NANOS) {
            return;
        }
        lastLine = now;
        double rate = (done - startDone) / ((now - start) / 1e9);
        var text = new StringBuilder("spike4j: %s: %d %%, %s".formatted(task, percent(done, total), phase));
        if (rate > 0) {
            text.append(String.format(Locale.ROOT, ", %,.1f %s/s, %s left", rate / unit.size, unit.text, time((long) ((total - done) / rate))));
        }
        err.println(text);
        err.flush();
    }

    private static long percent(long done, long total) {
        return total == 0 ? 0 : (long) (100.0 * done / total);
    }

    /** Seconds as {@code h:mm:ss}. */
    private static String time(long seconds) {
        return "%d:%02d:%02d".formatted(seconds / 3600, seconds / 60 % 60, seconds % 60);
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
