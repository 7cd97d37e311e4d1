package io.github.spike4j.convert.tokenizer;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.ToIntFunction;

import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.MissingNode;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.importer.Sources;

/**
 * What transformers keeps beside a vocabulary: {@code tokenizer_config.json} and its forerunners {@code special_tokens_map.json} and
 * {@code added_tokens.json} name the special and added tokens, and whether BOS and EOS are added; the chat template is among them or in
 * {@code chat_template.jinja}. All may be absent.
 */
final class Settings {
    private final Path file;
    private final JsonNode config;
    private final JsonNode names;

    private Settings(Path file) {
        this.file = file;
        config = json("tokenizer_config.json");
        names = json("special_tokens_map.json");
    }

    static Settings beside(Path file) {
        return new Settings(file);
    }

    private JsonNode json(String name) {
        var beside = file.resolveSibling(name);
        return Files.exists(beside) ? Sources.json(beside) : MissingNode.getInstance();
    }

    /**
     * The id of a special token such as {@code bos_token}.
     *
     * @param id        finds a token by its text, -1 if there is none
     * @param otherwise where the files do not speak of the token; -1 where they say that there is none
     */
    int special(String member, ToIntFunction<String> id, int otherwise) {
        var token = config.has(member) ? config.path(member) : names.path(member);
        if (token.isMissingNode()) {
            return otherwise;
        }
        var text = (token.isObject() ? token.path("content") : token).asString(null);
        return text == null ? -1 : id.applyAsInt(text);
    }

    /** A flag such as {@code add_bos_token}. */
    boolean flag(String member, boolean otherwise) {
        return config.path(member).isBoolean() ? config.path(member).booleanValue() : otherwise;
    }

    /** Added tokens, by content. */
    Map<String, AddedToken> added() {
        var tokens = new LinkedHashMap<String, AddedToken>();
        for (var e : json("added_tokens.json").properties()) {
            // such files held special tokens and words alike; as in transformers, each is looked for in the raw text
            add(tokens, e.getKey(), e.getValue(), isNamed(e.getKey()), MissingNode.getInstance());
        }
        for (var e : config.path("added_tokens_decoder").properties()) {
            var t = e.getValue();
            if (t.path("content").isString()) {
                try {
                    add(tokens, t.path("content").stringValue(), tools.jackson.databind.node.LongNode.valueOf(Long.parseLong(e.getKey())),
                            t.path("special").asBoolean(false), t);
                } catch (NumberFormatException notAnId) {
                    throw bad("added_tokens_decoder", e.getKey());
                }
            }
        }
        return tokens;
    }

    private void add(Map<String, AddedToken> tokens, String content, JsonNode id, boolean special, JsonNode flags) {
        if (!id.isIntegralNumber() || !id.canConvertToInt() || id.intValue() < 0) {
            throw bad("added tokens", content);
        }
        tokens.put(content, new AddedToken(id.intValue(), content, flags.path("single_word").asBoolean(false), flags.path("lstrip").asBoolean(false),
                flags.path("rstrip").asBoolean(false), flags.path("normalized").asBoolean(false), special));
    }

    private ConversionException bad(String where, String what) {
        return new ConversionException(file.toAbsolutePath().getParent() + ": the tokenizer's " + where + " give \"" + what + "\" an id that is none");
    }

    private boolean isNamed(String content) {
        for (var tokens : java.util.List.of(names, config)) {
            for (var t : tokens) {
                for (var one : t.isArray() ? (Iterable<JsonNode>) t : java.util.List.of(t)) {
                    if ((one.isObject() ? one.path("content") : one).asString("").equals(content)) {
                        return true;
                    }
                }
            }
        }
        return false;
    }

    /** Jinja source: the template of a file of its own, else that of the configuration, of several the one named default; null if there is none. */
    String chatTemplate() {
        var beside = file.resolveSibling("chat_template.jinja");
        if (Files.exists(beside)) {
            return new String(Sources.bytes(beside), StandardCharsets.UTF_8);
        }
        var template = config.path("chat_template");
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

    /** Tokens of a vocabulary, with what the files say about them, or else what the vocabulary's own format says. */
    static Collection<AddedToken> union(Collection<AddedToken> own, Map<String, AddedToken> files) {
        var all = new LinkedHashMap<String, AddedToken>();
        own.forEach(t -> all.put(t.content(), t));
        all.putAll(files);
        return all.values();
    }
}
