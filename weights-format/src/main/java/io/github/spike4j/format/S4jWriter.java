package io.github.spike4j.format;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.CRC32;

import org.apache.commons.compress.archivers.zip.Zip64Mode;
import org.apache.commons.compress.archivers.zip.ZipArchiveEntry;
import org.apache.commons.compress.archivers.zip.ZipArchiveOutputStream;

/**
 * Writes a {@code .s4j} file. Tensors go to {@code OUT.work/} as they come; {@link #finish} assembles them under a temporary
 * name, checks the result as a reader would, syncs and renames, so that OUT is either absent, its old self or complete.
 * Equal calls give equal bytes. A writer belongs to one thread.
 */
public final class S4jWriter implements AutoCloseable {
    private static final int CHUNK = 1 << 20;

    /** A tensor that is complete. */
    record Block(TensorInfo tensor, long crc) { }

    private final Path out;
    private final Path work;
    private final Path blocks;
    private final Path assembled;
    /** In file order; block i lies in the file {@code blocks/i}. */
    final Map<String, Block> written = new LinkedHashMap<>();
    private final Map<String, byte[]> entries = new TreeMap<>();
    private boolean streaming;
    private boolean closed;

    private S4jWriter(Path out) {
        this.out = out.toAbsolutePath();
        this.work = sibling(".work");
        this.blocks = work.resolve("blocks");
        this.assembled = sibling(".tmp");
    }

    /** Starts a file; what an earlier writer left in {@code OUT.work/blocks} is deleted. */
    public static S4jWriter create(Path out) throws IOException {
        var writer = new S4jWriter(out);
        writer.deleteBlocks();
        Files.createDirectories(writer.blocks);
        return writer;
    }

    /** Writes a tensor. {@code info.sha256()} is ignored and computed here. */
    public void tensor(TensorInfo info, MemorySegment data) throws IOException {
        if (data.byteSize() != info.bytes()) {
            throw new IllegalArgumentException("tensor " + info.name() + " has " + info.bytes() + " bytes, its data "
                    + data.byteSize());
        }
        try (var channel = tensor(info)) {
            for (long at = 0; at < info.bytes(); at += CHUNK) {
                channel.write(data.asSlice(at, Math.min(CHUNK, info.bytes() - at)).asByteBuffer());
            }
        }
    }

    /**
     * Writes a tensor piece by piece. Its {@code close()} completes the tensor and fails if bytes are missing; a channel
     * that is never closed leaves no tensor. Only one can be open at a time.
     */
    public WritableByteChannel tensor(TensorInfo info) throws IOException {
        requireOpen();
        if (streaming) {
            throw new IllegalStateException("another tensor is being written");
        }
        if (!Checks.isLegalTensor(info.name())) {
            throw new IllegalArgumentException("illegal tensor name '" + info.name() + "'");
        }
        if (written.containsKey(info.name())) {
            throw new IllegalArgumentException("tensor " + info.name() + " is already there");
        }
        var channel = new TensorChannel(info);
        streaming = true;
        return channel;
    }

    /** Adds a small entry such as {@code tokenizer.json}; entries are written in the order of their names. */
    public void entry(String name, byte[] bytes) {
        requireOpen();
        if (!Container.isLegal(name) || name.equals(Container.MANIFEST) || name.startsWith(Container.TENSORS)) {
            throw new IllegalArgumentException("illegal entry name '" + name + "'");
        }
        if (bytes.length > Container.MAX_SMALL_ENTRY) {
            throw new IllegalArgumentException(name + ": " + bytes.length + " bytes, allowed are " + Container.MAX_SMALL_ENTRY);
        }
        entries.put(name, bytes.clone());
    }

    /**
     * Assembles the file.
     *
     * @param manifest its tensor table is replaced by what was written
     * @throws S4jFormatException if the manifest does not fit the tensors; nothing is lost then, call again
     */
    public void finish(Manifest manifest) throws IOException {
        requireOpen();
        if (streaming) {
            throw new IllegalStateException("a tensor is still being written");
        }
        try (FileChannel channel = FileChannel.open(assembled, StandardOpenOption.CREATE,
                StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
            assemble(Channels.newOutputStream(channel), manifest);
            channel.force(true);
        }
        S4jFile.open(assembled).close();
        Files.move(assembled, out, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        try (FileChannel directory = FileChannel.open(out.getParent(), StandardOpenOption.READ)) {
            directory.force(true);
        } catch (IOException e) {
            // not every platform opens directories; the file itself is synced
        }
        closed = true;
        deleteBlocks();
    }

    /** Without {@link #finish}: OUT stays as it was, and what was written so far is deleted. */
    @Override
    public void close() throws IOException {
        if (!closed) {
            closed = true;
            Files.deleteIfExists(assembled);
            deleteBlocks();
        }
    }

    /** Writes the whole file. */
    void assemble(OutputStream to, Manifest manifest) throws IOException {
        Manifest complete = manifest.withTensors(written.values().stream().map(Block::tensor).toList());
        Checks.structure(out, complete);
        byte[] json = Json.WRITER.writeValueAsBytes(complete);
        if (json.length > Container.MAX_MANIFEST || 1 + entries.size() + written.size() > Container.MAX_ENTRIES) {
            throw new IllegalArgumentException("too many tensors for one file");
        }
        // over a stream, not a channel: there Commons Compress checks the announced CRC instead of correcting it;
        // not closed: that would close the file before it is synced
        @SuppressWarnings("resource")
        var zip = new ZipArchiveOutputStream(to);
        zip.setUseZip64(Zip64Mode.AsNeeded);
        put(zip, Container.MANIFEST, json);
        for (var e : entries.entrySet()) {
            put(zip, e.getKey(), e.getValue());
        }
        byte[] buffer = new byte[CHUNK];
        int i = 0;
        for (Block block : written.values()) {
            put(zip, Container.TENSORS + block.tensor().name(), block.tensor().bytes(), block.crc());
            try (InputStream in = Files.newInputStream(blocks.resolve(Integer.toString(i++)))) {
                for (int n; (n = in.read(buffer)) >= 0; ) {
                    zip.write(buffer, 0, n);
                }
            }
            zip.closeArchiveEntry(); // checks size and CRC
        }
        zip.finish();
    }

    private static void put(ZipArchiveOutputStream zip, String name, byte[] bytes) throws IOException {
        var crc = new CRC32();
        crc.update(bytes);
        put(zip, name, bytes.length, crc.getValue());
        zip.write(bytes);
        zip.closeArchiveEntry();
    }

    private static void put(ZipArchiveOutputStream zip, String name, long size, long crc) throws IOException {
        var entry = new ZipArchiveEntry(name);
        entry.setMethod(ZipArchiveEntry.STORED);
        entry.setSize(size);
        entry.setCrc(crc);
        entry.setTime(Container.time());
        entry.setAlignment(Container.alignment(name, size));
        zip.putArchiveEntry(entry);
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the writer of " + out + " is closed");
        }
    }

    private Path sibling(String suffix) {
        return out.resolveSibling(out.getFileName() + suffix);
    }

    /** Deletes what this writer or an earlier one left in {@code OUT.work}, and the folders if nothing else is there. */
    private void deleteBlocks() throws IOException {
        if (!Files.isDirectory(blocks)) {
            return;
        }
        try (Stream<Path> files = Files.list(blocks)) {
            for (Path p : (Iterable<Path>) files.filter(f -> f.getFileName().toString().matches("[0-9]+"))::iterator) {
                Files.delete(p);
            }
        }
        try {
            Files.delete(blocks);
            Files.delete(work);
        } catch (DirectoryNotEmptyException e) {
            // files of somebody else
        }
    }

    /** Writes one block. */
    private final class TensorChannel implements WritableByteChannel {
        private final TensorInfo info;
        private final FileChannel file;
        private final MessageDigest digest = S4jFile.sha256();
        private final CRC32 crc = new CRC32();
        private long bytes;

        TensorChannel(TensorInfo info) throws IOException {
            this.info = info;
            this.file = FileChannel.open(blocks.resolve(Integer.toString(written.size())), StandardOpenOption.CREATE,
                    StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE);
        }

        @Override
        public int write(ByteBuffer source) throws IOException {
            int n = source.remaining();
            if (bytes + n > info.bytes()) {
                throw new IOException("tensor " + info.name() + ": more than its " + info.bytes() + " bytes");
            }
            digest.update(source.duplicate());
            crc.update(source.duplicate());
            while (source.hasRemaining()) {
                file.write(source);
            }
            bytes += n;
            return n;
        }

        @Override
        public boolean isOpen() {
            return file.isOpen();
        }

        @Override
        public void close() throws IOException {
            if (!isOpen()) {
                return;
            }
            file.close();
            streaming = false;
            if (bytes != info.bytes()) {
                throw new IOException("tensor " + info.name() + ": " + bytes + " of its " + info.bytes() + " bytes");
            }
            written.put(info.name(), new Block(info.withSha256(HexFormat.of().formatHex(digest.digest())), crc.getValue()));
        }
    }
}
