package io.github.spike4j.convert;

import java.lang.foreign.MemorySegment;

/**
 * What calibration learns about K (rotated) and V, by {@code kv head * headDim + channel}. Scores are means over the query heads of a kv
 * head; the paper has one per query head.
 */
final class KvStats {
    final double[] kScore;
    final double[] vScore;
    final float[] kHigh;
    final float[] kLow;
    final float[] vHigh;
    final float[] vLow;

    KvStats(int channels) {
        kScore = new double[channels];
        vScore = new double[channels];
        kHigh = new float[channels];
        kLow = new float[channels];
        vHigh = new float[channels];
        vLow = new float[channels];
    }

    void transfer(StatsBytes to) {
        to.array(MemorySegment.ofArray(kScore));
        to.array(MemorySegment.ofArray(vScore));
        to.array(MemorySegment.ofArray(kHigh));
        to.array(MemorySegment.ofArray(kLow));
        to.array(MemorySegment.ofArray(vHigh));
        to.array(MemorySegment.ofArray(vLow));
    }
}
