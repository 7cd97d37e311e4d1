package io.github.spike4j.tokenizer;

/** The special tokens that a file's template puts before and after a text. */
record PostProcessor(int[] before, int[] after) {
    static final PostProcessor NONE = new PostProcessor(new int[0], new int[0]);

    /** This one first, then {@code outer} around its result. */
    PostProcessor inside(PostProcessor outer) {
        return new PostProcessor(join(outer.before, before), join(after, outer.after));
    }

    private static int[] join(int[] a, int[] b) {
        Ints out = new Ints(a.length + b.length);
        out.addAll(a, a.length);
        out.addAll(b, b.length);
        return out.toArray();
    }
}
