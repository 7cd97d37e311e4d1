package io.github.spike4j.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.spike4j.convert.tokenizer.TokenizerSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

/** {@code render}: every kind of source, and what goes wrong. */
class RenderTest {
    private static final String TEMPLATE = "{{ bos_token }}{% for m in messages %}{{ m.role }}={{ m.content }}{{ eos_token }}\n{% endfor %}"
            + "{% if tools %}{{ tools | length }} tools{% endif %}{% if add_generation_prompt %}>{% endif %}";

    @TempDir
    Path dir;

    private Path file(String name, String content) throws IOException {
        return Files.writeString(dir.resolve(name), content);
    }

    private static String ok(Object... args) {
        var run = Cli.run(args);
        assertEquals(0, run.code(), run.toString());
        return run.out();
    }

    @Test
    void aTemplateByItself() throws IOException {
        var template = file("t.jinja", TEMPLATE);
        var list = file("list.json", "[{\"role\": \"user\", \"content\": \"Grüße 😀\"}]");
        assertEquals("user=Grüße 😀\n>", ok("render", template, "--messages", list));
        assertEquals("[user=Grüße 😀]\n>", ok("render", template, "--messages", list, "--bos-token", "[", "--eos-token", "]"));
        assertEquals("{\"text\":\"user=Grüße 😀\\n>\"}\n", ok("render", template, "--messages", list, "--json"));
        var object = file("object.json", """
                {"messages": [{"role": "user", "content": "x"}], "tools": [{}, {}], "add_generation_prompt": false, "bos_token": "<s>"}""");
        assertEquals("<s>user=x\n2 tools", ok("render", template, "--messages", object));
    }

    @Test
    void aTokenizersConfiguration() throws IOException {
        var template = JsonMapper.shared().writeValueAsString(TEMPLATE);
        var list = file("list.json", "[{\"role\": \"user\", \"content\": \"x\"}]");
        var one = file("tokenizer_config.json", "{\"chat_template\": " + template + ", \"bos_token\": {\"content\": \"<s>\"}, \"eos_token\": \"</s>\"}");
        assertEquals("<s>user=x</s>\n>", ok("render", one, "--messages", list));
        var several = file("several.json", "{\"chat_template\": [{\"name\": \"default\", \"template\": \"D\"}, {\"name\": \"tool_use\", \"template\": \"T\"}]}");
        assertEquals("D", ok("render", several, "--messages", list));
        var tools = file("tools.json", "{\"messages\": [], \"tools\": [{}]}");
        assertEquals("T", ok("render", several, "--messages", tools));
        assertEquals("D", ok("render", several, "--messages", tools, "--template-name", "default"));
        assertEquals("T", ok("render", several, "--messages", list, "--template-name", "tool_use"));
        Cli.run("render", several, "--messages", list, "--template-name", "rag").fails(1, "several.json: chat template: no template is named rag; there are default, tool_use");
        Cli.run("render", file("odd.json", "{\"chat_template\": [{\"name\": \"x\"}]}"), "--messages", list).fails(1, "odd.json: an element of chat_template");
        Cli.run("render", file("odd.json", "{\"chat_template\": 7}"), "--messages", list).fails(1, "odd.json: chat_template is neither a text nor a list");
    }

    @Test
    void whatGoesWrong() throws IOException {
        var template = file("t.jinja", "a\n{{ raise_exception('Roles must\nalternate') }}");
        var list = file("list.json", "[]");
        Cli.run("render", template, "--messages", list).fails(1, "t.jinja: chat template, line 2: Roles must alternate");
        Cli.run("render", file("bad.jinja", "{% for %}"), "--messages", list).fails(1, "bad.jinja", "line 1");
        Cli.run("render", file("long.jinja", "{{ 'x' * 999999999 }}"), "--messages", list).fails(1, "long.jinja", "at most 16777216");
        Cli.run("render", template).fails(2, "--messages");
        Cli.run("render", template, "--messages", dir.resolve("absent.json")).fails(1, "absent.json: no such file");
        Cli.run("render", dir.resolve("absent.jinja"), "--messages", list).fails(1, "absent.jinja: no such file");
        Cli.run("render", template, "--messages", file("broken.json", "[{")).fails(1, "broken.json: is not JSON");
        Cli.run("render", template, "--messages", file("text.json", "\"x\"")).fails(1, "text.json: expected a list of messages");
        Cli.run("render", template, "--messages", file("texts.json", "[\"x\"]")).fails(1, "texts.json: expected a list of messages");
        Cli.run("render", template, "--messages", file("deep.json", "[{\"role\": " + "[".repeat(200) + "]".repeat(200) + "}]")).fails(1, "nest");
        Cli.run("render", file("other.json", "{}"), "--messages", list).fails(1, "other.json: has no chat_template");
        Cli.run("render", Cli.HOME.resolve("demo/novelwiki-29m.s4j"), "--messages", list).fails(1, "novelwiki-29m.s4j: has no chat template");
    }

    @Test
    void aRealModelsTextAndTokens() throws IOException {
        var folder = Cli.shared("models/smollm2-135m-instruct");
        var model = folder.resolve("SmolLM2-135M-Instruct.Q4_1.gguf");
        var tokenizer = TokenizerSource.open(model);
        int conversations = 0;
        for (var prompt : JsonMapper.shared().readTree(folder.resolve("golden.json").toFile()).path("greedy").path("prompts")) {
            if (prompt.path("messages").isArray()) {
                var text = ok("render", model, "--messages", file("messages.json", prompt.path("messages").toString()));
                assertEquals(prompt.path("prompt_text").stringValue(), text);
                assertArrayEquals(JsonMapper.shared().convertValue(prompt.path("prompt_ids"), int[].class), tokenizer.encode(text, false, true));
                conversations++;
            }
        }
        assertTrue(conversations > 0);
    }
}
