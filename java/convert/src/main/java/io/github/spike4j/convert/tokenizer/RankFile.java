package io.github.spike4j.convert.tokenizer;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.importer.Sources;

/**
 * Reads tiktoken's rank files: a token a line, its bytes in base64, a space, its rank, which is its id; the pair whose bytes together have
 * the lowest rank is merged first, and a word that is a token is this token. Llama 3's {@code tokenizer.model} is one. The expression that
 * cuts words and the special tokens are not in the file but those of a family. Which one it is, {@code "tiktoken"} in a
 * {@code tokenizer_config.json} beside it says, else the file's own name, such as {@code cl100k_base.tiktoken}, else the number of ranks.
 */
final class RankFile {
    /** Member of tokenizer_config.json that says the family. */
    private static final String FAMILY = "tiktoken";
    private static final Pattern LINE = Pattern.compile("[A-Za-z0-9+/]+={0,2} \\d+");

    /** @param special text by id, from {@code ranks} on */
    private record Family(String name, int ranks, PreTokenizer words, List<AddedToken> special, int bos, int eos) {
        /** The family with so many ranks: special tokens are counted from there. */
        Family of(int ranks) {
            int by = ranks - this.ranks;
            return by == 0 ? this : new Family(name, ranks, words, special.stream().map(t -> AddedToken.control(t.id() + by, t.content())).toList(),
                    bos < 0 ? bos : bos + by, eos + by);
        }
    }

    private static final List<Family> FAMILIES = List.of(
            new Family("llama3", 128000, PreTokenizer.LLAMA3, llama3(), 128000, 128001),
            new Family("cl100k_base", 100256, PreTokenizer.LLAMA3, List.of(AddedToken.control(100257, "<|endoftext|>"),
                    AddedToken.control(100258, "<|fim_prefix|>"), AddedToken.control(100259, "<|fim_middle|>"),
                    AddedToken.control(100260, "<|fim_suffix|>"), AddedToken.control(100276, "<|endofprompt|>")), -1, 100257),
            new Family("o200k_base", 199998, PreTokenizer.O200K, List.of(AddedToken.control(199999, "<|endoftext|>"),
                    AddedToken.control(200018, "<|endofprompt|>")), -1, 199999),
            new Family("o200k_harmony", 199998, PreTokenizer.O200K, harmony(), -1, 199999),
            new Family("r50k_base", 50256, PreTokenizer.GPT2, List.of(AddedToken.control(50256, "<|endoftext|>")), -1, 50256),
            new Family("p50k_base", 50280, PreTokenizer.GPT2, List.of(AddedToken.control(50256, "<|endoftext|>")), -1, 50256),
            new Family("qwen", 151643, PreTokenizer.QWEN2.composed(), qwen(), -1, 151643));

    private RankFile() { }

    private static List<AddedToken> llama3() {
        var first = List.of("<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>",
                "<|reserved_special_token_2|>", "<|reserved_special_token_3|>", "<|start_header_id|>", "<|end_header_id|>",
                "<|reserved_special_token_4|>", "<|eot_id|>");
        return IntStream.range(0, 256).mapToObj(i -> AddedToken.control(128000 + i,
                i < first.size() ? first.get(i) : "<|reserved_special_token_" + (i - 5) + "|>")).toList();
    }

    private static List<AddedToken> harmony() {
        var named = Map.of(0, "<|startoftext|>", 1, "<|endoftext|>", 4, "<|return|>", 5, "<|constrain|>", 7, "<|channel|>", 8, "<|start|>", 9, "<|end|>",
                10, "<|message|>", 14, "<|call|>", 20, "<|endofprompt|>");
        return IntStream.range(0, 1090).mapToObj(i -> AddedToken.control(199998 + i, named.getOrDefault(i, "<|reserved_" + (199998 + i) + "|>"))).toList();
    }

    private static List<AddedToken> qwen() {
        var first = List.of("<|endoftext|>", "<|im_start|>", "<|im_end|>");
        return IntStream.range(0, 208).mapToObj(i -> AddedToken.control(151643 + i, i < first.size() ? first.get(i) : "<|extra_" + (i - 3) + "|>")).toList();
    }

    /** Whether a file that begins so is a rank file. */
    static boolean begins(String head) {
        return LINE.matcher(head.lines().findFirst().orElse("")).matches();
    }

    static TokenizerSource open(Path file) {
        var where = file.toString();
        var byRank = new TreeMap<Integer, String>();
        int line = 0;
        for (var text : (Iterable<String>) new String(Sources.bytes(file), StandardCharsets.ISO_8859_1).lines()::iterator) {
            line++;
            if (text.isEmpty()) {
                continue;
            }
            if (!LINE.matcher(text).matches()) {
                throw new ConversionException(where + ": line " + line + ": a rank file has a token in base64, a space and a number in each line");
            }
            int space = text.indexOf(' ');
            try {
                var bytes = Base64.getDecoder().decode(text.substring(0, space));
                int rank = Integer.parseInt(text.substring(space + 1));
                if (bytes.length > Merges.MAX_PIECE) {
                    throw new ConversionException(where + ": line " + line + ": a token of " + bytes.length + " bytes; the limit is " + Merges.MAX_PIECE);
                }
                if (byRank.put(rank, ByteLevelBpe.write(bytes)) != null) {
                    throw new ConversionException(where + ": line " + line + ": the rank " + rank + " is there twice");
                }
            } catch (IllegalArgumentException e) {
                throw new ConversionException(where + ": line " + line + ": not a token in base64 and its rank", e);
            }
        }
        var ids = ids(where, byRank, 0);
        var settings = Settings.beside(file);
        return translate(where, family(file, byRank.size(), settings), byRank, ids, settings);
    }

    /**
     * Ids by token.
     *
     * @param first id of the first rank
     */
    static LinkedHashMap<String, Integer> ids(String where, TreeMap<Integer, String> byRank, int first) {
        var ids = new LinkedHashMap<String, Integer>();
        byRank.forEach((rank, token) -> {
            var same = ids.putIfAbsent(token, first + rank);
            if (same != null) {
                throw new ConversionException(where + ": the ranks " + (same - first) + " and " + rank + " are the same token");
            }
        });
        for (int b = 0; b < 256; b++) {
            if (!ids.containsKey(ByteLevelBpe.write(new byte[] {(byte) b}))) {
                throw new ConversionException(where + ": the byte " + b + " is no token; the file is truncated");
            }
        }
        return ids;
    }

    /** What the files say of the family; of another number of ranks are its special tokens too, which follow them. */
    private static Family family(Path file, int ranks, Settings settings) {
        var said = settings.text(FAMILY, null);
        if (said != null) {
            return FAMILIES.stream().filter(f -> f.name.equals(said)).findFirst().orElseThrow(() -> new ConversionException(
                    file + ": the tiktoken family \"" + said + "\" of tokenizer_config.json is not known; known are " + known())).of(ranks);
        }
        var name = file.getFileName().toString().toLowerCase(Locale.ROOT);
        return FAMILIES.stream().filter(f -> name.contains(f.name)).findFirst().map(f -> f.of(ranks))
                .or(() -> FAMILIES.stream().filter(f -> f.ranks == ranks).findFirst())
                .orElseThrow(() -> new ConversionException(file + ": a rank file of " + ranks + " tokens does not tell how words are cut; name the file after its family,"
                        + " or give \"" + FAMILY + "\" in a tokenizer_config.json beside it; known are " + known()));
    }

    private static String known() {
        return String.join(", ", FAMILIES.stream().map(f -> f.name + " (" + f.ranks + ")").toList());
    }

    private static TokenizerSource translate(String where, Family family, TreeMap<Integer, String> byRank, LinkedHashMap<String, Integer> ids,
            Settings settings) {
        // later lists of names for the same ids may lie beside it
        var named = settings.added(List.of());
        var own = family.special.stream().filter(t -> named.stream().noneMatch(n -> n.id() == t.id())).toList();
        var added = settings.added(own);
        var policy = settings.policy(added, new TokenizerPolicy(family.bos, new int[] {family.eos}, family.bos >= 0, false, -1, -1));
        var json = ByteLevelBpe.json(ids, Merges.of(List.copyOf(byRank.values()), ids), true, family.words, added, policy);
        return TokenizerSource.of(where, TokenizerSource.Kind.TIKTOKEN, json, policy, settings.chatTemplates());
    }
}
