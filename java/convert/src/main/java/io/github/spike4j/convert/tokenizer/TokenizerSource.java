package io.github.spike4j.convert.tokenizer;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.importer.GgufFile;
import io.github.spike4j.convert.importer.Sources;
import io.github.spike4j.format.S4jFormatException;
import io.github.spike4j.format.S4jFile;
import io.github.spike4j.tokenizer.Llama2cTokenizer;
import io.github.spike4j.tokenizer.Tokenizer;
import io.github.spike4j.tokenizer.TokenizerException;
import io.github.spike4j.weights.TemplateEntries;

/**
 * A tokenizer from whatever file a project keeps it in, translated into Hugging Face's {@code tokenizer.json}, with what the files say
 * beside it. What a file is, its content says, not its name. Immutable.
 */
public final class TokenizerSource {
    /** What can be opened, for messages. */
    public static final String SUPPORTED = "supported are tokenizer.json, SentencePiece's tokenizer.model, tiktoken's rank files, tekken.json, GGUF files,"
            + " vocab.json with merges.txt, llama2.c's tokenizer.bin, .s4j files, and folders that hold one of them";

    /** Form of the source. */
    public enum Kind { HUGGING_FACE, SENTENCE_PIECE, TIKTOKEN, TEKKEN, GGUF, VOCAB_MERGES, LLAMA2C, S4J }

    private final String file;
    private final Kind kind;
    private final byte[] json;
    private final TokenizerPolicy policy;
    private final Map<String, String> chatTemplates;
    private final Tokenizer tokenizer;

    private TokenizerSource(String file, Kind kind, byte[] json, TokenizerPolicy policy, Map<String, String> chatTemplates,
            Tokenizer tokenizer) {
        this.file = file;
        this.kind = kind;
        this.json = json;
        this.policy = policy;
        this.chatTemplates = chatTemplates;
        this.tokenizer = tokenizer;
    }

    /** Checks that the translation can be read; {@code file} is what messages name. */
    static TokenizerSource of(String file, Kind kind, byte[] json, TokenizerPolicy policy, Map<String, String> chatTemplates) {
        var tokenizer = tokenizer(file, json);
        int size = tokenizer.vocabularySize();
        IntStream.concat(IntStream.of(policy.bos(), policy.unknown(), policy.pad()), Arrays.stream(policy.eos())).forEach(id -> {
            if (id < -1 || id >= size) {
                throw new ConversionException(file + ": the special token " + id + " is not in the vocabulary of " + size);
            }
        });
        return new TokenizerSource(file, kind, json, policy, chatTemplates, tokenizer);
    }

    static Tokenizer tokenizer(String file, byte[] json) {
        try {
            return Tokenizer.fromJson(json);
        } catch (TokenizerException e) {
            throw new ConversionException(file + ": " + e.getMessage(), e);
        }
    }

    /**
     * Opens a tokenizer.
     *
     * @param source a file of one of the {@linkplain #SUPPORTED forms}, or a folder with one; of several the one nearest to
     *               {@code tokenizer.json}. {@code tokenizer_config.json} and the like count when they lie beside it
     * @throws ConversionException if there is none, or it is damaged or of another kind
     */
    public static TokenizerSource open(Path source) {
        if (!Files.exists(source)) {
            throw new ConversionException(source + ": no such file or folder");
        }
        return Files.isDirectory(source) ? openFolder(source) : openFile(source);
    }

    private static TokenizerSource openFolder(Path folder) {
        for (var name : List.of("tokenizer.json", "tekken.json", "tokenizer.model", "vocab.json")) {
            if (Files.isRegularFile(folder.resolve(name))) {
                return openFile(folder.resolve(name));
            }
        }
        for (var ending : List.of(".tiktoken", ".gguf", ".s4j", ".bin")) {
            List<Path> found;
            try (var files = Files.list(folder)) {
                found = files.filter(f -> f.getFileName().toString().endsWith(ending) && Files.isRegularFile(f))
                        .filter(f -> !ending.equals(".bin") || f.getFileName().toString().startsWith("tok")).sorted().toList();
            } catch (IOException e) {
                throw new ConversionException(folder + ": cannot be read: " + Sources.reason(e), e);
            }
            if (found.size() > 1) {
                throw new ConversionException(folder + ": " + found.size() + " files *" + ending + "; name the one that is meant");
            }
            if (!found.isEmpty()) {
                return openFile(found.getFirst());
            }
        }
        throw new ConversionException(folder + ": no tokenizer in this folder; " + SUPPORTED);
    }

    private static TokenizerSource openFile(Path file) {
        var name = file.getFileName().toString();
        var head = head(file);
        Sources.refusePointer(file, head);
        if (head.startsWith("PK\3\4")) {
            return openS4j(file);
        }
        if (head.startsWith("GGUF")) {
            try (var arena = Arena.ofConfined()) {
                return GgufTokenizer.read(new GgufFile(file, arena));
            }
        }
        if (name.equals("vocab.json")) {
            return VocabMerges.open(file);
        }
        if (name.equals("merges.txt")) {
            return VocabMerges.open(file.resolveSibling("vocab.json"));
        }
        if (Tekken.begins(head)) {
            return Tekken.open(file);
        }
        if (head.stripLeading().startsWith("{")) {
            return HuggingFaceFiles.open(file);
        }
        if (RankFile.begins(head)) {
            return RankFile.open(file);
        }
        if (head.startsWith("\n")) { // field 1 of a message, with a length
            return SentencePieceModel.open(file);
        }
        if (name.startsWith("tok") && name.endsWith(".bin")) {
            return openLlama2c(file);
        }
        throw new ConversionException(file + ": unknown kind of tokenizer; " + SUPPORTED);
    }

    /** The first bytes as characters of one byte each. */
    private static String head(Path file) {
        try (var channel = Files.newByteChannel(Sources.regular(file))) {
            var head = ByteBuffer.allocate(4096);
            while (head.hasRemaining() && channel.read(head) >= 0) { }
            return new String(head.array(), 0, head.position(), StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            throw new ConversionException(file + ": cannot be read: " + Sources.reason(e), e);
        }
    }

    private static TokenizerSource openLlama2c(Path file) {
        try {
            var json = Llama2cTokenizer.toJson(Sources.bytes(file), -1).getBytes(StandardCharsets.UTF_8);
            return of(file.toString(), Kind.LLAMA2C, json, new TokenizerPolicy(1, new int[] {2}, true, false, 0, -1), Map.of());
        } catch (TokenizerException e) {
            throw new ConversionException(file + ": " + e.getMessage(), e);
        }
    }

    private static TokenizerSource openS4j(Path file) {
        try (var s4j = S4jFile.open(file)) {
            if (!s4j.entries().contains("tokenizer.json")) {
                throw new ConversionException(file + ": the model has no tokenizer.json");
            }
            var info = s4j.manifest().tokenizer();
            return of(file.toString(), Kind.S4J, s4j.entry("tokenizer.json"),
                    info == null ? new TokenizerPolicy(-1, new int[0], false, false, -1, -1)
                            : new TokenizerPolicy(info.bos(), info.eos(), info.addBos(), false, -1, -1),
                    TemplateEntries.read(s4j.entries(), s4j::entry));
        } catch (S4jFormatException e) {
            throw new ConversionException(e.getMessage(), e);
        }
    }

    public Kind kind() {
        return kind;
    }

    /** The whole {@code tokenizer.json}. Its template adds BOS and EOS as the {@link #policy} says. */
    public byte[] json() {
        return json;
    }

    public TokenizerPolicy policy() {
        return policy;
    }

    /** Jinja sources by name, such as {@code default}; empty if the files have none. */
    public Map<String, String> chatTemplates() {
        return chatTemplates;
    }

    /**
     * The ids of a text.
     *
     * @param addSpecial   adds BOS and EOS where the tokenizer does
     * @param parseSpecial whether special tokens written in the text are these tokens, or plain text
     * @throws ConversionException if the tokenizer cannot read the text: it has no token for it, or its expressions take too long
     */
    public int[] encode(String text, boolean addSpecial, boolean parseSpecial) {
        // a model's manifest decides, and does not double a BOS that the text begins with
        boolean manifest = kind == Kind.S4J;
        int[] ids;
        try {
            ids = tokenizer.encode(text, addSpecial && !manifest, parseSpecial);
        } catch (TokenizerException e) {
            throw new ConversionException(file + ": " + e.getMessage(), e);
        }
        return !manifest || !addSpecial || !policy.addBos() || ids.length > 0 && ids[0] == policy.bos() ? ids
                : IntStream.concat(IntStream.of(policy.bos()), IntStream.of(ids)).toArray();
    }

    /** The text of some ids, special tokens as they are written. */
    public String decode(int[] ids) {
        return tokenizer.decode(ids, false);
    }

    /** A token as the vocabulary writes it, such as {@code Ġthe} or {@code ▁the}; null if no token has this id. */
    public String token(int id) {
        return tokenizer.token(id);
    }

    /** One more than the highest id. */
    public int vocabularySize() {
        return tokenizer.vocabularySize();
    }
}
