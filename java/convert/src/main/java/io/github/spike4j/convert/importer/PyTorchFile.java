package io.github.spike4j.convert.importer;

import io.github.spike4j.convert.ConversionException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;

import org.apache.commons.compress.archivers.zip.ZipArchiveEntry;
import org.apache.commons.compress.archivers.zip.ZipFile;

/**
 * A {@code .bin}, {@code .pth} or {@code .pt} as torch.save writes it since version 1.6: a ZIP with {@code NAME/data.pkl}, which describes
 * tensors, and their storages {@code NAME/data/KEY}, stored without compression and used in place.
 */
final class PyTorchFile {
    private static final long MAX_PICKLE = 64L << 20;
    private static final byte[] ZIP = {'P', 'K', 3, 4};

    private final Path file;
    private final MemorySegment map;
    /** Where an entry's data lie. */
    private final Map<String, MemorySegment> entries = new HashMap<>();

    private PyTorchFile(Path file, Arena arena) {
        this.file = file;
        map = Sources.map(file, arena);
    }

    /** Whether a file starts as a ZIP does; false for files that cannot be read. */
    static boolean isZip(Path file) {
        try (var in = Files.newInputStream(Sources.regular(file))) {
            return java.util.Arrays.equals(in.readNBytes(4), ZIP);
        } catch (IOException e) {
            return false;
        }
    }

    /** The tensors of a file by name, mapped as long as {@code arena} lives. Dictionaries around the dictionary of tensors are opened. */
    static Map<String, StoredTensor> read(Path file, Arena arena) {
        return new PyTorchFile(file, arena).read();
    }

    private Map<String, StoredTensor> read() {
        if (map.byteSize() < 4 || !isZip(file)) {
            throw bad("not a PyTorch checkpoint of version 1.6 or newer (a ZIP); if it is an older one, load it with torch and save it again, "
                    + "best as safetensors");
        }
        directory();
        var pickles = entries.keySet().stream().filter(n -> n.equals("data.pkl") || n.endsWith("/data.pkl")).toList();
        if (pickles.size() != 1) {
            throw bad("a ZIP with " + pickles.size() + " entries data.pkl; a PyTorch checkpoint has one");
        }
        var pickle = entries.get(pickles.getFirst());
        if (pickle.byteSize() > MAX_PICKLE) {
            throw bad("its data.pkl has " + pickle.byteSize() + " bytes; the limit is " + MAX_PICKLE);
        }
        var folder = pickles.getFirst().substring(0, pickles.getFirst().length() - "data.pkl".length());
        var order = entries.get(folder + "byteorder");
        if (order != null && (order.byteSize() != 6 || !new String(order.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.ISO_8859_1).equals("little"))) {
            throw bad("its byte order is not little endian");
        }
        return tensors(PyTorchPickle.read(file.toString(), pickle.toArray(ValueLayout.JAVA_BYTE), key -> {
            var data = entries.get(folder + "data/" + key);
            if (data == null) {
                throw bad("storage " + Sources.printable(key) + " is missing");
            }
            return data;
        }));
    }

    private void directory() {
        try (var zip = ZipFile.builder().setPath(file).setIgnoreLocalFileHeader(true).get()) {
            var all = zip.getEntries();
            while (all.hasMoreElements()) {
                var e = all.nextElement();
                if (!e.isDirectory() && entries.put(e.getName(), data(zip, e)) != null) {
                    throw bad("entry " + Sources.printable(e.getName()) + " is there twice");
                }
            }
        } catch (ConversionException e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            throw new ConversionException(file + ": a damaged or truncated ZIP: " + Sources.printable(Sources.reason(e)), e);
        }
    }

    private MemorySegment data(ZipFile zip, ZipArchiveEntry e) throws IOException {
        var name = Sources.printable(e.getName());
        if (e.getMethod() != ZipArchiveEntry.STORED || e.getGeneralPurposeBit().usesEncryption()) {
            throw bad("entry " + name + " is compressed; torch.save stores its entries, load it with torch and save it again");
        }
        try (var _ = zip.getRawInputStream(e)) { // finds the data
            long at = e.getDataOffset();
            long size = e.getSize();
            if (at < 0 || size < 0 || e.getCompressedSize() != size || size > map.byteSize() - at) {
                throw bad("entry " + name + " lies outside of the file; it is truncated");
            }
            var data = map.asSlice(at, size);
            if (e.getName().endsWith("data.pkl")) {
                var crc = new CRC32();
                crc.update(data.asByteBuffer());
                if (crc.getValue() != e.getCrc()) {
                    throw bad("entry " + name + " is damaged: its checksum is wrong");
                }
            }
            return data;
        }
    }

    /** Training scripts put the dictionary of tensors into another one, beside things that are not needed. */
    private Map<String, StoredTensor> tensors(Object root) {
        var dictionary = root;
        for (var wrapper : List.of("state_dict", "model_state_dict", "model", "module")) {
            if (dictionary instanceof Map<?, ?> m && m.get(wrapper) instanceof Map<?, ?> inner) {
                dictionary = inner;
            }
        }
        if (!(dictionary instanceof Map<?, ?> m)) {
            throw bad("holds no dictionary of tensors");
        }
        var tensors = new LinkedHashMap<String, StoredTensor>();
        for (var e : m.entrySet()) {
            if (e.getKey() instanceof String name && e.getValue() instanceof StoredTensor t) {
                var shown = Sources.printable(name);
                tensors.put(shown, new StoredTensor(file + ": tensor " + shown, t.type(), t.shape(), t.strides(), t.first(), t.data()));
            }
        }
        if (tensors.isEmpty()) {
            throw bad("holds no dictionary of tensors");
        }
        return tensors;
    }

    private ConversionException bad(String what) {
        return new ConversionException(file + ": " + what);
    }
}
