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

    // NormalizerSpec
    private byte[] charsmap = new byte[0];
    private boolean dummyPrefix = true;
    private boolean collapses = true;
    private boolean escapes = true;

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
                case 3 -> normalizer(in.message());
                default -> in.skip();
            }
        }
        if (pieces.isEmpty()) {
            throw new ConversionException(file + ": no SentencePiece model: it has no pieces");
        }
        if (modelType != 1 && modelType != 2) {
            throw new ConversionException(file + ": SentencePiece model type " + modelType + " is not supported; supported are unigram (1) and BPE (2)");
        }
        if (suffix) {
            throw new ConversionException(file + ": treat_whitespace_as_suffix is not supported; tokenizer.json cannot tell it");
        }
        boolean prefixed = dummyPrefix && settings.flag("add_prefix_space", true);
        var model = new SentencePieces(file, pieces, modelType == 1 ? Model.UNIGRAM : Model.BPE, byteFallback, new Rules(charsmap,
                !prefixed ? Prefix.NONE : settings.flag("legacy", true) || !escapes ? Prefix.PARTS : Prefix.TEXT, collapses, escapes));
        var added = settings.added(model.added());
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
                case 46 -> bosPiece = in.string();
                case 47 -> eosPiece = in.string();
                case 48 -> padPiece = in.string();
                default -> in.skip();
            }
        }
    }

    private void normalizer(Protobuf in) {
        for (int field; (field = in.next()) != 0; ) {
            switch (field) {
                case 2 -> charsmap = in.bytes();
                case 3 -> dummyPrefix = in.bool();
                case 4 -> collapses = in.bool();
                case 5 -> escapes = in.bool();
                default -> in.skip();
            }
        }
    }
}
