package io.github.spike4j;

import io.github.spike4j.kernels.AttentionSpec;
import io.github.spike4j.model.LlamaModel;
import io.github.spike4j.runtime.Backends;
import io.github.spike4j.runtime.Scheduler;
import io.github.spike4j.tokenizer.Tokenizer;
import io.github.spike4j.tokenizer.TokenizerException;
import io.github.spike4j.weights.WeightFile;
import java.nio.file.Path;

/** An open model. Its weights are used in place, where {@link Weights} says. */
public final class SpikeModel implements AutoCloseable {
    private static final String TOKENIZER = "tokenizer.json";

    private final WeightFile file;
    private final LlamaModel model;
    private final Scheduler.Model lane;
    private final SpikeEngine engine;
    /** The file's own, once somebody asked for them. */
    private volatile Tokenizer tokenizer;
    private volatile ChatTemplate template;
    /** Whether the engine is closed with the model. */
    private final boolean owner;

    SpikeModel(SpikeEngine engine, Path path, boolean owner) {
        this.engine = engine;
        this.owner = owner;
        file = WeightFile.open(path, engine.weights() == Weights.RAM ? Backends::largeMemory : null);
        try {
            model = new LlamaModel(file);
            var ends = file.manifest().tokenizer();
            lane = engine.scheduler().open(model, ends == null ? new int[0] : ends.eos());
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    /** Opens a model on an engine of its own, with all defaults; see {@link SpikeEngine#open}. */
    public static SpikeModel open(Path path) {
        var engine = SpikeEngine.builder().build();
        try {
            return engine.open(path, true);
        } catch (RuntimeException | Error e) {
            engine.close();
            throw e;
        }
    }

    /** Continues a text greedily by at most {@code maxTokens} tokens; the prompt is not part of the result. */
    public String generate(String prompt, int maxTokens) {
        try (var session = newSession()) {
            session.append(prompt);
            return session.generate(Sampling.greedy(maxTokens)).result().join().text();
        }
    }

    /** A session of the model's own context. */
    public Session newSession() {
        return newSession(SessionOptions.defaults());
    }

    /** A session. */
    public Session newSession(SessionOptions options) {
        int context = model.architecture().context();
        if (options.maxContext() > context) {
            throw new IllegalArgumentException("maxContext: expected at most " + context + ", the model's context, got " + options.maxContext());
        }
        return new Session(this, lane.session(options.maxContext() == 0 ? context : options.maxContext()));
    }

    /**
     * A conversation in the model's own template.
     *
     * @throws SpikeException.UnsupportedModel if the file has none: it is no chat model, or pass its template to {@link #chat(ChatTemplate)}
     * @throws SpikeException.Template         if its template cannot be read
     */
    public Chat chat() {
        return chat(chatTemplate());
    }

    /**
     * The model's own template; of a model with several, {@code model.chat(model.chatTemplate().named("rag"))} picks one.
     *
     * @throws SpikeException.UnsupportedModel as {@link #chat()}
     * @throws SpikeException.Template         as {@link #chat()}
     */
    public ChatTemplate chatTemplate() {
        if (template == null) {
            var sources = file.chatTemplates();
            if (sources.isEmpty()) {
                throw new SpikeException.UnsupportedModel(file.path() + " has no chat template: continue plain text, or pass a template");
            }
            template = ChatTemplate.of(sources);
        }
        return template;
    }

    /** A conversation in another template; {@code bos_token} and {@code eos_token} are this model's unless the template has its own. */
    public Chat chat(ChatTemplate template) {
        var ends = file.manifest().tokenizer();
        var bos = ends == null || ends.bos() < 0 ? null : tokenizer().token(ends.bos());
        var eos = ends == null || ends.eos().length == 0 ? null : tokenizer().token(ends.eos()[0]);
        return template.orElse("bos_token", bos == null ? "" : bos).orElse("eos_token", eos == null ? "" : eos).chat();
    }

    /** Tokens of a text: BOS first where the model wants it, and special tokens written in the text are recognized. */
    public int[] encode(String text) {
        return encode(text, true);
    }

    int[] encode(String text, boolean first) {
        var ids = tokenizer().encode(text, false);
        var info = file.manifest().tokenizer();
        if (!first || info == null || !info.addBos() || ids.length > 0 && ids[0] == info.bos()) {
            return ids;
        }
        var with = new int[ids.length + 1];
        with[0] = info.bos();
        System.arraycopy(ids, 0, with, 1, ids.length);
        return with;
    }

    /** Tokens of a conversation: the template's special tokens are, those spelled in messages and other values are plain text. */
    int[] encode(Chat chat) {
        var tokenizer = tokenizer();
        return tokenizer.encodeGuarded(chat.text(tokenizer::guard));
    }

    /** Text of tokens; special ones have none. */
    public String decode(int... ids) {
        return tokenizer().decode(ids, true);
    }

    /** Reads it for the first who needs it: a vocabulary takes longer than all the rest of a model. */
    Tokenizer tokenizer() {
        if (tokenizer == null) {
            synchronized (file) {
                if (tokenizer == null) {
                    tokenizer = readTokenizer();
                }
            }
        }
        return tokenizer;
    }

    private Tokenizer readTokenizer() {
        var json = file.entry(TOKENIZER);
        if (json == null) {
            throw new SpikeException.UnsupportedModel(file.path() + " has no tokenizer.json: use token ids, or convert it with its tokenizer");
        }
        try {
            return Tokenizer.fromJson(json);
        } catch (TokenizerException e) {
            throw new SpikeException.Format(file.path() + ": " + e.getMessage(), e);
        }
    }

    boolean hasTokenizer() {
        return file.hasEntry(TOKENIZER);
    }

    int vocab() {
        return model.architecture().vocab();
    }

    /** What it is. */
    public ModelInfo info() {
        var a = model.architecture();
        var m = file.manifest();
        return new ModelInfo(a.family(), a.layers(), a.hidden(), a.intermediate(), a.heads(), a.kvHeads(), a.headDim(), a.vocab(), a.context(),
                model.features(), m.compute(), file.tensorBytes(), model.blockBytes() / AttentionSpec.PAGE, m.provenance(), m.license());
    }

    /** Counts of all sessions. */
    public Statistics statistics() {
        return lane.statistics();
    }

    /** KV blocks in use, for tests of leaks. */
    int usedBlocks() {
        return lane.usedBlocks();
    }

    /** Cancels its generations, closes its sessions, waits for the step, unmaps. Idempotent. */
    @Override
    public void close() {
        release();
        if (owner) {
            engine.close();
        }
    }

    /** All but an engine of its own. */
    void release() {
        lane.close();
        file.close();
        engine.forget(this);
    }
}
