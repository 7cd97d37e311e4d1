package io.github.spike4j.format;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import java.util.zip.CRC32;


/**
 * {@code OUT.work}: what a writer has done so far, in a form that survives its end at any moment.
 *
 * <pre>
 * lock         held by the writer at work; says which process that is
 * journal      a line each: CRC-32 of the rest, then JSON; the first is the job, the others are {@link Commit}s
 * blocks/N     the data of tensor N
 * state/NAME   SHA-256, then data that the caller wants back
 * assembled    the file, until it is renamed to OUT
 * </pre>
 *
 * Nothing is synced here. A kill loses no bytes; after a power cut the checksums tell what is whole: the journal ends at its first
 * bad line, and tensors and states are hashed before they are used again.
 */
final class WorkFolder {
    private static final int CHUNK = 1 << 20;
    /** Folders of this process's writers. */
    private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();
    private static final String NUMBER = "[0-9]+";
    private static final String STATE = "[a-z0-9_][a-z0-9._-]*";

    /**
     * Tensors that were written together.
     *
     * @param first number of the first one
     * @param memo  what the caller said about them
     */
    record Commit(String block, int first, List<S4jWriter.Block> tensors, String memo) { }

    private final Path folder;
    private final FileChannel lock;
    /** By block. */
    private final Map<String, Commit> commits = new HashMap<>();
    private String job;

    private WorkFolder(Path folder, FileChannel lock) {
        this.folder = folder;
        this.lock = lock;
    }

    /**
     * Makes the folder, or takes over what an ended writer left there.
     *
     * @throws FileSystemException if another writer is at work
     */
    static WorkFolder open(Path path) throws IOException {
        Files.createDirectories(path);
        Path folder = path.getParent().toRealPath().resolve(path.getFileName());
        // a process that closes any channel of a file loses its locks on it: do not even open it twice
        if (!HELD.add(folder)) {
            throw busy(folder, "this process");
        }
        FileChannel lock = null;
        WorkFolder work = null;
        try {
            while (lock == null) {
                lock = lock(folder);
            }
            work = new WorkFolder(folder, lock);
            work.read();
            return work;
        } finally {
            if (work == null) {
                HELD.remove(folder);
                if (lock != null) {
                    lock.close();
                }
            }
        }
    }

    private static FileSystemException busy(Path folder, String who) {
        return new FileSystemException(folder.toString(), null, who + " is writing this file already");
    }

    /** Locks the file {@code lock}; null if it was deleted meanwhile, as whoever ends does. */
    private static FileChannel lock(Path folder) throws IOException {
        Path file = Files.createDirectories(folder).resolve("lock");
        FileChannel channel = null;
        boolean locked = false;
        try {
            Files.write(file, new byte[0], StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            Object before = Files.readAttributes(file, BasicFileAttributes.class).fileKey();
            channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
            if (channel.tryLock() == null) {
                throw busy(folder, "another process (" + holder(channel) + ")");
            }
            locked = Objects.equals(before, Files.readAttributes(file, BasicFileAttributes.class).fileKey());
            channel.truncate(0).write(ByteBuffer.wrap(Long.toString(ProcessHandle.current().pid()).getBytes(StandardCharsets.US_ASCII)));
            return locked ? channel : null;
        } catch (NoSuchFileException e) {
            return null;
        } finally {
            if (channel != null && !locked) {
                channel.close();
            }
        }
    }

    private static String holder(FileChannel channel) throws IOException {
        ByteBuffer text = ByteBuffer.allocate(64);
        channel.read(text, 0);
        String pid = new String(text.array(), 0, text.position(), StandardCharsets.US_ASCII);
        return pid.matches(NUMBER) ? pid : "unknown";
    }

    /** The job whose work is here; null if there is none. */
    String job() {
        return job;
    }

    /** Starts over. */
    void start(String newJob) throws IOException {
        clear();
        Files.createDirectories(folder.resolve("blocks"));
        append(JsonWriter.line(newJob));
        job = newJob;
    }

    Path block(int number) {
        return folder.resolve("blocks").resolve(Integer.toString(number));
    }

    Path assembled() {
        return folder.resolve("assembled");
    }

    /** Whether there is anything that a later writer can use. */
    boolean isWorthKeeping() throws IOException {
        return !commits.isEmpty() || !list("state", STATE).isEmpty();
    }

    // ---- journal -------------------------------------------------------------------------------------------------------

    /** What was committed under this name, if its tensors start at {@code first} and are unharmed; else null. */
    Commit find(String block, int first) throws IOException {
        Commit commit = commits.get(block);
        if (commit == null || commit.first != first) {
            return null;
        }
        int number = first;
        for (S4jWriter.Block b : commit.tensors) {
            if (!isWhole(block(number++), b.tensor())) {
                return null;
            }
        }
        return commit;
    }

    private static boolean isWhole(Path file, TensorInfo tensor) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            return channel.size() == tensor.bytes()
                    && HexFormat.of().formatHex(digest(channel, MemorySegment.NULL)).equals(tensor.sha256());
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    void commit(Commit commit) throws IOException {
        append(JsonWriter.line(commit));
        commits.put(commit.block, commit);
    }

    private void append(String json) throws IOException {
        ByteBuffer line = ByteBuffer.wrap((crc(json) + " " + json + "\n").getBytes(StandardCharsets.UTF_8));
        try (FileChannel journal = FileChannel.open(folder.resolve("journal"), StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
            while (line.hasRemaining()) {
                journal.write(line);
            }
        }
    }

    private static String crc(String json) {
        var crc = new CRC32();
        crc.update(json.getBytes(StandardCharsets.UTF_8));
        return "%08x".formatted(crc.getValue());
    }

    /** Reads the journal up to its first bad line, and cuts it there. */
    private void read() throws IOException {
        byte[] bytes;
        try {
            bytes = Files.readAllBytes(folder.resolve("journal"));
        } catch (NoSuchFileException e) {
            return;
        }
        int good = 0;
        for (int end; (end = newline(bytes, good)) >= 0; good = end + 1) {
            var line = new String(bytes, good, end - good, StandardCharsets.UTF_8);
            if (line.length() < 9 || !line.startsWith(crc(line.substring(9)) + " ")) {
                break;
            }
            var json = new JsonReader(line.substring(9).getBytes(StandardCharsets.UTF_8));
            try {
                String text = job == null ? json.text() : job;
                Commit commit = job == null ? null : commit(json);
                json.end();
                job = text;
                if (commit != null) {
                    commits.put(commit.block, commit);
                }
            } catch (JsonException e) {
                break; // of another version
            }
        }
        if (good < bytes.length) {
            try (FileChannel journal = FileChannel.open(folder.resolve("journal"), StandardOpenOption.WRITE)) {
                journal.truncate(good);
            }
        }
    }

    private static Commit commit(JsonReader json) throws JsonException {
        var f = json.fields();
        String block = f.get("block").text();
        int first = f.get("first").int32();
        var tensors = new ArrayList<S4jWriter.Block>();
        f.get("tensors");
        for (json.array(); json.element(); ) {
            var b = json.fields();
            tensors.add(b.all(new S4jWriter.Block(ManifestReader.tensor(b.get("tensor")), b.get("crc").int64())));
        }
        return f.all(new Commit(block, first, tensors, f.get("memo").text()));
    }

    private static int newline(byte[] bytes, int from) {
        for (int i = from; i < bytes.length; i++) {
            if (bytes[i] == '\n') {
                return i;
            }
        }
        return -1;
    }

    // ---- states --------------------------------------------------------------------------------------------------------

    private Path state(String name) {
        if (!name.matches(STATE)) {
            throw new IllegalArgumentException("illegal name '" + name + "'");
        }
        return folder.resolve("state").resolve(name);
    }

    void save(String name, MemorySegment data) throws IOException {
        Path file = state(name);
        Path part = state("part");
        Files.createDirectories(file.getParent());
        MessageDigest digest = S4jFile.sha256();
        for (long at = 0; at < data.byteSize(); at += CHUNK) {
            digest.update(chunk(data, at));
        }
        try (FileChannel channel = FileChannel.open(part, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING,
                StandardOpenOption.WRITE)) {
            writeAll(channel, ByteBuffer.wrap(digest.digest()));
            for (long at = 0; at < data.byteSize(); at += CHUNK) {
                writeAll(channel, chunk(data, at));
            }
        }
        Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    private static ByteBuffer chunk(MemorySegment data, long at) {
        return data.asSlice(at, Math.min(CHUNK, data.byteSize() - at)).asByteBuffer();
    }

    static void writeAll(FileChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /** Fills {@code into} if the state is there, whole and exactly so long; else its content is undefined. */
    boolean load(String name, MemorySegment into) throws IOException {
        try (FileChannel channel = FileChannel.open(state(name), StandardOpenOption.READ)) {
            ByteBuffer hash = ByteBuffer.allocate(32);
            return channel.size() == 32 + into.byteSize() && channel.read(hash) == 32 && Arrays.equals(hash.array(), digest(channel, into));
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    void drop(String name) throws IOException {
        Files.deleteIfExists(state(name));
    }

    /** SHA-256 of the rest of a file, which is copied to {@code into} unless that is null. */
    private static byte[] digest(FileChannel channel, MemorySegment into) throws IOException {
        MessageDigest digest = S4jFile.sha256();
        ByteBuffer buffer = ByteBuffer.allocate(CHUNK);
        for (long at = 0; channel.read(buffer.clear()) > 0;) {
            digest.update(buffer.flip());
            if (into.byteSize() > 0) {
                MemorySegment.copy(MemorySegment.ofBuffer(buffer.rewind()), 0, into, at, buffer.limit());
            }
            at += buffer.limit();
        }
        return digest.digest();
    }

    // ---- the end -------------------------------------------------------------------------------------------------------

    /** Lets the next writer in. */
    void release() throws IOException {
        lock.close();
        HELD.remove(folder);
    }

    /** Deletes what is of this class, then the folders if nothing else is there; lets the next writer in. */
    void remove() throws IOException {
        try {
            clear();
            Files.deleteIfExists(folder.resolve("lock"));
            deleteIfEmpty(folder);
        } finally {
            release();
        }
    }

    /** The journal goes first: what is left if this is interrupted is nobody's. */
    private void clear() throws IOException {
        job = null;
        commits.clear();
        Files.deleteIfExists(folder.resolve("journal"));
        Files.deleteIfExists(assembled());
        for (Path p : list("blocks", NUMBER)) {
            Files.delete(p);
        }
        for (Path p : list("state", STATE)) {
            Files.delete(p);
        }
        deleteIfEmpty(folder.resolve("blocks"));
        deleteIfEmpty(folder.resolve("state"));
    }

    private List<Path> list(String name, String pattern) throws IOException {
        if (!Files.isDirectory(folder.resolve(name))) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(folder.resolve(name))) {
            return files.filter(f -> f.getFileName().toString().matches(pattern)).toList();
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    private static void deleteIfEmpty(Path path) throws IOException {
        try {
            Files.deleteIfExists(path);
        } catch (DirectoryNotEmptyException e) {
            // files of somebody else
        }
    }
}
