package io.github.spike4j.convert.importer;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.ConvertRequest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

import io.github.spike4j.format.Architecture;
import io.github.spike4j.format.TokenizerInfo;

/** A LLaMA of another project's format: q and k in halves order, weights {@code [outputs, inputs]}. */
public interface Checkpoint extends AutoCloseable {
    /** What can be converted, for messages. */
    String SUPPORTED = "supported are Hugging Face folders (safetensors or PyTorch), Meta's folders, GGUF files and llama2.c .bin files";

    /** Matrices and vectors of a model; a vector is a matrix of one row. */
    enum Weight {
        EMBEDDING, NORM, LM_HEAD,
        ATTENTION_NORM, Q, K, V, O, FFN_NORM, GATE, UP, DOWN, Q_NORM, K_NORM, ATTENTION_POST_NORM, FFN_POST_NORM,
        Q_BIAS, K_BIAS, V_BIAS, O_BIAS, GATE_BIAS, UP_BIAS, DOWN_BIAS;

        /** The bias of a linear. */
        public Weight bias() {
            return valueOf(name() + "_BIAS");
        }
    }

    Architecture architecture();

    /** Positions that the rotations are made for; the context may be another one that was asked for. */
    default int positions() {
        return architecture().context();
    }

    /**
     * @param layer ignored for weights outside the blocks
     * @return null for a bias or an optional norm that the model does not have; LM_HEAD is the embedding when tied
     */
    Matrix weight(Weight weight, int layer);

    /** Hugging Face form. */
    byte[] tokenizerJson();

    TokenizerInfo tokenizer();

    /** Jinja sources by name, such as {@code default}; empty if there are none. */
    default Map<String, String> chatTemplates() {
        return Map.of();
    }

    /** Facts for the manifest; no local paths. */
    Map<String, String> provenance();

    /** SPDX expression or null. */
    default String license() {
        return null;
    }

    /** Unmaps the weights; the matrices must not be used any more. */
    @Override
    void close();

    /** Opens whatever lies at {@code source}. */
    static Checkpoint open(Path source) {
        return open(source, 0);
    }

    /** @param context positions that the model shall serve; 0: those of the source */
    static Checkpoint open(Path source, int context) {
        if (!Files.exists(source)) {
            throw new ConversionException(source + ": no such file or folder");
        }
        if (Files.isDirectory(source)) {
            return MetaCheckpoint.is(source) ? new MetaCheckpoint(source, context) : new HuggingFaceCheckpoint(source, null, context);
        }
        if (GgufFile.is(source)) {
            return GgufCheckpoint.open(source, context);
        }
        var name = source.getFileName().toString();
        if (name.equals("config.json") || name.equals("params.json") || name.endsWith(".index.json")) {
            throw new ConversionException(source + ": give the folder that it lies in");
        }
        if (name.endsWith(".safetensors") || name.matches(".*\\.(bin|pth|pt)") && PyTorchFile.isZip(source)) {
            var folder = source.toAbsolutePath().getParent();
            return MetaCheckpoint.is(folder) ? new MetaCheckpoint(folder, context) : new HuggingFaceCheckpoint(folder, source, context);
        }
        if (name.endsWith(".bin")) {
            return new Llama2cCheckpoint(source, context);
        }
        if (name.endsWith(".s4j")) {
            throw new ConversionException(source + ": is converted already; give the checkpoint that it was made from");
        }
        throw new ConversionException(source + ": unknown kind of checkpoint; " + SUPPORTED);
    }

    /** Checks the numbers that everything else relies on. */
    static Architecture check(String where, Architecture a) {
        positive(where, "layers", a.layers(), 1024);
        positive(where, "hidden size", a.hidden(), 1 << 17);
        positive(where, "intermediate size", a.intermediate(), 1 << 19);
        positive(where, "heads", a.heads(), 1024);
        positive(where, "kv heads", a.kvHeads(), a.heads());
        positive(where, "head size", a.headDim(), 256);
        positive(where, "vocabulary", a.vocab(), 1 << 22);
        positive(where, "context", a.context(), ConvertRequest.MAX_CONTEXT);
        if (a.heads() % a.kvHeads() != 0) {
            throw new ConversionException(where + ": " + a.heads() + " heads are no multiple of " + a.kvHeads() + " kv heads");
        }
        if (a.headDim() % 2 != 0) {
            throw new ConversionException(where + ": head size " + a.headDim() + " is odd");
        }
        if (!(a.normEps() > 0 && a.normEps() < 1)) {
            throw new ConversionException(where + ": norm epsilon " + a.normEps() + " is not between 0 and 1");
        }
        for (var rope : a.ropes()) {
            for (double period : rope.periods()) {
                if (!(period == 0 || period >= 1e-3 && period < 1e30)) {
                    throw new ConversionException(where + ": RoPE has the period " + period + "; theta or its scaling is not as in any model");
                }
            }
            if (!(rope.magnitude() > 0 && rope.magnitude() < 1e3)) {
                throw new ConversionException(where + ": RoPE has the magnitude " + rope.magnitude() + "; its scaling is not as in any model");
            }
        }
        return a;
    }

    private static void positive(String where, String what, int n, int max) {
        if (n < 1 || n > max) {
            throw new ConversionException(where + ": " + what + " is " + n + "; it must be 1 to " + max);
        }
    }

    /** Rows and columns that a weight must have. */
    static int[] shape(Architecture a, Weight w) {
        int q = a.heads() * a.headDim();
        int kv = a.kvHeads() * a.headDim();
        return switch (w) {
            case EMBEDDING, LM_HEAD -> new int[] {a.vocab(), a.hidden()};
            case NORM, ATTENTION_NORM, FFN_NORM, ATTENTION_POST_NORM, FFN_POST_NORM, O_BIAS, DOWN_BIAS -> new int[] {1, a.hidden()};
            case Q_NORM, K_NORM -> new int[] {1, a.headDim()};
            case Q -> new int[] {q, a.hidden()};
            case K, V -> new int[] {kv, a.hidden()};
            case O -> new int[] {a.hidden(), q};
            case GATE, UP -> new int[] {a.intermediate(), a.hidden()};
            case DOWN -> new int[] {a.hidden(), a.intermediate()};
            case Q_BIAS -> new int[] {1, q};
            case K_BIAS, V_BIAS -> new int[] {1, kv};
            case GATE_BIAS, UP_BIAS -> new int[] {1, a.intermediate()};
        };
    }

    /** Weights, the tied head counted once. */
    static long parameters(Architecture a) {
        long n = a.hidden();
        for (var w : Weight.values()) {
            var s = shape(a, w);
            n += switch (w) {
                case EMBEDDING -> (long) s[0] * s[1];
                case LM_HEAD -> a.tiedEmbeddings() ? 0 : (long) s[0] * s[1];
                case ATTENTION_NORM, FFN_NORM, Q, K, V, O, GATE, UP, DOWN -> (long) a.layers() * s[0] * s[1];
                default -> 0;
            };
        }
        return n;
    }
}
