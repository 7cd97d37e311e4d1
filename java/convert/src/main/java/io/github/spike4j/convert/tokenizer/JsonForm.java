package io.github.spike4j.convert.tokenizer;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import tools.jackson.databind.json.JsonMapper;

/** The parts of a {@code tokenizer.json} (Hugging Face tokenizers, version 1.0) that the translations share. */
final class JsonForm {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private final List<Object> addedTokens = new ArrayList<>();
    private final Map<String, Object> members = object("version", "1.0", "truncation", null, "padding", null, "added_tokens", addedTokens,
            "normalizer", null, "pre_tokenizer", null, "post_processor", null, "decoder", null);

    /** An object with its members in order. */
    static Map<String, Object> object(Object... namesAndValues) {
        var o = new LinkedHashMap<String, Object>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            o.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return o;
    }

    /** A list of components as one, null if there are none. */
    static Map<String, Object> sequence(String member, List<Map<String, Object>> components) {
        return switch (components.size()) {
            case 0 -> null;
            case 1 -> components.getFirst();
            default -> object("type", "Sequence", member, components);
        };
    }

    /**
     * Adds a token that is found in the text before the model sees it. Order matters to readers that number tokens which the model does
     * not have: call in ascending order of ids.
     *
     * @param normalized looked for in the normalized text, not the raw one
     * @param special    a control token: no part of the text
     */
    JsonForm added(int id, String content, boolean normalized, boolean special, boolean rstrip) {
        addedTokens.add(object("id", id, "content", content, "single_word", false, "lstrip", false, "rstrip", rstrip, "normalized", normalized,
                "special", special));
        return this;
    }

    JsonForm with(String member, Object component) {
        members.put(member, component);
        return this;
    }

    byte[] bytes() {
        return JSON.writeValueAsBytes(members);
    }

    /**
     * The post-processor that puts BOS and EOS around a text; null if neither is wanted.
     *
     * @param before null for no BOS, else its text
     * @param after  null for no EOS, else its text
     */
    static Map<String, Object> template(String before, int beforeId, String after, int afterId) {
        if (before == null && after == null) {
            return null;
        }
        var single = new ArrayList<Object>();
        var pair = new ArrayList<Object>();
        var tokens = new LinkedHashMap<String, Object>();
        for (int sequence = 0; sequence < 2; sequence++) {
            var part = new ArrayList<Object>();
            if (before != null) {
                part.add(object("SpecialToken", object("id", before, "type_id", sequence)));
                tokens.put(before, object("id", before, "ids", List.of(beforeId), "tokens", List.of(before)));
            }
            part.add(object("Sequence", object("id", sequence == 0 ? "A" : "B", "type_id", sequence)));
            if (after != null) {
                part.add(object("SpecialToken", object("id", after, "type_id", sequence)));
                tokens.put(after, object("id", after, "ids", List.of(afterId), "tokens", List.of(after)));
            }
            if (sequence == 0) {
                single.addAll(part);
            }
            pair.addAll(part);
        }
        return object("type", "TemplateProcessing", "single", single, "pair", pair, "special_tokens", tokens);
    }
}
