package io.github.spike4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

class ProgressTest {

    private final StringWriter err = new StringWriter();
    private long now = 1_000_000_000_000L;

    private Progress lines(Progress.Unit unit) {
        return Progress.lines("convert", unit, new PrintWriter(err), () -> now);
    }

    private void after(double seconds) {
        now += (long) (seconds * 1e9);
    }

    @Test
    void aLineEveryFiveSecondsWithRateAndTimeLeft() {
        try (var progress = lines(Progress.Unit.WEIGHTS)) {
            progress.progress("embedding", 0, 400_000_000);
            after(4.9);
            progress.progress("layers.0.attn_qkv", 50_000_000, 400_000_000);
            assertEquals("", err.toString(), "short work says nothing");
            after(5.1);
            progress.progress("layers.0.attn_o", 100_000_000, 400_000_000);
            progress.progress("layers.0.ffn_down", 110_000_000, 400_000_000);
            after(4);
            progress.progress("layers.1.attn_o", 120_000_000, 400_000_000);
            after(90 * 60 - 14);
            progress.progress("lm_head", 396_000_000, 400_000_000);
        }
        assertEquals("""
                spike4j: convert: 25 %, layers.0.attn_o, 10.0 M weights/s, 0:00:30 left
                spike4j: convert: 99 %, lm_head, 0.1 M weights/s, 0:00:54 left
                """, err.toString());
    }

    @Test
    void whatAnEarlierRunHasDoneIsNoMeritOfThisOne() {
        try (var progress = lines(Progress.Unit.BYTES)) {
            progress.resumed(300_000_000, 400_000_000);
            after(10);
            progress.progress("a", 320_000_000, 400_000_000);
        }
        assertEquals("""
                spike4j: convert: goes on, 75 % were done by an earlier run
                spike4j: convert: 80 %, a, 2.0 MB/s, 0:00:40 left
                """, err.toString());
    }

    @Test
    void nothingToMeasureYet() {
        try (var progress = lines(Progress.Unit.STEPS)) {
            after(6);
            progress.progress("a", 0, 0);
            progress.warning("b");
        }
        assertEquals("spike4j: convert: 0 %, a\nspike4j: warning: b\n", err.toString());
    }

    @Test
    void quietIsQuietButForWarnings() {
        try (var progress = Progress.of("convert", Progress.Unit.BYTES, true, new PrintWriter(err))) {
            progress.resumed(1, 2);
            progress.progress("a", 1, 2);
            progress.warning("b");
        }
        assertEquals("spike4j: warning: b\n", err.toString());
    }
}
