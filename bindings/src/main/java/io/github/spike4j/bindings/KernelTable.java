package io.github.spike4j.bindings;

import io.github.spike4j.bindings.ffi.Spike4jH;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A tier's kernels. Immutable, usable by all threads, alive as long as the library. */
public final class KernelTable {
    private final Tier tier;
    private final MemorySegment handle;

    /** Tests reach the checks without a library through this; a call that passes its checks needs a real handle. */
    KernelTable(Tier tier, MemorySegment handle) {
        this.tier = tier;
        this.handle = handle;
    }

    /**
     * The kernels of a tier.
     *
     * @throws NativeUnavailableException if there is no library
     * @throws NativeException            if the build, the CPU or the operating system lacks the tier
     */
    public static KernelTable of(Tier tier) {
        NativeLibrary.require();
        try (var arena = Arena.ofConfined()) {
            var out = arena.allocate(Spike4jH.C_POINTER);
            NativeException.check("s4j_kernels_of(" + tier.id() + ")", Spike4jH.s4j_kernels_of(tier.ordinal(), out));
            // Zero-length: Java code never looks inside the table.
            return new KernelTable(tier, MemorySegment.ofAddress(out.get(Spike4jH.C_POINTER, 0).address()));
        }
    }

    /** The tier of these kernels. */
    public Tier tier() {
        return tier;
    }

    MemorySegment handle() {
        return handle;
    }
}
