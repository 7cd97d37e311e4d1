package io.github.spike4j.cli;

import io.github.spike4j.ChatTemplate;
import io.github.spike4j.SpikeException;
import io.github.spike4j.convert.tokenizer.ChatTemplates;
import io.github.spike4j.convert.tokenizer.TokenizerSource;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code spike4j render}. */
@Command(name = "render", description = "Show the text that a chat template makes of a conversation.", sortOptions = false,
        mixinStandardHelpOptions = true)
final class RenderCommand implements Callable<Integer> {

    @Parameters(paramLabel = "MODEL|TEMPLATE", description = "A .s4j or GGUF file or a Hugging Face folder with a template, a"
            + " tokenizer_config.json, or a file with the template itself.")
    private Path file;

    @Option(names = "--messages", required = true, paramLabel = "F.json",
            description = "A list of messages, or an object with messages, tools, add_generation_prompt and other variables.")
    private Path messages;

    @Option(names = "--template-name", paramLabel = "NAME", description = "Which of several templates. Default: the one named tool_use where"
            + " the conversation has tools, else default.")
    private String name;

    @Option(names = "--bos-token", paramLabel = "TEXT", description = "bos_token, where the source does not say it.")
    private String bos;

    @Option(names = "--eos-token", paramLabel = "TEXT", description = "eos_token, where the source does not say it.")
    private String eos;

    @Mixin
    private Report report;

    /** The {@code --json} form. */
    record Result(String text) {}

    /** Templates by name, and the variables that lie beside them: the special tokens. */
    private record Source(Map<String, String> templates, Map<String, Object> variables) {}

    @Override
    public Integer call() throws IOException {
        var conversation = Conversation.read(messages);
        var source = source();
        try {
            var all = ChatTemplate.of(source.templates);
            var template = (name == null ? all : all.named(name)).with("bos_token", bos == null ? "" : bos).with("eos_token", eos == null ? "" : eos);
            for (var v : source.variables.entrySet()) {
                template = template.with(v.getKey(), v.getValue());
            }
            var chat = template.chat();
            var text = conversation.after(chat).text();
            if (report.forPeople()) {
                report.out().print(text); // to the byte: no line break is added
                report.out().flush();
            } else {
                report.print(new Result(text), null);
            }
            return 0;
        } catch (SpikeException.Template e) {
            throw new Failure(file + ": " + e.getMessage());
        }
    }

    private Source source() throws IOException {
        if (Files.isRegularFile(Failure.readable(file)) && !isModel()) {
            var fileName = file.getFileName().toString();
            if (!fileName.endsWith(".json")) {
                return new Source(Map.of("default", Texts.read(file)), Map.of());
            }
            var json = json();
            var templates = ChatTemplates.of(file);
            if (!templates.isEmpty()) {
                return new Source(templates, tokens(json));
            }
            if (!fileName.equals("tokenizer.json")) {
                throw new Failure(file + ": has no chat_template");
            }
        }
        var tokenizer = TokenizerSource.open(file);
        if (tokenizer.chatTemplates().isEmpty()) {
            throw new Failure(file + ": has no chat template; name a file with the template");
        }
        var variables = new LinkedHashMap<String, Object>();
        var policy = tokenizer.policy();
        put(variables, "bos_token", tokenizer, policy.bos());
        put(variables, "eos_token", tokenizer, policy.eos().length == 0 ? -1 : policy.eos()[0]);
        put(variables, "unk_token", tokenizer, policy.unknown());
        put(variables, "pad_token", tokenizer, policy.pad());
        return new Source(tokenizer.chatTemplates(), variables);
    }

    private static void put(Map<String, Object> variables, String name, TokenizerSource tokenizer, int id) {
        var token = id < 0 ? null : tokenizer.token(id);
        if (token != null) {
            variables.put(name, token);
        }
    }

    private boolean isModel() throws IOException {
        try (var in = Files.newInputStream(file)) {
            var head = new String(in.readNBytes(4), StandardCharsets.ISO_8859_1);
            return head.equals("GGUF") || head.equals("PK\3\4");
        }
    }

    private JsonNode json() throws IOException {
        try {
            return JsonMapper.shared().readTree(Texts.read(file));
        } catch (JacksonException e) {
            throw new Failure(file + ": is not JSON: " + e.getOriginalMessage());
        }
    }

    private static Map<String, Object> tokens(JsonNode json) {
        var tokens = new LinkedHashMap<String, Object>();
        json.properties().forEach(e -> {
            var token = e.getValue().isObject() ? e.getValue().path("content") : e.getValue();
            if (e.getKey().endsWith("_token") && token.isString()) {
                tokens.put(e.getKey(), token.stringValue());
            }
        });
        return tokens;
    }
}
