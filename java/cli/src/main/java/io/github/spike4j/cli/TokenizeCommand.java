package io.github.spike4j.cli;

import io.github.spike4j.convert.tokenizer.TokenizerSource;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.json.JsonMapper;

/** {@code spike4j tokenize}. */
@Command(name = "tokenize", description = "Show the tokens of a text, or the text of tokens.", sortOptions = false, mixinStandardHelpOptions = true)
final class TokenizeCommand implements Callable<Integer> {

    @Parameters(paramLabel = "MODEL|TOKENIZER", description = "A .s4j or GGUF file, tokenizer.json, tokenizer.model, a rank file of tiktoken, tekken.json,"
            + " vocab.json beside merges.txt, llama2.c's tokenizer.bin, or a folder with one of them.")
    private Path file;

    @ArgGroup(exclusive = true, multiplicity = "1")
    private Input input;

    @Option(names = "--no-special", description = "As --no-bos with --no-parse-special.")
    private boolean noSpecial;

    @Option(names = "--no-bos", description = "Add neither BOS nor EOS.")
    private boolean noBos;

    @Option(names = "--no-parse-special", description = "Special tokens written in the text are plain text.")
    private boolean noParse;

    @Mixin
    private Report report;

    /** One of three. */
    static final class Input {
        @Option(names = "--text", required = true, paramLabel = "TEXT", description = "Text to encode.")
        private String text;

        @Option(names = "--file", required = true, paramLabel = "FILE", description = "UTF-8 file with the text to encode, every byte of it.")
        private Path file;

        @Option(names = "--ids", required = true, paramLabel = "I,J,...", split = ",", description = "Ids to decode.")
        private int[] ids;
    }

    /** The {@code --json} form. */
    record Result(int[] ids, List<String> tokens, String text) {}

    @Override
    public Integer call() throws IOException {
        var tokenizer = TokenizerSource.open(Failure.readable(file));
        var ids = input.ids;
        if (ids == null) {
            ids = tokenizer.encode(input.text != null ? input.text : Texts.read(input.file), !noBos && !noSpecial, !noParse && !noSpecial);
        }
        var tokens = Arrays.stream(ids).mapToObj(id -> token(tokenizer, id)).toList();
        var result = new Result(ids, tokens, tokenizer.decode(ids));
        report.print(result, input.ids != null ? result.text : table(result));
        return 0;
    }

    private String token(TokenizerSource tokenizer, int id) {
        var token = id < 0 ? null : tokenizer.token(id);
        if (token == null) {
            throw new Failure(file + ": has no token " + id + "; its ids are 0 to " + (tokenizer.vocabularySize() - 1));
        }
        return token;
    }

    /** A token a line, quoted as in JSON, so that white space and control characters can be seen. */
    private static String table(Result r) {
        var lines = new StringBuilder();
        for (int i = 0; i < r.ids.length; i++) {
            lines.append("%7d  %s%n".formatted(r.ids[i], JsonMapper.shared().writeValueAsString(r.tokens.get(i))));
        }
        return lines.append(r.ids.length).append(r.ids.length == 1 ? " token: " : " tokens: ")
                .append(Arrays.stream(r.ids).mapToObj(Integer::toString).collect(Collectors.joining(","))).toString();
    }
}
