package io.github.spike4j.template;

import io.github.spike4j.template.Values.Dict;
import io.github.spike4j.template.Values.Markup;
import io.github.spike4j.template.Values.Range;
import io.github.spike4j.template.Values.Stream;
import io.github.spike4j.template.Values.Tuple;
import io.github.spike4j.template.Values.Undefined;
import io.github.spike4j.template.Values.View;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.Predicate;

/** Jinja2's filters, and {@code tojson} as Hugging Face replaces it. Absent: those for HTML pages, and what is random. */
final class Filters {
    @FunctionalInterface
    private interface Body {
        Object apply(Filters f, Object value, Arguments a);
    }

    private static final Map<String, Body> ALL = new TreeMap<>();

    static {
        ALL.put("abs", (_, v, _) -> Numbers.abs(number(v, "abs()")));
        ALL.put("attr", (f, v, a) -> f.attr(v, a.bind("attr", 1, "name").required(0)));
        ALL.put("batch", Filters::batch);
        ALL.put("capitalize", (f, v, _) -> f.onText(v, Text::capitalize));
        ALL.put("center", (f, v, a) -> f.onText(v, s -> Text.pad(s, a.bind("center", 0, "width").integer(0, 80), " ", 0, f.budget)));
        ALL.put("count", (f, v, _) -> f.values.length(v));
        ALL.put("length", ALL.get("count"));
        ALL.put("default", Filters::otherwise);
        ALL.put("d", ALL.get("default"));
        ALL.put("dictsort", Filters::dictSort);
        ALL.put("escape", (f, v, _) -> v instanceof Markup ? v : new Markup(Markup.escape(f.values.text(v))));
        ALL.put("e", ALL.get("escape"));
        ALL.put("forceescape", (f, v, _) -> new Markup(Markup.escape(f.values.text(v))));
        ALL.put("filesizeformat", Filters::fileSize);
        ALL.put("first", (f, v, _) -> {
            var items = f.values.iterate(v);
            return items.hasNext() ? items.next() : new Undefined("No first item, sequence was empty.");
        });
        ALL.put("last", (f, v, _) -> {
            var items = f.reversed(v);
            return items.hasNext() ? items.next() : new Undefined("No last item, sequence was empty.");
        });
        ALL.put("float", (f, v, a) -> f.toFloat(v, a.bind("float", 0, "default").get(0, 0.0)));
        ALL.put("format", (f, v, a) -> {
            if (!a.positional().isEmpty() && !a.named().isEmpty()) {
                throw new TemplateException("can't handle positional and keyword arguments at the same time");
            }
            var named = new Dict();
            a.named().forEach(named::put);
            return f.values.binary("%", f.soft(v), a.named().isEmpty() ? new Tuple(a.positional()) : named);
        });
        ALL.put("groupby", Filters::groupBy);
        ALL.put("indent", Filters::indent);
        ALL.put("int", Filters::toInteger);
        ALL.put("items", (f, v, _) -> {
            if (v instanceof Undefined) return new Stream("generator", Collections.emptyIterator());
            if (!(v instanceof Dict d)) throw new TemplateException("Can only get item pairs from a mapping.");
            return new Stream("generator", new View("dict_items", d).iterator());
        });
        ALL.put("join", Filters::join);
        ALL.put("list", (f, v, _) -> f.values.list(v));
        ALL.put("lower", (f, v, _) -> f.onText(v, Text::lower));
        ALL.put("upper", (f, v, _) -> f.onText(v, Text::upper));
        ALL.put("title", (f, v, _) -> f.onText(v, Filters::title));
        ALL.put("map", Filters::map);
        ALL.put("min", (f, v, a) -> f.extreme(v, a, -1));
        ALL.put("max", (f, v, a) -> f.extreme(v, a, 1));
        ALL.put("reject", (f, v, a) -> f.select(v, a, false, false));
        ALL.put("rejectattr", (f, v, a) -> f.select(v, a, false, true));
        ALL.put("select", (f, v, a) -> f.select(v, a, true, false));
        ALL.put("selectattr", (f, v, a) -> f.select(v, a, true, true));
        ALL.put("replace", (f, v, a) -> {
            var p = a.bind("replace", 2, "old", "new", "count");
            return Text.replace(f.values.text(v), f.values.text(p.get(0, "")), f.values.text(p.get(1, "")),
                    p.get(2, null) == null ? -1 : p.integer(2, -1), f.budget);
        });
        ALL.put("reverse", (f, v, _) -> {
            if (Values.isText(v)) return new StringBuilder(Values.chars(v)).reverse().toString();
            return new Stream(v instanceof Dict ? "dict_reversekeyiterator" : v instanceof List<?> && !(v instanceof Tuple) && !(v instanceof Range)
                    ? "list_reverseiterator" : "reversed", f.reversed(v instanceof Stream || v instanceof Undefined ? f.values.list(v) : v));
        });
        ALL.put("round", Filters::round);
        ALL.put("safe", (f, v, _) -> v instanceof Markup ? v : new Markup(f.values.text(v)));
        ALL.put("slice", Filters::slice);
        ALL.put("sort", Filters::sort);
        ALL.put("string", (f, v, _) -> f.soft(v));
        ALL.put("sum", Filters::sum);
        ALL.put("tojson", Filters::toJson);
        ALL.put("trim", (f, v, a) -> f.onText(v, s -> Text.strip(s, a.bind("trim", 0, "chars").text(0), true, true)));
        ALL.put("truncate", Filters::truncate);
        ALL.put("unique", Filters::unique);
        ALL.put("wordcount", (f, v, _) -> wordCount(f.values.text(v)));
    }

    private final Values values;
    private final Budget budget;
    private final Tests tests;

    Filters(Values values, Budget budget) {
        this.values = values;
        this.budget = budget;
        tests = new Tests(values);
    }

    static Set<String> names() {
        return ALL.keySet();
    }

    Tests tests() {
        return tests;
    }

    Object apply(String name, Object value, Arguments arguments) {
        var body = ALL.get(name);
        if (body == null) throw new TemplateException("No filter named " + Text.quote(name) + ".");
        budget.text(value instanceof String s ? s.length() : 0);
        return body.apply(this, value, arguments);
    }

    /** {@code soft_str}: a text as it is, everything else as a text. */
    private Object soft(Object v) {
        return Values.isText(v) ? v : values.text(v);
    }

    private Object onText(Object v, Function<String, String> change) {
        var changed = change.apply(values.text(v));
        return v instanceof Markup ? new Markup(changed) : changed;
    }

    private static Object number(Object v, String what) {
        Values.fail(v);
        if (!Numbers.isNumber(v)) throw new TemplateException("bad operand type for " + what + ": " + Text.quote(Values.type(v)));
        return v;
    }

    private Object attr(Object v, String name) {
        var found = values.attributeOrNull(v, name);
        return found != null ? found.value() : values.attribute(v instanceof Dict ? new Dict() : v, name);
    }

    private static Object otherwise(Filters f, Object v, Arguments a) {
        var p = a.bind("default", 0, "default_value", "boolean");
        return v instanceof Undefined || f.values.truth(p.get(1, false)) && !f.values.truth(v) ? p.get(0, "") : v;
    }

    /** Words begin after white space, hyphens and opening brackets. */
    private static String title(String s) {
        var out = new StringBuilder();
        int start = 0;
        for (int i = 0; i <= s.length(); i++) {
            if (i == s.length() || isBetweenWords(s.charAt(i))) {
                if (i > start) {
                    int first = start + Character.charCount(s.codePointAt(start));
                    out.append(Text.upper(s.substring(start, first))).append(Text.lower(s.substring(first, i)));
                }
                if (i < s.length()) out.append(s.charAt(i));
                start = i + 1;
            }
        }
        return out.toString();
    }

    private static boolean isBetweenWords(char c) {
        return Text.isSpace(c) || "-({[<".indexOf(c) >= 0;
    }

    private static Object wordCount(String s) {
        long count = 0;
        boolean inside = false;
        for (int i = 0, n; i < s.length(); i += n) {
            int c = s.codePointAt(i);
            n = Character.charCount(c);
            boolean word = c == '_' || Character.isLetterOrDigit(c) || Character.getType(c) == Character.OTHER_NUMBER
                    || Character.getType(c) == Character.LETTER_NUMBER;
            if (word && !inside) count++;
            inside = word;
        }
        return count;
    }

    private Iterator<Object> reversed(Object v) {
        List<Object> list = switch (v) {
            case String s -> values.characters(s);
            case Markup m -> values.characters(m.text());
            case List<?> l -> Values.cast(l);
            case Dict _, View _ -> values.list(v);
            case Undefined _ -> List.of();
            case null, default -> throw new TemplateException(Text.quote(Values.type(v)) + " object is not reversible");
        };
        return list.reversed().iterator();
    }

    /** What a filter's {@code attribute} picks: a path of names and numbers, or the item itself. */
    private Function<Object, Object> getter(Object attribute, Object otherwise, boolean foldCase) {
        var path = new ArrayList<>();
        if (Values.isText(attribute)) {
            for (var part : Values.chars(attribute).split("\\.", -1)) {
                path.add(!part.isEmpty() && part.length() < 19 && part.chars().allMatch(c -> c >= '0' && c <= '9') ? (Object) Long.valueOf(part) : part);
            }
        } else if (attribute != null) {
            path.add(attribute);
        }
        return item -> {
            for (var part : path) {
                budget.spend(1);
                item = values.item(item, part);
                if (item instanceof Undefined && otherwise != null) item = otherwise;
            }
            return foldCase && Values.isText(item) ? Text.lower(Values.chars(item)) : item;
        };
    }

    private static Iterator<Object> lazily(Iterator<Object> from, Function<Object, Object> make) {
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return from.hasNext();
            }

            @Override
            public Object next() {
                return make.apply(from.next());
            }
        };
    }

    /** The elements that pass, looked for when they are asked for. */
    static Iterator<Object> filtered(Iterator<Object> from, Predicate<Object> passes) {
        return new Iterator<>() {
            private Object next;
            private boolean has;

            @Override
            public boolean hasNext() {
                while (!has && from.hasNext()) {
                    next = from.next();
                    has = passes.test(next);
                }
                return has;
            }

            @Override
            public Object next() {
                if (!hasNext()) throw new NoSuchElementException();
                has = false;
                return next;
            }
        };
    }

    private static Object map(Filters f, Object v, Arguments a) {
        if (!f.values.truth(v)) return new Stream("generator", Collections.emptyIterator());
        Function<Object, Object> make;
        if (a.positional().isEmpty() && a.named().containsKey("attribute")) {
            for (var name : a.named().keySet()) {
                if (!name.equals("attribute") && !name.equals("default")) throw new TemplateException("Unexpected keyword argument " + Text.quote(name));
            }
            var p = a.bind("map", 0, "attribute", "default");
            make = f.getter(p.get(0, null), p.get(1, null), false);
        } else {
            if (a.positional().isEmpty()) throw new TemplateException("map requires a filter argument");
            var name = f.values.text(a.positional().getFirst());
            make = item -> f.apply(name, item, a.drop(1));
        }
        return new Stream("generator", lazily(f.values.iterate(v), make));
    }

    private Object select(Object v, Arguments a, boolean wanted, boolean byAttribute) {
        if (!values.truth(v)) return new Stream("generator", Collections.emptyIterator());
        if (byAttribute && a.positional().isEmpty()) throw new TemplateException("Missing parameter for attribute name");
        var pick = getter(byAttribute ? a.positional().getFirst() : null, null, false);
        var rest = byAttribute ? a.drop(1) : a;
        Predicate<Object> passes;
        if (rest.positional().isEmpty()) {
            passes = item -> values.truth(pick.apply(item));
        } else {
            var name = values.text(rest.positional().getFirst());
            passes = item -> tests.test(name, pick.apply(item), rest.drop(1));
        }
        return new Stream("generator", filtered(values.iterate(v), item -> passes.test(item) == wanted));
    }

    private Comparator<Object> order() {
        return (x, y) -> {
            var order = values.compare(x, y, "<");
            return order == null ? 0 : order;
        };
    }

    private static Object sort(Filters f, Object v, Arguments a) {
        var p = a.bind("sort", 0, "reverse", "case_sensitive", "attribute");
        boolean fold = !f.values.truth(p.get(1, false));
        var attribute = p.get(2, null);
        var getters = new ArrayList<Function<Object, Object>>();
        if (Values.isText(attribute)) {
            for (var one : Values.chars(attribute).split(",", -1)) getters.add(f.getter(one, null, fold));
        } else {
            getters.add(f.getter(attribute, null, fold));
        }
        return f.sorted(f.values.list(v), item -> new Tuple(getters.stream().map(g -> g.apply(item)).toList()), f.values.truth(p.get(0, false)));
    }

    /** Stable; equal elements keep their order even if reversed. */
    private List<Object> sorted(List<Object> list, Function<Object, Object> key, boolean reverse) {
        record Keyed(Object key, Object item) {}
        var keyed = new ArrayList<Keyed>(list.size());
        list.forEach(item -> keyed.add(new Keyed(key.apply(item), item)));
        Comparator<Object> order = reverse ? order().reversed() : order();
        try {
            keyed.sort((x, y) -> order.compare(x.key, y.key));
        } catch (IllegalArgumentException e) {
            throw new TemplateException("the elements have no order"); // NaN among them
        }
        var made = new ArrayList<>(list.size());
        keyed.forEach(k -> made.add(k.item));
        return made;
    }

    private static Object dictSort(Filters f, Object v, Arguments a) {
        var p = a.bind("dictsort", 0, "case_sensitive", "by", "reverse");
        var by = p.get(1, "key");
        if (!"key".equals(by) && !"value".equals(by)) throw new TemplateException("You can only sort by either \"key\" or \"value\"");
        Values.fail(v);
        if (!(v instanceof Dict d)) throw new TemplateException(Text.quote(Values.type(v) + " object") + " has no attribute 'items'");
        var key = f.getter("key".equals(by) ? 0L : 1L, null, !f.values.truth(p.get(0, false)));
        return f.sorted(f.values.list(new View("dict_items", d)), key, f.values.truth(p.get(2, false)));
    }

    private static Object groupBy(Filters f, Object v, Arguments a) {
        var p = a.bind("groupby", 1, "attribute", "default", "case_sensitive");
        boolean fold = !f.values.truth(p.get(2, false));
        var key = f.getter(p.get(0, null), p.get(1, null), fold);
        var shown = f.getter(p.get(0, null), p.get(1, null), false);
        var groups = new ArrayList<>();
        Object last = null;
        List<Object> members = null;
        for (var item : f.sorted(f.values.list(v), key, false)) {
            var k = key.apply(item);
            if (members == null || !f.values.equal(k, last)) {
                members = new ArrayList<>();
                groups.add(Tuple.of(shown.apply(item), members));
            }
            members.add(item);
            last = k;
        }
        return groups;
    }

    private static Object unique(Filters f, Object v, Arguments a) {
        var p = a.bind("unique", 0, "case_sensitive", "attribute");
        var key = f.getter(p.get(1, null), null, !f.values.truth(p.get(0, false)));
        var seen = new Dict();
        return new Stream("generator", filtered(f.values.iterate(v), item -> {
            var k = key.apply(item);
            if (seen.has(k)) return false;
            seen.put(k, true);
            return true;
        }));
    }

    private Object extreme(Object v, Arguments a, int sign) {
        var p = a.bind(sign < 0 ? "min" : "max", 0, "case_sensitive", "attribute");
        var key = getter(p.get(1, null), null, !values.truth(p.get(0, false)));
        var items = values.iterate(v);
        if (!items.hasNext()) return new Undefined("No aggregated item, sequence was empty.");
        var best = items.next();
        while (items.hasNext()) {
            var item = items.next();
            var order = values.compare(key.apply(item), key.apply(best), sign < 0 ? "<" : ">");
            if (order != null && order * sign > 0) best = item;
        }
        return best;
    }

    private static Object sum(Filters f, Object v, Arguments a) {
        var p = a.bind("sum", 0, "attribute", "start");
        var key = f.getter(p.get(0, null), null, false);
        var sum = p.get(1, 0L);
        if (Values.isText(sum)) throw new TemplateException("sum() can't sum strings [use ''.join(seq) instead]");
        for (var items = f.values.iterate(v); items.hasNext();) sum = f.values.binary("+", sum, key.apply(items.next()));
        return sum;
    }

    private static Object join(Filters f, Object v, Arguments a) {
        var p = a.bind("join", 0, "d", "attribute");
        var key = f.getter(p.get(1, null), null, false);
        var separator = f.values.text(p.get(0, ""));
        var out = new StringBuilder();
        boolean first = true;
        for (var items = f.values.iterate(v); items.hasNext(); first = false) {
            if (!first) Text.append(out, separator, f.budget);
            Text.append(out, f.values.text(key.apply(items.next())), f.budget);
        }
        return out.toString();
    }

    private static Object indent(Filters f, Object v, Arguments a) {
        var p = a.bind("indent", 0, "width", "first", "blank");
        var indention = Values.isText(p.get(0, 4L)) ? p.required(0) : Text.repeat(" ", p.integer(0, 4), f.budget);
        Values.fail(v);
        if (!Values.isText(v)) throw new TemplateException("unsupported operand type(s) for +=: " + Text.quote(Values.type(v)) + " and 'str'");
        boolean blank = f.values.truth(p.get(2, false));
        var out = new StringBuilder(f.values.truth(p.get(1, false)) ? indention : "");
        boolean first = true;
        for (var line : Text.lines(Values.chars(v) + "\n", false, f.budget)) {
            if (!first) out.append('\n');
            if (!first && (blank || !((String) line).isEmpty())) Text.append(out, indention, f.budget);
            Text.append(out, (String) line, f.budget);
            first = false;
        }
        return v instanceof Markup ? new Markup(out.toString()) : out.toString();
    }

    private static Object toInteger(Filters f, Object v, Arguments a) {
        var p = a.bind("int", 0, "default", "base");
        Values.fail(v);
        Object made = null;
        if (Values.isText(v)) {
            made = Numbers.parseInteger(Values.chars(v), Math.clamp(p.integer(1, 10), 0, 36));
            if (made == null) {
                var real = Numbers.parseDouble(Values.chars(v));
                made = real == null || real.isNaN() || real.isInfinite() ? null : Numbers.truncate(real);
            }
        } else if (Numbers.isInteger(v)) {
            made = Numbers.integer(Numbers.big(v));
        } else if (v instanceof Double d && !d.isNaN() && !d.isInfinite()) {
            made = Numbers.truncate(d);
        }
        return made == null ? p.get(0, 0L) : made;
    }

    private Object toFloat(Object v, Object otherwise) {
        Values.fail(v);
        if (Numbers.isNumber(v)) return Numbers.toDouble(v);
        var made = Values.isText(v) ? Numbers.parseDouble(Values.chars(v)) : null;
        return made == null ? otherwise : made;
    }

    private static Object round(Filters f, Object v, Arguments a) {
        var p = a.bind("round", 0, "precision", "method");
        var method = p.get(1, "common");
        Values.fail(v);
        if (!Numbers.isNumber(v)) throw new TemplateException("type " + Values.type(v) + " doesn't define __round__ method");
        if ("common".equals(method)) return Numbers.round(v, p.integer(0, 0));
        if (!"ceil".equals(method) && !"floor".equals(method)) throw new TemplateException("method must be common, ceil or floor");
        var power = f.values.binary("**", 10L, p.get(0, 0L));
        double scaled = Numbers.toDouble(Numbers.multiply(v, power));
        var whole = Numbers.truncate("ceil".equals(method) ? Math.ceil(scaled) : Math.floor(scaled));
        return Numbers.divide(whole, power);
    }

    private static Object batch(Filters f, Object v, Arguments a) {
        var p = a.bind("batch", 1, "linecount", "fill_with");
        long size = p.integer(0, 1);
        var batches = new ArrayList<>();
        List<Object> batch = new ArrayList<>();
        for (var item : f.values.list(v)) {
            if (batch.size() == size) {
                batches.add(batch);
                batch = new ArrayList<>();
            }
            batch.add(item);
        }
        if (!batch.isEmpty()) {
            if (p.get(1, null) != null && batch.size() < size) {
                f.budget.elements(size);
                while (batch.size() < size) batch.add(p.get(1, null));
            }
            batches.add(batch);
        }
        return new Stream("generator", batches.iterator());
    }

    private static Object slice(Filters f, Object v, Arguments a) {
        var p = a.bind("slice", 1, "slices", "fill_with");
        long count = p.integer(0, 1);
        var list = f.values.list(v);
        if (count == 0) throw new TemplateException("integer division or modulo by zero");
        f.budget.elements(count);
        var slices = new ArrayList<>();
        long each = list.size() / count;
        long longer = list.size() % count;
        int from = 0;
        for (long i = 0; i < count; i++) {
            int to = (int) (from + each + (i < longer ? 1 : 0));
            var slice = new ArrayList<>(list.subList(from, to));
            if (p.get(1, null) != null && i >= longer) slice.add(p.get(1, null));
            slices.add(slice);
            from = to;
        }
        return new Stream("generator", slices.iterator());
    }

    private static Object truncate(Filters f, Object v, Arguments a) {
        var p = a.bind("truncate", 0, "length", "killwords", "end", "leeway");
        long length = p.integer(0, 255);
        var end = p.has(2) ? p.required(2) : "...";
        var s = f.values.text(v);
        int endLength = Text.length(end);
        if (length < endLength) throw new TemplateException("expected length >= " + endLength + ", got " + length);
        if (Text.length(s) <= length + (p.get(3, null) == null ? 5 : p.integer(3, 5))) return v;
        var cut = s.substring(0, Text.unit(s, (int) (length - endLength)));
        if (!f.values.truth(p.get(1, false)) && cut.lastIndexOf(' ') >= 0) cut = cut.substring(0, cut.lastIndexOf(' '));
        return cut + end;
    }

    private static Object fileSize(Filters f, Object v, Arguments a) {
        boolean binary = f.values.truth(a.bind("filesizeformat", 0, "binary").get(0, false));
        double bytes = Numbers.toDouble(f.toFloat(v, 0.0));
        int base = binary ? 1024 : 1000;
        if (bytes == 1) return "1 Byte";
        if (bytes < base) return Numbers.truncate(bytes) + " Bytes";
        double unit = base;
        int i = 0;
        while (i < 7 && bytes >= unit * base) {
            unit *= base;
            i++;
        }
        return new Format(f.values, f.budget, false).format(bytes / unit, ".1f") + " " + (binary ? "KMGTPEZY" : "kMGTPEZY").charAt(i) + (binary ? "iB" : "B");
    }

    private static Object toJson(Filters f, Object v, Arguments a) {
        var p = a.bind("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys");
        var wide = p.get(1, null);
        String indent = null;
        if (wide != null) indent = Values.isText(wide) ? Values.chars(wide) : Text.repeat(" ", p.integer(1, 0), f.budget);
        var between = indent == null ? ", " : ",";
        var colon = ": ";
        if (p.get(2, null) != null) {
            var pair = f.values.list(p.get(2, null));
            if (pair.size() != 2 || !Values.isText(pair.get(0)) || !Values.isText(pair.get(1))) {
                throw new TemplateException("tojson: separators must be two texts");
            }
            between = Values.chars(pair.get(0));
            colon = Values.chars(pair.get(1));
        }
        return new Json(f.values, f.budget, f.values.truth(p.get(0, false)), indent, between, colon, f.values.truth(p.get(3, false))).write(v);
    }
}
