package io.github.spike4j.convert.tokenizer;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.importer.Sources;

/**
 * Reads GPT-2's pair of files: {@code vocab.json} (token to id) and {@code merges.txt} (a merge a line, the first to be merged first),
 * both in GPT-2's alphabet of bytes. Words are cut by GPT-2's expression, or by Qwen 2's where {@code tokenizer_class} says so.
 */
final class VocabMerges {
    private static final String END = "<|endoftext|>";

    private VocabMerges() { }

    static TokenizerSource open(Path vocab) {
        var where = vocab.toString();
        var merges = vocab.resolveSibling("merges.txt");
        if (!Files.exists(merges)) {
            throw new ConversionException(where + ": no merges.txt beside it");
        }
        var ids = new LinkedHashMap<String, Integer>();
        for (var e : Sources.json(vocab).properties()) {
            if (!e.getValue().isIntegralNumber() || !e.getValue().canConvertToInt() || e.getValue().intValue() < 0) {
                throw new ConversionException(where + ": the id of \"" + e.getKey() + "\" is " + e.getValue() + "; it must be an integer from 0");
            }
            ids.put(e.getKey(), e.getValue().intValue());
        }
        var pairs = new ArrayList<List<String>>();
        int line = 0;
        for (var text : (Iterable<String>) new String(Sources.bytes(merges), StandardCharsets.UTF_8).lines()::iterator) {
            line++;
            if (text.isEmpty() || text.startsWith("#version")) {
                continue;
            }
            int space = text.indexOf(' ');
            if (space < 1 || space != text.lastIndexOf(' ') || space == text.length() - 1) {
                throw new ConversionException(merges + ": line " + line + ": a merge is two tokens with a space between");
            }
            pairs.add(List.of(text.substring(0, space), text.substring(space + 1)));
        }
        var settings = Settings.beside(vocab);
        var own = ids.containsKey(END) ? List.of(AddedToken.control(ids.get(END), END)) : List.<AddedToken>of();
        var words = switch (settings.text("tokenizer_class", "GPT2Tokenizer").replace("Fast", "")) {
            case "GPT2Tokenizer", "CodeGenTokenizer" -> PreTokenizer.GPT2;
            case "Qwen2Tokenizer" -> PreTokenizer.QWEN2.composed();
            case String other -> throw new ConversionException(where + ": of tokenizer_class " + other + "; with vocab.json supported are GPT2Tokenizer,"
                    + " CodeGenTokenizer, Qwen2Tokenizer; for others give tokenizer.json");
        };
        var added = settings.added(own);
        int end = ids.getOrDefault(END, -1);
        var policy = settings.policy(added, new TokenizerPolicy(end, end < 0 ? new int[0] : new int[] {end}, false, false, -1, -1));
        return TokenizerSource.of(where, TokenizerSource.Kind.VOCAB_MERGES, ByteLevelBpe.json(ids, pairs, false, words, added, policy),
                policy, settings.chatTemplates());
    }
}
