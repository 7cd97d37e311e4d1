package io.github.spike4j.bindings;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class LargeMemoryTest {
    private static final int SIZE = 256 << 20;

    @Test
    void comesAndGoesWithTheArena() throws IOException {
        long before = residentBytes();
        for (int i = 0; i < 4; i++) {
            try (var arena = Arena.ofShared()) {
                var memory = LargeMemory.allocate(SIZE + 1, arena);
                assertEquals(SIZE + 1, memory.byteSize());
                assertEquals(0, memory.address() % (2 << 20));
                assertEquals(0, memory.get(ValueLayout.JAVA_BYTE, SIZE));
                memory.fill((byte) i);
                assertTrue(residentBytes() - before >= SIZE, "resident: " + residentBytes() + ", before " + before);
            }
            assertTrue(residentBytes() - before < SIZE / 4, "resident: " + residentBytes() + ", before " + before);
        }
    }

    @Test
    void whatTheSystemHasNotIsRefused() {
        try (var arena = Arena.ofConfined()) {
            var e = assertThrows(OutOfMemoryError.class, () -> LargeMemory.allocate(1L << 50, arena));
            assertTrue(e.getMessage().startsWith("1073741824 MB"), e.getMessage());
        }
    }

    private static long residentBytes() throws IOException {
        try (var lines = Files.lines(Path.of("/proc/self/status"))) {
            return lines.filter(l -> l.startsWith("VmRSS:")).mapToLong(l -> Long.parseLong(l.replaceAll("\\D", ""))).findFirst().orElseThrow() << 10;
        }
    }
}
