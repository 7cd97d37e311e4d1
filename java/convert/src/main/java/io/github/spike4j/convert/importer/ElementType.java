package io.github.spike4j.convert.importer;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Little-endian element types of checkpoints; the names are those of safetensors. */
enum ElementType {
    F64(8) {
        @Override
        float get(MemorySegment data, long i) {
            return (float) data.get(DOUBLE, 8 * i);
        }
    },
    F32(4) {
        @Override
        float get(MemorySegment data, long i) {
            return data.get(FLOAT, 4 * i);
        }

        @Override
        void read(MemorySegment data, long first, float[] out, int at, int n) {
            MemorySegment.copy(data, FLOAT, 4 * first, out, at, n);
        }
    },
    F16(2) {
        @Override
        float get(MemorySegment data, long i) {
            return Float.float16ToFloat(data.get(SHORT, 2 * i));
        }
    },
    BF16(2) {
        @Override
        float get(MemorySegment data, long i) {
            return Float.intBitsToFloat(data.get(SHORT, 2 * i) << 16);
        }
    },
    /** Sign, 4 exponent bits of bias 7, 3 bits; no infinities, NaN is all ones (the OCP type, "fn" in PyTorch). */
    F8_E4M3(1) {
        @Override
        float get(MemorySegment data, long i) {
            byte b = data.get(ValueLayout.JAVA_BYTE, i);
            int exponent = b >> 3 & 15;
            float magnitude = (b & 0x7f) == 0x7f ? Float.NaN
                    : exponent == 0 ? Math.scalb((float) (b & 7), -9) : Math.scalb((float) (8 + (b & 7)), exponent - 10);
            return b < 0 ? -magnitude : magnitude;
        }
    },
    /** The upper half of a binary16. */
    F8_E5M2(1) {
        @Override
        float get(MemorySegment data, long i) {
            return Float.float16ToFloat((short) (data.get(ValueLayout.JAVA_BYTE, i) << 8));
        }
    };

    private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    final int bytes;

    ElementType(int bytes) {
        this.bytes = bytes;
    }

    /** Element {@code i}; exact but for F64, which is rounded to nearest. */
    abstract float get(MemorySegment data, long i);

    /** Elements {@code first .. first + n} to {@code out[at ..]}. */
    void read(MemorySegment data, long first, float[] out, int at, int n) {
        for (int i = 0; i < n; i++) {
            out[at + i] = get(data, first + i);
        }
    }

    /** @return null for a type that holds no floats, such as I64 */
    static ElementType of(String name) {
        for (var t : values()) {
            if (t.name().equals(name)) {
                return t;
            }
        }
        return null;
    }
}
