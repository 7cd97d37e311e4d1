package io.github.spike4j.convert.importer;

import java.lang.foreign.Arena;
import java.util.List;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.fuzz.Scratch;

/** A safetensors file, for Jazzer (see package fuzz). */
public final class SafetensorsFuzz {
    private static final Scratch SCRATCH = new Scratch();

    private SafetensorsFuzz() { }

    public static void fuzzerTestOneInput(byte[] data) {
        try (var arena = Arena.ofConfined()) {
            SafeTensors.read(SCRATCH.write("model.safetensors", data), arena).values().forEach(PyTorchFuzz::use);
        } catch (ConversionException e) {
            // refused
        }
    }

    public static List<byte[]> seeds() {
        return List.of(SafeTensorsWriter.file("""
                {"__metadata__":{"format":"pt"},"a.weight":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},
                "b":{"dtype":"F32","shape":[1,2],"data_offsets":[12,20]}}""", new byte[20]),
                SafeTensorsWriter.file("{\"s\":{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[0,2]}}", new byte[2]));
    }
}
