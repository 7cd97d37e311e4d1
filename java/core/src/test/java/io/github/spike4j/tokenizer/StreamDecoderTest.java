package io.github.spike4j.tokenizer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StreamDecoderTest {
    @ParameterizedTest
    @ValueSource(strings = {SharedData.NOVELWIKI, SharedData.MISTRAL})
    void wholeCharactersThatMakeTheText(String name) throws IOException {
        Tokenizer t = SharedData.tokenizer(name);
        SplittableRandom random = new SplittableRandom(3);
        for (int i = 0; i < 5_000; i++) {
            String text = RandomText.next(random).replace('\u2581', ' '); // SentencePiece does not tell them apart
            StringBuilder all = new StringBuilder();
            StreamDecoder stream = t.streamDecoder(false);
            for (int id : t.encode(text, false, false)) {
                String part = stream.push(id);
                assertEquals(Utf8.wellFormed(part), part, "half of a surrogate pair");
                assertFalse(part.indexOf('\uFFFD') >= 0 && text.indexOf('\uFFFD') < 0, "a part of a character");
                all.append(part);
            }
            assertEquals(Utf8.wellFormed(text), all.append(stream.flush()).toString());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {SharedData.NOVELWIKI, SharedData.MISTRAL, SharedData.QWEN3})
    void anyIds(String name) throws IOException {
        Tokenizer t = SharedData.tokenizer(name);
        SplittableRandom random = new SplittableRandom(4);
        for (int i = 0; i < 5_000; i++) {
            // low ids are the single bytes: most of their sequences are ill-formed
            int bound = random.nextBoolean() ? 262 : t.vocabularySize() + 10;
            int[] ids = random.ints(random.nextInt(1, 20), 0, bound).toArray();
            boolean skipSpecial = random.nextBoolean();
            StringBuilder all = new StringBuilder();
            StreamDecoder stream = t.streamDecoder(skipSpecial);
            for (int id : ids) all.append(stream.push(id));
            all.append(stream.flush());
            assertEquals(t.decode(ids, skipSpecial), all.toString());
        }
    }

    @Test
    void aStreamContinuesAPrompt() throws IOException {
        Tokenizer t = SharedData.tokenizer(SharedData.MISTRAL);
        int[] ids = t.encode("one two \uD83E\uDD99 three", true);
        for (int cut = 0; cut <= ids.length; cut++) {
            StreamDecoder stream = t.streamDecoder(true);
            for (int i = 0; i < cut; i++) stream.skip(ids[i]);
            // a character that the prompt does not finish is the answer's
            StringBuilder before = new StringBuilder(t.decode(Arrays.copyOf(ids, cut), true).replace("\uFFFD", ""));
            for (int i = cut; i < ids.length; i++) before.append(stream.push(ids[i]));
            before.append(stream.flush());
            assertEquals("one two \uD83E\uDD99 three", before.toString());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {SharedData.NOVELWIKI, SharedData.MISTRAL})
    void allocatesNothing(String name) throws IOException {
        Tokenizer t = SharedData.tokenizer(name);
        int[] ids = t.encode(SharedData.text(SharedData.NOVEL).substring(0, 20_000), true);
        StreamDecoder stream = t.streamDecoder(true);
        StringBuilder out = new StringBuilder(1 << 16);
        ThreadMXBean threads = ManagementFactory.getPlatformMXBean(ThreadMXBean.class);
        for (int round = 0; round < 2; round++) {
            out.setLength(0);
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int id : ids) stream.push(id, out);
            long bytes = threads.getCurrentThreadAllocatedBytes() - before;
            if (round == 1) assertTrue(bytes < 1024, bytes + " bytes for " + ids.length + " tokens");
        }
    }
}
