package io.github.spike4j.format;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
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

    /** 1980-02-01 00:00:00 in MS-DOS form: within every time zone the same bytes. */
    private static final int DOS_DATE = 2 << 5 | 1;
    private static final long MAGIC = 0xffff_ffffL;
    private static final int UTF8_NAME = 0x0800;

    /** An entry: where its local header starts, its size and CRC-32. */
    record Entry(String name, long offset, long size, long crc) {
        /** Where its data starts. */
        long data() {
            return Layouts.pad(offset + LOCAL_HEADER + name.length() + (large() ? 20 : 0) + 6, alignment(name, size));
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
        char before = '/';
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
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
        ByteBuffer b = buffer((int) (e.data() - e.offset()));
        b.putInt(0x04034b50);
        common(b, e, e.large());
        b.putShort((short) (b.capacity() - LOCAL_HEADER - e.name().length()));
        b.put(e.name().getBytes(StandardCharsets.US_ASCII));
        if (e.large()) {
            b.putShort((short) 1).putShort((short) 16).putLong(e.size()).putLong(e.size());
        }
        b.putShort((short) 0xa11e).putShort((short) (b.remaining() - 2));
        b.putShort((short) alignment(e.name(), e.size()));
        return b.array();
    }

    /**
     * The entries that a directory lists. Only what a reader then compares with {@link #localHeader} and {@link #directory} is looked at.
     *
     * @throws IllegalArgumentException if it does not consist of directory records
     */
    static List<Entry> entries(byte[] directory) {
        var entries = new ArrayList<Entry>();
        ByteBuffer b = ByteBuffer.wrap(directory).order(ByteOrder.LITTLE_ENDIAN);
        for (int at = 0; at < directory.length; ) {
            int end = directory.length - at < 46 || b.getInt(at) != DIRECTORY_SIGNATURE ? Integer.MAX_VALUE
                    : at + 46 + (b.getShort(at + 28) & 0xffff) + (b.getShort(at + 30) & 0xffff);
            if (end > directory.length) {
                throw new IllegalArgumentException("no record at its byte " + at);
            }
            int extra = at + 46 + (b.getShort(at + 28) & 0xffff);
            long size = b.getInt(at + 24) & MAGIC;
            long offset = b.getInt(at + 42) & MAGIC;
            if (end - extra >= 4 + (size == MAGIC ? 16 : 0) + (offset == MAGIC ? 8 : 0) && b.getShort(extra) == 1) {
                offset = offset == MAGIC ? b.getLong(extra + (size == MAGIC ? 20 : 4)) : offset;
                size = size == MAGIC ? b.getLong(extra + 4) : size;
            }
            entries.add(new Entry(new String(directory, at + 46, extra - at - 46, StandardCharsets.UTF_8), offset, size, b.getInt(at + 16) & MAGIC));
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
        var out = new ByteArrayOutputStream();
        for (Entry e : entries) {
            boolean farOffset = e.offset() >= MAGIC;
            boolean zip64 = e.large() || farOffset;
            int extra = zip64 ? 4 + (e.large() ? 16 : 0) + (farOffset ? 8 : 0) : 0;
            ByteBuffer b = buffer(46 + e.name().length() + extra + 6);
            b.putInt(DIRECTORY_SIGNATURE);
            b.putShort((short) (anyLarge || farOffset ? 45 : 20));
            common(b, e, zip64);
            b.putShort((short) (extra + 6));
            b.putShort((short) 0).putShort((short) 0).putShort((short) 0).putInt(0);
            b.putInt((int) Math.min(e.offset(), MAGIC));
            b.put(e.name().getBytes(StandardCharsets.US_ASCII));
            if (zip64) {
                b.putShort((short) 1).putShort((short) (extra - 4));
                if (e.large()) {
                    b.putLong(e.size()).putLong(e.size());
                }
                if (farOffset) {
                    b.putLong(e.offset());
                }
            }
            b.putShort((short) 0xa11e).putShort((short) 2).putShort((short) alignment(e.name(), e.size()));
            out.writeBytes(b.array());
        }
        long length = out.size();
        if (start >= MAGIC) {
            ByteBuffer b = buffer(END64 + LOCATOR64);
            b.putInt(0x06064b50).putLong(END64 - 12).putShort((short) 45).putShort((short) 45).putInt(0).putInt(0);
            b.putLong(entries.size()).putLong(entries.size()).putLong(length).putLong(start);
            b.putInt(LOCATOR64_SIGNATURE).putInt(0).putLong(start + length).putInt(1);
            out.writeBytes(b.array());
        }
        ByteBuffer b = buffer(END);
        b.putInt(END_SIGNATURE).putInt(0).putShort((short) entries.size()).putShort((short) entries.size());
        b.putInt((int) length).putInt((int) Math.min(start, MAGIC)).putShort((short) 0);
        out.writeBytes(b.array());
        return out.toByteArray();
    }

    /** Version needed to name length: the fields that local header and directory share. */
    private static void common(ByteBuffer b, Entry e, boolean zip64) {
        int size = (int) Math.min(e.size(), MAGIC);
        b.putShort((short) (zip64 ? 45 : 10)).putShort((short) UTF8_NAME).putShort((short) 0);
        b.putShort((short) 0).putShort((short) DOS_DATE);
        b.putInt((int) e.crc()).putInt(size).putInt(size).putShort((short) e.name().length());
    }

    private static ByteBuffer buffer(int capacity) {
        return ByteBuffer.allocate(capacity).order(ByteOrder.LITTLE_ENDIAN);
    }
}
