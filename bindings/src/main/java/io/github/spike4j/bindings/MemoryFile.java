package io.github.spike4j.bindings;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;

/** Anonymous files in memory, for systems on which no directory allows a library to be mapped (a noexec {@code /tmp}). */
final class MemoryFile {
    /** MFD_CLOEXEC: child processes of the JVM do not inherit the file. */
    private static final int CLOSE_ON_EXEC = 1;

    private MemoryFile() {
    }

    /**
     * Creates an anonymous file with the given content. The descriptor stays open for the life of the JVM on purpose: the dynamic
     * linker and the JVM know a library by its path, and a reused descriptor number would be taken for the library loaded before.
     *
     * @return its path, {@code /proc/self/fd/N}
     * @throws IOException if the kernel or libc refuses
     */
    static Path create(byte[] content) throws IOException {
        var linker = Linker.nativeLinker();
        var symbol = linker.defaultLookup().find("memfd_create").orElseThrow(() -> new IOException("this libc has no memfd_create"));
        var stateLayout = Linker.Option.captureStateLayout();
        var handle = linker.downcallHandle(symbol,
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT),
                Linker.Option.captureCallState("errno"));
        int descriptor;
        try (var arena = Arena.ofConfined()) {
            var state = arena.allocate(stateLayout);
            descriptor = (int) handle.invokeExact(state, arena.allocateFrom("libspike4j.so"), CLOSE_ON_EXEC);
            if (descriptor < 0) {
                int errno = (int) stateLayout.varHandle(PathElement.groupElement("errno")).get(state, 0L);
                throw new IOException("memfd_create failed with errno " + errno);
            }
        } catch (IOException | RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
        var path = Path.of("/proc/self/fd/" + descriptor);
        Files.write(path, content);
        return path;
    }
}
