package io.github.spike4j.template;

/**
 * What a rendering may use up. A step is one node evaluated, one element visited, or {@value #CHARS_PER_STEP} characters made: the count
 * depends on template and data only, never on time, so a template that passes here passes everywhere.
 */
final class Budget {
    /** Longest text a template may have, or make, in UTF-16 units. */
    static final int MAX_TEXT = 1 << 24;
    /** Most elements of a collection. */
    static final int MAX_ELEMENTS = 1 << 22;
    /** Jinja2's own bound on {@code range}. */
    static final int MAX_RANGE = 100_000;
    /** Largest magnitude of an integer, in bits. */
    static final int MAX_BITS = 1 << 13;
    /** Nested evaluations: the deepest chain of macros, blocks and expressions. */
    static final int MAX_DEPTH = 600;
    static final long MAX_STEPS = 10_000_000;
    private static final int CHARS_PER_STEP = 16;

    private long steps = MAX_STEPS;
    private int depth;

    /** Takes steps. */
    void spend(long count) {
        if ((steps -= count) < 0) {
            throw new TemplateException("the template takes more than " + MAX_STEPS + " steps");
        }
    }

    /** Checks a text's length before it is made. */
    void text(long chars) {
        if (chars > MAX_TEXT) {
            throw new TemplateException("the template makes a text of " + chars + " characters; at most " + MAX_TEXT + " are allowed");
        }
        spend(1 + chars / CHARS_PER_STEP);
    }

    /** Checks a collection's size before it is made. */
    void elements(long count) {
        if (count > MAX_ELEMENTS) {
            throw new TemplateException("the template makes a list of " + count + " elements; at most " + MAX_ELEMENTS + " are allowed");
        }
        spend(1 + count);
    }

    void enter() {
        spend(1);
        if (++depth > MAX_DEPTH) {
            throw new TemplateException("the template nests deeper than " + MAX_DEPTH + " evaluations");
        }
    }

    void leave() {
        depth--;
    }
}
