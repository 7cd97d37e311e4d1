package io.github.spike4j.bindings;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/**
 * Looks at a shared object before it is handed to the dynamic linker. The linker maps first and reads afterwards, so a file that
 * was cut short kills the process with SIGBUS instead of failing; here it becomes a message.
 */
final class ElfImage {
    private static final int HEADER = 64;
    private static final int PROGRAM_HEADER = 56;
    private static final int SECTION_HEADER = 64;
    private static final int PT_LOAD = 1;
    private static final int ET_DYN = 3;
    private static final int EM_X86_64 = 62;

    private ElfImage() {
    }

    /**
     * Why the file cannot be a complete x86-64 shared object, or null if nothing speaks against it.
     *
     * @param file a readable regular file
     */
    static String defectOf(Path file) throws IOException {
        try (var channel = FileChannel.open(file)) {
            long size = channel.size();
            var head = read(channel, 0, (int) Math.min(size, HEADER));
            var defect = headerDefect(head, size);
            if (defect != null) {
                return defect;
            }
            var programHeaders = read(channel, head.getLong(32), PROGRAM_HEADER * Short.toUnsignedInt(head.getShort(56)));
            return segmentDefect(programHeaders, size);
        }
    }

    /** {@link #defectOf(Path)} for an image in memory. */
    static String defectOf(byte[] image) {
        var all = ByteBuffer.wrap(image).order(ByteOrder.LITTLE_ENDIAN);
        var defect = headerDefect(all, image.length);
        if (defect != null) {
            return defect;
        }
        int at = (int) all.getLong(32);
        int length = PROGRAM_HEADER * Short.toUnsignedInt(all.getShort(56));
        return segmentDefect(all.slice(at, length).order(ByteOrder.LITTLE_ENDIAN), image.length);
    }

    /** Checks the file header and that both header tables lie inside the file. */
    private static String headerDefect(ByteBuffer head, long size) {
        if (size < HEADER) {
            return "it is not a shared object: it has only " + size + " bytes";
        }
        if (head.getInt(0) != 0x464c457f) {
            return "it is not a shared object: it does not start with the ELF magic number";
        }
        // EI_CLASS 2 = 64 bits, EI_DATA 1 = little-endian.
        if (head.get(4) != 2 || head.get(5) != 1 || head.getShort(16) != ET_DYN || head.getShort(18) != EM_X86_64) {
            return "it is an ELF file but not an x86-64 shared object";
        }
        if (Short.toUnsignedInt(head.getShort(54)) != PROGRAM_HEADER) {
            return "it is damaged: its program headers have an unknown size";
        }
        var defect = tableDefect("program", head.getLong(32), (long) PROGRAM_HEADER * Short.toUnsignedInt(head.getShort(56)), size);
        return defect != null ? defect
                : tableDefect("section", head.getLong(40), (long) SECTION_HEADER * Short.toUnsignedInt(head.getShort(60)), size);
    }

    private static String tableDefect(String table, long offset, long length, long size) {
        return offset < 0 || offset > size - length
                ? "it is damaged or truncated: its " + table + " headers do not fit into its " + size + " bytes" : null;
    }

    private static String segmentDefect(ByteBuffer programHeaders, long size) {
        for (int at = 0; at < programHeaders.limit(); at += PROGRAM_HEADER) {
            long offset = programHeaders.getLong(at + 8);
            long inFile = programHeaders.getLong(at + 32);
            if (programHeaders.getInt(at) == PT_LOAD && (offset < 0 || inFile < 0 || offset > size - inFile)) {
                return "it is damaged or truncated: a segment does not fit into its " + size + " bytes";
            }
        }
        return null;
    }

    private static ByteBuffer read(FileChannel channel, long position, int length) throws IOException {
        var buffer = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
        while (buffer.hasRemaining() && channel.read(buffer, position + buffer.position()) >= 0) {
            // A short read is legal; the loop ends at the buffer's or the file's end.
        }
        return buffer.flip();
    }
}
