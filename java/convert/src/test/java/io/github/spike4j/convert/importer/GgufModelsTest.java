package io.github.spike4j.convert.importer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.spike4j.Generation;
import io.github.spike4j.Sampling;
import io.github.spike4j.Session;
import io.github.spike4j.SpikeModel;
import io.github.spike4j.convert.ConvertRequest;
import io.github.spike4j.convert.Converter;
import io.github.spike4j.convert.ProgressListener;
import io.github.spike4j.convert.Recipes;
import io.github.spike4j.convert.SharedData;
import io.github.spike4j.format.S4jFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Real GGUF files against what other programs make of them. */
class GgufModelsTest {
    private static final int SEQ = 1024;

    @TempDir
    Path dir;

    private Path convert(String source) {
        return Converter.convert(ConvertRequest.of(SharedData.path(source), dir.resolve("model.s4j"), Recipes.named("f32")), ProgressListener.none()).file();
    }

    /** Version 1: llama2.c's model as its author exported it, with his text. */
    @Test
    void stories() throws IOException {
        var golden = Files.readString(SharedData.path("models/stories260k/golden_greedy.txt")).strip();
        try (var model = SpikeModel.open(convert("models/stories260k/stories260K-f32.gguf"))) {
            var text = "Once upon a time" + model.generate("Once upon a time", 256);
            assertTrue(text.startsWith(golden), text);
        }
    }

    /** Q4_1 and Q8_0: perplexity, and greedy ids, plain and through the chat template, of transformers with the same float32 weights. */
    @Test
    void smolLm2() throws IOException {
        var golden = Sources.json(SharedData.path("models/smollm2-135m-instruct/golden.json"));
        var file = convert("models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf");
        try (var s4j = S4jFile.open(file)) {
            assertEquals("apache-2.0", s4j.manifest().license());
            assertEquals("61 F32, 210 Q4_1, 1 Q8_0", s4j.manifest().provenance().get("sourceTypes"));
            assertEquals(1, s4j.manifest().tokenizer().bos());
            assertEquals(2, s4j.manifest().tokenizer().eos()[0]);
            assertTrue(new String(s4j.entry("chat_template.jinja")).startsWith("{% for message in messages %}"));
        }
        try (var model = SpikeModel.open(file)) {
            greedy(model, golden.path("greedy").path("prompts"));
            perplexity(model, golden.path("perplexity").path(0), 0, 40);
        }
    }

    /** The golden ids go on behind the end of the answer, where a generation of ours ends. */
    private static void greedy(SpikeModel model, JsonNode prompts) {
        var sessions = new ArrayList<Session>();
        var generations = new ArrayList<Generation>();
        for (var p : prompts) {
            assertArrayEquals(ints(p.path("prompt_ids")), model.encode(p.path("prompt_text").asString()));
            var session = model.newSession();
            session.append(ints(p.path("prompt_ids")));
            sessions.add(session);
            generations.add(session.generate(Sampling.greedy(64)));
        }
        for (int i = 0; i < generations.size(); i++) {
            var ids = generations.get(i).result().join().ids();
            int end = prompts.path(i).path("first_eos_index").asInt(64);
            assertEquals(IntStream.of(ints(prompts.path(i).path("generated_ids"))).limit(end).boxed().toList(), ids.subList(0, end));
        }
        sessions.forEach(Session::close);
    }

    private static void perplexity(SpikeModel model, JsonNode golden, int... segments) throws IOException {
        var ids = model.encode(Files.readString(SharedData.path("text/wikitext-2/wiki.test.raw")));
        assertEquals(golden.path("tokens").asInt(), ids.length);
        for (int s : segments) {
            var segment = Arrays.copyOfRange(ids, s * SEQ, (s + 1) * SEQ);
            double[] sum = {0};
            try (var session = model.newSession()) {
                session.evaluate(segment, (position, logits) -> sum[0] += position + 1 < SEQ ? loss(logits, segment[position + 1]) : 0);
            }
            assertEquals(golden.path("segment_nll").path(s).asDouble(), sum[0] / (SEQ - 1), 1e-5, "segment " + s);
        }
    }

    private static double loss(float[] logits, int target) {
        double max = Double.NEGATIVE_INFINITY;
        for (float l : logits) {
            max = Math.max(max, l);
        }
        double sum = 0;
        for (float l : logits) {
            sum += Math.exp(l - max);
        }
        return max + Math.log(sum) - logits[target];
    }

    private static int[] ints(JsonNode list) {
        return StreamSupport.stream(list.spliterator(), false).mapToInt(JsonNode::asInt).toArray();
    }
}
