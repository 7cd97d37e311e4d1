package io.github.spike4j.bindings;

import io.github.spike4j.bindings.ffi.Spike4jH;

/** A native function returned an error status. Sizes are checked before the call, so it is about values or about the machine. */
public final class NativeException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String function;
    private final int status;

    NativeException(String function, int status) {
        super(function + ": " + describe(status));
        this.function = function;
        this.status = status;
    }

    /** The C function that failed. */
    public String function() {
        return function;
    }

    /** The status that it returned, a negative {@code enum s4j_status}. */
    public int status() {
        return status;
    }

    /** Whether a row held NaN or infinity; the outputs of the call say which, see {@code spike4j.h}. */
    public boolean isNonFinite() {
        return status == Spike4jH.S4J_E_NONFINITE();
    }

    /** Throws if a status reports an error. */
    static void check(String function, int status) {
        if (status < 0) {
            throw new NativeException(function, status);
        }
    }

    private static String describe(int status) {
        if (status == Spike4jH.S4J_E_ARGUMENT()) {
            return "S4J_E_ARGUMENT: a count, range or option is not allowed";
        }
        if (status == Spike4jH.S4J_E_NONFINITE()) {
            return "S4J_E_NONFINITE: a row holds NaN or infinity";
        }
        if (status == Spike4jH.S4J_E_UNSUPPORTED()) {
            return "S4J_E_UNSUPPORTED: the tier is unknown to this build, CPU or operating system";
        }
        return "unknown status " + status;
    }
}
