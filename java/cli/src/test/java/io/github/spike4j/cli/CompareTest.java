package io.github.spike4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.spike4j.SpikeEngine;
import io.github.spike4j.SpikeModel;
import io.github.spike4j.convert.ProgressListener;
import io.github.spike4j.convert.Recipes;
import io.github.spike4j.convert.SyntheticModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class CompareTest {

    private static final int SEQ = 40;

    @TempDir
    Path dir;
    private Path a;
    private Path b;
    private Path text;

    @BeforeEach
    void write() throws IOException {
        a = model("a", "w4a4", 256, 1);
        b = model("b", "w4a4", 256, 2);
        text = Files.writeString(dir.resolve("text.txt"), "It was the best of times, it was the worst of times, ".repeat(6));
    }

    private Path model(String name, String recipe, int vocabulary, long seed) {
        var file = dir.resolve(name + ".s4j");
        new SyntheticModel(SyntheticModel.shape("32,48,2,4,2," + vocabulary, 64), Recipes.named(recipe), seed).write(file, ProgressListener.none());
        return file;
    }

    private JsonNode compare(Path one, Path other, Object... more) {
        var arguments = new ArrayList<Object>(List.of("compare", one, other, "--text", text, "--seq", SEQ, "--json"));
        arguments.addAll(List.of(more));
        var run = Cli.run(arguments.toArray());
        assertEquals(0, run.code(), run.toString());
        assertEquals(1, run.out().strip().lines().count());
        return JsonMapper.shared().readTree(run.out());
    }

    /** Softmax, its logarithm and the sums as they are written in books, over the logits of the API, one token at a time. */
    @Test
    void isWhatTheDefinitionsSay() throws IOException {
        var json = compare(a, b);
        var divergences = new ArrayList<Double>();
        double nllA = 0;
        double nllB = 0;
        int same = 0;
        int near = 0;
        int segments = 0;
        try (var engine = SpikeEngine.builder().threads(1).backend("java").build(); var first = engine.open(a); var second = engine.open(b)) {
            var ids = first.encode(Files.readString(text));
            for (int from = 0; from + SEQ <= ids.length; from += SEQ, segments++) {
                var p = probabilities(first, ids, from);
                var q = probabilities(second, ids, from);
                for (int t = 0; t + 1 < SEQ; t++) {
                    double kl = 0;
                    for (int i = 0; i < p[t].length; i++) {
                        kl += p[t][i] * Math.log(p[t][i] / q[t][i]);
                    }
                    divergences.add(kl);
                    nllA -= Math.log(p[t][ids[from + t + 1]]);
                    nllB -= Math.log(q[t][ids[from + t + 1]]);
                    int top = best(p[t], 0);
                    same += top == best(q[t], 0) ? 1 : 0;
                    for (int rank = 0; rank < 5; rank++) {
                        near += top == best(q[t], rank) ? 1 : 0;
                    }
                }
            }
        }
        int n = divergences.size();
        assertEquals(7 * (SEQ - 1), n);
        assertEquals(n, json.path("tokens").asInt());
        assertEquals(segments, json.path("segments").asInt());
        assertEquals(SEQ, json.path("seq").asInt());
        assertEquals(nllA / n, json.path("meanNllA").asDouble(), 1e-9);
        assertEquals(nllB / n, json.path("meanNllB").asDouble(), 1e-9);
        assertEquals(Math.exp(nllA / n), json.path("perplexityA").asDouble(), 1e-6);
        assertEquals(Math.exp(nllB / n), json.path("perplexityB").asDouble(), 1e-6);
        assertEquals(divergences.stream().mapToDouble(d -> d).sum() / n, json.path("klDivergence").asDouble(), 1e-9);
        Collections.sort(divergences);
        assertEquals(divergences.getLast(), json.path("klDivergenceMax").asDouble(), 1e-9);
        assertEquals(divergences.get(136), json.path("klDivergenceMedian").asDouble(), 1e-9, "the 137th of 273");
        assertEquals(divergences.get(270), json.path("klDivergence99").asDouble(), 1e-9, "the 271st of 273: 270.27 rounded up");
        assertEquals(same / (double) n, json.path("topTokenAgreement").asDouble());
        assertEquals(near / (double) n, json.path("topTokenInTop5").asDouble());
        assertTrue(json.path("klDivergence").asDouble() > .01);
        // as the perplexity command says
        for (var side : List.of("A", "B")) {
            var run = Cli.run("perplexity", side.equals("A") ? a : b, "--text", text, "--seq", SEQ, "--json");
            assertEquals(JsonMapper.shared().readTree(run.out()).path("meanNll").asDouble(), json.path("meanNll" + side).asDouble(), 1e-9);
        }
    }

    private static double[][] probabilities(SpikeModel model, int[] ids, int from) {
        var all = new double[SEQ][];
        try (var session = model.newSession()) {
            for (int t = 0; t < SEQ; t++) {
                session.append(ids[from + t]);
                var logits = session.logits();
                double sum = 0;
                for (var logit : logits) {
                    sum += Math.exp(logit);
                }
                all[t] = new double[logits.length];
                for (int i = 0; i < logits.length; i++) {
                    all[t][i] = Math.exp(logits[i]) / sum;
                }
            }
        }
        return all;
    }

    /** The id of the given rank, of equals the lower one first. */
    private static int best(double[] p, int rank) {
        var order = new ArrayList<Integer>();
        for (int i = 0; i < p.length; i++) {
            order.add(i);
        }
        order.sort((x, y) -> p[x] == p[y] ? x - y : Double.compare(p[y], p[x]));
        return order.get(rank);
    }

    @Test
    void aModelIsItself() {
        var json = compare(a, a, "--segments", 2);
        assertEquals(0.0, json.path("klDivergence").asDouble());
        assertEquals(0.0, json.path("klDivergenceMax").asDouble());
        assertEquals(1.0, json.path("topTokenAgreement").asDouble());
        assertEquals(1.0, json.path("topTokenInTop5").asDouble());
        assertEquals(json.path("perplexityA").asDouble(), json.path("perplexityB").asDouble());
        assertEquals(2, json.path("segments").asInt());
        var defaults = Cli.run("compare", a, a, "--text", text, "--json");
        assertEquals(64, JsonMapper.shared().readTree(defaults.out()).path("seq").asInt()); // the models' context
        var people = Cli.run("compare", a, a, "--text", text, "--seq", SEQ);
        assertTrue(people.code() == 0 && people.out().contains("KL divergence 0.000000"), people.toString());
    }

    @Test
    void whatCannotBeCompared() throws IOException {
        Cli.run("compare", a, model("c", "w4a4", 300, 1), "--text", text, "--seq", SEQ).fails(1, "vocabulary of 256", "one of 300");
        Cli.run("compare", a, dir.resolve("absent.s4j"), "--text", text, "--seq", SEQ).fails(1, "absent.s4j", "no such file");
        Cli.run("compare", a, b, "--text", text, "--seq", 65).fails(2, "--seq", "64");
        Cli.run("compare", a, b, "--text", text, "--seq", 1).fails(2, "--seq");
        Cli.run("compare", a, b, "--text", text, "--seq", SEQ, "--segments", 8).fails(2, "--segments", "7");
        Cli.run("compare", a, b, "--text", text, "--seq", SEQ, "--bos", "on").fails(2, "BOS");
        Cli.run("compare", a, "--text", text, "--seq", SEQ).fails(2, "B");
        Cli.run("compare", a, b, "--text", Files.writeString(dir.resolve("brief.txt"), "x"), "--seq", SEQ).fails(1, "brief.txt");
    }
}
