package io.github.spike4j.convert.tokenizer;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;

import tools.jackson.databind.json.JsonMapper;

/** A {@code tokenizer.json} (Hugging Face tokenizers, version 1.0) in the making, and the components that the translations share. */
final class JsonForm {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private final Map<String, Object> members = object("version", "1.0", "truncation", null, "padding", null, "added_tokens", List.of(),
            "normalizer", null, "pre_tokenizer", null, "post_processor", null, "decoder", null);

    /** An object with its members in order. */
    static Map<String, Object> object(Object... namesAndValues) {
        var o = new LinkedHashMap<String, Object>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            o.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return o;
    }

    JsonForm with(String member, Object component) {
        members.put(member, component);
        return this;
    }

    /** The added tokens, and the template that puts those of the policy around a text. */
    JsonForm with(Collection<AddedToken> added, TokenizerPolicy policy) {
        // in the order of ids: readers number tokens that the model does not have one after the other
        with("added_tokens", added.stream().sorted(Comparator.comparingInt(AddedToken::id))
                .map(t -> object("id", t.id(), "content", t.content(), "single_word", t.singleWord(), "lstrip", t.lstrip(), "rstrip", t.rstrip(),
                        "normalized", t.normalized(), "special", t.special()))
                .toList());
        return with("post_processor", template(policy, id -> added.stream().filter(t -> t.id() == id).findFirst().map(AddedToken::content)
                .orElseThrow(() -> new IllegalArgumentException("BOS and EOS are added tokens"))));
    }

    byte[] bytes() {
        return JSON.writeValueAsBytes(members);
    }

    /** Several components as one: {@code members} names them in a Sequence. Null for none. */
    static Map<String, Object> sequence(String members, List<Map<String, Object>> components) {
        return switch (components.size()) {
            case 0 -> null;
            case 1 -> components.getFirst();
            default -> object("type", "Sequence", members, components);
        };
    }

    static Map<String, Object> byteLevel(boolean addPrefixSpace, boolean useRegex) {
        return object("type", "ByteLevel", "add_prefix_space", addPrefixSpace, "trim_offsets", true, "use_regex", useRegex);
    }

    /** Each match is a word of its own. */
    static Map<String, Object> split(String regex) {
        return object("type", "Split", "pattern", object("Regex", regex), "behavior", "Isolated", "invert", false);
    }

    static Map<String, Object> digits(boolean individual) {
        return object("type", "Digits", "individual_digits", individual);
    }

    static Map<String, Object> replace(String text, String by) {
        return object("type", "Replace", "pattern", object("String", text), "content", by);
    }

    static Map<String, Object> replaceRegex(String regex, String by) {
        return object("type", "Replace", "pattern", object("Regex", regex), "content", by);
    }

    /** @param merges pairs, the first to be merged first */
    static Map<String, Object> bpe(Map<String, Integer> vocabulary, List<List<String>> merges, String unknown, boolean byteFallback,
            boolean ignoreMerges) {
        return object("type", "BPE", "dropout", null, "unk_token", unknown, "continuing_subword_prefix", null, "end_of_word_suffix", null,
                "fuse_unk", unknown != null, "byte_fallback", byteFallback, "ignore_merges", ignoreMerges, "vocab", vocabulary, "merges", merges);
    }

    /**
     * The post-processor that puts BOS and EOS around a text; null if neither is wanted.
     *
     * @param text gives a token's text
     */
    static Map<String, Object> template(TokenizerPolicy policy, IntFunction<String> text) {
        var before = policy.addBos() ? List.of(policy.bos()) : List.<Integer>of();
        var after = policy.addEos() ? List.of(policy.eos()[0]) : List.<Integer>of();
        if (before.isEmpty() && after.isEmpty()) {
            return null;
        }
        var tokens = new LinkedHashMap<String, Object>();
        var sequences = new ArrayList<List<Object>>();
        for (int sequence = 0; sequence < 2; sequence++) {
            var parts = new ArrayList<Object>();
            for (int id : before) {
                parts.add(object("SpecialToken", object("id", text.apply(id), "type_id", sequence)));
            }
            parts.add(object("Sequence", object("id", sequence == 0 ? "A" : "B", "type_id", sequence)));
            for (int id : after) {
                parts.add(object("SpecialToken", object("id", text.apply(id), "type_id", sequence)));
            }
            sequences.add(parts);
        }
        for (var ids : List.of(before, after)) {
            for (int id : ids) {
                tokens.put(text.apply(id), object("id", text.apply(id), "ids", List.of(id), "tokens", List.of(text.apply(id))));
            }
        }
        var pair = new ArrayList<Object>(sequences.getFirst());
        pair.addAll(sequences.getLast());
        return object("type", "TemplateProcessing", "single", sequences.getFirst(), "pair", pair, "special_tokens", tokens);
    }
}
