package io.github.spike4j.convert;

import java.lang.foreign.MemorySegment;

/** Statistics as bytes (of this machine's order): their classes list their arrays once, for both directions. */
abstract sealed class StatsBytes {
    long at;

    /** Reads or writes all elements of an array of primitives. */
    void array(MemorySegment elements) {
        move(elements);
        at += elements.byteSize();
    }

    abstract void move(MemorySegment elements);

    /** The statistics as bytes. */
    static byte[] of(LayerStats stats) {
        var size = new Measure();
        stats.transfer(size);
        var bytes = new byte[Math.toIntExact(size.at)];
        stats.transfer(new Write(MemorySegment.ofArray(bytes)));
        return bytes;
    }

    /** Fills statistics of the same shape. */
    static void read(byte[] bytes, LayerStats stats) {
        stats.transfer(new Read(MemorySegment.ofArray(bytes)));
    }

    private static final class Measure extends StatsBytes {
        @Override
        void move(MemorySegment elements) { }
    }

    private static final class Write extends StatsBytes {
        private final MemorySegment to;

        private Write(MemorySegment to) {
            this.to = to;
        }

        @Override
        void move(MemorySegment elements) {
            MemorySegment.copy(elements, 0, to, at, elements.byteSize());
        }
    }

    private static final class Read extends StatsBytes {
        private final MemorySegment from;

        private Read(MemorySegment from) {
            this.from = from;
        }

        @Override
        void move(MemorySegment elements) {
            MemorySegment.copy(from, at, elements, 0, elements.byteSize());
        }
    }
}
