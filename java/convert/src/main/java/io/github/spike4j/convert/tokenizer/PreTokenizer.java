package io.github.spike4j.convert.tokenizer;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

import io.github.spike4j.convert.ConversionException;

/**
 * How a text is cut into words before byte-level BPE. Vocabularies without a {@code tokenizer.json} do not hold it: tiktoken's files not
 * at all, GGUF as a name, {@code tokenizer.ggml.pre}. What a name stands for is llama.cpp's (src/llama-vocab.cpp); the expressions are
 * those of the models' own {@code tokenizer.json} where it quotes them.
 *
 * @param steps        components of {@code tokenizer.json}, each of which cuts what the ones before it left; the last reads words as bytes
 * @param nfc          whether characters are composed first: the models' own tokenizers do so, llama.cpp leaves it out
 * @param ignoreMerges whether a word that is a token is this token
 * @param addsBos      whether BOS is added unless the file says otherwise
 */
record PreTokenizer(List<Map<String, Object>> steps, boolean nfc, boolean ignoreMerges, boolean addsBos) {
    private static final String GPT2_WORDS = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
    private static final String CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private static final String LETTERS = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
    private static final String SPACES = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String SIGNS = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*";
    /** Capitals then small letters, or capitals alone, with what {@code %1$s} adds to either. */
    private static final String CASED = "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+%1$s"
            + "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*%1$s";
    private static final String CASED_SIGNS = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*";
    private static final String DEEPSEEK3_WORDS = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
            + "| ?[\\p{P}\\p{S}]+[\\r\\n]*|" + SPACES;
    /** Chinese characters and kana. */
    private static final String CJK = "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+";
    /** Of deepseek-llm and deepseek-coder; Chinese characters, Hangul, and by an odd range most of what lies between. */
    private static final String DEEPSEEK_CJK = "[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+";
    /** Of deepseek-llm: letters with case, as of some Unicode version. */
    private static final String CASED_LETTERS = "A-Za-z\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF\u01C4-\u0293\u0295-\u02AF\u0370-\u0373\u0376\u0377"
            + "\u037B-\u037D\u037F\u0386\u0388-\u038A\u038C\u038E-\u03A1\u03A3-\u03F5\u03F7-\u0481\u048A-\u052F\u0531-\u0556\u10A0-\u10C5"
            + "\u13A0-\u13F5\u13F8-\u13FD\u1C90-\u1CBA\u1CBD-\u1CBF\u1D00-\u1D2B\u1D6B-\u1D77\u1D79-\u1D9A\u1E00-\u1F15\u1F18-\u1F1D"
            + "\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D\u1F5F-\u1F7D\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE\u1FC2-\u1FC4"
            + "\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFC\u2102\u2107\u210A-\u2113\u2115\u2119-\u211D"
            + "\u2124\u2126\u2128\u212A-\u212D\u212F-\u2134\u2139\u213C-\u213F\u2145-\u2149\u214E\u2183\u2184\u2C00-\u2C7B\u2C7E-\u2CE4"
            + "\u2CEB-\u2CEE\u2CF2\u2CF3\uA640-\uA66D\uA680-\uA69B\uA722-\uA76F\uA771-\uA787\uA78B-\uA78E\uAB70-\uABBF\uFB00-\uFB06"
            + "\uFB13-\uFB17\uFF21-\uFF3A\uFF41-\uFF5A\uD801\uDC00-\uD801\uDC4F\uD801\uDCB0-\uD801\uDCD3\uD801\uDCD8-\uD801\uDCFB"
            + "\uD803\uDC80-\uD803\uDCB2\uD803\uDCC0-\uD803\uDCF2\uD806\uDCA0-\uD806\uDCDF\uD83A\uDD00-\uD83A\uDD43";
    /** Numbers in threes, as in cl100k_base. */
    static final PreTokenizer LLAMA3 = of(CONTRACTIONS + "|" + LETTERS + "|\\p{N}{1,3}|" + SIGNS + "|" + SPACES);
    /** Words end where small letters do. */
    private static final String O200K_WORDS = CASED.formatted(CONTRACTIONS + "?") + "|\\p{N}{1,3}|" + CASED_SIGNS + "|" + SPACES;
    private static final String QWEN2_WORDS = CONTRACTIONS + "|" + LETTERS + "|\\p{N}|" + SIGNS + "|" + SPACES;

    static final PreTokenizer O200K = of(O200K_WORDS);
    static final PreTokenizer QWEN2 = of(QWEN2_WORDS);
    static final PreTokenizer GPT2 = of(GPT2_WORDS);

    private static final Map<String, PreTokenizer> NAMED = named();

    /** Expressions one after the other; what matches is a word, and what is left between. */
    static PreTokenizer of(String... expressions) {
        var steps = new ArrayList<Map<String, Object>>();
        for (var expression : expressions) {
            steps.add(JsonForm.split(expression));
        }
        steps.add(JsonForm.byteLevel(false, false));
        return new PreTokenizer(steps, false, false, false);
    }

    PreTokenizer composed() {
        return new PreTokenizer(steps, true, ignoreMerges, addsBos);
    }

    private PreTokenizer whole() {
        return new PreTokenizer(steps, nfc, true, addsBos);
    }

    private PreTokenizer bos() {
        return new PreTokenizer(steps, nfc, ignoreMerges, true);
    }

    /** The one with this name in GGUF files. */
    static PreTokenizer named(String file, String name) {
        var known = NAMED.get(name);
        if (known == null) {
            throw new ConversionException(file + ": the pre-tokenizer \"" + name + "\" is not supported; supported are " + String.join(", ", NAMED.keySet()));
        }
        return known;
    }

    Map<String, Object> normalizer() {
        return nfc ? JsonForm.object("type", "NFC") : null;
    }

    Map<String, Object> component() {
        return JsonForm.sequence("pretokenizers", steps);
    }

    private static Map<String, PreTokenizer> named() {
        var all = new TreeMap<String, PreTokenizer>();
        put(all, of("[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2_WORDS, "\\p{N}+", "[0-9][0-9][0-9]"), "default");
        put(all, GPT2, "gpt-2", "phi-2", "gigachat", "a.x-4.0", "mellum", "jais", "trillion", "granite-docling", "exaone4");
        put(all, GPT2.composed(), "mpt", "olmo");
        put(all, LLAMA3.whole().bos(), "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2");
        put(all, LLAMA3, "dbrx", "smaug-bpe", "glm4", "chatglm-bpe");
        put(all, O200K, "gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2");
        put(all, QWEN2.composed(), "qwen2");
        put(all, QWEN2, "deepseek-r1-qwen", "kormo", "megrez", "stablelm2", "hunyuan", "solar-open", "grok-2");
        put(all, of(CONTRACTIONS + "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" + SPACES).composed(), "qwen35");
        put(all, of("\\p{N}", GPT2_WORDS), "starcoder", "refact", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2");
        put(all, of("\\p{N}", GPT2_WORDS).composed(), "command-r");
        put(all, of("[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2_WORDS, "[0-9][0-9][0-9]"), "falcon");
        put(all, of("[\\r\\n]", "\\s?[" + CASED_LETTERS + "]+", "\\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+",
                "\\s+$", DEEPSEEK_CJK, "\\p{N}+"), "deepseek-llm");
        put(all, of("[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", DEEPSEEK_CJK, "\\p{N}"), "deepseek-coder");
        put(all, of("\\p{N}{1,3}", CJK, DEEPSEEK3_WORDS), "deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4");
        put(all, of(" ?[^(\\s|.,!?\u2026\u3002\uFF0C\u3001\u0964\u06D4\u060C)]+"), "poro-chat", "bloom", "gpt3-finnish");
        put(all, of(" ?[^(\\s|.,!?\u2026\u3002\uFF0C\u3001\u0964\u06D4\u060C)]+", "\\p{N}"), "viking");
        put(all, of(CASED.formatted("") + "|\\p{N}|" + CASED_SIGNS + "|" + SPACES).whole().bos(), "tekken");
        put(all, of("\\d{1,3}(?=(?:\\d{3})*\\b)", O200K_WORDS), "tiny_aya", "cohere2moe");
        put(all, of("'(?i:[sdmt]|ll|ve|re)|" + LETTERS + "|\\p{N}|" + SIGNS + "|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"), "bailingmoe", "bailingmoe2", "llada-moe");
        put(all, of(CONTRACTIONS + "|" + LETTERS + "|\\p{N}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" + SPACES), "seed-coder");
        put(all, of(LETTERS + "|\\p{N}|" + SIGNS + "|" + SPACES), "ufakzeka");
        put(all, of("[^\\n]+|[\\n]+", QWEN2_WORDS), "laguna");
        put(all, of(CONTRACTIONS + "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?"
                + "|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"), "exaone-moe");
        put(all, of("\\p{N}{1,3}", CONTRACTIONS + "|" + LETTERS + "|\\p{N}+|" + SIGNS + "|" + SPACES).whole(), "minicpm5");
        put(all, of("<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", "([\\t\\n]|    |  )", "\\p{N}",
                "[\\p{P}!-/:-@\\[-`{-~]", GPT2_WORDS).bos(), "chameleon");
        put(all, of(CONTRACTIONS + "|" + LETTERS + "|\\p{N}{1,3}|" + SIGNS + "|\\s*[\\r\\n]+|\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)"
                + "|\\s{64}(?!\\S)|\\s{32}(?!\\S)|\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)|\\s{1,2}(?!\\S)|\\s{1}"), "jais-2");
        return all;
    }

    private static void put(Map<String, PreTokenizer> all, PreTokenizer one, String... names) {
        for (var name : names) {
            all.put(name, one);
        }
    }
}
