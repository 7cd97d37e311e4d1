package io.github.spike4j.runtime.sampling;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Watches a stream of text for stop texts, which may begin and end within tokens. Text that may be the beginning of a stop text is held
 * back until that is decided. The stop text that is complete first ends the stream (of several complete at the same character the longest), so
 * the result does not depend on how the text is cut. An Aho-Corasick automaton: constant time a character and stop text. For one thread.
 */
public final class StopMatcher {
    /** A state is a prefix of some stop text; 0 is the empty one. */
    private final List<Integer> depth = new ArrayList<>(List.of(0));
    private final List<Integer> fail = new ArrayList<>(List.of(0));
    /** Length of the longest stop text that ends in the state, 0 if none. */
    private final List<Integer> matched = new ArrayList<>(List.of(0));
    private final List<char[]> labels = new ArrayList<>(List.of(new char[0]));
    private final List<int[]> targets = new ArrayList<>(List.of(new int[0]));
    private final StringBuilder held = new StringBuilder();
    private int state;
    private boolean stopped;

    /** @throws IllegalArgumentException if a stop text is empty */
    public StopMatcher(List<String> stops) {
        for (String stop : stops) {
            if (stop.isEmpty()) throw new IllegalArgumentException("a stop text is empty");
            int s = 0;
            for (int i = 0; i < stop.length(); i++) s = child(s, stop.charAt(i), true);
            matched.set(s, stop.length());
        }
        List<Integer> queue = new ArrayList<>(List.of(0));
        for (int q = 0; q < queue.size(); q++) {
            int parent = queue.get(q);
            for (int k = 0; k < labels.get(parent).length; k++) {
                int s = targets.get(parent)[k];
                int back = parent == 0 ? 0 : next(fail.get(parent), labels.get(parent)[k]);
                fail.set(s, back);
                matched.set(s, Math.max(matched.get(s), matched.get(back)));
                queue.add(s);
            }
        }
    }

    /**
     * Takes text, and appends to {@code out} what is now sure to be before any stop text.
     *
     * @return whether a stop text is complete; more text is then ignored
     */
    public boolean push(CharSequence text, StringBuilder out) {
        for (int i = 0; i < text.length() && !stopped; i++) {
            held.append(text.charAt(i));
            state = next(state, text.charAt(i));
            if (matched.get(state) > 0) {
                held.setLength(held.length() - matched.get(state));
                stopped = true;
            }
        }
        int free = stopped ? held.length() : held.length() - depth.get(state);
        out.append(held, 0, free);
        held.delete(0, free);
        return stopped;
    }

    /** Takes text and returns what is now sure to be before any stop text. */
    public String push(CharSequence text) {
        StringBuilder out = new StringBuilder();
        push(text, out);
        return out.toString();
    }

    /** Whether a stop text was found. */
    public boolean stopped() {
        return stopped;
    }

    /** The end of the text: what was held back is text after all. */
    public String flush() {
        String rest = held.toString();
        held.setLength(0);
        state = 0;
        return rest;
    }

    private int next(int s, char c) {
        while (true) {
            int t = child(s, c, false);
            if (t > 0 || s == 0) return t;
            s = fail.get(s);
        }
    }

    private int child(int s, char c, boolean create) {
        char[] l = labels.get(s);
        for (int k = 0; k < l.length; k++) {
            if (l[k] == c) return targets.get(s)[k];
        }
        if (!create) return 0;
        int t = depth.size();
        labels.set(s, Arrays.copyOf(l, l.length + 1));
        labels.get(s)[l.length] = c;
        targets.set(s, Arrays.copyOf(targets.get(s), l.length + 1));
        targets.get(s)[l.length] = t;
        depth.add(depth.get(s) + 1);
        fail.add(0);
        matched.add(0);
        labels.add(new char[0]);
        targets.add(new int[0]);
        return t;
    }
}
