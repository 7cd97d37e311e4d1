package io.github.spike4j.convert.importer;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.Map;

/** Writes {@code .safetensors}. */
final class SafeTensorsWriter {
    private SafeTensorsWriter() { }

    static void write(Path file, String dtype, Collection<String> names, Map<String, float[]> values, Map<String, int[]> shapes) throws IOException {
        var header = new StringBuilder("{\"__metadata__\":{\"format\":\"pt\"}");
        var data = new ByteArrayOutputStream();
        for (var name : names) {
            int begin = data.size();
            data.writeBytes(PyTorchWriter.bytes(dtype, values.get(name)));
            header.append(",\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}".formatted(name, dtype, Arrays.toString(shapes.get(name)),
                    begin, data.size()));
        }
        Files.write(file, file(header.append('}').toString(), data.toByteArray()));
    }

    static byte[] file(String header, byte[] data) {
        var json = header.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(8 + json.length + data.length).order(ByteOrder.LITTLE_ENDIAN).putLong(json.length).put(json).put(data).array();
    }
}
