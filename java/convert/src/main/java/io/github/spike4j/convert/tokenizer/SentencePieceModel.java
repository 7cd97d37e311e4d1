package io.github.spike4j.convert.tokenizer;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.importer.Sources;
import io.github.spike4j.convert.tokenizer.SentencePieces.Model;
import io.github.spike4j.convert.tokenizer.SentencePieces.Piece;
import io.github.spike4j.convert.tokenizer.SentencePieces.Prefix;
import io.github.spike4j.convert.tokenizer.SentencePieces.Rules;
import io.github.spike4j.convert.tokenizer.SentencePieces.Type;

/**
 * Reads SentencePiece's {@code tokenizer.model} (a {@code ModelProto} of its {@code sentencepiece_model.proto}; field numbers are from
 * there). SentencePiece leaves BOS and EOS to its callers: if no file beside it says so, BOS is added where the model has one, else
 * (T5) EOS.
 */
final class SentencePieceModel {
    private final String file;
    private final List<Piece> pieces = new ArrayList<>();

    // TrainerSpec
    private long modelType = 1;
    private boolean suffix;
    private boolean byteFallback;
    private String bosPiece = "<s>";
    private String eosPiece = "</s>";
    private String padPiece = "<pad>";
    private String unkSurface = " \u2047 ";

    private Normalization normalizer = new Normalization(new byte[0], true, true, true);
    private byte[] denormalizer = new byte[0];

    /** NormalizerSpec. */
    private record Normalization(byte[] charsmap, boolean dummyPrefix, boolean collapses, boolean escapes) { }

    private SentencePieceModel(String file) {
        this.file = file;
    }

    static TokenizerSource open(Path file) {
        return new SentencePieceModel(file.toString()).read(Sources.bytes(file), Settings.beside(file));
    }

    private TokenizerSource read(byte[] content, Settings settings) {
        var in = new Protobuf(file, content);
        for (int field; (field = in.next()) != 0; ) {
            switch (field) {
                case 1 -> pieces.add(piece(in.message()));
                case 2 -> trainer(in.message());
                case 3 -> normalizer = normalization(in.message());
                case 5 -> denormalizer = normalization(in.message()).charsmap;
                default -> in.skip();
            }
        }
        if (pieces.isEmpty()) {
            throw new ConversionException(file + ": no SentencePiece model: it has no pieces");
        }
        var models = Model.values();
        if (modelType < 1 || modelType > models.length) {
            throw new ConversionException(file + ": SentencePiece model type " + modelType + " is not supported; supported are unigram (1), BPE (2),"
                    + " word (3) and char (4)");
        }
        boolean prefixed = normalizer.dummyPrefix && settings.flag("add_prefix_space", true);
        var prefix = !prefixed ? Prefix.NONE : settings.flag("legacy", true) || !normalizer.escapes || suffix ? Prefix.PARTS : Prefix.TEXT;
        var model = new SentencePieces(file, pieces, models[(int) modelType - 1], byteFallback, new Rules(normalizer.charsmap, prefix, suffix,
                normalizer.collapses, normalizer.escapes, denormalizer), unkSurface);
        var added = settings.added(model.control());
        int bos = model.id(bosPiece, Type.CONTROL);
        int eos = model.id(eosPiece, Type.CONTROL);
        var policy = settings.policy(added, new TokenizerPolicy(bos, eos < 0 ? new int[0] : new int[] {eos}, bos >= 0, bos < 0,
                model.id(null, Type.UNKNOWN), model.id(padPiece, Type.CONTROL)));
        return model.translate(TokenizerSource.Kind.SENTENCE_PIECE, policy, added, settings.chatTemplates());
    }

    private Piece piece(Protobuf in) {
        String text = "";
        float score = 0;
        var type = Type.NORMAL;
        for (int field; (field = in.next()) != 0; ) {
            switch (field) {
                case 1 -> text = in.string();
                case 2 -> score = in.real();
                case 3 -> type = Type.of(file, in.integer());
                default -> in.skip();
            }
        }
        return new Piece(text, score, type);
    }

    private void trainer(Protobuf in) {
        for (int field; (field = in.next()) != 0; ) {
            switch (field) {
                case 3 -> modelType = in.integer();
                case 24 -> suffix = in.bool();
                case 35 -> byteFallback = in.bool();
                case 44 -> unkSurface = in.string();
                case 46 -> bosPiece = in.string();
                case 47 -> eosPiece = in.string();
                case 48 -> padPiece = in.string();
                default -> in.skip();
            }
        }
    }

    private static Normalization normalization(Protobuf in) {
        byte[] charsmap = new byte[0];
        boolean dummyPrefix = true;
        boolean collapses = true;
        boolean escapes = true;
        for (int field; (field = in.next()) != 0; ) {
            switch (field) {
                case 2 -> charsmap = in.bytes();
                case 3 -> dummyPrefix = in.bool();
                case 4 -> collapses = in.bool();
                case 5 -> escapes = in.bool();
                default -> in.skip();
            }
        }
        return new Normalization(charsmap, dummyPrefix, collapses, escapes);
    }
}
