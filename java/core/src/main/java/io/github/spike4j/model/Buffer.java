package io.github.spike4j.model;

/** The float buffers of a step: rows are tokens, or selected tokens for those after {@link Phase.Select}. */
public enum Buffer {
    /** The residual stream, [hidden]. */
    RESIDUAL,
    /** After a norm; what attention or feed-forward adds, before its own norm; [hidden]. */
    NORMED,
    /** q, k, v, [qkvRows]. */
    QKV,
    /** Heads' outputs, [heads][headDim]. */
    ATTENTION,
    /** gate, up, [2][intermediate]. */
    GATE_UP,
    /** activation(gate) * up, [intermediate]. */
    HIDDEN,
    /** The rotated input of a linear, as wide as the widest that is rotated; none if there is none. */
    ROTATED,
    /** The residual of the selected tokens, [hidden]. */
    HEAD,
    /** Logits of the selected tokens, [vocab]. */
    LOGITS
}
