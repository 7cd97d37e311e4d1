package io.github.spike4j.weights;

import io.github.spike4j.SpikeException;
import io.github.spike4j.format.Encoding;
import io.github.spike4j.format.InputGroup;
import io.github.spike4j.format.Layout;
import io.github.spike4j.format.Manifest;
import io.github.spike4j.format.Permutations;
import io.github.spike4j.format.S4jFile;
import io.github.spike4j.format.S4jFormatException;
import io.github.spike4j.format.TensorInfo;
import io.github.spike4j.kernels.DenseWeights;
import io.github.spike4j.kernels.GifSpec;
import io.github.spike4j.kernels.SpikeWeights;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** An open {@code .s4j} file, or what is written of one, as kernel descriptors; their memory is the mapping or the copy itself. */
public final class WeightFile implements AutoCloseable {
    private final Path path;
    private final Manifest manifest;
    /** Null for an open file. */
    private final Function<String, MemorySegment> tensors;
    /** Null for a file that is being written. */
    private final S4jFile file;
    private final Map<String, TensorInfo> infos = new HashMap<>();
    private final Map<String, GifSpec> specs = new HashMap<>();

    private WeightFile(Path path, Manifest manifest, Function<String, MemorySegment> tensors, S4jFile file) {
        this.path = path;
        this.manifest = manifest;
        this.tensors = tensors;
        this.file = file;
        for (var tensor : manifest.tensors()) {
            infos.put(tensor.name(), tensor);
        }
    }

    /**
     * What is written of a file; nothing is checked.
     *
     * @param path     for messages
     * @param manifest the parts and tensors so far
     * @param tensors  their memory by name
     */
    public static WeightFile unfinished(Path path, Manifest manifest, Function<String, MemorySegment> tensors) {
        return new WeightFile(path, manifest, tensors, null);
    }

    /**
     * Maps a file; structure and manifest are checked, hashes are not.
     *
     * @throws SpikeException.Format naming file, entry and reason
     */
    public static WeightFile open(Path path) {
        return open(path, null);
    }

    /**
     * Opens a file, copied to memory or, if that is null, mapped.
     *
     * @throws SpikeException.Format naming file, entry and reason
     * @throws SpikeException.Device if there is no memory for a copy
     */
    public static WeightFile open(Path path, S4jFile.Memory memory) {
        try {
            var file = memory == null ? S4jFile.open(path) : copied(path, memory);
            return new WeightFile(path, file.manifest(), null, file);
        } catch (S4jFormatException e) {
            throw new SpikeException.Format(e.getMessage(), e);
        }
    }

    private static S4jFile copied(Path path, S4jFile.Memory memory) throws S4jFormatException {
        return S4jFile.openInRam(path, (bytes, arena) -> {
            try {
                return memory.allocate(bytes, arena);
            } catch (OutOfMemoryError e) {
                throw new SpikeException.Device(path + ": no memory for a copy of the weights: " + e.getMessage() + "; map the file instead", e);
            }
        });
    }

    /** The manifest. */
    public Manifest manifest() {
        return manifest;
    }

    /** Bytes of all tensors. */
    public long tensorBytes() {
        return manifest().tensors().stream().mapToLong(t -> t.bytes()).sum();
    }

    /** Whether there is a small entry such as {@code tokenizer.json}. */
    public boolean hasEntry(String name) {
        return file != null && file.hasEntry(name);
    }

    /** A small entry, or null if there is none. */
    public byte[] entry(String name) {
        try {
            return hasEntry(name) ? file.entry(name) : null;
        } catch (S4jFormatException e) {
            throw new SpikeException.Format(e.getMessage(), e);
        } catch (IllegalStateException e) { // of the mapping
            throw new SpikeException.Closed("model");
        }
    }

    /** Jinja sources of its chat templates by name; empty if there are none. */
    public Map<String, String> chatTemplates() {
        return file == null ? Map.of() : TemplateEntries.read(file.entries(), this::entry);
    }

    /** The memory of a tensor, whose shape the format checked. */
    public MemorySegment tensor(String name) {
        return file != null ? file.tensor(name) : tensors.apply(name);
    }

    /** Whether a float tensor is bf16 rather than f32. */
    public boolean isBf16(String name) {
        return infos.get(name).encoding() == Encoding.BF16;
    }

    /** An i32 tensor as an array. */
    public int[] ints(String name) {
        return Permutations.read(tensor(name));
    }

    /** An f32 tensor as an array. */
    public float[] floatArray(String name, int count) {
        var values = new float[count];
        tensor(name).asByteBuffer().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
        return values;
    }

    /** A u8 tensor as an array of 0..255. */
    public int[] bytes(String name, int count) {
        var data = tensor(name);
        var values = new int[count];
        for (int i = 0; i < count; i++) {
            values[i] = Byte.toUnsignedInt(data.get(ValueLayout.JAVA_BYTE, i));
        }
        return values;
    }

    /** Whether there is a linear of that name. */
    public boolean hasLinear(String name) {
        return manifest().linears().containsKey(name);
    }

    /**
     * A linear.
     *
     * @throws SpikeException.Format if its parts do not fit each other
     */
    public LinearWeights linear(String name) {
        var linear = manifest().linears().get(name);
        var encoding = infos.get(linear.weight()).encoding();
        try {
            var bias = optional(linear.bias());
            if (linear.input() == null) {
                return new LinearWeights.Dense(
                        new DenseWeights(linear.rows(), linear.channels(), encoding == Encoding.BF16, tensor(linear.weight()), bias));
            }
            return new LinearWeights.Spiking(new SpikeWeights(spec(linear.input()), steps(linear.steps()), linear.rows(), encoding.bits(),
                    layout(linear.weight()), linear.weightGroups(), tensor(linear.weight()), tensor(linear.scale()), tensor(linear.zero()),
                    optional(linear.mult()), optional(linear.sum()), bias));
        } catch (IllegalArgumentException e) {
            throw new SpikeException.Format(path + ": linear " + name + ": " + e.getMessage(), e);
        }
    }

    private static int[] steps(List<Integer> bySegment) {
        if (bySegment == null) {
            return null;
        }
        var steps = new int[bySegment.size()];
        for (int i = 0; i < steps.length; i++) {
            steps[i] = bySegment.get(i);
        }
        return steps;
    }

    /** Whether the input of a spiking linear is rotated by an online Hadamard before it is encoded. */
    public boolean isRotated(String linear) {
        return manifest().inputGroups().get(manifest().linears().get(linear).input()).hadamard();
    }

    /** The encoding of an input group; the same object for the same name. */
    public GifSpec spec(String name) {
        var known = specs.get(name);
        if (known != null) {
            return known;
        }
        InputGroup group = manifest().inputGroups().get(name);
        var clip = new float[group.clip().size()];
        for (int i = 0; i < clip.length; i++) {
            clip[i] = group.clip().get(i);
        }
        try {
            var segments = new ArrayList<GifSpec.Segment>();
            for (var s : group.segments()) {
                segments.add(new GifSpec.Segment(s.channels(), s.bits(), s.rangeSet(), s.actGroup(), s.maxMultiplier(), s.group()));
            }
            var spec = new GifSpec(group.permutation() == null ? null : ints(group.permutation()), segments, clip);
            specs.put(name, spec);
            return spec;
        } catch (IllegalArgumentException e) {
            throw new SpikeException.Format(path + ": input group " + name + ": " + e.getMessage(), e);
        }
    }

    private MemorySegment optional(String name) {
        return name == null ? null : tensor(name);
    }

    private SpikeWeights.Layout layout(String name) {
        var layout = infos.get(name).layout();
        if (layout == Layout.ROW) {
            throw new SpikeException.UnsupportedModel(path + ": weight " + name + " lies in layout ROW, expected R16, C1 or P64");
        }
        return layout == Layout.R16 ? SpikeWeights.Layout.R16 : layout == Layout.C1 ? SpikeWeights.Layout.C1 : SpikeWeights.Layout.P64;
    }

    /** The file. */
    public Path path() {
        return path;
    }

    /** Unmaps or frees an open file. The descriptors must not be used any more. */
    @Override
    public void close() {
        if (file != null) {
            file.close();
        }
    }
}
