package io.github.spike4j.template;

import io.github.spike4j.template.Values.Builtin;
import io.github.spike4j.template.Values.Dict;
import io.github.spike4j.template.Values.Markup;
import io.github.spike4j.template.Values.Range;
import io.github.spike4j.template.Values.Tuple;
import io.github.spike4j.template.Values.Undefined;
import io.github.spike4j.template.Values.View;
import java.util.List;
import java.util.Set;
import java.util.function.IntPredicate;

/** Methods of Python's types. Those that change a value are there and may not be called: the sandbox is immutable. */
final class Methods {
    private static final Set<String> LIST_CHANGES = Set.of("append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove");
    private static final Set<String> DICT_CHANGES = Set.of("clear", "pop", "popitem", "setdefault", "update");
    private static final Set<String> INTERNAL = Set.of("__class__", "__init__", "__getitem__", "__len__", "__iter__", "__doc__", "__dict__",
            "__globals__", "__mro__", "__subclasses__", "__reduce__", "__reduce_ex__", "__getattribute__", "__setattr__", "__contains__",
            "__eq__", "__hash__", "__str__", "__repr__", "__module__", "__call__", "__name__", "__self__", "__new__", "__format__");

    private Methods() {}

    /** Whether a name is one of Python's inner attributes, which the sandbox hides. */
    static boolean internal(String name) {
        return INTERNAL.contains(name);
    }

    /** A bound method, or null if the type has none of that name. */
    static Object find(Object of, String name, Values values, Budget budget) {
        return switch (of) {
            case String s -> text(s, s, name, values, budget);
            case Markup m -> text(m, m.text(), name, values, budget);
            case Range r -> sequence(r, name, values, budget);
            case Tuple t -> sequence(t, name, values, budget);
            case List<?> l -> LIST_CHANGES.contains(name) ? unsafe(l, name)
                    : name.equals("copy") ? method(l, name, a -> {
                        a.bind(name, 0);
                        return values.list(l);
                    }) : sequence(l, name, values, budget);
            case Dict d -> DICT_CHANGES.contains(name) ? unsafe(d, name) : dict(d, name, budget);
            case View view when name.equals("mapping") -> view.of();
            case Double d when name.equals("is_integer") -> method(d, name, _ -> d == Math.rint(d) && !Double.isInfinite(d));
            case Long l when name.equals("bit_length") -> method(l, name, _ -> (long) Numbers.big(l).abs().bitLength());
            case null, default -> null;
        };
    }

    private static Builtin method(Object of, String name, Values.Callable body) {
        return new Builtin(name, of, body);
    }

    private static Undefined unsafe(Object of, String name) {
        return new Undefined("access to attribute " + Text.quote(name) + " of " + Text.quote(Values.type(of)) + " object is unsafe.");
    }

    private static Object dict(Dict d, String name, Budget budget) {
        return switch (name) {
            case "items", "keys", "values" -> method(d, name, a -> {
                a.bind(name, 0);
                return new View("dict_" + name, d);
            });
            case "get" -> method(d, name, a -> {
                var p = a.bind("get", 1, "key", "default");
                return d.has(p.get(0, null)) ? d.get(p.get(0, null)) : p.get(1, null);
            });
            case "copy" -> method(d, name, a -> {
                a.bind(name, 0);
                budget.spend(d.size());
                return d.copy();
            });
            default -> null;
        };
    }

    private static Object sequence(List<?> l, String name, Values values, Budget budget) {
        return switch (name) {
            case "count" -> method(l, name, a -> {
                var item = a.bind(name, 1, "value").get(0, null);
                budget.spend(l.size());
                return l.stream().filter(x -> values.equal(x, item)).count();
            });
            case "index" -> method(l, name, a -> {
                var p = a.bind(name, 1, "value", "start", "stop");
                long from = place(p.integer(1, 0), l.size());
                long to = place(p.integer(2, l.size()), l.size());
                budget.spend(l.size());
                for (long i = from; i < to; i++) {
                    if (values.equal(l.get((int) i), p.get(0, null))) return i;
                }
                throw new TemplateException(values.repr(p.get(0, null)) + " is not in " + Values.type(l));
            });
            case "start", "stop", "step" -> l instanceof Range r ? (Object) (name.equals("start") ? r.start : name.equals("stop") ? r.stop : r.step) : null;
            default -> null;
        };
    }

    private static long place(long index, long size) {
        return Math.clamp(index < 0 ? index + size : index, 0, size);
    }

    /** Methods of {@code str}. Those of a {@link Markup} give markup again where they give a text. */
    private static Object text(Object of, String s, String name, Values values, Budget budget) {
        Values.Callable body = switch (name) {
            case "upper", "lower", "casefold", "title", "capitalize", "swapcase" -> a -> {
                a.bind(name, 0);
                return switch (name) {
                    case "upper" -> Text.upper(s);
                    case "title" -> Text.title(s);
                    case "capitalize" -> Text.capitalize(s);
                    case "swapcase" -> Text.swapCase(s);
                    case "casefold" -> Text.lower(Text.upper(s));
                    default -> Text.lower(s);
                };
            };
            case "strip", "lstrip", "rstrip" -> a -> Text.strip(s, a.bind(name, 0, "chars").text(0), !name.equals("rstrip"), !name.equals("lstrip"));
            case "split", "rsplit" -> a -> {
                var p = a.bind(name, 0, "sep", "maxsplit");
                var separator = p.text(0);
                if (separator != null && separator.isEmpty()) throw new TemplateException("empty separator");
                return name.equals("split") ? Text.split(s, separator, p.integer(1, -1), budget) : Text.splitRight(s, separator, p.integer(1, -1), budget);
            };
            case "splitlines" -> a -> Text.lines(s, values.truth(a.bind(name, 0, "keepends").get(0, false)), budget);
            case "partition", "rpartition" -> a -> {
                var separator = a.bind(name, 1, "sep").required(0);
                if (separator.isEmpty()) throw new TemplateException("empty separator");
                boolean first = name.equals("partition");
                int i = first ? Text.indexOf(s, separator, 0) : Text.lastIndexOf(s, separator);
                if (i < 0) return first ? Tuple.of(s, "", "") : Tuple.of("", "", s);
                return Tuple.of(s.substring(0, i), separator, s.substring(i + separator.length()));
            };
            case "startswith", "endswith" -> a -> {
                var p = a.bind(name, 1, "prefix", "start", "end");
                var part = cut(s, p, 1);
                if (part == null) return false;
                var affix = p.get(0, null);
                Values.fail(affix);
                for (var one : affix instanceof Tuple t ? t : List.of(affix == null ? Arguments.ABSENT : affix)) {
                    if (!Values.isText(one)) {
                        throw new TemplateException(name + " first arg must be str or a tuple of str, not " + Values.type(affix));
                    }
                    if (name.equals("startswith") ? part.startsWith(Values.chars(one)) : part.endsWith(Values.chars(one))) return true;
                }
                return false;
            };
            case "removeprefix", "removesuffix" -> a -> {
                var affix = a.bind(name, 1, "affix").required(0);
                if (name.equals("removeprefix")) return s.startsWith(affix) ? s.substring(affix.length()) : s;
                return s.endsWith(affix) ? s.substring(0, s.length() - affix.length()) : s;
            };
            case "replace" -> a -> {
                var p = a.bind(name, 2, "old", "new", "count");
                return Text.replace(s, p.required(0), of instanceof Markup ? escaped(p.get(1, null), values) : p.required(1), p.integer(2, -1), budget);
            };
            case "find", "rfind", "index", "rindex" -> a -> {
                var p = a.bind(name, 1, "sub", "start", "end");
                long found = find(s, p, name.startsWith("r"));
                if (found < 0 && name.endsWith("index")) throw new TemplateException("substring not found");
                return found;
            };
            case "count" -> a -> {
                var p = a.bind(name, 1, "sub", "start", "end");
                var part = cut(s, p, 1);
                var sub = p.required(0);
                if (part == null) return 0L;
                if (sub.isEmpty()) return Text.length(part) + 1L;
                long count = 0;
                for (int i = Text.indexOf(part, sub, 0); i >= 0; i = Text.indexOf(part, sub, i + sub.length())) count++;
                return count;
            };
            case "join" -> a -> {
                var out = new StringBuilder();
                var items = values.iterate(a.bind(name, 1, "iterable").get(0, null));
                for (int i = 0; items.hasNext(); i++) {
                    var item = items.next();
                    if (of instanceof Markup) item = escaped(item, values);
                    if (!Values.isText(item)) throw new TemplateException("sequence item " + i + ": expected str instance, " + Values.type(item) + " found");
                    if (i > 0) Text.append(out, s, budget);
                    Text.append(out, Values.chars(item), budget);
                }
                return out.toString();
            };
            case "format" -> a -> new Format(values, budget, of instanceof Markup).format(s, a);
            case "format_map" -> a -> {
                var map = a.bind(name, 1, "mapping").get(0, null);
                return new Format(values, budget, of instanceof Markup).formatMap(s, map);
            };
            case "center", "ljust", "rjust" -> a -> {
                var p = a.bind(name, 1, "width", "fillchar");
                var fill = p.text(1) == null ? " " : p.text(1);
                if (Text.length(fill) != 1) throw new TemplateException("The fill character must be exactly one character long");
                return Text.pad(s, p.integer(0, 0), fill, name.equals("center") ? 0 : name.equals("ljust") ? -1 : 1, budget);
            };
            case "zfill" -> a -> {
                long missing = a.bind(name, 1, "width").integer(0, 0) - Text.length(s);
                boolean signed = s.startsWith("-") || s.startsWith("+");
                return missing <= 0 ? s : (signed ? s.substring(0, 1) : "") + Text.repeat("0", missing, budget) + (signed ? s.substring(1) : s);
            };
            case "expandtabs" -> a -> expandTabs(s, a.bind(name, 0, "tabsize").integer(0, 8), budget);
            case "isdigit" -> a -> all(s, a, name, c -> Character.getType(c) == Character.DECIMAL_DIGIT_NUMBER || isSuperscript(c));
            case "isdecimal" -> a -> all(s, a, name, c -> Character.getType(c) == Character.DECIMAL_DIGIT_NUMBER);
            case "isnumeric" -> a -> all(s, a, name, Methods::isNumeric);
            case "isalpha" -> a -> all(s, a, name, Character::isLetter);
            case "isalnum" -> a -> all(s, a, name, c -> Character.isLetter(c) || isNumeric(c));
            case "isspace" -> a -> all(s, a, name, Text::isSpace);
            case "isprintable" -> a -> s.isEmpty() || all(s, a, name, Text::isPrintable);
            case "isascii" -> a -> s.isEmpty() || all(s, a, name, c -> c < 128);
            case "isidentifier" -> a -> all(s, a, name, c -> c == '_' || Character.isUnicodeIdentifierPart(c) && !Character.isIdentifierIgnorable(c))
                    && !Character.isDigit(s.codePointAt(0));
            case "islower" -> _ -> isCase(s, false);
            case "isupper" -> _ -> isCase(s, true);
            case "istitle" -> _ -> s.codePoints().anyMatch(Text::isCased) && Text.title(s).equals(s);
            default -> null;
        };
        if (body == null) return null;
        return method(of, name, a -> {
            budget.text(s.length());
            return of instanceof Markup ? marked(body.call(a)) : body.call(a);
        });
    }

    private static Object marked(Object result) {
        return switch (result) {
            case String s -> new Markup(s);
            case Tuple t -> new Tuple(Values.cast(t.stream().map(Methods::marked).toList()));
            case List<?> l -> new java.util.ArrayList<>(l.stream().map(Methods::marked).toList());
            default -> result;
        };
    }

    private static String escaped(Object v, Values values) {
        return v instanceof Markup m ? m.text() : Markup.escape(values.text(v));
    }

    /** The part that start and end, the parameters from {@code first}, leave; null if start lies beyond the end. */
    private static String cut(String s, Arguments.Bound p, int first) {
        if (!p.has(first) && !p.has(first + 1)) return s;
        int size = Text.length(s);
        long start = p.get(first, null) == null ? 0 : p.integer(first, 0);
        if (start > size) return null;
        long from = place(start, size);
        long to = p.get(first + 1, null) == null ? size : place(p.integer(first + 1, size), size);
        return from > to ? null : s.substring(Text.unit(s, (int) from), Text.unit(s, (int) to));
    }

    private static long find(String s, Arguments.Bound p, boolean last) {
        var part = cut(s, p, 1);
        if (part == null) return -1;
        var sub = p.required(0);
        int i = last ? Text.lastIndexOf(part, sub) : Text.indexOf(part, sub, 0);
        long from = p.get(1, null) == null ? 0 : place(p.integer(1, 0), Text.length(s));
        return i < 0 ? -1 : from + Text.character(part, i);
    }

    private static String expandTabs(String s, long size, Budget budget) {
        var out = new StringBuilder();
        int column = 0;
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            if (c == '\t') {
                long more = size <= 0 ? 0 : size - column % size;
                Text.append(out, Text.repeat(" ", more, budget), budget);
                column += (int) more;
            } else {
                out.append(c);
                if (!Character.isLowSurrogate(c)) column++;
                if (c == '\n' || c == '\r') column = 0;
            }
        }
        return out.toString();
    }

    private static boolean all(String s, Arguments a, String name, IntPredicate p) {
        a.bind(name, 0);
        return !s.isEmpty() && s.codePoints().allMatch(p);
    }

    private static boolean isNumeric(int c) {
        int type = Character.getType(c);
        return type == Character.DECIMAL_DIGIT_NUMBER || type == Character.LETTER_NUMBER || type == Character.OTHER_NUMBER;
    }

    private static boolean isSuperscript(int c) {
        return c == 0xB2 || c == 0xB3 || c == 0xB9 || c >= 0x2070 && c <= 0x2089 && Character.getType(c) == Character.OTHER_NUMBER
                || c >= 0x2460 && c <= 0x2468;
    }

    static boolean isCase(String s, boolean upper) {
        return s.codePoints().anyMatch(Text::isCased)
                && s.codePoints().filter(Text::isCased).allMatch(c -> upper ? Character.isUpperCase(c) : Character.isLowerCase(c));
    }
}
