package io.github.spike4j.convert.tokenizer;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.function.ToIntFunction;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.importer.Sources;

/**
 * Reads GPT-2's pair of files: {@code vocab.json} (token to id) and {@code merges.txt} (a merge a line, the first to be merged first),
 * both in GPT-2's alphabet of bytes. Words are cut by GPT-2's expression.
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
        var added = Settings.union(own, settings.added());
        ToIntFunction<String> id = text -> added.stream().filter(t -> t.content().equals(text)).mapToInt(AddedToken::id).findFirst().orElse(-1);
        int end = id.applyAsInt(END);
        int bos = settings.special("bos_token", id, end);
        int eos = settings.special("eos_token", id, end);
        var policy = new TokenizerPolicy(bos, eos < 0 ? new int[0] : new int[] {eos}, bos >= 0 && settings.flag("add_bos_token", false),
                eos >= 0 && settings.flag("add_eos_token", false), settings.special("unk_token", id, -1), settings.special("pad_token", id, -1));
        return TokenizerSource.of(where, TokenizerSource.Kind.VOCAB_MERGES, ByteLevelBpe.json(ids, pairs, false, PreTokenizer.GPT2, added, policy),
                policy, settings.chatTemplate());
    }
}
