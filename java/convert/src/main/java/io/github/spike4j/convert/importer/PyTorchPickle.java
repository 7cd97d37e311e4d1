package io.github.spike4j.convert.importer;

import io.github.spike4j.convert.ConversionException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Interprets the pickle of a PyTorch checkpoint (Python's pickletools lists the opcodes) as data. Nothing in it is executed: of the names
 * that it may refer to, a fixed list has a meaning here, and anything else is refused by name. Values are {@code Map}, {@code List} (also
 * for tuples), {@code String}, {@code Long}, {@code Double}, {@code Boolean}, null, {@link StoredTensor}, and {@link Opaque} for what no
 * model needs. There is no recursion, and an opcode makes at most one object, so memory is bounded by {@link #MAX_STEPS}.
 */
final class PyTorchPickle {
    private static final int MAX_STEPS = 1 << 22;
    private static final Object MARK = new Object();
    private static final String SUPPORTED = "only dictionaries of tensors are read: save model.state_dict(), or use safetensors";

    /** Bytes, huge integers, dtypes. */
    record Opaque() { }

    private enum Rebuild { TENSOR, PARAMETER, DICTIONARY, SIZE }

    /** @param type as in safetensors */
    private record StorageType(String type, int bytes) { }

    /** @param elements in {@code data} */
    private record Storage(StorageType type, long elements, MemorySegment data) { }

    private static final Map<String, Object> GLOBALS = globals();

    private final String where;
    private final ByteBuffer in;
    private final Function<String, MemorySegment> storages;
    private final ArrayList<Object> stack = new ArrayList<>();
    private final Map<Integer, Object> memo = new HashMap<>();

    private PyTorchPickle(String where, byte[] pickle, Function<String, MemorySegment> storages) {
        this.where = where;
        this.storages = storages;
        in = ByteBuffer.wrap(pickle).order(ByteOrder.LITTLE_ENDIAN);
    }

    /**
     * @param where    the file, for messages
     * @param storages bytes by the key of a storage
     */
    static Object read(String where, byte[] pickle, Function<String, MemorySegment> storages) {
        return new PyTorchPickle(where, pickle, storages).run();
    }

    private static Map<String, Object> globals() {
        var all = new HashMap<String, Object>();
        all.put("torch._utils._rebuild_tensor", Rebuild.TENSOR);
        all.put("torch._utils._rebuild_tensor_v2", Rebuild.TENSOR);
        all.put("torch._utils._rebuild_parameter", Rebuild.PARAMETER);
        all.put("collections.OrderedDict", Rebuild.DICTIONARY);
        all.put("torch.Size", Rebuild.SIZE);
        all.put("torch.DoubleStorage", new StorageType("F64", 8));
        all.put("torch.FloatStorage", new StorageType("F32", 4));
        all.put("torch.HalfStorage", new StorageType("F16", 2));
        all.put("torch.BFloat16Storage", new StorageType("BF16", 2));
        all.put("torch.LongStorage", new StorageType("I64", 8));
        all.put("torch.IntStorage", new StorageType("I32", 4));
        all.put("torch.ShortStorage", new StorageType("I16", 2));
        all.put("torch.CharStorage", new StorageType("I8", 1));
        all.put("torch.ByteStorage", new StorageType("U8", 1));
        all.put("torch.BoolStorage", new StorageType("BOOL", 1));
        for (var dtype : List.of("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")) {
            all.put("torch." + dtype, new Opaque());
        }
        return Map.copyOf(all);
    }

    private Object run() {
        for (int step = 0; step < MAX_STEPS; step++) {
            int op = in(1).get() & 0xff;
            if (op == '.') {
                return pop();
            }
            step(op);
        }
        throw bad("more than " + MAX_STEPS + " steps");
    }

    private void step(int op) {
        switch (op) {
            case 0x80 -> {
                int protocol = in(1).get() & 0xff;
                if (protocol < 2 || protocol > 5) {
                    throw bad("protocol " + protocol);
                }
            }
            case 0x95 -> in(8).getLong(); // FRAME
            case '(' -> stack.add(MARK);
            case '0' -> pop();
            case '1' -> toMark();
            case '2' -> stack.add(top());
            case 'N' -> stack.add(null);
            case 0x88 -> stack.add(true);
            case 0x89 -> stack.add(false);
            case 'J' -> stack.add((long) in(4).getInt());
            case 'K' -> stack.add(in(1).get() & 0xffL);
            case 'M' -> stack.add(in(2).getShort() & 0xffffL);
            case 0x8a -> stack.add(integer(bytes(in(1).get() & 0xff)));
            case 0x8b -> stack.add(integer(bytes(in(4).getInt())));
            case 'G' -> stack.add(Double.longBitsToDouble(Long.reverseBytes(in(8).getLong())));
            case 'X' -> stack.add(text(bytes(in(4).getInt() & 0xffffffffL)));
            case 0x8c -> stack.add(text(bytes(in(1).get() & 0xff)));
            case 0x8d -> stack.add(text(bytes(in(8).getLong())));
            case 'T' -> stack.add(text(bytes(in(4).getInt()))); // strings of Python 2
            case 'U' -> stack.add(text(bytes(in(1).get() & 0xff)));
            case 'B' -> opaque(in(4).getInt() & 0xffffffffL);
            case 'C' -> opaque(in(1).get() & 0xff);
            case 0x8e, 0x96 -> opaque(in(8).getLong());
            case ']' -> stack.add(new ArrayList<>());
            case 'l' -> stack.add(toMark());
            case 'a' -> {
                var item = pop();
                list().add(item);
            }
            case 'e' -> {
                var items = toMark();
                list().addAll(items);
            }
            case ')' -> stack.add(List.of());
            case 't' -> stack.add(toMark());
            case 0x85 -> tuple(1);
            case 0x86 -> tuple(2);
            case 0x87 -> tuple(3);
            case '}' -> stack.add(new LinkedHashMap<>());
            case 'd' -> {
                var items = toMark();
                stack.add(new LinkedHashMap<>());
                put(items);
            }
            case 's' -> {
                var value = pop();
                put(Arrays.asList(pop(), value));
            }
            case 'u' -> put(toMark());
            case 'q' -> put(in(1).get() & 0xff);
            case 'r' -> put(in(4).getInt());
            case 0x94 -> put(memo.size());
            case 'h' -> get(in(1).get() & 0xff);
            case 'j' -> get(in(4).getInt());
            case 'c' -> global(line(), line());
            case 0x93 -> {
                var name = pop();
                global(String.valueOf(as(String.class, pop(), "a module's name")), as(String.class, name, "a global's name"));
            }
            case 'Q' -> stack.add(storage(pop()));
            case 'R' -> {
                var arguments = as(List.class, pop(), "arguments");
                stack.add(reduce(as(Rebuild.class, pop(), "something that can be called"), arguments));
            }
            case 'b' -> { // attributes of an OrderedDict: metadata of the modules
                pop();
                as(Map.class, top(), "a dictionary");
            }
            default -> throw bad("opcode 0x%02x is not among those of a dictionary of tensors".formatted(op));
        }
    }

    // ---- input -----------------------------------------------------------------------------------------------------------

    /** The input, which has {@code n} more bytes. */
    private ByteBuffer in(long n) {
        if (n < 0 || n > in.remaining()) {
            throw bad("it ends too early");
        }
        return in;
    }

    private byte[] bytes(long n) {
        var all = new byte[in(n).remaining() < n ? 0 : (int) n];
        in.get(all);
        return all;
    }

    private void opaque(long n) {
        in(n).position(in.position() + (int) n);
        stack.add(new Opaque());
    }

    private String text(byte[] utf8) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString();
        } catch (CharacterCodingException e) {
            throw bad("a string is not UTF-8");
        }
    }

    private static Object integer(byte[] little) {
        if (little.length > 8) {
            return new Opaque();
        }
        long n = little.length == 0 ? 0 : little[little.length - 1] >> 7;
        for (int i = little.length - 1; i >= 0; i--) {
            n = n << 8 | little[i] & 0xff;
        }
        return n;
    }

    private String line() {
        int from = in.position();
        while (in(1).get() != '\n') { }
        return new String(in.array(), from, in.position() - 1 - from, StandardCharsets.ISO_8859_1);
    }

    // ---- stack and memo --------------------------------------------------------------------------------------------------

    private Object top() {
        if (stack.isEmpty()) {
            throw bad("its stack is empty");
        }
        return stack.getLast();
    }

    private Object pop() {
        top();
        return stack.removeLast();
    }

    /** What was pushed since the last mark. */
    private ArrayList<Object> toMark() {
        int i = stack.size() - 1;
        while (i >= 0 && stack.get(i) != MARK) {
            i--;
        }
        if (i < 0) {
            throw bad("no mark on its stack");
        }
        var above = new ArrayList<>(stack.subList(i + 1, stack.size()));
        stack.subList(i, stack.size()).clear();
        return above;
    }

    private void tuple(int n) {
        var items = new Object[n];
        for (int i = n - 1; i >= 0; i--) {
            items[i] = pop();
        }
        stack.add(Arrays.asList(items));
    }

    @SuppressWarnings("unchecked")
    private List<Object> list() {
        return as(ArrayList.class, top(), "a list");
    }

    @SuppressWarnings("unchecked")
    private void put(List<Object> keysAndValues) {
        var map = (Map<Object, Object>) as(LinkedHashMap.class, top(), "a dictionary");
        if (keysAndValues.size() % 2 != 0) {
            throw bad("a key without a value");
        }
        for (int i = 0; i < keysAndValues.size(); i += 2) {
            var key = keysAndValues.get(i);
            if (!(key instanceof String || key instanceof Long || key instanceof Boolean || key instanceof Double)) {
                throw bad("a key that is neither text nor number");
            }
            map.put(key, keysAndValues.get(i + 1));
        }
    }

    private void put(int index) {
        memo.put(index, top());
    }

    private void get(int index) {
        if (!memo.containsKey(index)) {
            throw bad("memo " + index + " is not set");
        }
        stack.add(memo.get(index));
    }

    // ---- what PyTorch stores ---------------------------------------------------------------------------------------------

    private void global(String module, String name) {
        var full = module + "." + name;
        var known = GLOBALS.get(full);
        if (known == null) {
            throw bad("it refers to " + Sources.printable(full) + "; " + SUPPORTED);
        }
        stack.add(known);
    }

    /** A persistent id: ("storage", type, key, device, elements). */
    private Storage storage(Object id) {
        if (!(id instanceof List<?> l && l.size() == 5 && "storage".equals(l.get(0)) && l.get(1) instanceof StorageType type
                && l.get(2) instanceof String key && l.get(4) instanceof Long elements)) {
            throw bad("a persistent id that names no storage");
        }
        var data = storages.apply(key);
        if (elements < 0 || elements > data.byteSize() / type.bytes) {
            throw bad("storage " + Sources.printable(key) + " of " + elements + " " + type.type + " has " + data.byteSize() + " bytes; it is truncated");
        }
        return new Storage(type, elements, data);
    }

    private Object reduce(Rebuild how, List<?> arguments) {
        switch (how) {
            case DICTIONARY -> {
                if (!arguments.isEmpty()) {
                    throw bad("a dictionary made of arguments");
                }
                return new LinkedHashMap<>();
            }
            case SIZE -> {
                return arguments.size() == 1 ? as(List.class, arguments.getFirst(), "a list of sizes") : fail("sizes");
            }
            case PARAMETER -> {
                return arguments.isEmpty() ? fail("a parameter") : as(StoredTensor.class, arguments.getFirst(), "a tensor");
            }
            case TENSOR -> {
                return arguments.size() < 4 ? fail("a tensor") : tensor(as(Storage.class, arguments.get(0), "a storage"), arguments.get(1),
                        longs(arguments.get(2)), longs(arguments.get(3)));
            }
        }
        throw new AssertionError(how);
    }

    private Object fail(String what) {
        throw bad(what + " without its arguments");
    }

    private StoredTensor tensor(Storage storage, Object offset, long[] shape, long[] strides) {
        long elements = StoredTensor.elements(shape);
        if (elements < 0 || elements > storage.elements || strides.length != shape.length || !(offset instanceof Long first) || first < 0
                || first > storage.elements) {
            throw outside(offset, shape, strides, storage);
        }
        long last = first;
        for (int i = 0; i < shape.length && elements > 0; i++) {
            if (strides[i] < 0 || shape[i] > 1 && strides[i] > (storage.elements - 1 - last) / (shape[i] - 1)) {
                throw outside(offset, shape, strides, storage);
            }
            last += (shape[i] - 1) * strides[i];
        }
        if (elements > 0 && last >= storage.elements) {
            throw outside(offset, shape, strides, storage);
        }
        return new StoredTensor(where + ": a tensor", storage.type.type, shape, strides, first, storage.data);
    }

    private ConversionException outside(Object offset, long[] shape, long[] strides, Storage storage) {
        return bad("a tensor of shape " + brief(shape) + ", strides " + brief(strides) + " from element " + (offset instanceof Long n ? n : "?")
                + " lies outside of its storage of " + storage.elements);
    }

    private static String brief(long[] numbers) {
        return numbers.length > StoredTensor.MAX_DIMENSIONS ? "of " + numbers.length + " dimensions" : Arrays.toString(numbers);
    }

    private long[] longs(Object list) {
        var all = as(List.class, list, "a list of sizes");
        if (all.size() > StoredTensor.MAX_DIMENSIONS) {
            throw bad("a tensor of " + all.size() + " dimensions");
        }
        var out = new long[all.size()];
        for (int i = 0; i < out.length; i++) {
            out[i] = as(Long.class, all.get(i), "a size");
        }
        return out;
    }

    private <T> T as(Class<T> type, Object value, String what) {
        if (!type.isInstance(value)) {
            throw bad("something else stands for " + what);
        }
        return type.cast(value);
    }

    private ConversionException bad(String what) {
        return new ConversionException(where + ": its pickle cannot be read: " + what + " (byte " + in.position() + ")");
    }
}
