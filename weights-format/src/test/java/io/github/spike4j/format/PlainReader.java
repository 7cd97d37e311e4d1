package io.github.spike4j.format;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** A second reader, written from SPEC.md alone: no class of the library, no Commons Compress, no mapping. */
final class PlainReader {
    record Entry(long header, long data, long size, int crc) { }

    private PlainReader() { }

    static Map<String, Entry> list(Path path) throws IOException {
        try (var file = new RandomAccessFile(path.toFile(), "r")) {
            file.seek(file.length() - 22);
            expect(u32(file) == 0x06054b50L, "end record");
            file.skipBytes(4);
            int count = u16(file);
            expect(u16(file) == count, "counts");
            long length = u32(file);
            long start = u32(file);
            if (start == 0xffffffffL) {
                file.seek(file.length() - 22 - 20 - 56);
                expect(u32(file) == 0x06064b50L, "zip64 end record");
                file.skipBytes(36);
                length = u64(file);
                start = u64(file);
            }
            var entries = new LinkedHashMap<String, Entry>();
            file.seek(start);
            for (int i = 0; i < count; i++) {
                expect(u32(file) == 0x02014b50L, "directory record");
                file.skipBytes(12);
                int crc = (int) u32(file);
                file.skipBytes(4);
                long size = u32(file);
                int name = u16(file);
                int extra = u16(file);
                file.skipBytes(10);
                long offset = u32(file);
                String text = text(file, name);
                long next = file.getFilePointer() + extra;
                if (size == 0xffffffffL || offset == 0xffffffffL) {
                    expect(u16(file) == 1, "zip64 field");
                    file.skipBytes(2);
                    if (size == 0xffffffffL) {
                        size = u64(file);
                        file.skipBytes(8);
                    }
                    if (offset == 0xffffffffL) {
                        offset = u64(file);
                    }
                }
                file.seek(offset + 26);
                long data = offset + 30 + u16(file) + u16(file);
                entries.put(text, new Entry(offset, data, size, crc));
                file.seek(next);
            }
            expect(file.getFilePointer() == start + length, "length of the directory");
            return entries;
        }
    }

    static byte[] read(Path path, Entry entry) throws IOException {
        try (var file = new RandomAccessFile(path.toFile(), "r")) {
            byte[] data = new byte[Math.toIntExact(entry.size())];
            file.seek(entry.data());
            file.readFully(data);
            return data;
        }
    }

    /** Code of (row, k) with k in segment {@code s} of a weight. */
    static int code(byte[] weight, String layout, int bits, int rows, int[] segments, int s, int row, int k) {
        int at = 0;
        for (int i = 0; i < s; i++) {
            at += switch (layout) {
                case "C1" -> segments[i] * ((rows + 31) / 32 * 16);
                default -> (rows + 15) / 16 * 16 * ((segments[i] + 63) / 64 * 64) * bits / 8;
            };
        }
        switch (layout) {
            case "C1" -> {
                at += k * ((rows + 31) / 32 * 16) + row / 32 * 16 + row % 16;
                return row % 32 < 16 ? weight[at] & 15 : weight[at] >> 4 & 15;
            }
            case "R16" -> {
                int padded = (segments[s] + 63) / 64 * 64;
                at += row / 16 * (padded * 16 * bits / 8);
                // walk the vectors as the picture shows them
                int inVector = 32 / bits;
                int vector = k / inVector;
                int inDword = k % inVector;
                int dword = 0;
                for (int j = 0; j < 4; j++) {
                    dword |= (weight[at + vector * 64 + row % 16 * 4 + j] & 255) << 8 * j;
                }
                return dword >>> (8 * (inDword % 4) + bits * (inDword / 4)) & (1 << bits) - 1;
            }
            case "P64" -> {
                int words = (segments[s] + 63) / 64;
                int code = 0;
                for (int plane = 0; plane < 2; plane++) {
                    int word = at + (((row / 8 * words + k / 64) * 2 + plane) * 8 + row % 8) * 8;
                    code |= (weight[word + k % 64 / 8] >> k % 8 & 1) << plane;
                }
                return code;
            }
            default -> throw new IllegalArgumentException(layout);
        }
    }

    private static void expect(boolean condition, String what) throws IOException {
        if (!condition) {
            throw new IOException(what);
        }
    }

    private static int u16(RandomAccessFile file) throws IOException {
        return file.readUnsignedByte() | file.readUnsignedByte() << 8;
    }

    private static long u32(RandomAccessFile file) throws IOException {
        return u16(file) | (long) u16(file) << 16;
    }

    private static long u64(RandomAccessFile file) throws IOException {
        return u32(file) | u32(file) << 32;
    }

    private static String text(RandomAccessFile file, int n) throws IOException {
        byte[] bytes = new byte[n];
        file.readFully(bytes);
        return new String(bytes, StandardCharsets.US_ASCII);
    }
}
