package io.github.spike4j;

/** Everything that this library reports; the message names what, where and what to do. Wrong arguments stay IllegalArgumentException. */
public abstract sealed class SpikeException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private SpikeException(String message, Throwable cause) {
        super(message, cause);
    }

    /** A file is damaged, not a model, newer than this library, or cannot be read. */
    public static final class Format extends SpikeException {
        private static final long serialVersionUID = 1L;

        /** @param cause the reader's own report, or null */
        public Format(String message, Throwable cause) {
            super(message, cause);
        }
    }

    /** The file is sound, but this version or backend cannot run what is in it. */
    public static final class UnsupportedModel extends SpikeException {
        private static final long serialVersionUID = 1L;

        /** Names the model's part and what is supported. */
        public UnsupportedModel(String message) {
            super(message, null);
        }
    }

    /** A chat template is none, refused a conversation, or reached a limit. */
    public static final class Template extends SpikeException {
        private static final long serialVersionUID = 1L;

        private final String reason;
        private final int line;

        /**
         * @param reason what the template raised, or what is wrong with it
         * @param line   of the template, from 1; 0 if unknown
         */
        public Template(String reason, int line) {
            super("chat template" + (line > 0 ? ", line " + line : "") + ": " + reason, null);
            this.reason = reason;
            this.line = line;
        }

        /** The template's own message, or Jinja2's. */
        public String reason() {
            return reason;
        }

        /** The template's line, from 1; 0 if unknown. */
        public int line() {
            return line;
        }
    }

    /** The backend, tier or device that was asked for cannot be used here, or its memory does not suffice. */
    public static final class Device extends SpikeException {
        private static final long serialVersionUID = 1L;

        /** @param cause what failed below, or null */
        public Device(String message, Throwable cause) {
            super(message, cause);
        }
    }

    /** The tokens do not fit the session's context. Nothing was appended. */
    public static final class ContextFull extends SpikeException {
        private static final long serialVersionUID = 1L;

        /** Both counts are tokens. */
        public ContextFull(int needed, int maxContext) {
            super("context full: " + needed + " tokens are needed, and the session holds " + maxContext
                    + "; shorten the text, or open the session with a larger maxContext if the model has the context", null);
        }
    }

    /** An activation became NaN or infinite. The session cannot go on; others of the same batch are not touched. */
    public static final class NonFinite extends SpikeException {
        private static final long serialVersionUID = 1L;

        private final int layer;
        private final String operation;

        /** @param layer -1 outside the layers */
        public NonFinite(int layer, String operation, int position) {
            super("not finite at position " + position + ", " + (layer < 0 ? "" : "layer " + layer + ", ") + operation
                    + ": the activations hold NaN or infinity; check the model file (verify) and its conversion", null);
            this.layer = layer;
            this.operation = operation;
        }

        /** The layer, or -1 outside the layers. */
        public int layer() {
            return layer;
        }

        /** The operation that found it. */
        public String operation() {
            return operation;
        }
    }

    /** The engine, model or session was closed. */
    public static final class Closed extends SpikeException {
        private static final long serialVersionUID = 1L;

        /** @param what "engine", "model" or "session" */
        public Closed(String what) {
            super("the " + what + " is closed", null);
        }
    }
}
