package io.github.spike4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.spike4j.convert.ProgressListener;
import io.github.spike4j.convert.Recipes;
import io.github.spike4j.convert.SyntheticModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

class TokenizeTest {

    @TempDir
    Path dir;

    private Path json;

    /** Characters a, b, space and newline, one merge, a BOS that is added. */
    @BeforeEach
    void tokenizer() throws IOException {
        json = Files.writeString(dir.resolve("tokenizer.json"), """
                {"added_tokens": [{"id": 0, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
                 "normalizer": null, "pre_tokenizer": null, "decoder": {"type": "Fuse"},
                 "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                   "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
                   "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}},
                 "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
                   "vocab": {"<s>": 0, "a": 1, "b": 2, "ab": 3, " ": 4, "\\n": 5, "é": 6, "<": 7, "s": 8, ">": 9, "hole": 12}, "merges": ["a b"]}}""");
    }

    private void gives(String expected, Object... more) {
        var run = Cli.run(Stream.concat(Stream.of("tokenize", json, "--json"), Arrays.stream(more)).toArray());
        assertEquals(0, run.code(), run.toString());
        assertEquals("", run.err());
        assertEquals(JsonMapper.shared().readTree(expected), JsonMapper.shared().readTree(run.out()));
    }

    @Test
    void texts() throws IOException {
        gives("{'ids': [0, 3, 4, 6], 'tokens': ['<s>', 'ab', ' ', 'é'], 'text': '<s>ab é'}".replace('\'', '"'), "--text", "ab é");
        gives("{'ids': [0], 'tokens': ['<s>'], 'text': '<s>'}".replace('\'', '"'), "--text", "");
        gives("{'ids': [], 'tokens': [], 'text': ''}".replace('\'', '"'), "--text", "", "--no-special");
        gives("{'ids': [0, 1, 5, 5], 'tokens': ['<s>', 'a', '\\n', '\\n'], 'text': '<s>a\\n\\n'}".replace('\'', '"'), "--file",
                Files.writeString(dir.resolve("a.txt"), "a\n\n"));
    }

    @Test
    void special() {
        gives("{'ids': [0, 1, 0], 'tokens': ['<s>', 'a', '<s>'], 'text': '<s>a<s>'}".replace('\'', '"'), "--text", "a<s>");
        gives("{'ids': [1, 0], 'tokens': ['a', '<s>'], 'text': 'a<s>'}".replace('\'', '"'), "--text", "a<s>", "--no-bos");
        gives("{'ids': [0, 1, 7, 8, 9], 'tokens': ['<s>', 'a', '<', 's', '>'], 'text': '<s>a<s>'}".replace('\'', '"'), "--text", "a<s>", "--no-parse-special");
        gives("{'ids': [1, 7, 8, 9], 'tokens': ['a', '<', 's', '>'], 'text': 'a<s>'}".replace('\'', '"'), "--text", "a<s>", "--no-special");
    }

    @Test
    void ids() {
        gives("{'ids': [0, 3, 1], 'tokens': ['<s>', 'ab', 'a'], 'text': '<s>aba'}".replace('\'', '"'), "--ids", "0,3,1");
        assertEquals("<s>aba" + System.lineSeparator(), Cli.run("tokenize", json, "--ids", "0,3,1").out());
    }

    @Test
    void readable() {
        assertEquals("""
                      0  "<s>"
                      3  "ab"
                      5  "\\n"
                3 tokens: 0,3,5
                """, Cli.run("tokenize", json, "--text", "ab\n").out().replace(System.lineSeparator(), "\n"));
    }

    /** A model's manifest says whether BOS is added, and one that is written is not doubled. */
    @Test
    void models() throws IOException {
        var model = dir.resolve("m.s4j");
        new SyntheticModel(SyntheticModel.shape("64,96,2,4,2,300", 64), Recipes.named("w4a4"), 1).write(model, ProgressListener.none());
        var run = Cli.run("tokenize", model, "--text", "A", "--json");
        assertEquals(0, run.code(), run.toString());
        assertEquals("A", JsonMapper.shared().readTree(Cli.run("tokenize", model, "--text", "A", "--no-special", "--json").out()).path("text").stringValue());
    }

    @Test
    void errors() throws IOException {
        Cli.run("tokenize").fails(2, "MODEL|TOKENIZER");
        Cli.run("tokenize", json).fails(2, "--text");
        Cli.run("tokenize", json, "--text", "a", "--ids", "1").fails(2, "mutually exclusive");
        Cli.run("tokenize", json, "--ids", "1,x").fails(2, "x");
        Cli.run("tokenize", json, "--ids", "99999999999").fails(2, "99999999999");
        Cli.run("tokenize", json, "--ids", "10").fails(1, "tokenizer.json", "no token 10", "0 to 12");
        Cli.run("tokenize", json, "--ids", "-1").fails(1, "no token -1");
        Cli.run("tokenize", dir.resolve("absent"), "--text", "a").fails(1, "absent", "no such file");
        Cli.run("tokenize", json, "--file", dir.resolve("absent")).fails(1, "absent", "no such file");
        Cli.run("tokenize", Files.createDirectory(dir.resolve("empty")), "--text", "a").fails(1, "empty", "no tokenizer", "supported");
        Cli.run("tokenize", Files.writeString(dir.resolve("text.txt"), "no tokenizer"), "--text", "a").fails(1, "text.txt", "supported");
        Cli.run("tokenize", Files.writeString(dir.resolve("broken.json"), "{\"model\": {"), "--text", "a").fails(1, "broken.json");
        Cli.run("tokenize", Files.writeString(dir.resolve("other.json"), "{\"a\": 1}"), "--text", "a").fails(1, "other.json", "no \"model\"");
        Cli.run("tokenize", Files.write(dir.resolve("latin1.txt"), new byte[] {'{', (byte) 0xe9}), "--text", "a").fails(1, "latin1.txt");
        Cli.run("tokenize", json, "--file", Files.write(dir.resolve("latin1.txt"), new byte[] {'a', (byte) 0xe9})).fails(1, "latin1.txt", "not UTF-8");
    }
}
