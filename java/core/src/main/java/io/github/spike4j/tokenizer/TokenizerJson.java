package io.github.spike4j.tokenizer;

import java.nio.charset.StandardCharsets;
import java.text.Normalizer.Form;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import java.util.regex.Pattern;

/** Reads {@code tokenizer.json} (Hugging Face tokenizers, version 1.0) into components. */
final class TokenizerJson {
    private static final int MAX_ADDED_LENGTH = 4096;
    private static final int MAX_CONTENT_LENGTH = 256;
    private static final int MAX_GROWING = 4;
    private static final int MAX_COMPONENTS = 256;

    private final byte[] json;
    private final JsonReader reader;
    private Object normalizer;
    private Object preTokenizer;
    private Object postProcessor;
    private Object decoder;
    private Object added;
    private int model = -1;
    /** Positions in the file: members of the model that are too large for a tree. */
    private int vocabulary = -1;
    private int merges = -1;
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
        // each of them can double a text
        long growing = steps.stream().filter(s -> s instanceof PreTokenizer.ByteLevel || s instanceof PreTokenizer.Metaspace).count();
        if (growing > MAX_GROWING) throw new TokenizerException("tokenizer.json: " + growing + " pre-tokenizers ByteLevel and Metaspace; the limit is " + MAX_GROWING);
        Model model = model(steps);
        AddedTokens tokens = new AddedTokens(addedTokens(model.vocabulary()), normalizer);
        PostProcessor template = postProcessor == null ? PostProcessor.NONE : postProcessor(Node.of(postProcessor, "post_processor"));
        return new Tokenizer(tokens, normalizer, new PreTokenizer.Sequence(steps), model, template, decoders());
    }

    // ---- model

    private Model model(List<PreTokenizer> steps) {
        Map<String, Object> rest = new HashMap<>();
        reader.position(model);
        reader.object(name -> {
            switch (name) {
                case "vocab" -> {
                    vocabulary = reader.position();
                    reader.skip();
                }
                case "merges" -> {
                    merges = reader.position();
                    reader.skip();
                }
                default -> rest.put(name, reader.value());
            }
        });
        if (vocabulary < 0) throw new TokenizerException("tokenizer.json: the model has no \"vocab\"");
        Node node = new Node(rest, "model");
        String type = rest.get("type") == null ? untagged(rest) : node.type();
        return switch (type) {
            case "BPE" -> bpe(node, steps);
            case "Unigram" -> unigram(node);
            case "WordPiece" -> new WordPiece(vocabulary(vocabulary), node.text("unk_token", "[UNK]"), node.text("continuing_subword_prefix", "##"),
                    node.count("max_input_chars_per_word", 100, Integer.MAX_VALUE));
            case "WordLevel" -> new WordLevel(vocabulary(vocabulary), node.text("unk_token", "<unk>"));
            case "SentencePiece" -> sentencePiece(node);
            default -> throw unsupported("model", type, "BPE, Unigram, WordPiece, WordLevel, SentencePiece");
        };
    }

    /** Files of the first years have no type: the members tell. */
    private String untagged(Map<String, Object> members) {
        if (merges >= 0) return "BPE";
        if (members.containsKey("max_input_chars_per_word")) return "WordPiece";
        reader.position(vocabulary);
        return reader.at('[') ? "Unigram" : "WordLevel";
    }

    private Model unigram(Node node) {
        Vocabulary tokens = new Vocabulary();
        Bytes text = new Bytes(64);
        Doubles scores = new Doubles(1024);
        reader.position(vocabulary);
        reader.array(() -> {
            int[] n = {0};
            text.clear();
            reader.array(() -> {
                switch (n[0]++) {
                    case 0 -> reader.string(text);
                    case 1 -> scores.add(reader.decimal());
                    default -> throw reader.error("a token of a Unigram model is [\"text\", score]");
                }
            });
            if (n[0] != 2) throw reader.error("a token of a Unigram model is [\"text\", score]");
            tokens.append(text.array, 0, text.length);
        });
        tokens.trim();
        long unknown = node.members.get("unk_id") == null ? -1 : node.count("unk_id", 0, Integer.MAX_VALUE);
        if (unknown >= tokens.size()) throw new TokenizerException("tokenizer.json: unk_id is " + unknown + ", but the vocabulary has " + tokens.size() + " tokens");
        BitSet special = new BitSet();
        addedTokens(tokens).stream().filter(AddedTokens.AddedToken::special).forEach(t -> special.set(t.id()));
        return new Unigram(tokens, scores.toArray(), (int) unknown, node.flag("byte_fallback", false), special);
    }

    /** Pieces are [text, score, type], without a type where it is normal. */
    private Model sentencePiece(Node node) {
        Vocabulary tokens = new Vocabulary();
        Bytes text = new Bytes(64);
        Doubles scores = new Doubles(1024);
        List<SentencePiece.Type> types = new ArrayList<>();
        reader.position(vocabulary);
        reader.array(() -> {
            int[] n = {0};
            text.clear();
            types.add(SentencePiece.Type.NORMAL);
            reader.array(() -> {
                switch (n[0]++) {
                    case 0 -> reader.string(text);
                    case 1 -> scores.add(reader.decimal());
                    case 2 -> types.set(types.size() - 1, constant(SentencePiece.Type.values(), reader.value()));
                    default -> throw reader.error("a piece is [\"text\", score, \"type\"]");
                }
            });
            if (n[0] < 2 || text.length == 0) throw reader.error("a piece is [\"text\", score, \"type\"]");
            tokens.append(text.array, 0, text.length);
        });
        tokens.trim();
        double[] decimals = scores.toArray();
        float[] floats = new float[decimals.length];
        for (int i = 0; i < floats.length; i++) floats[i] = (float) decimals[i];
        return new SentencePiece(constant(SentencePiece.Algorithm.values(), node.text("algorithm", "UNIGRAM")), tokens, floats,
                types.toArray(SentencePiece.Type[]::new), node.flag("byte_fallback", false));
    }

    private static <E extends Enum<E>> E constant(E[] all, Object name) {
        for (E one : all) {
            if (one.name().equals(name)) return one;
        }
        throw new TokenizerException("tokenizer.json: " + name + " is not supported; supported: " + List.of(all));
    }

    private Model bpe(Node node, List<PreTokenizer> steps) {
        if (merges < 0) throw new TokenizerException("tokenizer.json: the model has no \"merges\"");
        if (node.members.get("dropout") instanceof Number d && d.doubleValue() != 0) {
            throw new TokenizerException("tokenizer.json: the model's dropout is " + d + "; encoding must be deterministic, set it to null");
        }
        Bpe.Options options = new Bpe.Options(node.text("unk_token", null), node.text("continuing_subword_prefix", ""),
                node.text("end_of_word_suffix", ""), node.flag("fuse_unk", false), node.flag("byte_fallback", false), node.flag("ignore_merges", false));
        Vocabulary tokens = vocabulary(vocabulary);
        PairMap pairs = merges(merges, tokens, options.prefix());

        // the last ByteLevel need not write its alphabet out if the model can read bytes
        boolean readsBytes = false;
        if (!steps.isEmpty() && steps.getLast() instanceof PreTokenizer.ByteLevel last && Bpe.canReadBytes(tokens, options)) {
            steps.set(steps.size() - 1, new PreTokenizer.ByteLevel(last.addPrefixSpace(), last.words(), false));
            readsBytes = true;
        }
        return new Bpe(tokens, pairs, options, readsBytes);
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
            case "Precompiled" -> precompiled(n);
            case "Prepend" -> new Normalizer.Prepend(content(n, "prepend"));
            case "Replace" -> new Normalizer.Replace(pattern(n), content(n, "content"));
            case "Lowercase" -> new Normalizer.Lowercase();
            case "Strip" -> new Normalizer.Strip(n.flag("strip_left", true), n.flag("strip_right", true));
            case "StripAccents" -> new Normalizer.StripAccents();
            case "Nmt" -> new Normalizer.Nmt();
            case "BertNormalizer" -> {
                boolean lowercase = n.flag("lowercase", true);
                yield new Normalizer.Bert(n.flag("clean_text", true), n.flag("handle_chinese_chars", true), n.flag("strip_accents", lowercase), lowercase);
            }
            case "ByteLevel" -> new Normalizer.ByteLevel();
            case "SentencePiece" -> sentencePieceNormalizer(n);
            default -> throw unsupported("normalizer", n.type(), "Sequence, NFC, NFD, NFKC, NFKD, Precompiled, Prepend, Replace, Lowercase, Strip,"
                    + " StripAccents, Nmt, BertNormalizer, ByteLevel, SentencePiece");
        };
    }

    private static SentencePieceNormalizer sentencePieceNormalizer(Node n) {
        Object pieces = n.members.get("user_defined");
        List<String> userDefined = new ArrayList<>();
        if (pieces != null) {
            if (!(pieces instanceof List<?> list)) throw new TokenizerException("tokenizer.json: \"user_defined\" must be an array");
            for (Object piece : list) {
                if (!(piece instanceof String s) || s.isEmpty()) throw new TokenizerException("tokenizer.json: \"user_defined\" has a piece that is no text");
                userDefined.add(s);
            }
        }
        return new SentencePieceNormalizer(new SentencePieceNormalizer.Rules(n.flag("add_dummy_prefix", true), n.flag("treat_whitespace_as_suffix", false),
                n.flag("remove_extra_whitespaces", true), n.flag("continues", false), n.flag("escape_whitespaces", true)),
                n.members.get("precompiled_charsmap") == null ? null : precompiled(n), userDefined);
    }

    private static Precompiled precompiled(Node n) {
        try {
            return new Precompiled(Base64.getDecoder().decode(n.text("precompiled_charsmap", "")));
        } catch (IllegalArgumentException e) {
            throw new TokenizerException("tokenizer.json: \"precompiled_charsmap\" is not Base64: " + e.getMessage(), e);
        }
    }

    /** Appends the steps of a pre-tokenizer, sequences taken apart. */
    private void preTokenizer(Node n, List<PreTokenizer> steps) {
        count();
        switch (n.type()) {
            case "Sequence" -> n.nodes("pretokenizers").forEach(step -> preTokenizer(step, steps));
            case "Split" -> steps.add(new PreTokenizer.Split(pattern(n), behavior(n, null), n.flag("invert", false)));
            case "ByteLevel" -> steps.add(new PreTokenizer.ByteLevel(n.flag("add_prefix_space", true), n.flag("use_regex", true), true));
            case "Digits" -> steps.add(chars(LibraryUnicode::isNumeric,
                    n.flag("individual_digits", false) ? Spans.Behavior.ISOLATED : Spans.Behavior.CONTIGUOUS));
            case "Punctuation" -> steps.add(chars(LibraryUnicode::isPunctuation, behavior(n, Spans.Behavior.ISOLATED)));
            // of Rust's regex crate, not of Oniguruma: its \w has the zero-width joiners
            case "Whitespace" -> steps.add(new PreTokenizer.Split(new Spans.Finder.Regex(Pattern.compile("\\w+|[^\\w\\s]+", Pattern.UNICODE_CHARACTER_CLASS)), Spans.Behavior.REMOVED, true));
            case "WhitespaceSplit" -> steps.add(chars(Characters::isSpace, Spans.Behavior.REMOVED));
            case "BertPreTokenizer" -> {
                steps.add(chars(Characters::isSpace, Spans.Behavior.REMOVED));
                steps.add(chars(LibraryUnicode::isPunctuation, Spans.Behavior.ISOLATED));
            }
            case "UnicodeScripts" -> steps.add(new PreTokenizer.UnicodeScripts());
            case "FixedLength" -> steps.add(new PreTokenizer.FixedLength(Math.max(1, n.count("length", 5, Integer.MAX_VALUE))));
            case "CharDelimiterSplit" -> steps.add(new PreTokenizer.Split(new Spans.Finder.Literal(n.text("delimiter", " ")), Spans.Behavior.REMOVED, false));
            case "Metaspace" -> steps.add(new PreTokenizer.Metaspace(String.valueOf(character(n, "replacement", "▁")), prepend(n), n.flag("split", true)));
            default -> throw unsupported("pre-tokenizer", n.type(),
                    "Sequence, Split, ByteLevel, Digits, Punctuation, Whitespace, WhitespaceSplit, BertPreTokenizer, CharDelimiterSplit, FixedLength, Metaspace, UnicodeScripts");
        }
    }

    private static PreTokenizer.Metaspace.Prepend prepend(Node n) {
        // files of the first years have a flag instead
        return switch (n.text("prepend_scheme", n.flag("add_prefix_space", true) ? "always" : "never")) {
            case "always" -> PreTokenizer.Metaspace.Prepend.ALWAYS;
            case "first" -> PreTokenizer.Metaspace.Prepend.FIRST;
            case "never" -> PreTokenizer.Metaspace.Prepend.NEVER;
            case String s -> throw unsupported("prepend_scheme of Metaspace", s, "always, first, never");
        };
    }

    private PostProcessor postProcessor(Node n) {
        count();
        return switch (n.type()) {
            case "ByteLevel" -> PostProcessor.NONE; // moves offsets only
            case "Sequence" -> n.nodes("processors").stream().map(this::postProcessor).reduce(PostProcessor.NONE, PostProcessor::inside);
            case "TemplateProcessing" -> template(n);
            case "BertProcessing", "RobertaProcessing" -> new PostProcessor(new int[] {named(n, "cls")}, new int[] {named(n, "sep")});
            default -> throw unsupported("post-processor", n.type(), "Sequence, ByteLevel, TemplateProcessing, BertProcessing, RobertaProcessing");
        };
    }

    /** The id of a pair ["text", id]. */
    private int named(Node n, String name) {
        if (n.members.get(name) instanceof List<?> pair && pair.size() == 2 && pair.get(1) instanceof Long id) return checkedId(id);
        throw new TokenizerException("tokenizer.json: \"" + name + "\" of \"" + n.type() + "\" must be [\"text\", id]");
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

    private List<Decoder> decoders() {
        if (decoder == null) return List.of(new Decoder.Words());
        List<Node> flat = new ArrayList<>();
        flatten(Node.of(decoder, "decoder"), flat);
        return flat.stream().map(TokenizerJson::decoder).toList();
    }

    private static Decoder decoder(Node n) {
        return switch (n.type()) {
            case "ByteLevel" -> new Decoder.ByteLevel();
            case "ByteFallback" -> new Decoder.ByteFallback();
            case "Fuse" -> new Decoder.Fuse();
            case "Replace" -> new Decoder.Replace(pattern(n), content(n, "content"));
            case "Metaspace" -> new Decoder.Metaspace(character(n, "replacement", "▁"), prepend(n) != PreTokenizer.Metaspace.Prepend.NEVER);
            case "Strip" -> new Decoder.Strip(character(n, "content", " "), n.count("start", 0, 1024), n.count("stop", 0, 1024));
            case "WordPiece" -> new Decoder.WordPiece(n.text("prefix", "##"), n.flag("cleanup", true));
            case "BPEDecoder" -> new Decoder.Bpe(n.text("suffix", "</w>"));
            case "SentencePiece" -> new Decoder.SentencePiece(n.text("unk_piece", null), content(n, "unk_surface"), n.flag("add_dummy_prefix", true),
                    n.flag("remove_extra_whitespaces", true), n.flag("byte_fallback", false));
            case "Denormalize" -> new Decoder.Denormalize(sentencePieceNormalizer(n));
            case "CTC" -> new Decoder.Ctc(n.text("pad_token", "<pad>"), n.text("word_delimiter_token", "|"), n.flag("cleanup", true));
            default -> throw unsupported("decoder", n.type(), "Sequence, ByteLevel, ByteFallback, Fuse, Replace, Metaspace, Strip, WordPiece, BPEDecoder, CTC,"
                    + " SentencePiece, Denormalize");
        };
    }

    private void flatten(Node n, List<Node> flat) {
        count();
        if (n.type().equals("Sequence")) n.nodes("decoders").forEach(d -> flatten(d, flat));
        else flat.add(n);
    }

    /** A text that is put into the user's, so it must be short. */
    private static String content(Node n, String name) {
        String s = n.text(name, "");
        if (s.length() > MAX_CONTENT_LENGTH) throw new TokenizerException("tokenizer.json: \"" + name + "\" of " + n.type() + " has " + s.length() + " characters; the limit is " + MAX_CONTENT_LENGTH);
        return s;
    }

    private static char character(Node n, String name, String ifAbsent) {
        String s = n.text(name, ifAbsent);
        if (s.length() != 1) throw new TokenizerException("tokenizer.json: " + n.type() + " needs one character as \"" + name + "\"");
        return s.charAt(0);
    }

    private static Spans.Finder pattern(Node n) {
        if (n.members.get("pattern") instanceof Map<?, ?> p) {
            // an empty literal matches between any two characters
            if (p.get("String") instanceof String literal && !literal.isEmpty()) return new Spans.Finder.Literal(literal);
            if ((p.get("Regex") != null ? p.get("Regex") : p.get("String")) instanceof String regex) return new Spans.Finder.Regex(Regexes.compile(regex));
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

        int count(String name, int ifAbsent, int limit) {
            Object o = members.get(name);
            if (o == null) return ifAbsent;
            if (o instanceof Long v && v >= 0 && v <= limit) return v.intValue();
            throw new TokenizerException("tokenizer.json: \"" + name + "\" of \"" + what + "\" must be an integer from 0 to " + limit);
        }
    }
}
