package io.github.spike4j.runtime.sampling;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class StopMatcherTest {
    @Test
    void acrossTokens() {
        StopMatcher m = new StopMatcher(List.of("\n\nUser:", "</s>"));
        assertEquals("Hello", m.push("Hello\n"));
        assertEquals("\nWorld", m.push("World\n"));
        assertEquals("", m.push("\nUs"));
        assertFalse(m.stopped());
        assertEquals("", m.push("er: more"));
        assertTrue(m.stopped());
        assertEquals("", m.push("ignored"));
        assertEquals("", m.flush());
    }

    @Test
    void heldTextComesOutAtTheEnd() {
        StopMatcher m = new StopMatcher(List.of("</s>"));
        assertEquals("a", m.push("a</"));
        assertEquals("</", m.flush());
        assertEquals("b", new StopMatcher(List.of()).push("b"));
        assertThrows(IllegalArgumentException.class, () -> new StopMatcher(List.of("")));
    }

    /** However the text is cut: what comes out is the text before the stop text that is complete first, and nothing needless is held. */
    @Test
    void equalsTheDefinition() {
        SplittableRandom random = new SplittableRandom(10);
        for (int round = 0; round < 20_000; round++) {
            List<String> stops = new ArrayList<>();
            for (int n = random.nextInt(4); n > 0; n--) stops.add(word(random, random.nextInt(1, 6)));
            String text = word(random, random.nextInt(30));
            String expected = text;
            boolean stopped = false;
            for (int end = 1; end <= text.length() && !stopped; end++) {
                String head = text.substring(0, end);
                int longest = stops.stream().filter(head::endsWith).mapToInt(String::length).max().orElse(0);
                if (longest > 0) {
                    expected = head.substring(0, end - longest);
                    stopped = true;
                }
            }
            StopMatcher m = new StopMatcher(stops);
            StringBuilder out = new StringBuilder();
            for (int i = 0; i < text.length(); ) {
                int end = Math.min(text.length(), i + random.nextInt(1, 5));
                boolean now = m.push(text.substring(i, end), out);
                i = end;
                String seen = text.substring(0, end);
                int held = now ? 0 : stops.stream().flatMapToInt(s -> java.util.stream.IntStream.range(1, s.length()).filter(k -> seen.endsWith(s.substring(0, k)))).max().orElse(0);
                if (!now) assertEquals(end - held, out.length());
            }
            assertEquals(stopped, m.stopped());
            assertEquals(expected, out + m.flush());
        }
    }

    private static String word(SplittableRandom random, int length) {
        StringBuilder s = new StringBuilder();
        for (int i = 0; i < length; i++) s.append((char) ('a' + random.nextInt(3)));
        return s.toString();
    }
}
