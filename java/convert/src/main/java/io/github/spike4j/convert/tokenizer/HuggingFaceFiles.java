package io.github.spike4j.convert.tokenizer;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.importer.Sources;

/**
 * Reads {@code tokenizer.json}. Where {@code tokenizer_config.json} says whether BOS and EOS are added, it decides, as in transformers: the
 * template of {@code tokenizer.json} is changed to it.
 */
final class HuggingFaceFiles {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private HuggingFaceFiles() { }

    static TokenizerSource open(Path file) {
        var where = file.toString();
        var json = Sources.bytes(file);
        var tokenizer = TokenizerSource.tokenizer(where, json);
        var settings = Settings.beside(file);
        int bos = settings.special("bos_token", tokenizer::id, tokenizer.bos());
        int eos = settings.special("eos_token", tokenizer::id, tokenizer.eos());
        var template = Template.of(where, json);
        var policy = new TokenizerPolicy(bos, eos < 0 ? new int[0] : new int[] {eos}, bos >= 0 && settings.flag("add_bos_token", template.starts(bos)),
                eos >= 0 && settings.flag("add_eos_token", template.ends(eos)), settings.special("unk_token", tokenizer::id, -1),
                settings.special("pad_token", tokenizer::id, -1));
        if (template.isOnly(bos, eos) && (policy.addBos() != template.starts(bos) || policy.addEos() != template.ends(eos))) {
            json = template.replaced(json, JsonForm.template(policy, tokenizer::token));
        }
        return TokenizerSource.of(where, TokenizerSource.Kind.HUGGING_FACE, json, policy, settings.chatTemplates());
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
