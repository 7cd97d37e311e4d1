package io.github.spike4j;

import io.github.spike4j.runtime.Backends;
import io.github.spike4j.runtime.Scheduler;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Owns the threads that compute. All its models and sessions share them; any thread may call, virtual ones too. */
public final class SpikeEngine implements AutoCloseable {
    private final Scheduler scheduler;
    private final String reason;
    private final Weights weights;
    private final Set<SpikeModel> models = ConcurrentHashMap.newKeySet();

    private SpikeEngine(Builder b) {
        weights = b.weights;
        try {
            var choice = Backends.choose(b.backend, b.tier);
            reason = choice.reason();
            scheduler = new Scheduler(choice.kernels(), b.threads, b.promptPiece);
        } catch (UnsupportedOperationException e) {
            throw new SpikeException.Device(e.getMessage(), e);
        }
    }

    /** A builder that starts from the best backend here and all processors. */
    public static Builder builder() {
        return new Builder();
    }

    /** Collects the options. */
    public static final class Builder {
        private String backend = "auto";
        private String tier;
        private int threads = Runtime.getRuntime().availableProcessors();
        private int promptPiece = 512;
        private Weights weights = Weights.MAPPED;

        private Builder() {}

        /** Where models run. */
        public Builder device(Device device) {
            Objects.requireNonNull(device, "device"); // both values are the processor in this version
            return this;
        }

        /** {@code auto}, {@code native}, {@code vector} (Vector API), {@code java} (scalar), or a native tier such as {@code avx2}. */
        public Builder backend(String name) {
            backend = Objects.requireNonNull(name, "backend");
            return this;
        }

        /**
         * Native tier, for the backends {@code auto} and {@code native}; null for the best. The environment variable SPIKE4J_TIER can only
         * lower it.
         */
        public Builder tier(String name) {
            tier = name;
            return this;
        }

        /** Compute threads, at least 1. */
        public Builder threads(int count) {
            threads = require("threads", count);
            return this;
        }

        /**
         * Most tokens of one prompt that a step takes, at least 1; more than a model's context counts as that. It changes speed and memory,
         * never a result.
         */
        public Builder promptPiece(int tokens) {
            promptPiece = require("promptPiece", tokens);
            return this;
        }

        /** Where the models' weights are; {@link Weights#MAPPED} if not set. */
        public Builder weights(Weights where) {
            weights = Objects.requireNonNull(where, "weights");
            return this;
        }

        private static int require(String name, int value) {
            if (value < 1) {
                throw new IllegalArgumentException(name + ": expected 1 or more, got " + value);
            }
            return value;
        }

        /**
         * Starts the engine. As long as it has no model, one of its threads loads the classes that opening one needs.
         *
         * @throws SpikeException.Device if the backend or tier cannot run here, with the reason
         */
        public SpikeEngine build() {
            return new SpikeEngine(this);
        }
    }

    /**
     * Opens a model: checks structure and manifest, maps or copies the weights ({@link Builder#weights}). Hashes are not checked. Tokenizer and
     * chat template are read by the first call that needs them, which throws {@link SpikeException.Format} or
     * {@link SpikeException.Template} if they are damaged.
     *
     * @throws SpikeException.Format if the file is damaged, not a model, or cannot be read
     * @throws SpikeException.UnsupportedModel if this version cannot run it
     * @throws SpikeException.Device if there is no memory for a copy
     */
    public SpikeModel open(Path path) {
        return open(path, false);
    }

    SpikeModel open(Path path, boolean owned) {
        var model = new SpikeModel(this, path, owned);
        models.add(model);
        return model;
    }

    Weights weights() {
        return weights;
    }

    Scheduler scheduler() {
        return scheduler;
    }

    void forget(SpikeModel model) {
        models.remove(model);
    }

    /** {@code native}, {@code vector} or {@code scalar}. */
    public String backend() {
        return scheduler.kernels().backend();
    }

    /** The native tier, or {@code java}. */
    public String tier() {
        return scheduler.kernels().tier();
    }

    /** Why this backend. */
    public String backendReason() {
        return reason;
    }

    /** Compute threads. */
    public int threads() {
        return scheduler.threads();
    }

    /** Closes all models and sessions, waits for the step, ends the threads. Idempotent. */
    @Override
    public void close() {
        models.forEach(SpikeModel::release);
        scheduler.close();
    }
}
