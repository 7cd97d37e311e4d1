package io.github.spike4j.template;

import java.math.BigInteger;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.RandomAccess;

/**
 * Python's values and what the language does with them. {@code None} is null; {@code bool}, {@code int}, {@code float}, {@code str} are
 * Boolean, Long or BigInteger, Double, String (or {@link Markup}); {@code list} is an ArrayList, {@code tuple} a {@link Tuple},
 * {@code range} a {@link Range}, {@code dict} a {@link Dict}; the rest are the types below.
 */
final class Values {
    private final Budget budget;

    Values(Budget budget) {
        this.budget = budget;
    }

    /** A tuple. */
    static final class Tuple extends AbstractList<Object> implements RandomAccess {
        private final List<Object> items;

        Tuple(List<Object> items) {
            this.items = items;
        }

        static Tuple of(Object... items) {
            return new Tuple(new ArrayList<>(java.util.Arrays.asList(items)));
        }

        @Override
        public Object get(int index) {
            return items.get(index);
        }

        @Override
        public int size() {
            return items.size();
        }
    }

    /** {@code range}; its elements are not stored. */
    static final class Range extends AbstractList<Object> implements RandomAccess {
        final long start;
        final long stop;
        final long step;
        private final int size;

        Range(long start, long stop, long step, int size) {
            this.start = start;
            this.stop = stop;
            this.step = step;
            this.size = size;
        }

        @Override
        public Object get(int index) {
            return start + index * step;
        }

        @Override
        public int size() {
            return size;
        }
    }

    /** A dictionary in order of insertion. Equal numbers are one key, as in Python. */
    static final class Dict {
        private final Map<Object, Map.Entry<Object, Object>> entries = new LinkedHashMap<>();

        /** Most elements of a tuple that is a key, those of tuples in it included. */
        private static final int MAX_KEY = 200;

        /** A key in the form that hashes: what Python holds equal is equal. */
        private static Object canonical(Object key) {
            var unhashable = unhashable(key, new int[1]);
            if (unhashable != null) throw new TemplateException("unhashable type: " + Text.quote(unhashable));
            return form(key);
        }

        private static Object form(Object key) {
            return switch (key) {
                case Boolean b -> b ? 1L : 0L;
                case Double d when d == Math.rint(d) && Math.abs(d) < 1e18 -> (long) (double) d;
                case Markup m -> m.text();
                case Tuple t -> {
                    var items = new ArrayList<>(t.size());
                    t.forEach(item -> items.add(form(item)));
                    yield new Tuple(items);
                }
                case Undefined _ -> Undefined.class;
                case null, default -> key;
            };
        }

        /** The type that makes a key unfit, or null. */
        private static String unhashable(Object key, int[] elements) {
            if (++elements[0] > MAX_KEY) throw new TemplateException("a key of more than " + MAX_KEY + " elements");
            if (!(key instanceof Tuple t)) return key instanceof Dict || key instanceof List<?> && !(key instanceof Range) ? type(key) : null;
            for (var item : t) {
                var found = unhashable(item, elements);
                if (found != null) return found;
            }
            return null;
        }

        static boolean hashable(Object key) {
            return unhashable(key, new int[1]) == null;
        }

        Dict put(Object key, Object value) {
            var canonical = canonical(key);
            var old = entries.get(canonical);
            entries.put(canonical, new java.util.AbstractMap.SimpleImmutableEntry<>(old == null ? key : old.getKey(), value));
            return this;
        }

        boolean has(Object key) {
            return entries.containsKey(canonical(key));
        }

        /** The value, or null. */
        Object get(Object key) {
            var entry = entries.get(canonical(key));
            return entry == null ? null : entry.getValue();
        }

        int size() {
            return entries.size();
        }

        Collection<Map.Entry<Object, Object>> entries() {
            return entries.values();
        }

        Dict copy() {
            var copy = new Dict();
            copy.entries.putAll(entries);
            return copy;
        }
    }

    /** {@code dict.keys()}, {@code values()} or {@code items()}. */
    record View(String name, Dict of) {
        Iterator<Object> iterator() {
            var entries = of.entries().iterator();
            return new Iterator<>() {
                @Override
                public boolean hasNext() {
                    return entries.hasNext();
                }

                @Override
                public Object next() {
                    var e = entries.next();
                    return switch (name) {
                        case "dict_keys" -> e.getKey();
                        case "dict_values" -> e.getValue();
                        default -> Tuple.of(e.getKey(), e.getValue());
                    };
                }
            };
        }
    }

    /** Something that can be read once: a generator or iterator. Its elements are made when they are asked for. */
    record Stream(String type, Iterator<Object> iterator) {}

    /** A text that {@code safe} or {@code escape} made: other texts are escaped when they are added to it. */
    record Markup(String text) {
        static String escape(String s) {
            return s.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#39;").replace("\"", "&#34;");
        }
    }

    /** {@code namespace(...)}: what templates can change. */
    record Namespace(Dict attributes) {}

    /** What is not there. It prints as nothing and fails when it is used. */
    record Undefined(String message) {
        /** A name that nothing is bound to. */
        static Undefined name(String name) {
            return new Undefined(Text.quote(name) + " is undefined");
        }
    }

    /** Something to call. */
    interface Callable {
        Object call(Arguments arguments);
    }

    /** A function or method of ours. */
    record Builtin(String name, Object of, Callable body) implements Callable {
        @Override
        public Object call(Arguments arguments) {
            return body.call(arguments);
        }
    }

    /** {@code true} in Python's sense. */
    boolean truth(Object v) {
        return switch (v) {
            case null -> false;
            case Boolean b -> b;
            case Long l -> l != 0;
            case Double d -> d != 0;
            case String s -> !s.isEmpty();
            case Markup m -> !m.text().isEmpty();
            case List<?> l -> !l.isEmpty();
            case Dict d -> d.size() > 0;
            case View view -> view.of().size() > 0;
            case Undefined _ -> false;
            default -> true;
        };
    }

    static String type(Object v) {
        return switch (v) {
            case null -> "NoneType";
            case Boolean _ -> "bool";
            case Long _, BigInteger _ -> "int";
            case Double _ -> "float";
            case String _ -> "str";
            case Markup _ -> "Markup";
            case Tuple _ -> "tuple";
            case Range _ -> "range";
            case List<?> _ -> "list";
            case Dict _ -> "dict";
            case View view -> view.name();
            case Stream stream -> stream.type();
            case Namespace _ -> "Namespace";
            case Undefined _ -> "Undefined";
            case Interpreter.Macro _ -> "Macro";
            case Interpreter.Loop _ -> "LoopContext";
            case Builtin b -> b.of() == null ? "function" : "builtin_function_or_method";
            default -> "object";
        };
    }

    /** As Jinja2's messages about missing attributes name an object. */
    static String describe(Object v) {
        return switch (v) {
            case null -> "None";
            case Markup _ -> "markupsafe.Markup object";
            case Namespace _ -> "jinja2.utils.Namespace object";
            case Interpreter.Macro _ -> "jinja2.runtime.Macro object";
            case Interpreter.Loop _ -> "jinja2.runtime.LoopContext object";
            default -> type(v) + " object";
        };
    }

    static boolean isText(Object v) {
        return v instanceof String || v instanceof Markup;
    }

    /** The characters of a text. */
    static String chars(Object text) {
        return text instanceof Markup m ? m.text() : (String) text;
    }

    /** {@code str(v)}. */
    String text(Object v) {
        return switch (v) {
            case String s -> s;
            case Markup m -> m.text();
            case Undefined _ -> "";
            case null, default -> {
                var out = new StringBuilder();
                repr(v, out);
                yield out.toString();
            }
        };
    }

    /** {@code repr(v)}. */
    String repr(Object v) {
        var out = new StringBuilder();
        repr(v, out);
        return out.toString();
    }

    private void repr(Object v, StringBuilder out) {
        budget.enter();
        switch (v) {
            case null -> out.append("None");
            case Boolean b -> out.append(b ? "True" : "False");
            case Long l -> out.append((long) l);
            case BigInteger i -> out.append(i);
            case Double d -> out.append(Numbers.repr(d));
            case String s -> Text.append(out, Text.quote(s), budget);
            case Markup m -> Text.append(out, "Markup(" + Text.quote(m.text()) + ")", budget);
            case Tuple t -> {
                elements(t.iterator(), out, "(", t.size() == 1 ? ",)" : ")");
            }
            case Range r -> out.append("range(").append(r.start).append(", ").append(r.stop).append(r.step == 1 ? "" : ", " + r.step).append(')');
            case List<?> l -> elements(l.iterator(), out, "[", "]");
            case Dict d -> dict(d, out);
            case View view -> elements(view.iterator(), out, view.name() + "([", "])");
            case Namespace n -> {
                out.append("<Namespace ");
                dict(n.attributes(), out);
                out.append('>');
            }
            case Undefined _ -> out.append("Undefined");
            case Interpreter.Macro m -> out.append("<Macro ").append(m.name() == null ? "anonymous" : Text.quote(m.name())).append('>');
            case Interpreter.Loop loop -> out.append("<LoopContext ").append(loop.index() + 1).append('/').append(loop.length()).append('>');
            case Stream s -> out.append('<').append(s.type()).append(" object>");
            case Builtin b -> out.append(b.of() == null ? "<function " + b.name() + ">"
                    : "<built-in method " + b.name() + " of " + type(b.of()) + " object>");
            default -> out.append('<').append(type(v)).append('>');
        }
        budget.leave();
    }

    private void elements(Iterator<?> items, StringBuilder out, String open, String close) {
        out.append(open);
        for (boolean first = true; items.hasNext(); first = false) {
            if (!first) out.append(", ");
            repr(items.next(), out);
            limit(out);
        }
        out.append(close);
    }

    private void dict(Dict d, StringBuilder out) {
        out.append('{');
        boolean first = true;
        for (var e : d.entries()) {
            if (!first) out.append(", ");
            first = false;
            repr(e.getKey(), out);
            out.append(": ");
            repr(e.getValue(), out);
            limit(out);
        }
        out.append('}');
    }

    private void limit(StringBuilder out) {
        if (out.length() > Budget.MAX_TEXT) budget.text(out.length());
    }

    /** {@code iter(v)}. */
    Iterator<Object> iterate(Object v) {
        return switch (v) {
            case String s -> counted(characters(s).iterator());
            case Markup m -> counted(characters(m.text()).iterator());
            case List<?> l -> counted(Values.<Object>cast(l).iterator());
            case Dict d -> counted(new View("dict_keys", d).iterator());
            case View view -> counted(view.iterator());
            case Stream s -> counted(s.iterator());
            case Undefined _ -> Collections.emptyIterator();
            case null, default -> throw new TemplateException(Text.quote(type(v)) + " object is not iterable");
        };
    }

    /** Takes a step for each element. */
    private Iterator<Object> counted(Iterator<Object> items) {
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return items.hasNext();
            }

            @Override
            public Object next() {
                budget.spend(1);
                return items.next();
            }
        };
    }

    /** The characters of a text, each as a text. */
    List<Object> characters(String s) {
        budget.elements(s.length());
        return Text.characters(s);
    }

    @SuppressWarnings("unchecked") // lists of values hold values
    static <T> List<T> cast(List<?> list) {
        return (List<T>) list;
    }

    static boolean isIterable(Object v) {
        return v instanceof String || v instanceof Markup || v instanceof List<?> || v instanceof Dict || v instanceof View
                || v instanceof Stream || v instanceof Undefined || v instanceof Interpreter.Loop;
    }

    /** {@code list(v)}, a new one. */
    List<Object> list(Object v) {
        var list = new ArrayList<>();
        for (var items = iterate(v); items.hasNext();) {
            if (list.size() == Budget.MAX_ELEMENTS) budget.elements(Budget.MAX_ELEMENTS + 1L);
            list.add(items.next());
        }
        return list;
    }

    /** {@code len(v)}. */
    long length(Object v) {
        return switch (v) {
            case String s -> textLength(s);
            case Markup m -> textLength(m.text());
            case List<?> l -> l.size();
            case Dict d -> d.size();
            case View view -> view.of().size();
            case Interpreter.Loop loop -> loop.length();
            case Undefined _ -> 0;
            case null, default -> throw new TemplateException("object of type " + Text.quote(type(v)) + " has no len()");
        };
    }

    private long textLength(String s) {
        budget.text(s.length());
        return Text.length(s);
    }

    /** {@code a == b}. */
    boolean equal(Object a, Object b) {
        if (a == b) return !(a instanceof Double d && Double.isNaN(d));
        if (Numbers.isNumber(a) && Numbers.isNumber(b)) {
            var order = Numbers.compare(a, b);
            return order != null && order == 0;
        }
        if (isText(a) && isText(b)) {
            if (chars(a).length() != chars(b).length()) return false;
            budget.text(chars(a).length());
            return chars(a).equals(chars(b));
        }
        if (a instanceof List<?> x && b instanceof List<?> y) {
            if (!type(a).equals(type(b)) || x.size() != y.size()) return false;
            budget.spend(x.size());
            budget.enter();
            boolean same = true;
            for (int i = 0; i < x.size() && same; i++) same = equal(x.get(i), y.get(i));
            budget.leave();
            return same;
        }
        if (a instanceof Dict x && b instanceof Dict y) {
            if (x.size() != y.size()) return false;
            budget.spend(x.size());
            budget.enter();
            boolean same = true;
            for (var e : x.entries()) {
                same = y.has(e.getKey()) && equal(e.getValue(), y.get(e.getKey()));
                if (!same) break;
            }
            budget.leave();
            return same;
        }
        if (a instanceof View x && b instanceof View y && x.name().equals(y.name()) && !x.name().equals("dict_values")) {
            return x.of().size() == y.of().size() && list(x).stream().allMatch(item -> contains(y, item));
        }
        return a instanceof Undefined && b instanceof Undefined;
    }

    /** The order of two values, for the operator that is named in the error. NaN compares as neither: null. */
    Integer compare(Object a, Object b, String operator) {
        budget.spend(1);
        if (Numbers.isNumber(a) && Numbers.isNumber(b)) return Numbers.compare(a, b);
        if (isText(a) && isText(b)) {
            budget.text(Math.min(chars(a).length(), chars(b).length()));
            return Text.compare(chars(a), chars(b));
        }
        if (a instanceof List<?> x && b instanceof List<?> y && type(a).equals(type(b)) && !(a instanceof Range)) {
            int n = Math.min(x.size(), y.size());
            for (int i = 0; i < n; i++) {
                if (!equal(x.get(i), y.get(i))) {
                    budget.enter();
                    var order = compare(x.get(i), y.get(i), operator);
                    budget.leave();
                    return order;
                }
            }
            return Integer.compare(x.size(), y.size());
        }
        fail(a);
        fail(b);
        throw new TemplateException("'" + operator + "' not supported between instances of " + Text.quote(type(a)) + " and " + Text.quote(type(b)));
    }

    /** {@code item in container}. */
    boolean contains(Object container, Object item) {
        switch (container) {
            case String s -> {
                return inText(s, item);
            }
            case Markup m -> {
                return inText(m.text(), item);
            }
            case Dict d -> {
                return d.has(item);
            }
            case View view when view.name().equals("dict_keys") -> {
                return view.of().has(item);
            }
            case null, default -> {
                if (!isIterable(container)) {
                    throw new TemplateException("argument of type " + Text.quote(type(container)) + " is not iterable");
                }
                for (var items = iterate(container); items.hasNext();) {
                    if (equal(items.next(), item)) return true;
                }
                return false;
            }
        }
    }

    private boolean inText(String s, Object item) {
        if (!isText(item)) throw new TemplateException("'in <string>' requires string as left operand, not " + type(item));
        budget.text(s.length());
        return Text.indexOf(s, chars(item), 0) >= 0;
    }

    /** Throws what using an undefined value throws. */
    static void fail(Object v) {
        if (v instanceof Undefined u) throw new TemplateException(u.message());
    }

    Object binary(String operator, Object a, Object b) {
        fail(a);
        fail(b);
        boolean numbers = Numbers.isNumber(a) && Numbers.isNumber(b);
        switch (operator) {
            case "+" -> {
                if (numbers) return Numbers.add(a, b);
                if (isText(a) && isText(b)) return join(a, b);
                if (a instanceof List<?> x && b instanceof List<?> y && type(a).equals(type(b)) && !(a instanceof Range)) {
                    budget.elements(x.size() + (long) y.size());
                    var sum = new ArrayList<Object>(x);
                    sum.addAll(y);
                    return a instanceof Tuple ? new Tuple(sum) : sum;
                }
                if (isText(a)) throw new TemplateException("can only concatenate str (not \"" + type(b) + "\") to str");
                if (a instanceof List<?> && !(a instanceof Range)) {
                    throw new TemplateException("can only concatenate " + type(a) + " (not \"" + type(b) + "\") to " + type(a));
                }
            }
            case "-" -> {
                if (numbers) return Numbers.subtract(a, b);
            }
            case "*" -> {
                if (numbers) return Numbers.multiply(a, b);
                if (Numbers.isInteger(b) && (isText(a) || a instanceof List<?> && !(a instanceof Range))) return repeat(a, Numbers.clamp(b));
                if (Numbers.isInteger(a) && (isText(b) || b instanceof List<?> && !(b instanceof Range))) return repeat(b, Numbers.clamp(a));
                if (isText(a) || a instanceof List<?>) {
                    throw new TemplateException("can't multiply sequence by non-int of type " + Text.quote(type(b)));
                }
            }
            case "/" -> {
                if (numbers) return Numbers.divide(a, b);
            }
            case "//" -> {
                if (numbers) return Numbers.floorDivide(a, b);
            }
            case "%" -> {
                if (numbers) return Numbers.modulo(a, b);
                if (isText(a)) {
                    var made = new Format(this, budget, a instanceof Markup).percent(chars(a), b);
                    return a instanceof Markup ? new Markup(made) : made;
                }
            }
            default -> {
                if (numbers) return Numbers.power(a, b, budget);
            }
        }
        throw new TemplateException("unsupported operand type(s) for " + (operator.equals("**") ? "** or pow()" : operator) + ": "
                + Text.quote(type(a)) + " and " + Text.quote(type(b)));
    }

    private Object join(Object a, Object b) {
        if (a instanceof Markup || b instanceof Markup) {
            var x = a instanceof Markup m ? m.text() : Markup.escape(chars(a));
            var y = b instanceof Markup m ? m.text() : Markup.escape(chars(b));
            budget.text(x.length() + (long) y.length());
            return new Markup(x + y);
        }
        budget.text(chars(a).length() + (long) chars(b).length());
        return chars(a) + chars(b);
    }

    private Object repeat(Object v, long times) {
        if (isText(v)) {
            var made = Text.repeat(chars(v), times, budget);
            return v instanceof Markup ? new Markup(made) : made;
        }
        var list = (List<?>) v;
        long count = times <= 0 || list.isEmpty() ? 0 : times;
        budget.elements(count > Budget.MAX_ELEMENTS ? count : count * list.size());
        var made = new ArrayList<Object>((int) count * list.size());
        for (long i = 0; i < count; i++) made.addAll(list);
        return v instanceof Tuple ? new Tuple(made) : made;
    }

    Object sign(boolean negative, Object v) {
        fail(v);
        if (!Numbers.isNumber(v)) throw new TemplateException("bad operand type for unary " + (negative ? "-" : "+") + ": " + Text.quote(type(v)));
        return negative ? Numbers.negate(v) : v instanceof Boolean b ? (b ? 1L : 0L) : v;
    }

    /** {@code v[start:stop:step]}; absent bounds are null. */
    Object slice(Object v, Object start, Object stop, Object step) {
        fail(v);
        if (v instanceof Dict) throw new TemplateException("unhashable type: 'slice'");
        if (!isText(v) && !(v instanceof List<?>)) throw new TemplateException(Text.quote(type(v)) + " object is not subscriptable");
        for (var bound : new Object[] {start, stop, step}) {
            if (bound != null && !Numbers.isInteger(bound)) {
                throw new TemplateException("slice indices must be integers or None or have an __index__ method");
            }
        }
        long by = step == null ? 1 : Numbers.clamp(step);
        if (by == 0) throw new TemplateException("slice step cannot be zero");
        if (isText(v) && by == 1) {
            var s = chars(v);
            int size = (int) textLength(s);
            int from = (int) bound(start, size, 0, 0, size);
            int to = (int) Math.max(from, bound(stop, size, size, 0, size));
            budget.text(s.length());
            var cut = s.substring(Text.unit(s, from), Text.unit(s, to));
            return v instanceof Markup ? new Markup(cut) : cut;
        }
        List<Object> items = isText(v) ? characters(chars(v)) : cast((List<?>) v);
        long size = items.size();
        long from = by > 0 ? bound(start, size, 0, 0, size) : bound(start, size, size - 1, -1, size - 1);
        long to = by > 0 ? bound(stop, size, size, 0, size) : bound(stop, size, -1, -1, size - 1);
        var made = new ArrayList<>();
        for (long i = from; by > 0 ? i < to : i > to; i += by) {
            budget.spend(1);
            made.add(items.get((int) i));
            if (by > 0 ? i > Long.MAX_VALUE - by : i < Long.MIN_VALUE - by) break;
        }
        if (isText(v)) {
            var out = new StringBuilder();
            made.forEach(out::append);
            return v instanceof Markup ? new Markup(out.toString()) : out.toString();
        }
        if (v instanceof Range r && !made.isEmpty()) {
            long d = r.step * by;
            long first = (Long) made.getFirst();
            return new Range(first, r.start + to * r.step, d, made.size());
        }
        if (v instanceof Range) return new Range(0, 0, 1, 0);
        return v instanceof Tuple ? new Tuple(made) : made;
    }

    private static long bound(Object bound, long size, long absent, long min, long max) {
        if (bound == null) return absent;
        long i = Numbers.clamp(bound);
        return Math.clamp(i < 0 ? i + size : i, min, max);
    }

    /** {@code v[key]} as Jinja2 does it: attributes are looked at next, {@link Undefined} is last. */
    Object item(Object v, Object key) {
        fail(v);
        switch (v) {
            case Dict d when Dict.hashable(key) && d.has(key) -> {
                return d.get(key);
            }
            case List<?> l when Numbers.isInteger(key) -> {
                long i = index(key, l.size());
                if (i >= 0) return l.get((int) i);
            }
            case String s when Numbers.isInteger(key) -> {
                long i = index(key, textLength(s));
                if (i >= 0) return character(s, (int) i);
            }
            case Markup m when Numbers.isInteger(key) -> {
                long i = index(key, textLength(m.text()));
                if (i >= 0) return new Markup(character(m.text(), (int) i));
            }
            case null, default -> { }
        }
        if (isText(key)) {
            var attribute = attributeOrNull(v, chars(key));
            if (attribute != null) return attribute.value();
        }
        return new Undefined(isText(key) ? Text.quote(describe(v)) + " has no attribute " + Text.quote(chars(key))
                : describe(v) + " has no element " + repr(key));
    }

    private static long index(Object key, long size) {
        long i = Numbers.clamp(key);
        if (i < 0) i += size;
        return i >= 0 && i < size ? i : -1;
    }

    private static String character(String s, int index) {
        int at = Text.unit(s, index);
        return s.substring(at, at + Character.charCount(s.codePointAt(at)));
    }

    /** {@code v.name} as Jinja2 does it: items are looked at next. */
    Object attribute(Object v, String name) {
        fail(v);
        var attribute = attributeOrNull(v, name);
        if (attribute != null) return attribute.value();
        if (v instanceof Dict d && d.has(name)) return d.get(name);
        return new Undefined(Text.quote(describe(v)) + " has no attribute " + Text.quote(name));
    }

    /** An attribute's value, which may be None. */
    record Found(Object value) {}

    /** An attribute of the type, or null if it has none of that name. */
    Found attributeOrNull(Object v, String name) {
        if (name.startsWith("__") && name.endsWith("__") && name.length() > 4 && Methods.internal(name)) {
            return new Found(new Undefined("access to attribute " + Text.quote(name) + " of " + Text.quote(type(v)) + " object is unsafe."));
        }
        switch (v) {
            case Namespace n -> {
                return n.attributes().has(name) ? new Found(n.attributes().get(name)) : null;
            }
            case Interpreter.Loop loop -> {
                return loop.attribute(name);
            }
            case Interpreter.Macro macro -> {
                return macro.attribute(name);
            }
            case null, default -> {
                var method = Methods.find(v, name, this, budget);
                return method == null ? null : new Found(method);
            }
        }
    }
}
