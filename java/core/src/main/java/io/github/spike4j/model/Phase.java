package io.github.spike4j.model;

import io.github.spike4j.kernels.Activation;
import io.github.spike4j.kernels.AttentionSpec;
import io.github.spike4j.kernels.GifSpec;
import io.github.spike4j.weights.LinearWeights;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** One step of the forward pass: all threads share its work, and wait for each other after it. */
public sealed interface Phase {
    /** The layer, or -1 outside the layers. */
    int layer();

    /** What it does, for messages. */
    String operation();

    /** Embedding rows, times {@code scale}, into {@link Buffer#RESIDUAL}. */
    record Embed(MemorySegment table, boolean bf16, float scale) implements Phase {
        @Override
        public int layer() {
            return -1;
        }

        @Override
        public String operation() {
            return "embedding";
        }
    }

    /** What makes the floats that are encoded. */
    sealed interface Source {
        /** RMSNorm of {@code from} into {@link Buffer#NORMED}. */
        record Norm(Buffer from, MemorySegment weight) implements Source {
            @Override
            public Buffer output() {
                return Buffer.NORMED;
            }
        }

        /** activation(gate) * up of {@link Buffer#GATE_UP} into {@link Buffer#HIDDEN}. */
        record Gated(Activation activation) implements Source {
            @Override
            public Buffer output() {
                return Buffer.HIDDEN;
            }
        }

        /** {@code from} as it is. */
        record Plain(Buffer from) implements Source {
            @Override
            public Buffer output() {
                return from;
            }
        }

        /** The buffer that holds the floats afterwards. */
        Buffer output();
    }

    /**
     * Prepares the input of the linears that follow: split by rows.
     *
     * @param specs  an encoding each; none for dense linears
     * @param planes those of {@code specs} that are wanted as bit planes too
     * @param rotated those of {@code specs} that encode the rotated floats (N9)
     */
    record Prepare(int layer, String operation, Source source, List<GifSpec> specs, List<GifSpec> planes, List<GifSpec> rotated,
            boolean selected)
            implements Phase {}

    /**
     * One of the linears of a phase.
     *
     * @param slot   which of the specs of the phase before is its input
     * @param offset first column of its output
     */
    record Part(LinearWeights weights, int slot, int offset) {}

    /**
     * Linears over the prepared input: split by output rows.
     *
     * @param from floats, for dense weights
     * @param add  onto {@code to} instead of over it
     */
    record Linear(int layer, String operation, List<Part> parts, Buffer from, Buffer to, boolean add, boolean selected) implements Phase {}

    /** Adds RMSNorm of {@link Buffer#NORMED} to {@link Buffer#RESIDUAL}: split by rows. */
    record AddNorm(int layer, String operation, MemorySegment weight) implements Phase {}

    /**
     * Norms of the heads of q and k, RoPE, encoding of Q, K and V, and writing of K and V: split by rows.
     *
     * @param rope  index of the rotation, or -1 for none
     * @param qNorm weight of the norm of each head of q, or null; {@code kNorm} likewise
     */
    record Append(int layer, AttentionSpec spec, int rope, MemorySegment qNorm, MemorySegment kNorm) implements Phase {
        @Override
        public String operation() {
            return "attention: RoPE and encode of q, k, v";
        }
    }

    /** Attention: split by rows, or by kv heads when there are few rows. */
    record Attend(int layer, AttentionSpec spec) implements Phase {
        @Override
        public String operation() {
            return "attention";
        }
    }

    /** Soft cap of {@link Buffer#LOGITS}: split evenly. */
    record Softcap(float cap) implements Phase {
        @Override
        public int layer() {
            return -1;
        }

        @Override
        public String operation() {
            return "soft cap of logits";
        }
    }

    /** Copies the rows whose logits are wanted to {@link Buffer#HEAD}. */
    record Select() implements Phase {
        @Override
        public int layer() {
            return -1;
        }

        @Override
        public String operation() {
            return "selection";
        }
    }
}
