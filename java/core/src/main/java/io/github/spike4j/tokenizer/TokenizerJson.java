package io.github.spike4j.tokenizer;

import java.nio.charset.StandardCharsets;
import java.text.Normalizer.Form;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;

/** Reads {@code tokenizer.json} (Hugging Face tokenizers, version 1.0) into components. */
final class TokenizerJson {
    private static final int MAX_ADDED_LENGTH = 4096;
    private static final int MAX_COMPONENTS = 256;

    private final byte[] json;
    private final JsonReader reader;
    private Object normalizer;
    private Object preTokenizer;
    private Object postProcessor;
    private Object decoder;
    private Object added;
    private int model = -1;
    private int components;

    private TokenizerJson(byte[] json) {
        this.json = json;
        reader = new JsonReader(json);
    }

    static Tokenizer read(byte[] json) {
        return new TokenizerJson(json).read();
    }

    private Tokenizer read() {
        reader.object(name -> {
            switch (name) {
                case "added_tokens" -> added = reader.value();
                case "normalizer" -> normalizer = reader.value();
                case "pre_tokenizer" -> preTokenizer = reader.value();
                case "post_processor" -> postProcessor = reader.value();
                case "decoder" -> decoder = reader.value();
                case "model" -> {
                    model = reader.position();
                    reader.skip();
                }
                default -> reader.skip();
            }
        });
        reader.end();
        if (model < 0) throw new TokenizerException("tokenizer.json: no \"model\"; this is not a Hugging Face tokenizer file");

        Normalizer normalizer = this.normalizer == null ? null : normalizer(Node.of(this.normalizer, "normalizer"));
        List<PreTokenizer> steps = new ArrayList<>();
        if (preTokenizer != null) preTokenizer(Node.of(preTokenizer, "pre_tokenizer"), steps);
        Model bpe = bpe(steps);
        AddedTokens tokens = new AddedTokens(addedTokens(bpe.vocabulary()), normalizer);
        PostProcessor template = postProcessor == null ? PostProcessor.NONE : postProcessor(Node.of(postProcessor, "post_processor"));
        return new Tokenizer(tokens, normalizer, new PreTokenizer.Sequence(steps), bpe, template, decoder());
    }

    // ---- model

    private Model bpe(List<PreTokenizer> steps) {
        int[] at = {-1, -1};
        Map<String, Object> rest = new HashMap<>();
        reader.position(model);
        reader.object(name -> {
            int member = name.equals("vocab") ? 0 : name.equals("merges") ? 1 : -1;
            if (member < 0) {
                rest.put(name, reader.value());
            } else {
                at[member] = reader.position();
                reader.skip();
            }
        });
        Node node = new Node(rest, "model");
        // files of the first years have no type; only BPE has merges
        String type = rest.get("type") == null && at[1] >= 0 ? "BPE" : node.type();
        if (!type.equals("BPE")) throw unsupported("model", type, "BPE");
        if (at[0] < 0 || at[1] < 0) throw new TokenizerException("tokenizer.json: the model has no \"vocab\" or no \"merges\"");
        if (rest.get("dropout") instanceof Number d && d.doubleValue() != 0) {
            throw new TokenizerException("tokenizer.json: the model's dropout is " + d + "; encoding must be deterministic, set it to null");
        }
        Bpe.Options options = new Bpe.Options(node.text("unk_token", null), node.text("continuing_subword_prefix", ""),
                node.text("end_of_word_suffix", ""), node.flag("fuse_unk", false), node.flag("byte_fallback", false), node.flag("ignore_merges", false));
        Vocabulary vocabulary = vocabulary(at[0]);
        PairMap merges = merges(at[1], vocabulary, options.prefix());

        // the last ByteLevel need not write its alphabet out if the model can read bytes
        boolean readsBytes = false;
        if (!steps.isEmpty() && steps.getLast() instanceof PreTokenizer.ByteLevel last && Bpe.canReadBytes(vocabulary, options)) {
            steps.set(steps.size() - 1, new PreTokenizer.ByteLevel(last.addPrefixSpace(), last.words(), false));
            readsBytes = true;
        }
        return new Bpe(vocabulary, merges, options, readsBytes);
    }

    private Vocabulary vocabulary(int at) {
        Vocabulary vocabulary = new Vocabulary();
        Bytes text = new Bytes(64);
        reader.position(at);
        reader.integers(text, id -> vocabulary.add(text.array, 0, text.length, checkedId(id)));
        vocabulary.trim();
        return vocabulary;
    }

    private PairMap merges(int at, Vocabulary vocabulary, String prefix) {
        PairMap merges = new PairMap(vocabulary.entries());
        Bytes text = new Bytes(64);
        int[] split = new int[2];
        int skip = prefix.getBytes(StandardCharsets.UTF_8).length;
        long[] rank = {0};
        reader.position(at);
        reader.array(() -> {
            text.clear();
            if (reader.at('[')) {
                int[] n = {0};
                reader.array(() -> {
                    if (n[0] == 2) throw reader.error("a merge has two parts");
                    reader.string(text);
                    split[n[0]++] = text.length;
                });
                if (n[0] != 2) throw reader.error("a merge has two parts");
            } else {
                reader.string(text);
                int space = 0;
                while (space < text.length && text.array[space] != ' ') space++;
                if (space == text.length) throw reader.error("a merge has two parts, with a space between");
                System.arraycopy(text.array, space + 1, text.array, space, text.length - space - 1);
                split[0] = space;
                split[1] = --text.length;
            }
            int a = vocabulary.find(text.array, 0, split[0]);
            int b = vocabulary.find(text.array, split[0], split[1]);
            int merged = -1;
            if (a >= 0 && b >= 0 && split[1] - split[0] >= skip) {
                System.arraycopy(text.array, split[0] + skip, text.array, split[0], split[1] - split[0] - skip);
                merged = vocabulary.find(text.array, 0, split[1] - skip);
            }
            if (merged < 0) throw reader.error("a merge's part or result is not in the vocabulary");
            merges.put(a, b, rank[0]++ << 32 | merged);
        });
        return merges;
    }

    /** Ids are dense in practice; tables are sized by the highest, so the file's length bounds it. */
    private int checkedId(long id) {
        if (id < 0 || id > json.length + 1024L) throw reader.error("the token id " + id + " is out of range for a file of this size");
        return (int) id;
    }

    private List<AddedTokens.AddedToken> addedTokens(Vocabulary vocabulary) {
        List<AddedTokens.AddedToken> tokens = new ArrayList<>();
        if (added == null) return tokens;
        for (Node t : Node.list(added, "added_tokens")) {
            String content = t.text("content", null);
            if (content == null || !(t.members.get("id") instanceof Long id)) {
                throw new TokenizerException("tokenizer.json: an added token needs \"id\" and \"content\"");
            }
            if (content.length() > MAX_ADDED_LENGTH) {
                throw new TokenizerException("tokenizer.json: an added token of " + content.length() + " characters; the limit is " + MAX_ADDED_LENGTH);
            }
            int known = vocabulary.find(content); // the model's id counts
            tokens.add(new AddedTokens.AddedToken(known >= 0 ? known : checkedId(id), content, t.flag("single_word", false), t.flag("lstrip", false), t.flag("rstrip", false),
                    t.flag("normalized", true), t.flag("special", false)));
        }
        return tokens;
    }

    // ---- components

    private Normalizer normalizer(Node n) {
        count();
        return switch (n.type()) {
            case "Sequence" -> new Normalizer.Sequence(n.nodes("normalizers").stream().map(this::normalizer).toList());
            case "NFC", "NFD", "NFKC", "NFKD" -> new Normalizer.Unicode(Form.valueOf(n.type()));
            case "Prepend" -> new Normalizer.Prepend(n.text("prepend", ""));
            case "Replace" -> new Normalizer.Replace(pattern(n), n.text("content", ""));
            case "Lowercase" -> new Normalizer.Lowercase();
            case "Strip" -> new Normalizer.Strip(n.flag("strip_left", true), n.flag("strip_right", true));
            case "StripAccents" -> new Normalizer.StripAccents();
            case "ByteLevel" -> new Normalizer.ByteLevel();
            default -> throw unsupported("normalizer", n.type(), "Sequence, NFC, NFD, NFKC, NFKD, Prepend, Replace, Lowercase, Strip, StripAccents, ByteLevel");
        };
    }

    /** Appends the steps of a pre-tokenizer, sequences taken apart. */
    private void preTokenizer(Node n, List<PreTokenizer> steps) {
        count();
        switch (n.type()) {
            case "Sequence" -> n.nodes("pretokenizers").forEach(step -> preTokenizer(step, steps));
            case "Split" -> steps.add(new PreTokenizer.Split(pattern(n), behavior(n, null), n.flag("invert", false)));
            case "ByteLevel" -> steps.add(new PreTokenizer.ByteLevel(n.flag("add_prefix_space", true), n.flag("use_regex", true), true));
            case "Digits" -> steps.add(chars(TokenizerJson::isNumeric,
                    n.flag("individual_digits", false) ? Spans.Behavior.ISOLATED : Spans.Behavior.CONTIGUOUS));
            case "Punctuation" -> steps.add(chars(TokenizerJson::isPunctuation, behavior(n, Spans.Behavior.ISOLATED)));
            case "Whitespace" -> steps.add(new PreTokenizer.Split(new Spans.Finder.Regex(Regexes.compile("\\w+|[^\\w\\s]+")), Spans.Behavior.REMOVED, true));
            case "WhitespaceSplit" -> steps.add(chars(c -> c < 0x10000 && AddedTokens.isSpace((char) c), Spans.Behavior.REMOVED));
            case "CharDelimiterSplit" -> steps.add(new PreTokenizer.Split(new Spans.Finder.Literal(n.text("delimiter", " ")), Spans.Behavior.REMOVED, false));
            case "Metaspace" -> {
                PreTokenizer.Metaspace.Prepend prepend = switch (n.text("prepend_scheme", n.flag("add_prefix_space", true) ? "always" : "never")) {
                    case "always" -> PreTokenizer.Metaspace.Prepend.ALWAYS;
                    case "first" -> PreTokenizer.Metaspace.Prepend.FIRST;
                    case "never" -> PreTokenizer.Metaspace.Prepend.NEVER;
                    default -> throw unsupported("prepend_scheme of Metaspace", n.text("prepend_scheme", ""), "always, first, never");
                };
                steps.add(new PreTokenizer.Metaspace(n.text("replacement", "▁"), prepend, n.flag("split", true)));
            }
            default -> throw unsupported("pre-tokenizer", n.type(),
                    "Sequence, Split, ByteLevel, Digits, Punctuation, Whitespace, WhitespaceSplit, CharDelimiterSplit, Metaspace");
        }
    }

    private PostProcessor postProcessor(Node n) {
        count();
        return switch (n.type()) {
            case "ByteLevel" -> PostProcessor.NONE; // moves offsets only
            case "Sequence" -> n.nodes("processors").stream().map(this::postProcessor).reduce(PostProcessor.NONE, PostProcessor::inside);
            case "TemplateProcessing" -> template(n);
            default -> throw unsupported("post-processor", n.type(), "Sequence, ByteLevel, TemplateProcessing");
        };
    }

    private PostProcessor template(Node n) {
        Object tokens = n.members.get("special_tokens");
        Node special = Node.of(tokens == null ? Map.of() : tokens, "special_tokens");
        Ints before = new Ints(4);
        Ints after = new Ints(4);
        boolean seen = false;
        for (Node item : n.nodes("single")) {
            if (item.members.get("SpecialToken") instanceof Map<?, ?> token) {
                String name = String.valueOf(token.get("id"));
                if (!(special.members.get(name) instanceof Map<?, ?> entry) || !(entry.get("ids") instanceof List<?> ids)) {
                    throw new TokenizerException("tokenizer.json: the template's token " + name + " is not among its special_tokens");
                }
                for (Object id : ids) {
                    if (!(id instanceof Long v)) throw new TokenizerException("tokenizer.json: the template's token " + name + " has an id that is no integer");
                    (seen ? after : before).add(checkedId(v));
                }
            } else if (item.members.containsKey("Sequence")) {
                if (seen) throw new TokenizerException("tokenizer.json: the template for one text has two sequences");
                seen = true;
            } else {
                throw new TokenizerException("tokenizer.json: the template has a part that is neither SpecialToken nor Sequence");
            }
        }
        return new PostProcessor(before.toArray(), after.toArray());
    }

    private Decoder.Plan decoder() {
        List<Decoder> steps = new ArrayList<>();
        if (decoder == null) return new Decoder.Plan(List.of(new Decoder.Words()), 0, 0);
        List<Node> flat = new ArrayList<>();
        flatten(Node.of(decoder, "decoder"), flat);
        boolean whole = false;
        int stripped = 0;
        int stripCount = 0;
        for (Node n : flat) {
            if (whole && !(n.type().equals("Fuse") || n.type().equals("Strip") && n.count("stop") == 0 && stripCount == 0)) {
                throw new TokenizerException("tokenizer.json: decoder " + n.type() + " on the whole text is not supported; after Fuse or ByteLevel only a Strip of the start is");
            }
            switch (n.type()) {
                case "ByteLevel" -> {
                    steps.add(new Decoder.ByteLevel());
                    whole = true;
                }
                case "ByteFallback" -> steps.add(new Decoder.ByteFallback());
                case "Fuse" -> whole = true;
                case "Replace" -> steps.add(new Decoder.Replace(pattern(n), n.text("content", "")));
                case "Metaspace" -> steps.add(new Decoder.Metaspace(character(n, "replacement", "▁"),
                        !n.text("prepend_scheme", n.flag("add_prefix_space", true) ? "always" : "never").equals("never")));
                case "Strip" -> {
                    if (whole) {
                        stripped = character(n, "content", " ");
                        stripCount = n.count("start");
                    } else {
                        steps.add(new Decoder.Strip(character(n, "content", " "), n.count("start"), n.count("stop")));
                    }
                }
                default -> throw unsupported("decoder", n.type(), "Sequence, ByteLevel, ByteFallback, Fuse, Replace, Metaspace, Strip");
            }
        }
        return new Decoder.Plan(List.copyOf(steps), stripped, stripCount);
    }

    private void flatten(Node n, List<Node> flat) {
        count();
        if (n.type().equals("Sequence")) n.nodes("decoders").forEach(d -> flatten(d, flat));
        else flat.add(n);
    }

    private static char character(Node n, String name, String ifAbsent) {
        String s = n.text(name, ifAbsent);
        if (s.length() != 1) throw new TokenizerException("tokenizer.json: " + n.type() + " needs one character as \"" + name + "\"");
        return s.charAt(0);
    }

    private static Spans.Finder pattern(Node n) {
        if (n.members.get("pattern") instanceof Map<?, ?> p) {
            if (p.get("String") instanceof String literal) return new Spans.Finder.Literal(literal);
            if (p.get("Regex") instanceof String regex) return new Spans.Finder.Regex(Regexes.compile(regex));
        }
        throw new TokenizerException("tokenizer.json: " + n.type() + " needs a \"pattern\" with \"String\" or \"Regex\"");
    }

    private static Spans.Behavior behavior(Node n, Spans.Behavior ifAbsent) {
        return switch (n.text("behavior", "")) {
            case "Removed" -> Spans.Behavior.REMOVED;
            case "Isolated" -> Spans.Behavior.ISOLATED;
            case "MergedWithPrevious" -> Spans.Behavior.MERGED_WITH_PREVIOUS;
            case "MergedWithNext" -> Spans.Behavior.MERGED_WITH_NEXT;
            case "Contiguous" -> Spans.Behavior.CONTIGUOUS;
            case String s when s.isEmpty() && ifAbsent != null -> ifAbsent;
            case String s -> throw unsupported("behavior of " + n.type(), s, "Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous");
        };
    }

    private static PreTokenizer chars(IntPredicate test, Spans.Behavior behavior) {
        return new PreTokenizer.Split(new Spans.Finder.Chars(test), behavior, false);
    }

    private static boolean isNumeric(int c) {
        return switch (Character.getType(c)) {
            case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER -> true;
            default -> false;
        };
    }

    private static boolean isPunctuation(int c) {
        if (c < 0x80) return c > ' ' && c < 0x7F && !Character.isLetterOrDigit(c);
        return switch (Character.getType(c)) {
            case Character.CONNECTOR_PUNCTUATION, Character.DASH_PUNCTUATION, Character.START_PUNCTUATION, Character.END_PUNCTUATION,
                    Character.INITIAL_QUOTE_PUNCTUATION, Character.FINAL_QUOTE_PUNCTUATION, Character.OTHER_PUNCTUATION -> true;
            default -> false;
        };
    }

    private void count() {
        if (++components > MAX_COMPONENTS) throw new TokenizerException("tokenizer.json: more than " + MAX_COMPONENTS + " components");
    }

    private static TokenizerException unsupported(String kind, String type, String supported) {
        return new TokenizerException("tokenizer.json: " + kind + " \"" + type + "\" is not supported; supported: " + supported);
    }

    /** A component's description. */
    private record Node(Map<?, ?> members, String what) {
        static Node of(Object o, String what) {
            if (o instanceof Map<?, ?> map) return new Node(map, what);
            throw new TokenizerException("tokenizer.json: \"" + what + "\" must be an object");
        }

        static List<Node> list(Object o, String what) {
            if (o instanceof List<?> list) return list.stream().map(e -> of(e, what)).toList();
            throw new TokenizerException("tokenizer.json: \"" + what + "\" must be an array");
        }

        String type() {
            if (members.get("type") instanceof String s) return s;
            throw new TokenizerException("tokenizer.json: \"" + what + "\" has no \"type\"");
        }

        List<Node> nodes(String name) {
            return list(members.get(name), name);
        }

        String text(String name, String ifAbsent) {
            Object o = members.get(name);
            if (o == null) return ifAbsent;
            if (o instanceof String s) return s;
            throw new TokenizerException("tokenizer.json: \"" + name + "\" of \"" + what + "\" must be a string");
        }

        boolean flag(String name, boolean ifAbsent) {
            Object o = members.get(name);
            if (o == null) return ifAbsent;
            if (o instanceof Boolean b) return b;
            throw new TokenizerException("tokenizer.json: \"" + name + "\" of \"" + what + "\" must be true or false");
        }

        int count(String name) {
            Object o = members.get(name);
            if (o == null) return 0;
            if (o instanceof Long v && v >= 0 && v <= 1024) return v.intValue();
            throw new TokenizerException("tokenizer.json: \"" + name + "\" of \"" + what + "\" must be an integer from 0 to 1024");
        }
    }
}
