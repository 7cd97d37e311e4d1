package io.github.spike4j.format;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The canonical ZIP bytes of SPEC.md, "Container": for given entries there is exactly one legal encoding of every header, so
 * that a reader compares instead of interpreting.
 */
final class Container {
    static final String MANIFEST = "manifest.json";
    static final String TENSORS = "tensors/";
    /** Where an entry name stops. */
    static final int MAX_NAME = 160;
    static final int MAX_TENSOR_NAME = 128;
    static final int MAX_ENTRIES = 60_000;
    static final int MAX_SMALL_ENTRY = 64 << 20;
    static final int MAX_MANIFEST = 16 << 20;
    /** Bound of one tensor and of the file; far from any overflow of sums of a few of them. */
    static final long MAX_BYTES = 1L << 44;

    static final int LOCAL_HEADER = 30;
    static final int END = 22;
    static final int LOCATOR64 = 20;
    static final int END64 = 56;
    static final int LOCATOR64_SIGNATURE = 0x07064b50;
    static final int END_SIGNATURE = 0x06054b50;
    private static final int DIRECTORY_SIGNATURE = 0x02014b50;
    private static final int DIRECTORY_RECORD = 46;
    private static final int ALIGNMENT_FIELD = 0xa11e;

    /** 1980-02-01 00:00:00 in MS-DOS form: within every time zone the same bytes. */
    private static final int DOS_DATE = 2 << 5 | 1;
    private static final long MAGIC = 0xffff_ffffL;
    private static final int UTF8_NAME = 0x0800;

    /** An entry: where its local header starts, its size, its CRC-32, and where its data starts. */
    record Entry(String name, long offset, long size, long crc, long data) {
        Entry(String name, long offset, long size, long crc) {
            this(name, offset, size, crc,
                    Layouts.pad(offset + LOCAL_HEADER + name.length() + (size >= MAGIC ? 20 : 0) + 6, Container.alignment(name, size)));
        }

        long end() {
            return data() + size;
        }

        private boolean large() {
            return size >= MAGIC;
        }
    }

    private Container() { }

    /** 4096 for tensors of at least 64 KiB, else 64. */
    static int alignment(String name, long size) {
        return name.startsWith(TENSORS) && size >= 1 << 16 ? 4096 : 64;
    }

    /** Whether a name is legal: relative, {@code [a-z0-9._/-]}, no empty part and none that starts with a dot. */
    static boolean isLegal(String name) {
        return name.length() <= MAX_NAME && consistsOfParts(name, true);
    }

    /** Whether a name consists of {@code [a-z0-9._-]}, or of parts of these with slashes between, none of which is empty or starts with a dot. */
    static boolean consistsOfParts(String name, boolean slashes) {
        byte before = '/';
        for (byte c : name.getBytes(StandardCharsets.UTF_8)) {
            boolean starts = c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-';
            if (!starts && (before == '/' || c != '.' && !(slashes && c == '/'))) {
                return false;
            }
            before = c;
        }
        return before != '/';
    }

    /** Everything from the entry's offset to its data. */
    static byte[] localHeader(Entry e) {
        var out = new Record((int) (e.data() - e.offset()));
        out.u32(0x04034b50);
        common(out, e, e.large());
        out.u16(out.bytes.length - LOCAL_HEADER - e.name().length());
        out.text(e.name());
        if (e.large()) {
            out.u16(1).u16(16).u64(e.size()).u64(e.size());
        }
        out.u16(ALIGNMENT_FIELD).u16(out.bytes.length - out.length - 2).u16(alignment(e.name(), e.size()));
        return out.bytes;
    }

    /**
     * The entries that a directory lists. Only what a reader then compares with {@link #localHeader} and {@link #directory} is looked at.
     *
     * @throws IllegalArgumentException if it does not consist of directory records
     */
    static List<Entry> entries(byte[] directory) {
        var entries = new ArrayList<Entry>();
        for (int at = 0; at < directory.length; ) {
            if (directory.length - at < DIRECTORY_RECORD || little(directory, at, 4) != DIRECTORY_SIGNATURE) {
                throw new IllegalArgumentException("no record at its byte " + at);
            }
            int extra = at + DIRECTORY_RECORD + (int) little(directory, at + 28, 2);
            int end = extra + (int) little(directory, at + 30, 2);
            if (end > directory.length) {
                throw new IllegalArgumentException("no record at its byte " + at);
            }
            long size = little(directory, at + 24, 4);
            long offset = little(directory, at + 42, 4);
            if (end - extra >= 4 + (size == MAGIC ? 16 : 0) + (offset == MAGIC ? 8 : 0) && little(directory, extra, 2) == 1) {
                offset = offset == MAGIC ? little(directory, extra + (size == MAGIC ? 20 : 4), 8) : offset;
                size = size == MAGIC ? little(directory, extra + 4, 8) : size;
            }
            var name = new String(directory, at + DIRECTORY_RECORD, extra - at - DIRECTORY_RECORD, StandardCharsets.UTF_8);
            entries.add(new Entry(name, offset, size, little(directory, at + 16, 4)));
            at = end;
        }
        return entries;
    }

    /** Everything from the end of the last entry's data to the end of the file. */
    static byte[] directory(List<Entry> entries) {
        long start = entries.isEmpty() ? 0 : entries.getLast().end();
        boolean anyLarge = false;
        for (Entry e : entries) {
            anyLarge |= e.large();
        }
        var out = new Record(128 * (1 + entries.size()));
        for (Entry e : entries) {
            boolean farOffset = e.offset() >= MAGIC;
            boolean zip64 = e.large() || farOffset;
            int extra = zip64 ? 4 + (e.large() ? 16 : 0) + (farOffset ? 8 : 0) : 0;
            out.u32(DIRECTORY_SIGNATURE).u16(anyLarge || farOffset ? 45 : 20);
            common(out, e, zip64);
            out.u16(extra + 6).u16(0).u16(0).u16(0).u32(0).u32(Math.min(e.offset(), MAGIC));
            out.text(e.name());
            if (zip64) {
                out.u16(1).u16(extra - 4);
                if (e.large()) {
                    out.u64(e.size()).u64(e.size());
                }
                if (farOffset) {
                    out.u64(e.offset());
                }
            }
            out.u16(ALIGNMENT_FIELD).u16(2).u16(alignment(e.name(), e.size()));
        }
        long length = out.length;
        if (start >= MAGIC) {
            out.u32(0x06064b50).u64(END64 - 12).u16(45).u16(45).u32(0).u32(0).u64(entries.size()).u64(entries.size()).u64(length).u64(start);
            out.u32(LOCATOR64_SIGNATURE).u32(0).u64(start + length).u32(1);
        }
        out.u32(END_SIGNATURE).u32(0).u16(entries.size()).u16(entries.size()).u32(length).u32(Math.min(start, MAGIC)).u16(0);
        return Arrays.copyOf(out.bytes, out.length);
    }

    /** Version needed to name length: the fields that local header and directory share. */
    private static void common(Record out, Entry e, boolean zip64) {
        long size = Math.min(e.size(), MAGIC);
        out.u16(zip64 ? 45 : 10).u16(UTF8_NAME).u16(0).u16(0).u16(DOS_DATE).u32(e.crc()).u32(size).u32(size).u16(e.name().length());
    }

    /** The unsigned number of {@code n} bytes. */
    private static long little(byte[] bytes, int at, int n) {
        long value = 0;
        for (int i = n - 1; i >= 0; i--) {
            value = value << 8 | bytes[at + i] & 0xff;
        }
        return value;
    }

    /** Little-endian bytes, one after the other. */
    private static final class Record {
        private byte[] bytes;
        private int length;

        Record(int capacity) {
            bytes = new byte[capacity];
        }

        Record u16(long value) {
            return little(value, 2);
        }

        Record u32(long value) {
            return little(value, 4);
        }

        Record u64(long value) {
            return little(value, 8);
        }

        private Record little(long value, int n) {
            room(n);
            for (int i = 0; i < n; i++) {
                bytes[length++] = (byte) (value >>> 8 * i);
            }
            return this;
        }

        void text(String ascii) {
            byte[] text = ascii.getBytes(StandardCharsets.US_ASCII);
            room(text.length);
            System.arraycopy(text, 0, bytes, length, text.length);
            length += text.length;
        }

        private void room(int n) {
            if (length + n > bytes.length) {
                bytes = Arrays.copyOf(bytes, 2 * (length + n));
            }
        }
    }
}
