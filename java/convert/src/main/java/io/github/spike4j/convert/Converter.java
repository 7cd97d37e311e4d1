package io.github.spike4j.convert;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

import io.github.spike4j.convert.importer.Sources;
import io.github.spike4j.convert.importer.Matrix;
import io.github.spike4j.convert.importer.Checkpoint;
import io.github.spike4j.convert.importer.Checkpoint.Weight;
import io.github.spike4j.convert.Recipe.Compute;
import io.github.spike4j.convert.Recipe.Saliency;
import io.github.spike4j.format.Architecture;
import io.github.spike4j.format.S4jWriter;
import io.github.spike4j.kernels.Kernels;
import io.github.spike4j.kernels.Numerics;
import io.github.spike4j.tokenizer.Tokenizer;
import io.github.spike4j.tokenizer.TokenizerException;

/**
 * Converts a checkpoint into a {@code .s4j}: block by block, calibrates, chooses salient channels, rounds weights, writes. Needs memory for
 * one tensor and for the residual of the calibration segments. Equal input gives equal bytes.
 */
public final class Converter {
    private static final long MAX_TEXT = 1L << 30;

    private final ConvertRequest request;
    private final ProgressListener listener;
    private final Recipe recipe;
    private final Workers workers;
    private final Checkpoint source;
    private final Architecture a;
    private final List<String> warnings = new ArrayList<>();
    private final RandomGenerator random;
    private long done;

    private Converter(ConvertRequest request, ProgressListener listener, Checkpoint source, Workers workers) {
        this.request = request;
        this.listener = listener;
        this.source = source;
        this.workers = workers;
        recipe = request.recipe();
        a = source.architecture();
        random = RandomGeneratorFactory.of("L64X128MixRandom").create(recipe.seed());
    }

    /**
     * Converts; the file appears under its name when it is complete.
     *
     * @throws RecipeException     if the recipe needs calibration text and there is none
     * @throws ConversionException for anything else that stops it; one line
     */
    public static ConvertReport convert(ConvertRequest request, ProgressListener listener) {
        long start = System.nanoTime();
        if (Files.isDirectory(request.out())) {
            throw new ConversionException(request.out() + ": a folder; give the name of the file to write");
        }
        if (!request.overwrite() && Files.exists(request.out())) {
            throw new ConversionException(request.out() + ": the file exists already; remove it or choose another name");
        }
        if (request.recipe().needsCalibration() && request.calibration() == null) {
            throw new RecipeException("recipe " + request.recipe().name() + " chooses salient channels or ranges from text; add --calibration TEXT");
        }
        try (var source = Checkpoint.open(request.source()); var workers = new Workers(request.threads())) {
            var converter = new Converter(request, listener, source, workers);
            converter.run();
            return new ConvertReport(request.out(), Files.size(request.out()), request.recipe().name(),
                    Checkpoint.parameters(source.architecture()), source.architecture().layers(), List.copyOf(converter.warnings),
                    (System.nanoTime() - start) / 1e9);
        } catch (IOException e) {
            throw new ConversionException(request.out() + ": cannot be written: " + Sources.reason(e), e);
        } catch (UncheckedIOException e) {
            throw new ConversionException(request.out() + ": cannot be written: " + Sources.reason(e.getCause()), e);
        }
    }

    private void run() throws IOException {
        var tokenizer = source.tokenizer();
        var provenance = new TreeMap<>(source.provenance());
        boolean spiking = recipe.compute() == Compute.SPIKING;
        boolean calibrated = recipe.usesCalibration() && request.calibration() != null;
        if (recipe.usesCalibration() && !calibrated) {
            warn("no --calibration text: the clipping of weights is searched as if all channels mattered alike");
        }
        try (var calibration = calibrated ? calibrate(tokenizer.addBos() ? tokenizer.bos() : -1, provenance) : null;
                var writer = S4jWriter.create(request.out())) {
            var file = new ModelFile(writer, a, recipe);
            file.entry("tokenizer.json", source.tokenizerJson());
            if (source.chatTemplate() != null) {
                file.entry("chat_template.jinja", source.chatTemplate().getBytes(StandardCharsets.UTF_8));
            }
            progress("embedding");
            file.embedding(source.weight(Weight.EMBEDDING, 0));
            for (int layer = 0; layer < a.layers(); layer++) {
                var name = "layers." + layer + ".";
                norm(file, name + "attn_norm", Weight.ATTENTION_NORM, layer);
                norm(file, name + "ffn_norm", Weight.FFN_NORM, layer);
                if (a.qkNorm()) {
                    norm(file, name + "q_norm", Weight.Q_NORM, layer);
                    norm(file, name + "k_norm", Weight.K_NORM, layer);
                }
                if (a.postNorms()) {
                    norm(file, name + "attn_post_norm", Weight.ATTENTION_POST_NORM, layer);
                    norm(file, name + "ffn_post_norm", Weight.FFN_POST_NORM, layer);
                }
                LayerStats stats = null;
                if (calibration != null) {
                    progress("layer " + layer + ": calibrate");
                    stats = calibration.layer(layer);
                }
                progress("layer " + layer + ": weights");
                if (spiking) {
                    spiking(file, layer, stats);
                } else {
                    dense(file, layer);
                }
            }
            norm(file, "final_norm", Weight.NORM, 0);
            progress("lm_head");
            head(file);
            progress("assemble");
            file.finish(tokenizer, provenance, request.license() == null ? source.license() : request.license());
            progress("done");
        }
    }

    private void norm(ModelFile file, String name, Weight weight, int layer) throws IOException {
        file.floats(name, source.weight(weight, layer).values(), Checkpoint.shape(a, weight)[1]);
    }

    private void progress(String phase) {
        boolean calibrated = request.calibration() != null && recipe.usesCalibration();
        listener.progress(phase, done++, 3L + a.layers() * (calibrated ? 2L : 1L));
    }

    private void warn(String message) {
        warnings.add(message);
        listener.warning(message);
    }

    // ---- calibration ---------------------------------------------------------------------------------------------------

    private Calibration calibrate(int bos, Map<String, String> provenance) throws IOException {
        var path = request.calibration();
        byte[] bytes;
        String text;
        try {
            if (Files.size(path) > MAX_TEXT) {
                throw new ConversionException(path + ": the limit of a calibration text is 1 GB");
            }
            bytes = Files.readAllBytes(path);
            text = StandardCharsets.UTF_8.newDecoder().decode(java.nio.ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException e) {
            throw new ConversionException(path + ": not UTF-8 text", e);
        } catch (IOException e) {
            throw new ConversionException(path + ": cannot be read: " + Sources.reason(e), e);
        }
        int[] ids;
        try {
            ids = Tokenizer.fromJson(source.tokenizerJson()).encode(text, false);
        } catch (TokenizerException e) {
            throw new ConversionException(request.source() + ": its tokenizer cannot be used: " + e.getMessage(), e);
        }
        if (bos >= 0) {
            var more = new int[ids.length + 1];
            more[0] = bos;
            System.arraycopy(ids, 0, more, 1, ids.length);
            ids = more;
        }
        for (int id : ids) {
            if (id < 0 || id >= a.vocab()) {
                throw new ConversionException(request.source() + ": the tokenizer gives id " + id + ", the model has " + a.vocab() + " tokens");
            }
        }
        int length = Math.min(Math.min(recipe.calibrationLength(), a.context()), ids.length);
        if (length < 16) {
            throw new ConversionException(path + ": " + ids.length + " tokens; calibration needs at least 16");
        }
        var starts = Calibration.starts(ids.length, recipe.calibrationSegments(), length);
        if (starts.length < recipe.calibrationSegments()) {
            warn("the calibration text holds " + starts.length + " of " + recipe.calibrationSegments() + " segments of " + length + " tokens");
        }
        provenance.put("calibration", path.getFileName().toString());
        provenance.put("calibrationSha256", sha256(bytes));
        provenance.put("calibrationTokens", starts.length + " x " + length);
        return new Calibration(source, recipe, ids, starts, length, Kernels.of("auto"), workers);
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    // ---- blocks --------------------------------------------------------------------------------------------------------

    private void dense(ModelFile file, int layer) throws IOException {
        for (var site : Site.values()) {
            var group = site.groups(layer, false).getFirst();
            file.dense(group.linear(), Site.rows(source, layer, group.members()), Site.bias(source, layer, group.members()), workers);
        }
    }

    private void spiking(ModelFile file, int layer, LayerStats stats) throws IOException {
        boolean own = recipe.masks() == Recipe.Masks.OWN && recipe.salientShare() > 0;
        var channels = new EnumMap<Site, List<Channels>>(Site.class);
        for (var site : Site.values()) {
            channels.put(site, site.groups(layer, own).stream().map(g -> channels(site, g, stats)).toList());
        }
        int[] inner = channels.get(Site.FFN_HIDDEN).getFirst().permutation();
        for (var site : Site.values()) {
            var groups = site.groups(layer, own);
            double[] importance = stats == null ? ones(site.channels(a)) : stats.sites().get(site).importance();
            for (int i = 0; i < groups.size(); i++) {
                var group = groups.get(i);
                var c = channels.get(site).get(i);
                var rows = group.members().stream().map(w -> source.weight(w, layer)).map(m -> site == Site.FFN_IN ? m.rows(inner) : m).toList();
                var bias = Site.bias(source, layer, group.members());
                if (site == Site.FFN_IN && bias != null) {
                    bias = permuted(bias, inner);
                }
                var folded = site == Site.FFN_HIDDEN || c.isIdentity();
                spiking(file, group, c, folded ? null : c.permutation(), Matrix.concat(rows), bias, importance);
            }
        }
        attention(file, stats);
    }

    private void spiking(ModelFile file, Site.Group group, Channels channels, int[] permutation, Matrix rows, float[] bias,
            double[] importance) throws IOException {
        var segments = ModelFile.segments(recipe, channels);
        var how = new SpikeLinear.Weights(recipe.weightBits(), recipe.weightGroup(), recipe.weightClipSearch(), false);
        try (var arena = Arena.ofShared()) {
            var linear = SpikeLinear.quantize(group.linear(), rows, channels, segments, how, channels.permute(importance), workers, arena);
            file.spiking(group.name(), permutation, segments, recipe.clip(), group.linear(), rows.rows(), recipe.weightBits(), linear, bias);
        }
    }

    /** Every member's bias through one permutation. */
    private static float[] permuted(float[] bias, int[] source) {
        var out = new float[bias.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = bias[i - i % source.length + source[i % source.length]];
        }
        return out;
    }

    private Channels channels(Site site, Site.Group group, LayerStats stats) {
        int n = site.channels(a);
        if (recipe.salientShare() == 0) {
            return Channels.plain(n);
        }
        if (recipe.saliency() == Saliency.RANDOM) {
            return Channels.of(Channels.draw(n, random), recipe.salientShare());
        }
        var s = stats.sites().get(site);
        return Channels.of(group.member() < 0 ? s.sharedScore() : s.score(group.member()), recipe.salientShare());
    }

    private void attention(ModelFile file, LayerStats stats) throws IOException {
        int n = a.kvHeads() * a.headDim();
        double share = recipe.kvSalientShare();
        boolean drawn = recipe.saliency() == Saliency.RANDOM;
        var k = heads(share == 0 ? new boolean[n] : Channels.isSalient(drawn ? Channels.draw(n, random) : stats.kv().kScore, share));
        var v = heads(share == 0 ? new boolean[n] : Channels.isSalient(drawn ? Channels.draw(n, random) : stats.kv().vScore, share));
        if (recipe.k() == Recipe.KMode.TOKEN) {
            file.attention(k, v, null, null);
            return;
        }
        var scale = new float[n];
        var zero = new byte[n];
        for (int h = 0; h < k.length; h++) {
            for (int c = 0; c < a.headDim(); c++) {
                int from = h * a.headDim() + k[h].permutation()[c];
                int levels = (1 << (c < k[h].ordinary() ? recipe.kBits() : recipe.kSalientBits())) - 1;
                int at = h * a.headDim() + c;
                scale[at] = Numerics.scale(stats.kv().kHigh[from], stats.kv().kLow[from], levels);
                zero[at] = (byte) Numerics.zero(stats.kv().kLow[from], scale[at], levels);
            }
        }
        file.attention(k, v, scale, zero);
    }

    /** The channels of each kv head. */
    private Channels[] heads(boolean[] salient) {
        var heads = new Channels[a.kvHeads()];
        for (int h = 0; h < heads.length; h++) {
            heads[h] = Channels.split(Arrays.copyOfRange(salient, h * a.headDim(), (h + 1) * a.headDim()));
        }
        return heads;
    }

    private void head(ModelFile file) throws IOException {
        var rows = source.weight(Weight.LM_HEAD, 0);
        if (recipe.compute() == Compute.DENSE) {
            file.dense("lm_head", rows, null, workers);
            return;
        }
        var channels = Channels.plain(a.hidden());
        var segments = ModelFile.headSegments(a);
        try (var arena = Arena.ofShared()) {
            var linear = SpikeLinear.quantize("lm_head", rows, channels, segments, new SpikeLinear.Weights(8, 0, false, true),
                    ones(a.hidden()), workers, arena);
            file.spiking("head_in", null, segments, 1, "lm_head", rows.rows(), 8, linear, null);
        }
    }

    private static double[] ones(int n) {
        var h = new double[n];
        Arrays.fill(h, 1);
        return h;
    }
}
