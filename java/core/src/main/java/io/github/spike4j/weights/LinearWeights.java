package io.github.spike4j.weights;

import io.github.spike4j.kernels.DenseWeights;
import io.github.spike4j.kernels.SpikeWeights;

/** The weights of a linear, in place in the mapped file. */
public sealed interface LinearWeights {
    /** Output rows. */
    int rows();

    /** Input channels. */
    int channels();

    /** Integer weights over an encoded input. */
    record Spiking(SpikeWeights weights) implements LinearWeights {
        @Override
        public int rows() {
            return weights.rows();
        }

        @Override
        public int channels() {
            return weights.spec().channels();
        }
    }

    /** Float weights. */
    record Dense(DenseWeights weights) implements LinearWeights {
        @Override
        public int rows() {
            return weights.rows();
        }

        @Override
        public int channels() {
            return weights.channels();
        }
    }
}
