package io.github.spike4j.convert.tokenizer;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.ToIntFunction;
import java.util.stream.Stream;

import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.MissingNode;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.importer.Sources;

/**
 * What transformers keeps beside a vocabulary: {@code tokenizer_config.json} and its forerunners {@code special_tokens_map.json} and
 * {@code added_tokens.json} name the special and added tokens, and whether BOS and EOS are added; {@link ChatTemplates} are
 * among them or beside them. All may be absent.
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

    /** A member such as {@code tokenizer_class}. */
    String text(String member, String otherwise) {
        return config.path(member).asString(otherwise);
    }

    /**
     * What the files say about BOS, EOS and the like.
     *
     * @param tokens    among which these are
     * @param otherwise what the vocabulary's own format says, where the files do not speak of it
     */
    TokenizerPolicy policy(Collection<AddedToken> tokens, TokenizerPolicy otherwise) {
        ToIntFunction<String> id = text -> tokens.stream().filter(t -> t.content().equals(text)).mapToInt(AddedToken::id).findFirst().orElse(-1);
        int bos = special("bos_token", id, otherwise.bos());
        int eos = special("eos_token", id, otherwise.eos().length == 0 ? -1 : otherwise.eos()[0]);
        return new TokenizerPolicy(bos, eos < 0 ? new int[0] : new int[] {eos}, bos >= 0 && flag("add_bos_token", otherwise.addBos()),
                eos >= 0 && flag("add_eos_token", otherwise.addEos()), special("unk_token", id, otherwise.unknown()),
                special("pad_token", id, otherwise.pad()));
    }

    /** The vocabulary's own added tokens and those of the files, whose word counts. */
    Collection<AddedToken> added(Collection<AddedToken> own) {
        var tokens = new LinkedHashMap<String, AddedToken>();
        own.forEach(t -> tokens.put(t.content(), t));
        for (var e : json("added_tokens.json").properties()) {
            // words and special tokens alike; which is which, other files say
            tokens.put(e.getKey(), new AddedToken(id(e.getKey(), e.getValue().toString()), e.getKey(), false, false, false, false, isNamed(e.getKey())));
        }
        for (var e : config.path("added_tokens_decoder").properties()) {
            var t = e.getValue();
            var content = t.path("content").asString("");
            if (!content.isEmpty()) {
                tokens.put(content, new AddedToken(id(content, e.getKey()), content, t.path("single_word").asBoolean(false), t.path("lstrip").asBoolean(false),
                        t.path("rstrip").asBoolean(false), t.path("normalized").asBoolean(false), t.path("special").asBoolean(false)));
            }
        }
        return tokens.values();
    }

    private int id(String content, String text) {
        try {
            int id = Integer.parseInt(text);
            if (id >= 0) {
                return id;
            }
        } catch (NumberFormatException notAnId) {
            // said below
        }
        throw new ConversionException(file + ": the files beside it give the added token \"" + content + "\" the id " + text + ", which is none");
    }

    /** Whether a token is that of a role, such as {@code eos_token} or one of {@code additional_special_tokens}. */
    private boolean isNamed(String content) {
        return Stream.of(names, config).flatMap(JsonNode::valueStream).flatMap(token -> token.isArray() ? token.valueStream() : Stream.of(token))
                .anyMatch(token -> (token.isObject() ? token.path("content") : token).asString("").equals(content));
    }

    /** Jinja sources of chat templates by name; empty if there are none. */
    Map<String, String> chatTemplates() {
        return ChatTemplates.beside(file, config);
    }
}
