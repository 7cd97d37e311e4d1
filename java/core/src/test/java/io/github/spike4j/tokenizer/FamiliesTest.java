package io.github.spike4j.tokenizer;

import java.io.IOException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The components of known model families, as their files combine them, over small vocabularies: everything equal to Hugging Face's library.
 * In the texts here ' is for ".
 */
class FamiliesTest {
    private static final int STRINGS = Integer.getInteger("spike4j.strings", 20_000) / 20;

    private static final String BYTES = "{'type':'ByteLevel','add_prefix_space':false,'trim_offsets':true,'use_regex':%s}";
    private static final String BYTES_ALONE = BYTES.formatted("false");
    private static final String BYTES_WORDS = BYTES.formatted("true");
    private static final String DECODE_BYTES = "'decoder':{'type':'ByteLevel','add_prefix_space':true,'trim_offsets':true,'use_regex':true}";
    private static final String LLAMA3 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String O200K = "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
            + "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}|"
            + " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String KIMI = "[\\p{Han}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
            + "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}|"
            + " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String CL100K = "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s";
    private static final String DEEPSEEK3 = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String LLAMA_NORMAL = "'normalizer':{'type':'Sequence','normalizers':[{'type':'Prepend','prepend':'▁'},{'type':'Replace','pattern':{'String':' '},'content':'▁'}]}";
    private static final String LLAMA_DECODE = "'decoder':{'type':'Sequence','decoders':[{'type':'Replace','pattern':{'String':'▁'},'content':' '},{'type':'ByteFallback'},{'type':'Fuse'},"
            + "{'type':'Strip','content':' ','start':1,'stop':0}]}";
    private static final String METASPACE = "{'type':'Metaspace','replacement':'▁','prepend_scheme':'always','split':true}";

    static Stream<Arguments> families() {
        String bytes = "'model':{'type':'BPE','dropout':null,'unk_token':null,'continuing_subword_prefix':'','end_of_word_suffix':'','fuse_unk':false," + TinyVocabulary.bytePairs(300, "");
        String bpe = bytes + "}";
        String whole = bytes + ",'ignore_merges':true}";
        String llama = "'model':{'type':'BPE','dropout':null,'unk_token':'<unk>','continuing_subword_prefix':null,'end_of_word_suffix':null,'fuse_unk':true,'byte_fallback':true," + TinyVocabulary.characterPairs(200, true) + "}";
        int llamaSize = SharedData.parse(quoted("{" + llama + "}")).vocabularySize();
        String noBytes = llama.replace("'byte_fallback':true", "'byte_fallback':false");
        String unigram = "'model':{'type':'Unigram','unk_id':2,'byte_fallback':%s,%s}";
        String unigramPlain = unigram.formatted("false", TinyVocabulary.unigram(false));
        String unigramBytes = unigram.formatted("true", TinyVocabulary.unigram(true));
        String wordPiece = "'model':{'type':'WordPiece','unk_token':'[UNK]','continuing_subword_prefix':'##','max_input_chars_per_word':100," + TinyVocabulary.wordPieces() + "}";
        String wordLevel = "'model':{'type':'WordLevel','unk_token':'<unk>','vocab':" + TinyVocabulary.ids(Stream.concat(Stream.of("<unk>", "<s>", "|", "<pad>", "a", "b", "1", "12", "don't", " ", "the"), TinyVocabulary.words().stream()).distinct().toList()) + "}";
        String precompiled = "{'type':'Precompiled','precompiled_charsmap':'" + TinyVocabulary.charsMap(charsMap()) + "'}";
        String clip = "'model':{'type':'BPE','dropout':null,'unk_token':null,'continuing_subword_prefix':'','end_of_word_suffix':'</w>','fuse_unk':false," + TinyVocabulary.bytePairs(100, "</w>") + "}";

        Map<String, List<String>> all = new LinkedHashMap<>();
        all.put("GPT-2, Whisper", List.of(pre(BYTES_WORDS), DECODE_BYTES, bpe));
        all.put("RoBERTa", List.of(pre("{'type':'ByteLevel','add_prefix_space':true,'trim_offsets':true}"), DECODE_BYTES, bpe,
                "'post_processor':{'type':'RobertaProcessing','sep':['th',300],'cls':['he',301],'trim_offsets':true,'add_prefix_space':false}"));
        all.put("Llama 3", List.of(pre(split(LLAMA3, "Isolated", false), BYTES_ALONE), DECODE_BYTES, whole,
                "'post_processor':{'type':'Sequence','processors':[{'type':'ByteLevel','add_prefix_space':true,'trim_offsets':false,'use_regex':true},"
                        + "{'type':'TemplateProcessing','single':[{'SpecialToken':{'id':'<a>','type_id':0}},{'Sequence':{'id':'A','type_id':0}}],'pair':[],'special_tokens':{'<a>':{'id':'<a>','ids':[7,8],'tokens':['<a>','<a>']}}}]}"));
        all.put("Qwen 2", List.of("'normalizer':{'type':'NFC'}", pre(split(LLAMA3.replace("{1,3}", ""), "Isolated", false), BYTES_ALONE), DECODE_BYTES, bpe));
        all.put("GPT-4o", List.of(pre(split(O200K, "Isolated", false), BYTES_ALONE), DECODE_BYTES, bpe));
        all.put("tiktoken's own cl100k", List.of(pre(split(CL100K, "Removed", true), BYTES_ALONE), DECODE_BYTES, bpe));
        all.put("Kimi", List.of(pre(split(KIMI, "Isolated", false), BYTES_ALONE), DECODE_BYTES, bpe));
        all.put("DeepSeek Coder", List.of(pre(split("[\r\n]", "Isolated", false), split("\\s?\\p{L}+", "Isolated", false), split("\\s?\\p{P}+", "Isolated", false),
                split("[一-龥ࠀ-一가-퟿]+", "Isolated", false), "{'type':'Digits','individual_digits':true}", BYTES_ALONE), DECODE_BYTES, bpe));
        all.put("DeepSeek 3", List.of(pre(split("\\p{N}{1,3}", "Isolated", false), split("[一-龥぀-ゟ゠-ヿ]+", "Isolated", false), split(DEEPSEEK3, "Isolated", false), BYTES_ALONE), DECODE_BYTES, bpe));
        all.put("StarCoder, SmolLM", List.of(pre("{'type':'Digits','individual_digits':true}", BYTES_WORDS), DECODE_BYTES, bpe));
        all.put("Falcon", List.of(pre("{'type':'Punctuation','behavior':'Contiguous'}", BYTES_WORDS, "{'type':'Digits','individual_digits':false}", split("[0-9][0-9][0-9]", "Isolated", false)), DECODE_BYTES, bpe));
        all.put("GPT-NeoX, MPT, ModernBERT", List.of("'normalizer':{'type':'NFC'}", pre(BYTES_WORDS), DECODE_BYTES, bpe, added(556, "  ", true, false, "   ", true, false, "<|end|>", false, true)));
        all.put("Command-R", List.of("'normalizer':{'type':'NFC'}", pre("{'type':'Digits','individual_digits':true}", BYTES_WORDS), DECODE_BYTES, bpe));
        all.put("BLOOM", List.of(pre(split(" ?[^(\\s|[.,!?…。，、।۔،])]+", "Isolated", false), BYTES_ALONE), DECODE_BYTES, bpe));
        all.put("CLIP", List.of("'normalizer':{'type':'Sequence','normalizers':[{'type':'NFC'},{'type':'Replace','pattern':{'Regex':'\\\\s+'},'content':' '},{'type':'Lowercase'}]}",
                pre(split("'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+", "Removed", true), BYTES_ALONE), DECODE_BYTES, clip,
                "'post_processor':{'type':'RobertaProcessing','sep':['x',5],'cls':['y',6],'trim_offsets':false,'add_prefix_space':false}"));
        all.put("OpenAI GPT", List.of("'normalizer':{'type':'BertNormalizer','clean_text':true,'handle_chinese_chars':true,'strip_accents':null,'lowercase':true}", pre("{'type':'BertPreTokenizer'}"),
                "'decoder':{'type':'BPEDecoder','suffix':'</w>'}", clip));
        all.put("Llama 2", List.of(LLAMA_NORMAL, LLAMA_DECODE, llama, added(1, "<s>", false, true, "</s>", false, true)));
        all.put("Phi-3", List.of(LLAMA_NORMAL, LLAMA_DECODE, llama, "'added_tokens':[" + token(1, "<s>", "") + "," + token(2, "</s>", "'rstrip':true") + "," + token(llamaSize, "<|end|>", "'rstrip':true,'normalized':false") + "]"));
        all.put("Mistral", List.of(pre("{'type':'Metaspace','replacement':'▁','prepend_scheme':'first','split':false}"), LLAMA_DECODE, llama, added(1, "<s>", false, true, "</s>", false, true)));
        all.put("Llama 2, old style", List.of(pre("{'type':'Metaspace','replacement':'▁','add_prefix_space':true}"), "'decoder':{'type':'Metaspace','replacement':'▁','add_prefix_space':true}", llama));
        all.put("Llama 2 without bytes", List.of(LLAMA_NORMAL, LLAMA_DECODE, noBytes));
        all.put("Gemma", List.of("'normalizer':{'type':'Replace','pattern':{'String':' '},'content':'▁'}", pre("{'type':'Split','pattern':{'String':' '},'behavior':'MergedWithPrevious','invert':false}"),
                "'decoder':{'type':'Sequence','decoders':[{'type':'Replace','pattern':{'String':'▁'},'content':' '},{'type':'ByteFallback'},{'type':'Fuse'}]}", llama));
        all.put("T5", List.of("'normalizer':" + precompiled, pre("{'type':'WhitespaceSplit'}", METASPACE), "'decoder':" + METASPACE, unigramPlain,
                "'post_processor':{'type':'TemplateProcessing','single':[{'Sequence':{'id':'A','type_id':0}},{'SpecialToken':{'id':'</s>','type_id':0}}],'pair':[],'special_tokens':{'</s>':{'id':'</s>','ids':[1],'tokens':['</s>']}}}"));
        all.put("ALBERT", List.of("'normalizer':{'type':'Sequence','normalizers':[{'type':'Replace','pattern':{'String':'``'},'content':'\\\"'},{'type':'NFKD'},{'type':'StripAccents'},{'type':'Lowercase'}," + precompiled + "]}",
                pre(METASPACE), "'decoder':" + METASPACE, unigramPlain, "'post_processor':{'type':'BertProcessing','sep':['</s>',1],'cls':['<pad>',0]}"));
        all.put("XLM-R", List.of("'normalizer':{'type':'Sequence','normalizers':[{'type':'Nmt'},{'type':'NFKC'},{'type':'Replace','pattern':{'Regex':' {2,}'},'content':' '}]}",
                pre("{'type':'WhitespaceSplit'}", METASPACE), "'decoder':" + METASPACE, unigramPlain));
        all.put("SentencePiece unigram with bytes", List.of("'normalizer':" + precompiled, pre("{'type':'Metaspace','replacement':'▁','prepend_scheme':'first','split':false}"), LLAMA_DECODE, unigramBytes));
        all.put("SentencePiece unigram by scripts", List.of(pre("{'type':'UnicodeScripts'}", "{'type':'Metaspace','replacement':'▁','prepend_scheme':'never'}"), LLAMA_DECODE, unigramBytes));
        all.put("BERT uncased", List.of("'normalizer':{'type':'BertNormalizer','clean_text':true,'handle_chinese_chars':true,'strip_accents':null,'lowercase':true}", pre("{'type':'BertPreTokenizer'}"),
                "'decoder':{'type':'WordPiece','prefix':'##','cleanup':true}", wordPiece, "'post_processor':{'type':'BertProcessing','sep':['[SEP]',3],'cls':['[CLS]',2]}"));
        all.put("BERT cased", List.of("'normalizer':{'type':'BertNormalizer','clean_text':false,'handle_chinese_chars':false,'strip_accents':false,'lowercase':false}", pre("{'type':'BertPreTokenizer'}"),
                "'decoder':{'type':'WordPiece','prefix':'##','cleanup':false}", wordPiece));
        all.put("words", List.of(pre("{'type':'Whitespace'}"), wordLevel));
        all.put("wav2vec 2", List.of("'normalizer':{'type':'Replace','pattern':{'String':' '},'content':'|'}", pre("{'type':'CharDelimiterSplit','delimiter':'|'}"), "'decoder':{'type':'CTC','pad_token':'<pad>','word_delimiter_token':'|','cleanup':true}", wordLevel));
        return all.entrySet().stream().map(e -> Arguments.of(e.getKey(), json(e.getValue())));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("families")
    void equal(String name, String json) throws IOException {
        try (HuggingFace both = new HuggingFace(json)) {
            both.same(TinyVocabulary.TEXT);
            TinyVocabulary.TEXT.lines().forEach(both::same);
            // Hugging Face's table of scripts is of Unicode 10
            if (name.endsWith("scripts")) return;
            both.sameOfRandom(STRINGS, 1);
            SplittableRandom random = new SplittableRandom(2);
            for (int i = 0; i < STRINGS; i++) {
                both.sameText(random.ints(random.nextInt(1, 12), 0, random.nextBoolean() ? 300 : both.ours.vocabularySize()).toArray());
            }
        }
    }

    /** Some rules of SentencePiece's nmt_nfkc, and rules for clusters of several characters. */
    private static Map<String, String> charsMap() {
        Map<String, String> map = new LinkedHashMap<>();
        for (int c = 0x21; c < 0x7F; c++) map.put(Character.toString(0xFF01 + c - 0x21), Character.toString(c));
        for (int c = 1; c < 0x20; c++) map.put(Character.toString(c), c >= 9 && c <= 13 ? " " : "");
        map.put("\u3000", " ");
        map.put("\u00a0", " ");
        map.put("ﬁ", "fi");
        map.put("½", "1\u20442");
        map.put("e\u0301", "é");
        map.put("İ", "I");
        map.put("\u1100\u1161", "가");
        map.put("\r\n", " ");
        map.put("\u200d", "");
        map.put("か\u3099", "が");
        map.put("\u0928", "N");
        map.put("😀", ":-)");
        map.put("ﷺ", "صلى الله عليه وسلم");
        return map;
    }

    private static String pre(String... steps) {
        return "'pre_tokenizer':" + (steps.length == 1 ? steps[0] : "{'type':'Sequence','pretokenizers':[" + String.join(",", steps) + "]}");
    }

    private static String split(String regex, String behavior, boolean invert) {
        return "{'type':'Split','pattern':{'Regex':" + TinyVocabulary.quote(regex).replace("\r", "\\r").replace("'", "\\u0027") + "},'behavior':'" + behavior + "','invert':" + invert + "}";
    }

    /** Added tokens from an id: content, normalized, special; and so on. */
    private static String added(int id, Object... tokens) {
        StringBuilder out = new StringBuilder("'added_tokens':[");
        for (int i = 0; i < tokens.length; i += 3) {
            out.append(i == 0 ? "" : ",").append(token(id + i / 3, (String) tokens[i], "'normalized':" + tokens[i + 1] + ",'special':" + tokens[i + 2]));
        }
        return out.append("]").toString();
    }

    private static String token(int id, String content, String flags) {
        StringBuilder out = new StringBuilder("{'id':" + id + ",'content':'" + content + "'");
        Map<String, String> all = new LinkedHashMap<>(Map.of("single_word", "false", "lstrip", "false", "rstrip", "false", "normalized", "false", "special", "true"));
        Arrays.stream(flags.split(",")).filter(f -> !f.isEmpty()).map(f -> f.replace("'", "").split(":")).forEach(f -> all.put(f[0], f[1]));
        all.forEach((name, value) -> out.append(",'").append(name).append("':").append(value));
        return out.append("}").toString();
    }

    private static String json(List<String> parts) {
        StringBuilder out = new StringBuilder("{'version':'1.0','truncation':null,'padding':null");
        for (String name : List.of("added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model")) {
            out.append(',').append(parts.stream().filter(p -> p.startsWith("'" + name + "'")).findFirst()
                    .orElse("'" + name + "':" + (name.equals("added_tokens") ? "[]" : "null")));
        }
        return quoted(out.append('}').toString());
    }

    /** ' to ", outside of texts that are in " already. */
    private static String quoted(String part) {
        StringBuilder out = new StringBuilder(part.length());
        boolean inside = false;
        boolean single = false;
        for (int i = 0; i < part.length(); i++) {
            char c = part.charAt(i);
            if (c == '\\') {
                out.append(c).append(part.charAt(++i));
                continue;
            }
            if (c == '"' && !single) inside = !inside;
            if (c == '\'' && !inside) {
                single = !single;
                c = '"';
            }
            out.append(c);
        }
        return out.toString();
    }
}
