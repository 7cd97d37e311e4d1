package io.github.spike4j.convert.tokenizer;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.tokenizer.SentencePieces.Model;
import io.github.spike4j.convert.tokenizer.SentencePieces.Piece;
import io.github.spike4j.convert.tokenizer.SentencePieces.Prefix;
import io.github.spike4j.convert.tokenizer.SentencePieces.Rules;
import io.github.spike4j.convert.tokenizer.SentencePieces.Type;
import io.github.spike4j.weights.TemplateEntries;

/**
 * The tokenizer in a GGUF file's metadata, read as llama.cpp reads it: {@code tokenizer.ggml.model} is {@code llama} (SentencePiece BPE),
 * {@code t5} (SentencePiece unigram) or {@code gpt2} (byte-level BPE, whose words are cut as {@code tokenizer.ggml.pre} says); tokens,
 * scores, types, merges and special ids are keys of their own.
 */
public final class GgufTokenizer {
    private static final String PREFIX = "tokenizer.ggml.";
    /** Control tokens that end a turn or a text, under whatever key or none: llama.cpp stops at them. */
    private static final Set<String> ENDS = Set.of("<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<end_of_turn>", "<|endoftext|>",
            "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<｜end▁of▁sentence｜>");

    private final GgufMetadata metadata;
    private final String file;
    private final String[] tokens;
    private final Type[] types;

    private GgufTokenizer(GgufMetadata metadata) {
        this.metadata = metadata;
        file = metadata.file();
        tokens = metadata.strings(PREFIX + "tokens");
        if (tokens == null || tokens.length == 0) {
            throw new ConversionException(file + ": no " + PREFIX + "tokens: the file holds no tokenizer");
        }
        types = types();
    }

    /**
     * The tokenizer of a file.
     *
     * @throws ConversionException if it has none, or one of another model or pre-tokenizer, or its keys do not fit together
     */
    public static TokenizerSource read(GgufMetadata metadata) {
        var model = metadata.string(PREFIX + "model");
        var reader = new GgufTokenizer(metadata);
        return switch (model) {
            case "llama" -> reader.pieces(Model.BPE);
            case "t5" -> reader.pieces(Model.UNIGRAM);
            case "gpt2" -> reader.byteLevel();
            case null -> throw new ConversionException(metadata.file() + ": no " + PREFIX + "model");
            default -> throw new ConversionException(metadata.file() + ": tokenizer model \"" + model + "\" is not supported; supported are llama, gpt2, t5");
        };
    }

    private Type[] types() {
        var numbers = metadata.integers(PREFIX + "token_type");
        if (numbers != null && numbers.length != tokens.length) {
            throw different("token_type", numbers.length);
        }
        var all = new Type[tokens.length];
        for (int id = 0; id < all.length; id++) {
            all[id] = numbers == null || numbers[id] == 0 ? Type.NORMAL : Type.of(file, numbers[id]);
        }
        return all;
    }

    private ConversionException different(String key, int length) {
        return new ConversionException(file + ": " + tokens.length + " " + PREFIX + "tokens but " + length + " " + PREFIX + key);
    }

    private TokenizerSource pieces(Model model) {
        boolean bpe = model == Model.BPE;
        var scores = metadata.floats(PREFIX + "scores");
        if (scores == null || scores.length != tokens.length) {
            throw different("scores", scores == null ? 0 : scores.length);
        }
        int unknown = id("unknown_token_id", bpe ? 0 : 2);
        var policy = policy(bpe ? 1 : -1, bpe ? 2 : 1, unknown, bpe, !bpe);
        if (metadata.integers(PREFIX + "token_type") == null) {
            guessTypes(policy);
        }
        var pieces = new ArrayList<Piece>();
        int bytes = 0;
        for (int id = 0; id < tokens.length; id++) {
            pieces.add(new Piece(text(id), scores[id], bpe ? merged(text(id), types[id]) : types[id]));
            bytes += types[id] == Type.BYTE ? 1 : 0;
        }
        var charsmap = metadata.integers(PREFIX + "precompiled_charsmap");
        var map = new byte[charsmap == null ? 0 : charsmap.length];
        for (int i = 0; i < map.length; i++) {
            map[i] = (byte) charsmap[i];
        }
        var rules = new Rules(map, flag("add_space_prefix", true) ? Prefix.PARTS : Prefix.NONE, false,
                flag("remove_extra_whitespaces", false), true, new byte[0]);
        return new SentencePieces(file, pieces, model, bytes == 256, rules, null)
                .translate(TokenizerSource.Kind.GGUF, policy, stripped(added()), chatTemplates());
    }

    /** As llama.cpp has it, an unused piece is merged like others, and a user-defined one too where it was not cut out of the raw text. */
    private static Type merged(String text, Type type) {
        return type == Type.UNUSED || type == Type.USER_DEFINED && text.contains("▁") ? Type.NORMAL : type;
    }

    /** The first converters wrote no types. */
    private void guessTypes(TokenizerPolicy policy) {
        for (int id = 0; id < tokens.length; id++) {
            types[id] = id == policy.unknown() ? Type.UNKNOWN : id == policy.bos() || id == policy.eos()[0] ? Type.CONTROL
                    : tokens[id].matches("<0x[0-9A-F]{2}>") ? Type.BYTE : Type.NORMAL;
        }
    }

    private TokenizerSource byteLevel() {
        var name = metadata.string(PREFIX + "pre");
        var words = PreTokenizer.named(file, name == null || name.isEmpty() ? "default" : name);
        var merges = metadata.strings(PREFIX + "merges");
        if (merges == null) {
            throw new ConversionException(file + ": no " + PREFIX + "merges, which the tokenizer model gpt2 needs");
        }
        var ids = new LinkedHashMap<String, Integer>();
        for (int id = 0; id < tokens.length; id++) {
            var same = ids.putIfAbsent(text(id), id);
            if (same != null) {
                throw new ConversionException(file + ": the tokens " + same + " and " + id + " are the same");
            }
        }
        var pairs = new ArrayList<List<String>>();
        for (int i = 0; i < merges.length; i++) {
            int space = merges[i].indexOf(' ', 1);
            if (space < 0 || space == merges[i].length() - 1) {
                throw new ConversionException(file + ": merge " + i + " of " + PREFIX + "merges is not two tokens with a space between");
            }
            pairs.add(List.of(merges[i].substring(0, space), merges[i].substring(space + 1)));
        }
        var policy = policy(-1, -1, -1, words.addsBos(), false);
        var json = ByteLevelBpe.json(ids, pairs, words.ignoreMerges(), words, stripped(added()), policy);
        return TokenizerSource.of(file, TokenizerSource.Kind.GGUF, json, policy, chatTemplates());
    }

    /** A token without text gets a name, as in llama.cpp; no text has it. */
    private String text(int id) {
        return tokens[id].isEmpty() ? "[EMPTY_" + id + "]" : tokens[id];
    }

    private List<AddedToken> added() {
        var added = new ArrayList<AddedToken>();
        for (int id = 0; id < tokens.length; id++) {
            switch (types[id]) {
                case CONTROL, UNKNOWN -> added.add(AddedToken.control(id, text(id)));
                case USER_DEFINED -> added.add(AddedToken.text(id, text(id), false));
                case NORMAL, UNUSED, BYTE -> { }
            }
        }
        return added;
    }

    /** Added tokens of Phi-3 take the white space after them; GGUF cannot say so, llama.cpp knows it by the model's name. */
    private List<AddedToken> stripped(List<AddedToken> added) {
        var name = metadata.string("general.name");
        if (name == null || !name.toLowerCase(Locale.ROOT).matches(".*phi-?3.*")) {
            return added;
        }
        return added.stream().map(t -> Set.of("<unk>", "<s>", "<|endoftext|>").contains(t.content()) ? t
                : new AddedToken(t.id(), t.content(), false, false, true, t.normalized(), t.special())).toList();
    }

    private TokenizerPolicy policy(int bosIfAbsent, int eosIfAbsent, int unknown, boolean addBosIfAbsent, boolean addEosIfAbsent) {
        int bos = control("bos_token_id", bosIfAbsent);
        var ends = new LinkedHashSet<Integer>();
        ends.add(control("eos_token_id", eosIfAbsent));
        for (var key : List.of("eot_token_id", "eom_token_id")) {
            ends.add(control(key, -1));
        }
        boolean addEos = !ends.contains(-1) || ends.iterator().next() >= 0;
        ends.remove(-1);
        for (int id = 0; id < tokens.length; id++) {
            if (types[id] == Type.CONTROL && ENDS.contains(tokens[id])) {
                ends.add(id);
            }
        }
        return new TokenizerPolicy(bos, ends.stream().mapToInt(id -> id).toArray(), bos >= 0 && flag("add_bos_token", addBosIfAbsent),
                addEos && flag("add_eos_token", addEosIfAbsent), unknown, id("padding_token_id", -1));
    }

    /** A token that has a role is a control token, whatever type it has. */
    private int control(String key, int otherwise) {
        int id = id(key, otherwise);
        if (id >= 0 && types[id] == Type.NORMAL) {
            types[id] = Type.CONTROL;
        }
        return id;
    }

    private int id(String key, int otherwise) {
        var id = metadata.integer(PREFIX + key);
        if (id == null) {
            return otherwise < tokens.length ? otherwise : -1;
        }
        // -1 as an unsigned number is what some converters wrote for none
        if (id == -1 || id == 0xFFFFFFFFL) {
            return -1;
        }
        if (id < 0 || id >= tokens.length) {
            throw new ConversionException(file + ": " + PREFIX + key + " is " + id + ", not one of the " + tokens.length + " tokens");
        }
        return id.intValue();
    }

    private boolean flag(String key, boolean otherwise) {
        var value = metadata.bool(PREFIX + key);
        return value == null ? otherwise : value;
    }

    private Map<String, String> chatTemplates() {
        var templates = new TreeMap<String, String>();
        var names = metadata.strings("tokenizer.chat_templates");
        for (var name : names == null ? new String[0] : names) {
            add(templates, name, "tokenizer.chat_template." + name);
        }
        add(templates, TemplateEntries.DEFAULT, "tokenizer.chat_template");
        return templates;
    }

    private void add(Map<String, String> templates, String name, String key) {
        var template = metadata.string(key);
        if (template != null) {
            templates.put(name, template);
        }
    }
}
