package io.github.spike4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code chat}, through a pipe and on a terminal, with the demo model. */
class ChatCommandTest {
    @TempDir
    static Path dir;

    private static Path template;

    @BeforeAll
    static void write() throws IOException {
        template = Files.writeString(dir.resolve("t.jinja"), """
                {{- bos_token }}
                {%- for m in messages %}
                {%- if m.content == 'refuse' %}{{ raise_exception('not this') }}{% endif %}
                {{- m.role ~ ': ' ~ m.content ~ '\\n' }}
                {%- endfor %}
                {%- if add_generation_prompt %}assistant:{% endif %}""");
    }

    /** Types lines. */
    private static Cli chat(String lines, Object... more) {
        var in = System.in;
        System.setIn(new ByteArrayInputStream(lines.getBytes(StandardCharsets.UTF_8)));
        try {
            var arguments = new ArrayList<Object>(List.of("chat", Cli.HOME.resolve("demo/novelwiki-29m.s4j"), "--template", template));
            arguments.addAll(Arrays.asList(more));
            return Cli.run(arguments.toArray());
        } finally {
            System.setIn(in);
        }
    }

    private static List<JsonNode> turns(String lines, Object... more) {
        var arguments = new ArrayList<>(Arrays.asList(more));
        arguments.addAll(List.of("--json", "-n", 8));
        var run = chat(lines, arguments.toArray());
        assertEquals(0, run.code(), run.toString());
        return run.out().lines().map(JsonMapper.shared()::readTree).toList();
    }

    private static String text(JsonNode turn) {
        return turn.path("text").stringValue();
    }

    @Test
    void anAnswerIsWhatTheModelMakesOfTheTemplatesText() {
        var turn = turns("The city\n", "--system", "Short.").getFirst();
        var run = Cli.run("run", Cli.HOME.resolve("demo/novelwiki-29m.s4j"), "--prompt", "system: Short.\nuser: The city\nassistant:", "-n", 8, "--json");
        var plain = JsonMapper.shared().readTree(run.out());
        assertEquals(plain.path("text"), turn.path("text"));
        assertEquals(plain.path("tokens"), turn.path("tokens"));
        assertEquals("max_tokens", turn.path("finishReason").stringValue());
    }

    @Test
    void theHistoryCountsUntilItIsReset() {
        var turns = turns("The city\n\nAnd the river?\n/reset\nThe city\n");
        assertEquals(3, turns.size());
        assertEquals(0, turns.getFirst().path("cachedTokens").asInt());
        int first = turns.getFirst().path("promptTokens").asInt();
        assertTrue(turns.get(1).path("cachedTokens").asInt() >= first, turns.toString());
        assertTrue(turns.get(1).path("promptTokens").asInt() > first + 8);
        var whole = turns("x\n", "--messages", saved(turns.getFirst()));
        assertEquals(turns.getFirst().path("tokens"), turns.get(2).path("tokens"));
        assertEquals(0, turns.get(2).path("cachedTokens").asInt());
        assertEquals(1, whole.size());
    }

    private static Path saved(JsonNode turn) {
        try {
            return Files.writeString(dir.resolve("saved.json"), JsonMapper.shared().writeValueAsString(
                    List.of(java.util.Map.of("role", "user", "content", "The city"), java.util.Map.of("role", "assistant", "content", text(turn)))));
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @Test
    void aSavedConversationGoesOn() {
        var file = dir.resolve("c.json");
        var one = turns("The city\n/save " + file + "\nAnd then?\n");
        var rest = turns("And then?\n", "--messages", file);
        assertEquals(one.get(1).path("tokens"), rest.getFirst().path("tokens"));
        var rendered = Cli.run("render", template, "--messages", file).out();
        assertEquals("user: The city\nassistant: " + text(one.getFirst()) + "\nassistant:", rendered);
    }

    @Test
    void peopleSeeTheTextAndTheNotes() {
        var run = chat("/help\nThe city\n/nope\n/save\n/save " + dir.resolve("no/such/folder") + "\nrefuse\n//x\n/exit\nnever\n", "-n", 4, "--temp", 1, "--seed", 3);
        assertEquals(0, run.code(), run.toString());
        assertTrue(run.out().startsWith("/reset      forgets"), run.out());
        assertEquals(2, run.out().split("\\(cut off after 4 tokens; -n N allows more\\)", -1).length - 1, run.out());
        assertFalse(run.out().contains("\u001b") || run.out().contains("> "), "no control sequences, and no prompt in a pipe");
        assertEquals(List.of("spike4j: /nope: no such command; /help lists them", "spike4j: /save needs the name of a file",
                "spike4j: " + dir.resolve("no/such/folder") + ": not saved: " + dir.resolve("no/such/folder") + ": no such file",
                "spike4j: chat template, line 3: not this"), run.err().lines().toList());
    }

    @Test
    void aConversationThatDoesNotFitIsRefusedAndNotKept() {
        var turns = turns("The city\n" + "word ".repeat(2000) + "\nrefuse\nThe river\n");
        assertEquals(4, turns.size());
        assertTrue(turns.get(1).path("error").stringValue().startsWith("context full"), turns.get(1).toString());
        assertTrue(turns.get(1).path("error").stringValue().endsWith("/reset starts anew"), turns.get(1).toString());
        assertEquals("chat template, line 3: not this", turns.get(2).path("error").stringValue());
        assertEquals(turns("The city\nThe river\n").get(1).path("tokens"), turns.get(3).path("tokens"));
    }

    @Test
    void whatGoesWrongAtTheStart() throws IOException {
        Cli.run("chat", Cli.HOME.resolve("demo/novelwiki-29m.s4j")).fails(1, "novelwiki-29m.s4j has no chat template", "--template");
        Cli.run("chat", "--template", dir.resolve("absent.jinja")).fails(1, "absent.jinja: no such file");
        Cli.run("chat", Cli.HOME.resolve("demo/novelwiki-29m.s4j"), "--template", Files.writeString(dir.resolve("bad.jinja"), "{% if %}"))
                .fails(1, "bad.jinja: chat template, line 1");
        Cli.run("chat", "--template", template, "--temp", -1).fails(2, "--temp is -1.0");
        Cli.run("chat", "--template", template, "--messages", dir.resolve("none.json")).fails(1, "none.json: no such file");
        Cli.run("chat", dir.resolve("none.s4j"), "--template", template).fails(1, "none.s4j: no such file");
    }

    /** On a pseudo-terminal, which {@code script} makes, as a user types. */
    @Test
    @Timeout(120)
    void ctrlCStopsTheAnswerAndNotTheProgram() throws IOException, InterruptedException {
        Assumptions.assumeTrue(Files.isExecutable(Path.of("/usr/bin/script")), "script (util-linux) is not there: it makes a pseudo-terminal");
        for (var ctrlCEnds : new boolean[] {false, true}) {
            // exec: a shell that stays above the program may die of the ctrl-C itself, after the program's end (dash does)
            var java = "exec " + String.join(" ", Path.of(System.getProperty("java.home"), "bin/java").toString(), "--add-modules=jdk.incubator.vector",
                    "--enable-native-access=ALL-UNNAMED", "-cp", "'" + System.getProperty("java.class.path") + "'", "io.github.spike4j.cli.Main", "chat",
                    Cli.HOME.resolve("demo/novelwiki-29m.s4j").toString(), "--template", template.toString(), "--temp", "1", "--seed", "1", "-n", "900");
            var builder = new ProcessBuilder("/usr/bin/script", "-qefc", java, "/dev/null").redirectErrorStream(true);
            builder.environment().put("TERM", "dumb");
            builder.environment().put("SHELL", "/bin/sh"); // script takes the user's otherwise
            var process = builder.start();
            try (var in = process.getOutputStream(); var out = process.getInputStream()) {
                var seen = new StringBuilder();
                await(seen, out, "\n> ", 0);
                in.write("The city\n".getBytes(StandardCharsets.UTF_8));
                in.flush();
                await(seen, out, "The city\r\n", 30); // the echo, and some of the answer
                in.write(3);
                in.flush();
                await(seen, out, "(stopped)\r\n> ", 0);
                assertFalse(seen.toString().contains("\u001b"), seen.toString());
                in.write(ctrlCEnds ? new byte[] {3} : "/exit\n".getBytes(StandardCharsets.UTF_8));
                in.flush();
                assertTrue(process.waitFor(30, TimeUnit.SECONDS), seen.toString());
                assertEquals(ctrlCEnds ? 130 : 0, process.exitValue(), seen.toString());
            } finally {
                process.destroyForcibly();
            }
        }
    }

    /** Reads until a text is there and so many characters after it. */
    private static void await(StringBuilder seen, java.io.InputStream out, String text, int more) throws IOException {
        while (seen.indexOf(text) < 0 || seen.length() < seen.indexOf(text) + text.length() + more) {
            int c = out.read();
            if (c < 0) throw new AssertionError("it ended: " + seen);
            seen.append((char) c);
        }
    }
}
