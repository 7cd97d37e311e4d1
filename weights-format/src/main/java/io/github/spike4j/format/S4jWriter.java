package io.github.spike4j.format;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.zip.CRC32;

/**
 * Writes a {@code .s4j} file. Tensors go to {@code OUT.work/} as they come; {@link #finish} assembles them there, checks the
 * result as a reader would, syncs and renames, so that OUT is either absent, its old self or complete. Equal calls give equal
 * bytes. A writer belongs to one thread; a second one for the same OUT, in any process, is refused.
 *
 * <p>Long work is done in blocks. {@link #resume} continues after a writer of the same job that was killed or
 * {@linkplain #suspend suspended}: {@link #restore} brings back a block that it committed, in the order in which blocks are
 * written; one that is absent or damaged is written again and {@linkplain #commit committed}.
 */
public final class S4jWriter implements AutoCloseable {
    private static final int CHUNK = 1 << 20;

    /** A tensor that is complete. */
    record Block(TensorInfo tensor, long crc) { }

    private final Path out;
    private final WorkFolder work;
    /** In file order; tensor i lies in the file {@code blocks/i}. */
    final Map<String, Block> written = new LinkedHashMap<>();
    private final Map<String, byte[]> entries = new TreeMap<>();
    /** How many of {@link #written} are committed. */
    private int committed;
    private boolean streaming;
    private boolean closed;

    private S4jWriter(Path out, WorkFolder work) {
        this.out = out;
        this.work = work;
    }

    /**
     * Starts a file; what an earlier writer left behind is deleted.
     *
     * @throws java.nio.file.FileSystemException if another writer is at work
     */
    public static S4jWriter create(Path out) throws IOException {
        return open(out, "", true);
    }

    /**
     * Continues a file, or starts it.
     *
     * @param job     text that says what is made of what: equal jobs write equal blocks
     * @param restart whether the work of another job is deleted
     * @throws OtherJobException unless {@code restart}, if the unfinished work that is there is another job's
     * @throws java.nio.file.FileSystemException if another writer is at work
     */
    public static S4jWriter resume(Path out, String job, boolean restart) throws IOException {
        return open(out, job, restart);
    }

    private static S4jWriter open(Path path, String job, boolean restart) throws IOException {
        Path out = path.toAbsolutePath();
        WorkFolder work = WorkFolder.open(out.resolveSibling(out.getFileName() + ".work"));
        boolean same = job.equals(work.job()) && !job.isEmpty();
        boolean opened = false;
        try {
            if (!same && !restart && work.job() != null && work.isWorthKeeping()) {
                throw new OtherJobException(out, work.job());
            }
            if (!same) {
                work.start(job);
            }
            opened = true;
            return new S4jWriter(out, work);
        } finally {
            if (!opened && work.isWorthKeeping()) {
                work.release();
            } else if (!opened) {
                work.remove();
            }
        }
    }

    /** There is unfinished work of another job. */
    public static final class OtherJobException extends IOException {
        private static final long serialVersionUID = 1L;
        private final String job;

        private OtherJobException(Path out, String job) {
            super(out + ".work: unfinished work of another job");
            this.job = job;
        }

        /** That job. */
        public String job() {
            return job;
        }
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

    /**
     * Brings back a block of an earlier writer: its tensors count as written.
     *
     * @return what was said at its commit; empty if it was not committed, or if its data is damaged
     */
    public Optional<String> restore(String block) throws IOException {
        requireCommitted();
        WorkFolder.Commit commit = work.find(block, committed);
        if (commit == null) {
            return Optional.empty();
        }
        commit.tensors().forEach(b -> written.put(b.tensor().name(), b));
        committed = written.size();
        return Optional.of(commit.memo());
    }

    /**
     * Makes the tensors since the last block a block, which a later writer of the same job can restore.
     *
     * @param block its name, once in a file
     * @param memo  what {@link #restore} shall tell
     */
    public void commit(String block, String memo) throws IOException {
        requireOpen();
        List<Block> tensors = new ArrayList<>(written.values()).subList(committed, written.size());
        work.commit(new WorkFolder.Commit(block, committed, tensors, memo));
        committed = written.size();
    }

    /** Keeps data for a later writer of the same job, until {@link #drop} or {@link #finish}; replaces what has the same name. */
    public void save(String name, MemorySegment data) throws IOException {
        requireOpen();
        work.save(name, data);
    }

    /**
     * Brings back what {@link #save} kept.
     *
     * @param into of exactly that size
     * @return false if it is not there, of another size or damaged; then the content of {@code into} is undefined
     */
    public boolean load(String name, MemorySegment into) throws IOException {
        requireOpen();
        return work.load(name, into);
    }

    /** Deletes what {@link #save} kept, if it is there. */
    public void drop(String name) throws IOException {
        requireOpen();
        work.drop(name);
    }

    /** Where the file will be. */
    public Path path() {
        return out;
    }

    /** The tensors written so far, in order. */
    public List<TensorInfo> tensors() {
        return written.values().stream().map(Block::tensor).toList();
    }

    /**
     * Maps a tensor that is written.
     *
     * @throws IllegalArgumentException if there is none of that name
     */
    public MemorySegment map(String tensor, Arena arena) throws IOException {
        requireOpen();
        int number = List.copyOf(written.keySet()).indexOf(tensor);
        if (number < 0) {
            throw new IllegalArgumentException("no tensor " + tensor + " is written");
        }
        try (FileChannel channel = FileChannel.open(work.block(number), StandardOpenOption.READ)) {
            return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
        }
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
        Path assembled = work.assembled();
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
        work.remove();
    }

    /** Ends without {@link #finish}: OUT stays as it was, and what was written so far is deleted. */
    @Override
    public void close() throws IOException {
        if (!closed) {
            closed = true;
            work.remove();
        }
    }

    /** Ends without {@link #finish}: OUT stays as it was; committed blocks and what was saved wait for {@link #resume}. */
    public void suspend() throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        if (!work.isWorthKeeping()) {
            work.remove();
            return;
        }
        Files.deleteIfExists(work.assembled());
        for (int i = committed; i < written.size() + (streaming ? 1 : 0); i++) {
            Files.deleteIfExists(work.block(i));
        }
        work.release();
    }

    /**
     * The size that a file will have.
     *
     * @param manifest with its tensor table
     * @param entries  sizes of the small entries by name
     */
    public static long size(Manifest manifest, Map<String, Integer> entries) {
        var all = new LinkedHashMap<String, Long>();
        var tensors = manifest.tensors().stream().map(t -> t.withSha256("0".repeat(64))).toList();
        all.put(Container.MANIFEST, (long) JsonWriter.write(manifest.withTensors(tensors)).length);
        new TreeMap<>(entries).forEach((name, bytes) -> all.put(name, (long) bytes));
        tensors.forEach(t -> all.put(Container.TENSORS + t.name(), t.bytes()));
        var placed = new ArrayList<Container.Entry>();
        all.forEach((name, bytes) -> placed.add(new Container.Entry(name, placed.isEmpty() ? 0 : placed.getLast().end(), bytes, 0)));
        return placed.getLast().end() + Container.directory(placed).length;
    }

    /** Writes the whole file. */
    void assemble(OutputStream to, Manifest manifest) throws IOException {
        Manifest complete = manifest.withTensors(written.values().stream().map(Block::tensor).toList());
        Checks.structure(out, complete);
        byte[] json = JsonWriter.write(complete);
        if (json.length > Container.MAX_MANIFEST || 1 + entries.size() + written.size() > Container.MAX_ENTRIES) {
            throw new IllegalArgumentException("too many tensors for one file");
        }
        var placed = new ArrayList<Container.Entry>();
        put(to, placed, Container.MANIFEST, json);
        for (var e : entries.entrySet()) {
            put(to, placed, e.getKey(), e.getValue());
        }
        byte[] buffer = new byte[CHUNK];
        int i = 0;
        for (Block block : written.values()) {
            place(to, placed, Container.TENSORS + block.tensor().name(), block.tensor().bytes(), block.crc());
            var crc = new CRC32();
            long bytes = 0;
            try (InputStream in = Files.newInputStream(work.block(i++))) {
                for (int n; (n = in.read(buffer)) >= 0; bytes += n) {
                    crc.update(buffer, 0, n);
                    to.write(buffer, 0, n);
                }
            }
            if (bytes != block.tensor().bytes() || crc.getValue() != block.crc()) {
                throw new IOException("tensor " + block.tensor().name() + ": its block changed since it was written");
            }
        }
        to.write(Container.directory(placed));
    }

    private static void put(OutputStream to, List<Container.Entry> placed, String name, byte[] bytes) throws IOException {
        var crc = new CRC32();
        crc.update(bytes);
        place(to, placed, name, bytes.length, crc.getValue());
        to.write(bytes);
    }

    /** Writes the header of the next entry. */
    private static void place(OutputStream to, List<Container.Entry> placed, String name, long size, long crc) throws IOException {
        placed.add(new Container.Entry(name, placed.isEmpty() ? 0 : placed.getLast().end(), size, crc));
        to.write(Container.localHeader(placed.getLast()));
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the writer of " + out + " is closed");
        }
    }

    private void requireCommitted() {
        requireOpen();
        if (streaming || committed != written.size()) {
            throw new IllegalStateException("the last block is not committed");
        }
    }

    /** Writes one tensor. */
    private final class TensorChannel implements WritableByteChannel {
        private final TensorInfo info;
        private final FileChannel file;
        private final MessageDigest digest = S4jFile.sha256();
        private final CRC32 crc = new CRC32();
        private long bytes;

        TensorChannel(TensorInfo info) throws IOException {
            this.info = info;
            this.file = FileChannel.open(work.block(written.size()), StandardOpenOption.CREATE,
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
            WorkFolder.writeAll(file, source);
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
