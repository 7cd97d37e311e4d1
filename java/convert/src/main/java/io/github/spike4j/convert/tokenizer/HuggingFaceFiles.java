package io.github.spike4j.convert.tokenizer;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.MissingNode;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.importer.Sources;
import io.github.spike4j.tokenizer.Tokenizer;

/**
 * {@code tokenizer.json} and the files that transformers keeps beside it: {@code tokenizer_config.json} names the special tokens, may say
 * whether BOS and EOS are added (then it, and not the template of {@code tokenizer.json}, decides), and may hold the chat template, as may
 * {@code chat_template.jinja}.
 */
final class HuggingFaceFiles {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private HuggingFaceFiles() { }

    static TokenizerSource open(Path file) {
        var where = file.toString();
        var json = Sources.bytes(file);
        var tokenizer = TokenizerSource.tokenizer(where, json);
        var config = config(file);
        int bos = special(tokenizer, config, "bos_token", tokenizer.bos());
        int eos = special(tokenizer, config, "eos_token", tokenizer.eos());
        var template = Template.of(where, json);
        boolean addBos = config.path("add_bos_token").asBoolean(template.starts(bos)) && bos >= 0;
        boolean addEos = config.path("add_eos_token").asBoolean(template.ends(eos)) && eos >= 0;
        if (template.isOnly(bos, eos) && (addBos != template.starts(bos) || addEos != template.ends(eos))) {
            json = template.replaced(json, JsonForm.template(addBos ? tokenizer.token(bos) : null, bos, addEos ? tokenizer.token(eos) : null, eos));
        }
        return TokenizerSource.of(where, TokenizerSource.Kind.HUGGING_FACE, json,
                new TokenizerPolicy(bos, eos < 0 ? new int[0] : new int[] {eos}, addBos, addEos, special(tokenizer, config, "unk_token", -1),
                        special(tokenizer, config, "pad_token", -1)),
                chatTemplate(file));
    }

    /** {@code tokenizer_config.json} beside a file, missing if there is none. */
    static JsonNode config(Path file) {
        var beside = file.resolveSibling("tokenizer_config.json");
        return Files.exists(beside) ? Sources.json(beside) : MissingNode.getInstance();
    }

    /** The text of a special token of {@code tokenizer_config.json}: a string, or an object with its content; null if it names none. */
    static String special(JsonNode config, String member) {
        var token = config.path(member);
        return (token.isObject() ? token.path("content") : token).asString(null);
    }

    private static int special(Tokenizer tokenizer, JsonNode config, String member, int otherwise) {
        if (!config.has(member)) {
            return otherwise;
        }
        var text = special(config, member);
        return text == null ? -1 : tokenizer.id(text);
    }

    /** The template of a file of its own, else that of {@code tokenizer_config.json}, of several the one named default; null if there is none. */
    static String chatTemplate(Path file) {
        var beside = file.resolveSibling("chat_template.jinja");
        if (Files.exists(beside)) {
            return new String(Sources.bytes(beside), StandardCharsets.UTF_8);
        }
        var template = config(file).path("chat_template");
        if (!template.isArray()) {
            return template.asString(null);
        }
        for (var named : template) {
            if (named.path("name").asString("").equals("default")) {
                return named.path("template").asString(null);
            }
        }
        return null;
    }

    /**
     * The post-processor of a {@code tokenizer.json}.
     *
     * @param start where its bytes are; -1 if it has none
     */
    private record Template(int[] before, int[] after, int start, int end) {

        static Template of(String where, byte[] json) {
            try (var p = JSON.createParser(json)) {
                p.nextToken();
                while (p.nextToken() == JsonToken.PROPERTY_NAME) {
                    var name = p.currentName();
                    p.nextToken();
                    if (name.equals("post_processor")) {
                        int start = (int) p.currentTokenLocation().getByteOffset();
                        JsonNode node = p.readValueAsTree();
                        return of(node, start, (int) p.currentLocation().getByteOffset());
                    }
                    p.skipChildren();
                }
                return new Template(new int[0], new int[0], -1, -1);
            } catch (JacksonException e) {
                throw new ConversionException(where + ": " + Sources.reason(e), e);
            }
        }

        private static Template of(JsonNode processor, int start, int end) {
            int[] before = new int[0];
            int[] after = before;
            for (var part : processor.path("type").asString("").equals("Sequence") ? processor.path("processors") : List.of(processor)) {
                boolean seen = false;
                for (var item : part.path("single")) {
                    seen |= item.has("Sequence");
                    for (var id : part.path("special_tokens").path(item.path("SpecialToken").path("id").asString("")).path("ids")) {
                        int[] side = seen ? after : before;
                        side = Arrays.copyOf(side, side.length + 1);
                        side[side.length - 1] = id.asInt(-1);
                        if (seen) {
                            after = side;
                        } else {
                            before = side;
                        }
                    }
                }
            }
            return new Template(before, after, start, end);
        }

        boolean starts(int bos) {
            return before.length > 0 && before[0] == bos;
        }

        boolean ends(int eos) {
            return after.length > 0 && after[after.length - 1] == eos;
        }

        /** Whether it adds nothing but, at most, these. */
        boolean isOnly(int bos, int eos) {
            return before.length <= (starts(bos) ? 1 : 0) && after.length <= (ends(eos) ? 1 : 0);
        }

        byte[] replaced(byte[] json, Object processor) {
            var out = new ByteArrayOutputStream(json.length + 1024);
            if (start >= 0) {
                out.write(json, 0, start);
                out.writeBytes(JSON.writeValueAsBytes(processor));
                out.write(json, end, json.length - end);
            } else {
                int brace = 0;
                while (json[brace] != '{') {
                    brace++;
                }
                out.write(json, 0, brace + 1);
                out.writeBytes("\"post_processor\":".getBytes(StandardCharsets.UTF_8));
                out.writeBytes(JSON.writeValueAsBytes(processor));
                out.write(',');
                out.write(json, brace + 1, json.length - brace - 1);
            }
            return out.toByteArray();
        }
    }
}
