package io.github.spike4j.format;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.function.Consumer;
import java.util.zip.CRC32;

import tools.jackson.databind.node.ObjectNode;

/** Takes a file apart and makes forged ones with a sound container around what was changed. */
final class Forge {
    final LinkedHashMap<String, byte[]> contents = new LinkedHashMap<>();

    static Forge of(Path file) throws IOException {
        var forge = new Forge();
        for (var e : PlainReader.list(file).entrySet()) {
            forge.contents.put(e.getKey(), PlainReader.read(file, e.getValue()));
        }
        return forge;
    }

    ObjectNode manifest() {
        return (ObjectNode) Trees.MAPPER.readTree(contents.get("manifest.json"));
    }

    Forge manifest(Consumer<ObjectNode> change) {
        ObjectNode tree = manifest();
        change.accept(tree);
        return text(Trees.MAPPER.writeValueAsString(tree));
    }

    Forge text(String manifest) {
        contents.put("manifest.json", manifest.getBytes(StandardCharsets.UTF_8));
        return this;
    }

    /** Changes a tensor and its hash in the manifest. */
    Forge tensor(String name, Consumer<byte[]> change) {
        byte[] data = contents.get("tensors/" + name).clone();
        change.accept(data);
        contents.put("tensors/" + name, data);
        String hash = java.util.HexFormat.of().formatHex(S4jFile.sha256().digest(data));
        return manifest(m -> m.get("tensors").forEach(t -> {
            if (t.get("name").asString().equals(name)) {
                ((ObjectNode) t).put("sha256", hash);
            }
        }));
    }

    byte[] bytes() {
        return zip(entries(), List.copyOf(contents.values()));
    }

    Path write(Path to) throws IOException {
        return Files.write(to, bytes());
    }

    /** The entries as they lie. */
    List<Container.Entry> entries() {
        var entries = new ArrayList<Container.Entry>();
        long at = 0;
        for (var e : contents.entrySet()) {
            var crc = new CRC32();
            crc.update(e.getValue());
            entries.add(new Container.Entry(e.getKey(), at, e.getValue().length, crc.getValue()));
            at = entries.getLast().end();
        }
        return entries;
    }

    static byte[] zip(List<Container.Entry> entries, List<byte[]> data) {
        var out = new ByteArrayOutputStream();
        for (int i = 0; i < entries.size(); i++) {
            out.writeBytes(Container.localHeader(entries.get(i)));
            out.writeBytes(data.get(i));
        }
        out.writeBytes(Container.directory(entries));
        return out.toByteArray();
    }
}
