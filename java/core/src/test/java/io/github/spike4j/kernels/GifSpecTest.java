package io.github.spike4j.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;

/** Sizes that a kernel relies on. */
class GifSpecTest {

    @Test
    void sizes() {
        var spec = new GifSpec(null, List.of(new GifSpec.Segment(90, 4, 0, 32, 255, 16), new GifSpec.Segment(0, 4, 0, 0, 1, 0),
                new GifSpec.Segment(10, 16, 1, 0, 1, 0)), null);
        assertEquals(List.of(100, 128 + 2 * 64, 6 + 1), List.of(spec.channels(), spec.padded(), spec.groups()));
    }

    /** Three segments of 1431655766 channels are 2 modulo 2^32, and one of 2^31 - 1 is padded to -2^31. */
    @Test
    void noSizeOverflows() {
        for (int channels : new int[] {-1, (1 << 24) + 1, 1431655766, Integer.MAX_VALUE}) {
            assertThrows(IllegalArgumentException.class, () -> new GifSpec.Segment(channels, 4, 0, 0, 1, 0), "" + channels);
        }
        var most = new GifSpec.Segment(1 << 24, 16, 0, 0, 1, 16);
        var spec = new GifSpec(null, List.of(most, most, most, most), null);
        assertEquals(List.of(1 << 26, 1 << 27, 1 << 22), List.of(spec.channels(), spec.padded(), spec.groups()));
    }
}
