package io.github.spike4j.bindings;

import io.github.spike4j.bindings.ffi.Spike4jH;
import java.lang.foreign.MemorySegment;

/**
 * Attention over paged caches, spiking and dense. Rows are token rows of a batch, strides count floats; a row of {@code qkv} is
 * q {@code [heads][headDim]}, k and v {@code [kvHeads][headDim]}. Results: {@code spike4j.h}.
 */
public final class Attention {
    private Attention() {
    }

    /**
     * Rotates q and k of token rows [begin, end), encodes Q into {@code q}, K and V into the pages.
     *
     * @param rope f32 {@code [positions][headDim]}: headDim / 2 cosines, then sines
     * @throws NativeException non-finite: rows with silent count -1; the other rows are done
     */
    public static void append(KernelTable k, AttentionSpec a, MemorySegment qkv, long qkvStride, MemorySegment rope,
            SequenceTable sequences, QueryBuffer q, long begin, long end) {
        kind(a, false);
        Check.range("rows", begin, end, q.rows());
        appended(a, qkv, qkvStride, rope, sequences, end);
        q.check(a, end);
        NativeException.check("s4j_append", Spike4jH.s4j_append(k.handle(), a.struct(), qkv, qkvStride, rope,
                sequences.structs(), sequences.size(), q.struct(), begin, end));
    }

    /**
     * Attends for token rows [begin, end) and the query heads of kv heads [headBegin, headEnd).
     *
     * @param out     f32, row r at element {@code r * outStride}: {@code [heads][headDim]}
     * @param scratch {@link #scratchBytes} bytes, 64-byte aligned, for this call alone
     */
    public static void attend(KernelTable k, AttentionSpec a, QueryBuffer q, SequenceTable sequences, MemorySegment out,
            long outStride, MemorySegment scratch, long begin, long end, long headBegin, long headEnd) {
        kind(a, false);
        Check.range("rows", begin, end, q.rows());
        q.check(a, end);
        attended(a, sequences, out, outStride, scratch, end, headBegin, headEnd);
        NativeException.check("s4j_attend", Spike4jH.s4j_attend(k.handle(), a.struct(), q.struct(), sequences.structs(),
                sequences.size(), out, outStride, scratch, scratch.byteSize(), begin, end, headBegin, headEnd));
    }

    /** Dense: rotates q of token rows [begin, end) in place and writes rotated k, and v, to the pages. */
    public static void denseAppend(KernelTable k, AttentionSpec a, MemorySegment qkv, long qkvStride, MemorySegment rope,
            SequenceTable sequences, long begin, long end) {
        kind(a, true);
        Check.range("rows", begin, end, Long.MAX_VALUE);
        appended(a, qkv, qkvStride, rope, sequences, end);
        Check.writable("qkv", qkv, 0, 1, Float.BYTES);
        NativeException.check("s4j_dense_append", Spike4jH.s4j_dense_append(k.handle(), a.struct(), qkv, qkvStride, rope,
                sequences.structs(), sequences.size(), begin, end));
    }

    /** Dense: as {@link #attend}, with the rotated queries of {@code qkv}. */
    public static void denseAttend(KernelTable k, AttentionSpec a, MemorySegment qkv, long qkvStride, SequenceTable sequences,
            MemorySegment out, long outStride, MemorySegment scratch, long begin, long end, long headBegin, long headEnd) {
        kind(a, true);
        Check.range("rows", begin, end, Long.MAX_VALUE);
        Check.rows("qkv", qkv, end, qkvStride, (a.heads() + 2 * a.kvHeads()) * a.headDim());
        attended(a, sequences, out, outStride, scratch, end, headBegin, headEnd);
        NativeException.check("s4j_dense_attend",
                Spike4jH.s4j_dense_attend(k.handle(), a.struct(), qkv, qkvStride, sequences.structs(), sequences.size(), out,
                        outStride, scratch, scratch.byteSize(), begin, end, headBegin, headEnd));
    }

    /** Bytes of scratch that a call of {@link #attend} or {@link #denseAttend} needs for up to {@code context} positions. */
    public static long scratchBytes(AttentionSpec a, long context) {
        Check.within("context", context, 0, 1L << 40);
        NativeLibrary.require();
        long bytes = Spike4jH.s4j_attend_scratch(a.struct(), context);
        if (bytes < 0) {
            throw new NativeException("s4j_attend_scratch", (int) bytes);
        }
        return bytes;
    }

    private static void kind(AttentionSpec a, boolean dense) {
        if (a.isDense() != dense) {
            throw new IllegalArgumentException("attention: expected " + (dense ? "a dense" : "a spiking") + " specification");
        }
    }

    private static void appended(AttentionSpec a, MemorySegment qkv, long qkvStride, MemorySegment rope, SequenceTable sequences,
            long end) {
        Check.rows("qkv", qkv, end, qkvStride, (a.heads() + 2 * a.kvHeads()) * a.headDim());
        Check.memory("rope", rope, sequences.context(), a.headDim() * Float.BYTES, Float.BYTES);
        sequences.check(a);
    }

    private static void attended(AttentionSpec a, SequenceTable sequences, MemorySegment out, long outStride,
            MemorySegment scratch, long end, long headBegin, long headEnd) {
        Check.range("kv heads", headBegin, headEnd, a.kvHeads());
        Check.writableRows("out", out, end, outStride, a.heads() * a.headDim());
        sequences.check(a);
        Check.writable("scratch", scratch, 1, scratchBytes(a, sequences.context()), 64);
    }
}
