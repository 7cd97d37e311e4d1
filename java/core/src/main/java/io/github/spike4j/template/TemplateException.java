package io.github.spike4j.template;

/** What is wrong with a template, or what it raised. The message is Jinja2's or Python's own where they have one. */
public final class TemplateException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int line;

    TemplateException(String message) {
        this(message, 0);
    }

    TemplateException(String message, int line) {
        super(message, null, false, false); // the place in the template is what counts
        this.line = line;
    }

    /** The template's line, from 1; 0 if unknown. */
    public int line() {
        return line;
    }

    /** The same, placed at a line unless a place is known. */
    TemplateException at(int where) {
        return line > 0 || where == 0 ? this : new TemplateException(getMessage(), where);
    }
}
