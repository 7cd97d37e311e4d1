package io.github.spike4j.format;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * {@code manifest.json} of every version as a {@link Manifest} of this one (SPEC.md, "Versions" and "Manifest"): all fields are there, no
 * others are, and they have their types. Text may be null; whether that and the values mean something is for {@link Checks}.
 */
final class ManifestReader {
    private static final Encoding[] ENCODINGS = Encoding.values();
    private static final Layout[] LAYOUTS = Layout.values();

    /** Of the text. */
    private final int version;

    private ManifestReader(int version) {
        this.version = version;
    }

    static Manifest read(byte[] utf8) throws JsonException {
        var json = new JsonReader(utf8);
        var f = json.fields();
        long version = f.get("formatVersion").int64();
        // a manifest of another version need not have our fields: do not complain of the first that differs
        if (version < 1 || version > Manifest.VERSION) {
            throw new JsonException(Checks.otherVersion(version));
        }
        try {
            Manifest manifest = new ManifestReader((int) version).manifest(f);
            json.end();
            return manifest;
        } catch (JsonException e) {
            throw version == Manifest.VERSION ? e : new JsonException(e.getMessage() + "; formatVersion is " + version);
        }
    }

    private Manifest manifest(JsonReader.Fields f) throws JsonException {
        return f.all(new Manifest(version, architecture(f.get("architecture")), f.get("compute").text(), tree(f.get("recipe")),
                inputGroups(f.get("inputGroups")), linears(f.get("linears")), attention(f.get("attention")), tensors(f.get("tensors")),
                tokenizer(f.get("tokenizer")), texts(f.get("provenance")), f.get("license").text()));
    }

    private Architecture architecture(JsonReader json) throws JsonException {
        var f = json.fields();
        String family = f.get("family").text();
        int layers = f.get("layers").int32();
        int hidden = f.get("hidden").int32();
        int intermediate = f.get("intermediate").int32();
        int heads = f.get("heads").int32();
        int kvHeads = f.get("kvHeads").int32();
        int headDim = f.get("headDim").int32();
        int vocab = f.get("vocab").int32();
        int context = f.get("context").int32();
        float normEps = f.get("normEps").float32();
        if (version == 1) {
            double ropeTheta = f.get("ropeTheta").float64();
            boolean tied = f.get("tiedEmbeddings").flag();
            return f.all(Architecture.llama(layers, hidden, intermediate, heads, kvHeads, headDim, vocab, context, normEps, ropeTheta, tied)
                    .withFamily(family));
        }
        return f.all(new Architecture(family, layers, hidden, intermediate, heads, kvHeads, headDim, vocab, context, normEps,
                f.get("tiedEmbeddings").flag(), f.get("activation").text(), f.get("embeddingScale").float32(),
                f.get("attentionScale").float32(), f.get("attentionSoftcap").float32(), f.get("logitsSoftcap").float32(),
                f.get("qkNorm").flag(), f.get("postNorms").flag(), ropes(f.get("ropes")), integers(f.get("layerRopes")),
                integers(f.get("layerWindows"))));
    }

    private static List<Rope> ropes(JsonReader json) throws JsonException {
        var list = new ArrayList<Rope>();
        for (json.array(); json.element(); ) {
            var f = json.fields();
            list.add(f.all(new Rope(doubles(f.get("periods")), f.get("magnitude").float64())));
        }
        return list;
    }

    private Map<String, InputGroup> inputGroups(JsonReader json) throws JsonException {
        var map = new LinkedHashMap<String, InputGroup>();
        json.object();
        for (String name; (name = json.member(map)) != null; ) {
            var f = json.fields();
            map.put(name, f.all(new InputGroup(f.get("channels").int32(), f.get("permutation").text(), segments(f.get("segments")),
                    floats(f.get("clip")), version > 1 && f.get("hadamard").flag())));
        }
        return map;
    }

    private static List<Segment> segments(JsonReader json) throws JsonException {
        var list = new ArrayList<Segment>(4);
        for (json.array(); json.element(); ) {
            var f = json.fields();
            list.add(f.all(new Segment(f.get("channels").int32(), f.get("bits").int32(), f.get("rangeSet").int32(),
                    f.get("actGroup").int32(), f.get("maxMultiplier").int32(), f.get("group").int32())));
        }
        return list;
    }

    private Map<String, Linear> linears(JsonReader json) throws JsonException {
        var map = new LinkedHashMap<String, Linear>();
        json.object();
        for (String name; (name = json.member(map)) != null; ) {
            var f = json.fields();
            map.put(name, f.all(new Linear(f.get("input").text(), f.get("rows").int32(), f.get("channels").int32(), f.get("weight").text(),
                    f.get("scale").text(), f.get("zero").text(), f.get("mult").text(), f.get("sum").text(), f.get("bias").text(),
                    f.get("weightGroups").int32(), version == 1 || f.get("steps").isNull() ? null : integers(json))));
        }
        return map;
    }

    private Attention attention(JsonReader json) throws JsonException {
        if (json.isNull()) {
            return null;
        }
        var f = json.fields();
        return f.all(version == 1
                ? new Attention(f.get("qBits").int32(), f.get("kBits").int32s(), f.get("vBits").int32s(), f.get("kMode").text(), "token",
                        "separate", false, attentionLayers(f.get("layers")))
                : new Attention(f.get("qBits").int32(), f.get("kBits").int32s(), f.get("vBits").int32s(), f.get("kMode").text(),
                        f.get("vMode").text(), f.get("kRanges").text(), f.get("hadamard").flag(), attentionLayers(f.get("layers"))));
    }

    private List<AttentionLayer> attentionLayers(JsonReader json) throws JsonException {
        var list = new ArrayList<AttentionLayer>();
        for (json.array(); json.element(); ) {
            var f = json.fields();
            list.add(f.all(new AttentionLayer(f.get("kPermutation").text(), f.get("vPermutation").text(), f.get("kSalient").int32s(),
                    f.get("vSalient").int32s(), f.get("kScale").text(), f.get("kZero").text(),
                    version == 1 ? null : f.get("vScale").text(), version == 1 ? null : f.get("vZero").text())));
        }
        return list;
    }

    private static List<TensorInfo> tensors(JsonReader json) throws JsonException {
        var list = new ArrayList<TensorInfo>();
        for (json.array(); json.element(); ) {
            list.add(tensor(json));
        }
        return list;
    }

    static TensorInfo tensor(JsonReader json) throws JsonException {
        var f = json.fields();
        return f.all(new TensorInfo(f.get("name").text(), f.get("shape").int64s(), f.get("encoding").constant(ENCODINGS),
                f.get("layout").constant(LAYOUTS), f.get("bytes").int64(), f.get("sha256").text()));
    }

    private static TokenizerInfo tokenizer(JsonReader json) throws JsonException {
        if (json.isNull()) {
            return null;
        }
        var f = json.fields();
        return f.all(new TokenizerInfo(f.get("bos").int32(), f.get("eos").int32s(), f.get("addBos").flag()));
    }

    private static Map<String, String> texts(JsonReader json) throws JsonException {
        var map = new LinkedHashMap<String, String>();
        json.object();
        for (String name; (name = json.member(map)) != null; ) {
            map.put(name, json.text());
        }
        return map;
    }

    private static Map<String, Object> tree(JsonReader json) throws JsonException {
        if (json.isNull()) {
            return null;
        }
        var map = new LinkedHashMap<String, Object>();
        json.object();
        for (String name; (name = json.member(map)) != null; ) {
            map.put(name, json.value());
        }
        return map;
    }

    private static List<Integer> integers(JsonReader json) throws JsonException {
        var list = new ArrayList<Integer>();
        for (json.array(); json.element(); ) {
            list.add(json.int32());
        }
        return list;
    }

    private static List<Float> floats(JsonReader json) throws JsonException {
        var list = new ArrayList<Float>(4);
        for (json.array(); json.element(); ) {
            list.add(json.float32());
        }
        return list;
    }

    private static List<Double> doubles(JsonReader json) throws JsonException {
        var list = new ArrayList<Double>();
        for (json.array(); json.element(); ) {
            list.add(json.float64());
        }
        return list;
    }
}
