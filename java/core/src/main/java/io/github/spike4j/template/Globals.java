package io.github.spike4j.template;

import io.github.spike4j.template.Values.Builtin;
import io.github.spike4j.template.Values.Callable;
import io.github.spike4j.template.Values.Dict;
import io.github.spike4j.template.Values.Namespace;
import io.github.spike4j.template.Values.Range;
import java.util.HashMap;
import java.util.Map;

/** The functions every template sees: Jinja2's and those that Hugging Face adds. */
final class Globals {
    private final Values values;
    private final Budget budget;
    private final Map<String, Object> all = new HashMap<>();

    Globals(Values values, Budget budget, Template.Clock clock) {
        this.values = values;
        this.budget = budget;
        add("range", this::range);
        add("dict", this::dict);
        add("namespace", a -> new Namespace(dict(a)));
        add("raise_exception", a -> {
            throw new TemplateException(values.text(a.bind("raise_exception", 1, "message").get(0, null)));
        });
        add("strftime_now", a -> new Strftime(clock.now(), budget).format(a.bind("strftime_now", 1, "format").required(0)));
        add("cycler", a -> {
            if (a.positional().isEmpty()) throw new TemplateException("at least one item has to be provided");
            var at = new int[1];
            var cycler = new Dict();
            cycler.put("next", new Builtin("next", null, _ -> {
                var item = a.positional().get(at[0]);
                cycler.put("current", a.positional().get(at[0] = (at[0] + 1) % a.positional().size()));
                return item;
            }));
            cycler.put("reset", new Builtin("reset", null, _ -> {
                cycler.put("current", a.positional().get(at[0] = 0));
                return null;
            }));
            cycler.put("current", a.positional().getFirst());
            return new Namespace(cycler);
        });
        add("joiner", a -> {
            var separator = a.bind("joiner", 0, "sep").get(0, ", ");
            var used = new boolean[1];
            return new Builtin("joiner", null, _ -> {
                boolean first = !used[0];
                used[0] = true;
                return first ? "" : separator;
            });
        });
    }

    private void add(String name, Callable body) {
        all.put(name, new Builtin(name, null, body));
    }

    Map<String, Object> all() {
        return all;
    }

    private Range range(Arguments a) {
        var p = a.bind("range", 1, "start", "stop", "step");
        long start = p.has(1) ? p.integer(0, 0) : 0;
        long stop = p.has(1) ? p.integer(1, 0) : p.integer(0, 0);
        long step = p.integer(2, 1);
        if (step == 0) throw new TemplateException("range() arg 3 must not be zero");
        // The distance may not fit a long: compare as doubles first.
        double size = Math.ceil(((double) stop - start) / step);
        if (size > Budget.MAX_RANGE) {
            throw new TemplateException("Range too big. The sandbox blocks ranges larger than MAX_RANGE (" + Budget.MAX_RANGE + ").");
        }
        long distance = step > 0 ? stop - start : start - stop;
        long each = Math.abs(step);
        int count = size <= 0 || distance <= 0 ? 0 : (int) ((distance + each - 1) / each);
        budget.spend(1);
        return new Range(start, stop, step, count);
    }

    private Dict dict(Arguments a) {
        var made = new Dict();
        if (a.positional().size() > 1) throw new TemplateException("dict expected at most 1 argument, got " + a.positional().size());
        if (!a.positional().isEmpty()) {
            var from = a.positional().getFirst();
            if (from instanceof Dict d) {
                budget.spend(d.size());
                d.entries().forEach(e -> made.put(e.getKey(), e.getValue()));
            } else {
                for (var pair : values.list(from)) {
                    var two = values.list(pair);
                    if (two.size() != 2) throw new TemplateException("dictionary update sequence element has length " + two.size() + "; 2 is required");
                    made.put(two.get(0), two.get(1));
                }
            }
        }
        a.named().forEach(made::put);
        return made;
    }
}
