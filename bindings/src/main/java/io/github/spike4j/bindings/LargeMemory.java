package io.github.spike4j.bindings;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Memory for gigabytes of weights: pages of 2 MB where the system has them (fewer misses of the TLB), outside of
 * {@code -XX:MaxDirectMemorySize}, and not cleared twice. On systems other than Linux an arena's own.
 */
public final class LargeMemory {
    private static final long HUGE_PAGE = 2L << 20;
    private static final Path MEMORY = Path.of("/proc/meminfo");
    // <sys/mman.h> of Linux, the same on x86-64 and AArch64
    private static final int READ_WRITE = 3;
    private static final int PRIVATE_ANONYMOUS = 0x22;
    private static final int MADV_HUGEPAGE = 14;

    private LargeMemory() {
    }

    /**
     * Zeroed memory, aligned to 2 MB, that goes with the arena.
     *
     * @throws OutOfMemoryError if the system has not as much to give
     */
    public static MemorySegment allocate(long bytes, Arena arena) {
        if (!Files.exists(MEMORY)) {
            return arena.allocate(bytes, HUGE_PAGE);
        }
        // Linux promises more than it has, and ends processes later.
        long available = available();
        if (bytes > available) {
            throw new OutOfMemoryError((bytes >> 20) + " MB asked for, " + (available >> 20) + " MB available");
        }
        long length = Math.addExact(bytes, HUGE_PAGE);
        try {
            var base = (MemorySegment) function("mmap", FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG))
                    .invokeExact(MemorySegment.NULL, length, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0L);
            if (base.address() == -1) {
                throw new OutOfMemoryError((bytes >> 20) + " MB refused by the system");
            }
            var all = base.reinterpret(length, arena, LargeMemory::unmap);
            var memory = all.asSlice(-base.address() & HUGE_PAGE - 1, bytes);
            // Only advice: without huge pages it is slower.
            int _ = (int) function("madvise", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_INT)).invokeExact(memory, bytes, MADV_HUGEPAGE);
            return memory;
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private static void unmap(MemorySegment all) {
        try {
            int _ = (int) function("munmap", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG))
                    .invokeExact(all, all.byteSize());
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private static MethodHandle function(String name, FunctionDescriptor type) {
        var linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), type);
    }

    /** What can be taken without swapping, by the kernel's estimate. */
    private static long available() {
        try (var lines = Files.lines(MEMORY)) {
            return lines.filter(l -> l.startsWith("MemAvailable:")).mapToLong(l -> Long.parseLong(l.replaceAll("\\D", "")) << 10).findFirst()
                    .orElse(Long.MAX_VALUE);
        } catch (IOException e) {
            return Long.MAX_VALUE;
        }
    }
}
