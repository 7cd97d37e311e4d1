package io.github.spike4j.convert.tokenizer;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.TreeMap;
import java.util.regex.Pattern;

import tools.jackson.databind.JsonNode;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.importer.Sources;

/**
 * Reads Mistral's {@code tekken.json}: tiktoken's ranks with the expression that cuts words, behind special tokens, whose ids come first. Of
 * the vocabulary the first {@code default_vocab_size - default_num_special_tokens} count. Files up to version 7 do not name the special
 * tokens; those that nobody names are {@code <SPECIAL_N>}. The rules are those of mistral-common's {@code Tekkenizer}.
 */
final class Tekken {
    private static final Pattern BEGIN = Pattern.compile("\\s*\\{\\s*\"config\"\\s*:\\s*\\{.*", Pattern.DOTALL);
    private static final List<String> FIRST_SPECIAL = List.of("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
            "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]",
            "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]");

    private final String file;
    private final JsonNode root;

    private Tekken(Path file) {
        this.file = file.toString();
        root = Sources.json(file);
    }

    /** Whether a file that begins so is one. */
    static boolean begins(String head) {
        return BEGIN.matcher(head).matches();
    }

    static TokenizerSource open(Path file) {
        return new Tekken(file).read(Settings.beside(file));
    }

    private TokenizerSource read(Settings settings) {
        int special = count("default_num_special_tokens");
        int size = count("default_vocab_size");
        var pattern = root.path("config").path("pattern").asString(null);
        if (pattern == null) {
            throw new ConversionException(file + ": config has no pattern");
        }
        var vocabulary = root.path("vocab");
        if (size < special || size - special > vocabulary.size()) {
            throw new ConversionException(file + ": a vocabulary of " + size + " with " + special + " special tokens, but " + vocabulary.size() + " others are there");
        }
        var byRank = new TreeMap<Integer, String>();
        for (int rank = 0; rank < size - special; rank++) {
            byRank.put(rank, token(vocabulary.get(rank), rank));
        }
        var ids = RankFile.ids(file, byRank, special);
        var added = settings.added(special(special));
        var policy = settings.policy(added, new TokenizerPolicy(id(added, "<s>"), new int[] {id(added, "</s>")}, true, false, id(added, "<unk>"), id(added, "<pad>")));
        var words = PreTokenizer.of(pattern);
        var json = ByteLevelBpe.json(ids, Merges.of(List.copyOf(byRank.values()), ids), true, words, added, policy);
        return TokenizerSource.of(file, TokenizerSource.Kind.TEKKEN, json, policy, settings.chatTemplates());
    }

    private int count(String name) {
        var n = root.path("config").path(name);
        // no tokenizer has more, and the special ones are made from this number
        if (!n.isInt() || n.intValue() < 0 || n.intValue() > Math.max(1 << 16, root.path("vocab").size() * 2)) {
            throw new ConversionException(file + ": config has " + name + " " + n + "; it must be a number of tokens");
        }
        return n.intValue();
    }

    private String token(JsonNode token, int rank) {
        if (token.path("rank").asInt(-1) != rank) {
            throw new ConversionException(file + ": the token of rank " + rank + " is not at its place in vocab");
        }
        try {
            var bytes = Base64.getDecoder().decode(token.path("token_bytes").asString(""));
            if (bytes.length == 0 || bytes.length > Merges.MAX_PIECE) {
                throw new ConversionException(file + ": the token of rank " + rank + " has " + bytes.length + " bytes; it must be 1 to " + Merges.MAX_PIECE);
            }
            return ByteLevelBpe.write(bytes);
        } catch (IllegalArgumentException e) {
            throw new ConversionException(file + ": the token of rank " + rank + " is not base64", e);
        }
    }

    private List<AddedToken> special(int count) {
        var names = new LinkedHashMap<Integer, String>();
        var listed = root.path("special_tokens");
        for (int i = 0; i < (listed.isArray() ? listed.size() : FIRST_SPECIAL.size()); i++) {
            int rank = listed.isArray() ? listed.get(i).path("rank").asInt(-1) : i;
            var name = listed.isArray() ? listed.get(i).path("token_str").asString("") : FIRST_SPECIAL.get(i);
            if (rank < 0 || rank >= count || name.isEmpty() || names.put(rank, name) != null) {
                throw new ConversionException(file + ": special token " + i + " (\"" + name + "\", " + rank + ") is not one of " + count);
            }
        }
        var tokens = new ArrayList<AddedToken>();
        for (int id = 0; id < count; id++) {
            tokens.add(AddedToken.control(id, names.getOrDefault(id, "<SPECIAL_" + id + ">")));
        }
        return tokens;
    }

    private static int id(Iterable<AddedToken> tokens, String text) {
        for (var t : tokens) {
            if (t.content().equals(text)) {
                return t.id();
            }
        }
        return -1;
    }
}
