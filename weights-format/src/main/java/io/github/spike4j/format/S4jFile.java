package io.github.spike4j.format;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.zip.CRC32;

/**
 * A {@code .s4j} file, open for reading. Tensors are used in place.
 *
 * <p>{@link #open} maps the file: memory is shared between processes and read on demand. A mapped file must not be truncated
 * while it is open: access to a page that is gone ends the process in native code (SIGBUS). {@link #openInRam} copies the file
 * instead. Any number of threads may use an open file; segments are invalid after {@link #close}.
 */
public final class S4jFile implements AutoCloseable {
    private static final int CHUNK = 1 << 20;

    private final Path file;
    private final Arena arena;
    private final MemorySegment bytes;
    /** Small entries, the manifest among them. */
    private final Map<String, Container.Entry> entries = new LinkedHashMap<>();
    /** Of tensors by their names. */
    private final Map<String, Container.Entry> data = new LinkedHashMap<>();
    private final Map<String, TensorInfo> tensors = new HashMap<>();
    private final Manifest manifest;

    /** Memory for a copy of a file. */
    public interface Memory {
        /**
         * Memory that goes with the arena, aligned to 4096.
         *
         * @throws OutOfMemoryError if there is none
         */
        MemorySegment allocate(long bytes, Arena arena);
    }

    private S4jFile(Path file, Arena arena, FileChannel channel, Memory memory) throws IOException {
        this.file = file;
        this.arena = arena;
        long size = channel.size();
        byte[] directory = readDirectory(channel, size);
        this.bytes = memory != null ? copy(channel, size, memory).asReadOnly() : channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
        readEntries(directory);
        this.manifest = readManifest();
        Checks.structure(file, manifest);
        checkTable();
        Checks.permutations(file, manifest, this);
    }

    /**
     * Maps a file and checks its structure and manifest, not the hashes (see {@link #verify}).
     *
     * @throws S4jFormatException if the file cannot be read, is damaged, or needs something this version lacks
     */
    public static S4jFile open(Path file) throws S4jFormatException {
        return open(file, null);
    }

    /**
     * Like {@link #open}, with the file copied to memory.
     *
     * @throws OutOfMemoryError if there is no memory for it
     */
    public static S4jFile openInRam(Path file, Memory memory) throws S4jFormatException {
        return open(file, Objects.requireNonNull(memory, "memory"));
    }

    private static S4jFile open(Path file, Memory memory) throws S4jFormatException {
        // to open a named pipe takes until somebody writes to it
        if (Files.exists(file) && !Files.isRegularFile(file)) {
            throw new S4jFormatException(file, null, Files.isDirectory(file) ? "is a directory, not a file" : "is not a regular file");
        }
        Arena arena = Arena.ofShared();
        S4jFile opened = null;
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            opened = new S4jFile(file, arena, channel, memory);
            return opened;
        } catch (S4jFormatException e) {
            throw e;
        } catch (NoSuchFileException e) {
            throw new S4jFormatException(file, null, "no such file", e);
        } catch (AccessDeniedException e) {
            throw new S4jFormatException(file, null, "permission denied", e);
        } catch (IOException e) {
            throw new S4jFormatException(file, null, "cannot be read: " + (e instanceof FileSystemException f && f.getReason() != null ? f.getReason() : e.getMessage()), e);
        } finally {
            if (opened == null) {
                arena.close();
            }
        }
    }

    /** Loads the classes that {@link #open} needs, for whoever has time before; see {@link Classes}. */
    public static void prepare() {
        Classes.initialize(S4jFile.class, Container.class, Manifest.class, ManifestReader.class, JsonReader.class, Architecture.class, Rope.class,
                InputGroup.class, Segment.class, Linear.class, Attention.class, AttentionLayer.class, TensorInfo.class, Encoding.class, Layout.class,
                TokenizerInfo.class, Checks.class, Layouts.class, Permutations.class);
    }

    /** The manifest. */
    public Manifest manifest() {
        return manifest;
    }

    /** Names of the small entries: all but the manifest and the tensors. */
    public Set<String> entries() {
        var names = new java.util.TreeSet<>(entries.keySet());
        names.remove(Container.MANIFEST);
        return Collections.unmodifiableSet(names);
    }

    /** Whether there is a small entry of that name. */
    public boolean hasEntry(String name) {
        return !name.equals(Container.MANIFEST) && entries.containsKey(name);
    }

    /**
     * A tensor's data.
     *
     * @return read-only, exactly {@link TensorInfo#bytes()} long, 64-byte aligned (4096 from 64 KiB on)
     * @throws IllegalArgumentException if there is no such tensor
     */
    public MemorySegment tensor(String name) {
        Container.Entry entry = data.get(name);
        if (entry == null) {
            throw noTensor(name);
        }
        return bytes.asSlice(entry.data(), entry.size());
    }

    /**
     * A tensor's row of the table.
     *
     * @throws IllegalArgumentException if there is no such tensor
     */
    public TensorInfo info(String name) {
        TensorInfo info = tensors.get(name);
        if (info == null) {
            throw noTensor(name);
        }
        return info;
    }

    private IllegalArgumentException noTensor(String name) {
        return new IllegalArgumentException(file + ": no tensor " + name);
    }

    /**
     * A small entry such as {@code tokenizer.json}; its CRC-32 is checked.
     *
     * @throws S4jFormatException if it is absent or damaged
     */
    public byte[] entry(String name) throws S4jFormatException {
        Container.Entry entry = entries.get(name);
        if (entry == null) {
            throw new S4jFormatException(file, name, "no such entry");
        }
        byte[] content = read(entry.data(), (int) entry.size());
        var crc = new CRC32();
        crc.update(content);
        if (crc.getValue() != entry.crc()) {
            throw new S4jFormatException(file, name, "damaged: its CRC-32 is wrong");
        }
        return content;
    }

    /**
     * Checks the hash of every tensor and the checksum of every other entry, then that all floats are finite, zero points and
     * multipliers are in their ranges, and that by the codes no 32-bit sum can wrap (N4).
     *
     * @param hashed told each entry's name and size after its hash has been checked
     * @throws S4jFormatException naming the first entry that is damaged
     */
    public void verify(BiConsumer<String, Long> hashed) throws S4jFormatException {
        verify(hashed, (_, _) -> { });
    }

    /**
     * The same.
     *
     * @param seen told the name of each float tensor and of each linear of codes, and their bytes, after its values have been checked
     */
    public void verify(BiConsumer<String, Long> hashed, BiConsumer<String, Long> seen) throws S4jFormatException {
        try {
            byte[] buffer = new byte[CHUNK];
            for (Container.Entry entry : entries.values()) {
                entry(entry.name());
                hashed.accept(entry.name(), entry.size());
            }
            for (TensorInfo tensor : manifest.tensors()) {
                Container.Entry entry = data.get(tensor.name());
                verify(tensor, entry, buffer);
                hashed.accept(entry.name(), entry.size());
            }
            Checks.values(file, manifest, this, seen);
        } catch (InternalError e) {
            // how the JVM reports a fault in a mapped file
            throw new S4jFormatException(file, null, "cannot be read: it was truncated after it was opened, or the disk fails",
                    e);
        }
    }

    private void verify(TensorInfo info, Container.Entry entry, byte[] buffer) throws S4jFormatException {
        MessageDigest digest = sha256();
        var crc = new CRC32();
        for (long at = 0; at < entry.size(); at += buffer.length) {
            int n = (int) Math.min(buffer.length, entry.size() - at);
            MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, entry.data() + at, buffer, 0, n);
            digest.update(buffer, 0, n);
            crc.update(buffer, 0, n);
        }
        if (!HexFormat.of().formatHex(digest.digest()).equals(info.sha256())) {
            throw new S4jFormatException(file, entry.name(), "damaged: its SHA-256 is not that of the manifest");
        }
        if (crc.getValue() != entry.crc()) {
            throw new S4jFormatException(file, entry.name(), "damaged: its CRC-32 is wrong");
        }
    }

    /**
     * Unmaps the file. Closing twice is harmless.
     *
     * @throws IllegalStateException if native code is working on a segment
     */
    @Override
    public synchronized void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e); // every Java platform has it
        }
    }

    private MemorySegment copy(FileChannel channel, long size, Memory memory) throws IOException {
        MemorySegment copy = memory.allocate(size, arena);
        for (long at = 0; at < size; ) {
            int n = channel.read(copy.asSlice(at, Math.min(size - at, 1 << 30)).asByteBuffer(), at);
            if (n < 0) {
                throw new S4jFormatException(file, null, "was truncated while it was read");
            }
            at += n;
        }
        return copy;
    }

    /** Finds the ZIP's directory, and bounds it by the file's size before it is read. */
    private byte[] readDirectory(FileChannel channel, long size) throws IOException {
        int tail = (int) Math.min(size, Container.END64 + Container.LOCATOR64 + Container.END);
        ByteBuffer b = read(channel, size - tail, tail).order(ByteOrder.LITTLE_ENDIAN);
        int end = tail - Container.END;
        if (b.hasRemaining() || end < 0 || b.getInt(end) != Container.END_SIGNATURE || b.getShort(end + 20) != 0) {
            throw new S4jFormatException(file, null, "not an .s4j file, or truncated: no ZIP directory at its end");
        }
        long length = b.getInt(end + 12) & 0xffff_ffffL;
        long start = b.getInt(end + 16) & 0xffff_ffffL;
        long tailStart = size - Container.END;
        if (end >= Container.LOCATOR64 && b.getInt(end - Container.LOCATOR64) == Container.LOCATOR64_SIGNATURE) {
            tailStart = size - tail;
            if (tail != b.capacity() || b.getLong(end - Container.LOCATOR64 + 8) != tailStart) {
                throw new S4jFormatException(file, null, "damaged: ZIP64 directory not at its place");
            }
            length = b.getLong(40);
            start = b.getLong(48);
        }
        if (start < 0 || length < 0 || length > Container.MAX_ENTRIES * (46L + Container.MAX_NAME + 28 + 6)
                || start != tailStart - length || size > Container.MAX_BYTES) {
            throw new S4jFormatException(file, null, "damaged: ZIP directory not at its place, or too large");
        }
        return read(channel, start, (int) length).array();
    }

    /** Room is left in the buffer if the file ends before. */
    private static ByteBuffer read(FileChannel channel, long at, int count) throws IOException {
        ByteBuffer b = ByteBuffer.allocate(count);
        while (b.hasRemaining() && channel.read(b, at + b.position()) >= 0) {
            // goes on
        }
        return b;
    }

    /** Reads the directory and compares every header with its canonical bytes. */
    private void readEntries(byte[] directory) throws S4jFormatException {
        List<Container.Entry> list;
        try {
            list = Container.entries(directory);
        } catch (IllegalArgumentException e) {
            throw new S4jFormatException(file, null, "damaged: the ZIP directory cannot be read: " + e.getMessage(), e);
        }
        long at = 0;
        for (Container.Entry e : list) {
            if (!Container.isLegal(e.name())) {
                throw new S4jFormatException(file, null, "illegal entry name '" + e.name().replaceAll("[^ -~]", "?") + "'");
            }
            boolean tensor = e.name().startsWith(Container.TENSORS);
            if ((tensor ? data.put(e.name().substring(Container.TENSORS.length()), e) : entries.put(e.name(), e)) != null) {
                throw new S4jFormatException(file, e.name(), "is there twice");
            }
            if (e.offset() != at || e.size() < 0 || e.size() > bytes.byteSize() || e.end() > bytes.byteSize()) {
                throw new S4jFormatException(file, e.name(), "damaged: entries overlap, leave a gap or pass the file's end");
            }
            if (!equal(e.offset(), Container.localHeader(e))) {
                throw new S4jFormatException(file, e.name(), "damaged: its local header is not what the directory says");
            }
            at = e.end();
        }
        if (list.isEmpty() || !list.getFirst().name().equals(Container.MANIFEST)) {
            throw new S4jFormatException(file, null, "not an .s4j file: manifest.json is not its first entry");
        }
        byte[] expected = Container.directory(list);
        if (at + expected.length != bytes.byteSize() || !equal(at, expected)) {
            throw new S4jFormatException(file, null, "damaged: the ZIP directory is not in canonical form");
        }
        for (var e : entries.entrySet()) {
            int limit = e.getKey().equals(Container.MANIFEST) ? Container.MAX_MANIFEST : Container.MAX_SMALL_ENTRY;
            if (e.getValue().size() > limit) {
                throw new S4jFormatException(file, e.getKey(), e.getValue().size() + " bytes, allowed are " + limit);
            }
        }
    }

    private byte[] read(long at, int n) {
        byte[] content = new byte[n];
        MemorySegment.ofArray(content).copyFrom(bytes.asSlice(at, n));
        return content;
    }

    private boolean equal(long at, byte[] expected) {
        return at + expected.length <= bytes.byteSize()
                && MemorySegment.mismatch(bytes, at, at + expected.length, MemorySegment.ofArray(expected), 0,
                        expected.length) < 0;
    }

    private Manifest readManifest() throws S4jFormatException {
        try {
            return ManifestReader.read(entry(Container.MANIFEST));
        } catch (JsonException e) {
            throw new S4jFormatException(file, Container.MANIFEST, e.getMessage(), e);
        }
    }

    /** The table names exactly the tensors that are there, in their order. */
    private void checkTable() throws S4jFormatException {
        var there = data.entrySet().iterator();
        boolean same = true;
        for (TensorInfo t : manifest.tensors()) {
            tensors.put(t.name(), t);
            Container.Entry e = data.get(t.name());
            if (e == null) {
                throw new S4jFormatException(file, Container.TENSORS + t.name(), "is in the manifest, but not in the file");
            }
            if (e.size() != t.bytes()) {
                throw new S4jFormatException(file, e.name(), e.size() + " bytes, the manifest says " + t.bytes());
            }
            same &= there.hasNext() && there.next().getValue() == e;
        }
        if (!same || there.hasNext()) {
            throw new S4jFormatException(file, Container.MANIFEST, "tensors: not those of the file in their order ("
                    + manifest.tensors().size() + " named, " + data.size() + " there)");
        }
    }
}
