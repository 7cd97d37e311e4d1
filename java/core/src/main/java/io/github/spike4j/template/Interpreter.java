package io.github.spike4j.template;

import io.github.spike4j.template.Ast.Expr;
import io.github.spike4j.template.Ast.Signature;
import io.github.spike4j.template.Ast.Statement;
import io.github.spike4j.template.Values.Callable;
import io.github.spike4j.template.Values.Dict;
import io.github.spike4j.template.Values.Found;
import io.github.spike4j.template.Values.Namespace;
import io.github.spike4j.template.Values.Tuple;
import io.github.spike4j.template.Values.Undefined;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** One rendering: walks the tree. */
final class Interpreter {
    /** How a list of statements ended. */
    private enum End { NORMAL, BREAK, CONTINUE }

    /** Variables of a loop's turn, a macro's call or the template; what is not here is looked for outside. */
    private static final class Scope {
        private final Map<String, Object> variables;
        private final Scope outer;

        Scope(Map<String, Object> variables, Scope outer) {
            this.variables = variables;
            this.outer = outer;
        }

        Scope(Scope outer) {
            this(new HashMap<>(), outer);
        }

        void set(String name, Object value) {
            variables.put(name, value);
        }
    }

    private final Budget budget = new Budget();
    private final Values values = new Values(budget);
    private final Filters filters = new Filters(values, budget);
    private final Map<String, Object> globals;
    private StringBuilder out = new StringBuilder();

    private Interpreter(Template.Clock clock) {
        globals = new Globals(values, budget, clock).all();
    }

    static String render(List<Statement> template, Map<String, Object> variables, Template.Clock clock) {
        var interpreter = new Interpreter(clock);
        interpreter.run(template, new Scope(new HashMap<>(variables), null));
        return interpreter.out.toString();
    }

    private End run(List<Statement> statements, Scope scope) {
        for (var statement : statements) {
            End end;
            try {
                budget.enter();
                end = run(statement, scope);
                budget.leave();
            } catch (TemplateException e) {
                throw e.at(statement.line());
            }
            if (end != End.NORMAL) return end;
        }
        return End.NORMAL;
    }

    private End run(Statement statement, Scope scope) {
        switch (statement) {
            case Ast.Text t -> print(t.text());
            case Ast.Print p -> print(values.text(eval(p.value(), scope)));
            case Ast.If i -> {
                for (int b = 0; b < i.tests().size(); b++) {
                    if (values.truth(eval(i.tests().get(b), scope))) return run(i.bodies().get(b), scope);
                }
                return run(i.otherwise(), scope);
            }
            case Ast.For f -> {
                var over = eval(f.over(), scope);
                if (!f.recursive()) loop(f, over, scope, null, 0);
                else print(recursive(f, over, scope, 0));
            }
            case Ast.Assign a -> assign(a.target(), eval(a.value(), scope), scope);
            case Ast.AssignBlock a -> {
                var text = new String[1];
                var end = capture(a.body(), new Scope(scope), text);
                if (end != End.NORMAL) return end;
                assign(a.target(), a.filter() == null ? text[0] : filter(a.filter(), text[0], scope), scope);
            }
            case Ast.With w -> {
                var inner = new Scope(scope);
                for (int i = 0; i < w.targets().size(); i++) assign(w.targets().get(i), eval(w.values().get(i), scope), inner);
                return run(w.body(), inner);
            }
            case Ast.Scoped s -> {
                return run(s.body(), new Scope(scope));
            }
            case Ast.MacroOf m -> scope.set(m.signature().name(), new Macro(m.signature(), m.body(), scope));
            case Ast.CallBlock c -> {
                var caller = new Macro(c.signature(), c.body(), scope);
                print(values.text(call(c.call(), scope, caller)));
            }
            case Ast.FilterBlock f -> {
                var text = new String[1];
                var end = capture(f.body(), new Scope(scope), text);
                if (end != End.NORMAL) return end;
                print(values.text(filter(f.filter(), text[0], scope)));
            }
            case Ast.Break _ -> {
                return End.BREAK;
            }
            case Ast.Continue _ -> {
                return End.CONTINUE;
            }
        }
        return End.NORMAL;
    }

    private void print(String text) {
        Text.append(out, text, budget);
    }

    /** Runs a body whose output is not the template's: it becomes {@code text[0]}. */
    private End capture(List<Statement> body, Scope scope, String[] text) {
        var outer = out;
        out = new StringBuilder();
        var end = run(body, scope);
        text[0] = out.toString();
        out = outer;
        return end;
    }

    private String recursive(Ast.For f, Object over, Scope scope, int depth) {
        var outer = out;
        out = new StringBuilder();
        loop(f, over, scope, f, depth);
        var text = out.toString();
        out = outer;
        return text;
    }

    private void loop(Ast.For f, Object over, Scope scope, Ast.For recursion, int depth) {
        var items = values.iterate(over);
        long size = f.test() == null && !(over instanceof Values.Stream) ? values.length(over) : -1;
        if (f.test() != null) {
            items = Filters.filtered(items, item -> {
                var inner = new Scope(scope);
                assign(f.target(), item, inner);
                return values.truth(eval(f.test(), inner));
            });
        }
        var loop = new Loop(items, size, scope, recursion, depth);
        boolean none = true;
        while (loop.hasNext()) {
            none = false;
            var inner = new Scope(scope);
            inner.set("loop", loop);
            assign(f.target(), loop.next(), inner);
            if (run(f.body(), inner) == End.BREAK) break;
        }
        if (none) run(f.otherwise(), new Scope(scope));
    }

    private void assign(Expr target, Object value, Scope scope) {
        switch (target) {
            case Ast.Name n -> scope.set(n.name(), value);
            case Ast.NamespaceRef n -> {
                if (!(lookup(n.name(), scope) instanceof Namespace space)) {
                    throw new TemplateException("cannot assign attribute on non-namespace object", n.line());
                }
                space.attributes().put(n.attribute(), value);
            }
            case Ast.TupleOf t -> {
                if (!Values.isIterable(value)) throw new TemplateException("cannot unpack non-iterable " + Values.type(value) + " object");
                var items = values.iterate(value);
                int size = t.items().size();
                for (int i = 0; i < size; i++) {
                    if (!items.hasNext()) throw new TemplateException("not enough values to unpack (expected " + size + ", got " + i + ")");
                    assign(t.items().get(i), items.next(), scope);
                }
                if (items.hasNext()) throw new TemplateException("too many values to unpack (expected " + size + ")");
            }
            default -> throw new IllegalStateException(target.toString());
        }
    }

    private Object lookup(String name, Scope scope) {
        for (var s = scope; s != null; s = s.outer) {
            var value = s.variables.get(name);
            if (value != null || s.variables.containsKey(name)) return value;
        }
        return globals.containsKey(name) ? globals.get(name) : Undefined.name(name);
    }

    private Object eval(Expr e, Scope scope) {
        budget.enter();
        Object value;
        try {
            value = switch (e) {
                case Ast.Const c -> c.value();
                case Ast.Name n -> lookup(n.name(), scope);
                case Ast.NamespaceRef n -> values.attribute(lookup(n.name(), scope), n.attribute());
                case Ast.TupleOf t -> new Tuple(all(t.items(), scope));
                case Ast.ListOf l -> all(l.items(), scope);
                case Ast.DictOf d -> {
                    var dict = new Dict();
                    for (int i = 0; i < d.keys().size(); i++) dict.put(eval(d.keys().get(i), scope), eval(d.values().get(i), scope));
                    yield dict;
                }
                case Ast.Attribute a -> values.attribute(eval(a.of(), scope), a.name());
                case Ast.Item i -> values.item(eval(i.of(), scope), eval(i.key(), scope));
                case Ast.Slice s -> values.slice(eval(s.of(), scope), optional(s.start(), scope), optional(s.stop(), scope), optional(s.step(), scope));
                case Ast.Call c -> call(c, scope, null);
                case Ast.Filter f -> filter(f, null, scope);
                case Ast.Test t -> filters.tests().test(t.name(), eval(t.of(), scope), arguments(t.arguments(), scope));
                case Ast.Not n -> !values.truth(eval(n.of(), scope));
                case Ast.Sign s -> values.sign(s.negative(), eval(s.of(), scope));
                case Ast.And a -> {
                    var left = eval(a.left(), scope);
                    yield values.truth(left) ? eval(a.right(), scope) : left;
                }
                case Ast.Or o -> {
                    var left = eval(o.left(), scope);
                    yield values.truth(left) ? left : eval(o.right(), scope);
                }
                case Ast.Binary b -> values.binary(b.operator(), eval(b.left(), scope), eval(b.right(), scope));
                case Ast.Concat c -> {
                    var text = new StringBuilder();
                    for (var part : c.parts()) Text.append(text, values.text(eval(part, scope)), budget);
                    yield text.toString();
                }
                case Ast.Compare c -> compare(c, scope);
                case Ast.Conditional c -> values.truth(eval(c.test(), scope)) ? eval(c.then(), scope)
                        : c.otherwise() != null ? eval(c.otherwise(), scope)
                        : new Undefined("the inline if-expression on line " + c.line() + " evaluated to false and no else section was defined.");
            };
        } catch (TemplateException x) {
            throw x.at(e.line());
        }
        budget.leave();
        return value;
    }

    private Object optional(Expr e, Scope scope) {
        return e == null ? null : eval(e, scope);
    }

    private List<Object> all(List<Expr> items, Scope scope) {
        var list = new ArrayList<>(items.size());
        for (var item : items) list.add(eval(item, scope));
        return list;
    }

    private boolean compare(Ast.Compare c, Scope scope) {
        var left = eval(c.first(), scope);
        for (int i = 0; i < c.operators().size(); i++) {
            var right = eval(c.rest().get(i), scope);
            boolean holds = switch (c.operators().get(i)) {
                case "==" -> values.equal(left, right);
                case "!=" -> !values.equal(left, right);
                case "in" -> values.contains(right, left);
                case "not in" -> !values.contains(right, left);
                default -> Tests.ordered(values, c.operators().get(i), left, right);
            };
            if (!holds) return false;
            left = right;
        }
        return true;
    }

    private Arguments arguments(Ast.Arguments a, Scope scope) {
        if (a == Ast.Arguments.NONE) return Arguments.NONE;
        var positional = all(a.positional(), scope);
        var named = new LinkedHashMap<String, Object>();
        for (int i = 0; i < a.names().size(); i++) {
            if (named.containsKey(a.names().get(i))) throw new TemplateException("keyword argument repeated: " + a.names().get(i));
            named.put(a.names().get(i), eval(a.values().get(i), scope));
        }
        if (a.rest() != null) positional.addAll(values.list(eval(a.rest(), scope)));
        if (a.named() != null) {
            if (!(eval(a.named(), scope) instanceof Dict d)) throw new TemplateException("argument after ** must be a mapping");
            for (var e : d.entries()) {
                if (!Values.isText(e.getKey())) throw new TemplateException("keywords must be strings");
                named.put(Values.chars(e.getKey()), e.getValue());
            }
        }
        return new Arguments(positional, named);
    }

    /** Applies the filter, and those before it, to its expression or to the text of its block. */
    private Object filter(Ast.Filter f, Object block, Scope scope) {
        budget.enter();
        var of = f.of() == null ? block : f.of() instanceof Ast.Filter inner ? filter(inner, block, scope) : eval(f.of(), scope);
        var made = filters.apply(f.name(), of, arguments(f.arguments(), scope));
        budget.leave();
        return made;
    }

    private Object call(Ast.Call c, Scope scope, Macro caller) {
        var callee = eval(c.callee(), scope);
        var arguments = arguments(c.arguments(), scope);
        Values.fail(callee);
        if (!(callee instanceof Callable callable)) throw new TemplateException(Text.quote(Values.type(callee)) + " object is not callable");
        return callable.call(caller == null ? arguments : arguments.with("caller", caller));
    }

    /** A macro, or the body of a call block. */
    final class Macro implements Callable {
        private final Signature signature;
        private final List<Statement> body;
        private final Scope scope;

        private Macro(Signature signature, List<Statement> body, Scope scope) {
            this.signature = signature;
            this.body = body;
            this.scope = scope;
        }

        String name() {
            return signature.name();
        }

        Found attribute(String name) {
            return switch (name) {
                case "name" -> new Found(signature.name());
                case "arguments" -> new Found(new Tuple(List.copyOf(signature.parameters())));
                case "catch_kwargs" -> new Found(signature.kwargs());
                case "catch_varargs" -> new Found(signature.varargs());
                case "caller" -> new Found(signature.caller());
                default -> null;
            };
        }

        @Override
        public Object call(Arguments a) {
            var inner = new Scope(scope);
            var parameters = signature.parameters();
            int count = parameters.size();
            var named = new LinkedHashMap<>(a.named());
            for (int i = 0; i < count; i++) {
                var name = parameters.get(i);
                if (i < a.positional().size()) {
                    inner.set(name, a.positional().get(i));
                } else if (named.containsKey(name)) {
                    inner.set(name, named.remove(name));
                } else {
                    int d = i - (count - signature.defaults().size());
                    inner.set(name, d >= 0 ? eval(signature.defaults().get(d), inner) : new Undefined("parameter " + Text.quote(name) + " was not provided"));
                }
            }
            if (signature.caller() && !parameters.contains("caller")) {
                var caller = named.remove("caller");
                inner.set("caller", caller == null ? new Undefined("No caller defined") : caller);
            }
            if (signature.kwargs()) {
                var rest = new Dict();
                named.forEach(rest::put);
                inner.set("kwargs", rest);
            } else if (!named.isEmpty()) {
                throw new TemplateException(named.containsKey("caller")
                        ? "macro " + shown() + " was invoked with two values for the special caller argument. This is most likely a bug."
                        : "macro " + shown() + " takes no keyword argument " + Text.quote(named.keySet().iterator().next()));
            }
            if (signature.varargs()) {
                inner.set("varargs", new Tuple(a.positional().subList(Math.min(count, a.positional().size()), a.positional().size())));
            } else if (a.positional().size() > count) {
                throw new TemplateException("macro " + shown() + " takes not more than " + count + " argument(s)");
            }
            var text = new String[1];
            capture(body, inner, text);
            return text[0];
        }

        private String shown() {
            return name() == null ? "None" : Text.quote(name());
        }
    }

    /** The {@code loop} of a loop's body. */
    final class Loop implements Callable {
        private Iterator<Object> items;
        private long length;
        private final Scope scope;
        private final Ast.For recursion;
        private final int depth;
        private int index = -1;
        private Object before;
        private Object current;
        private boolean peeked;
        private Object after;
        private List<Object> changed;

        private Loop(Iterator<Object> items, long length, Scope scope, Ast.For recursion, int depth) {
            this.items = items;
            this.length = length;
            this.scope = scope;
            this.recursion = recursion;
            this.depth = depth;
        }

        private boolean hasNext() {
            return peeked || items.hasNext();
        }

        private Object next() {
            before = current;
            current = peeked ? after : items.next();
            peeked = false;
            index++;
            return current;
        }

        private boolean peek() {
            if (!peeked && items.hasNext()) {
                after = items.next();
                peeked = true;
            }
            return peeked;
        }

        int index() {
            return index;
        }

        long length() {
            if (length < 0) {
                var rest = new ArrayList<>();
                while (items.hasNext()) {
                    rest.add(items.next());
                }
                items = rest.iterator();
                length = index + 1 + (peeked ? 1 : 0) + rest.size();
            }
            return length;
        }

        Found attribute(String name) {
            return switch (name) {
                case "index" -> new Found(index + 1L);
                case "index0" -> new Found((long) index);
                case "revindex" -> new Found(length() - index);
                case "revindex0" -> new Found(length() - index - 1);
                case "first" -> new Found(index == 0);
                case "last" -> new Found(!peek());
                case "length" -> new Found(length());
                case "depth" -> new Found(depth + 1L);
                case "depth0" -> new Found((long) depth);
                case "previtem" -> new Found(index == 0 ? new Undefined("there is no previous item") : before);
                case "nextitem" -> new Found(peek() ? after : new Undefined("there is no next item"));
                case "cycle" -> new Found(new Values.Builtin("cycle", this, a -> {
                    if (a.positional().isEmpty()) throw new TemplateException("no items for cycling given");
                    return a.positional().get(index % a.positional().size());
                }));
                case "changed" -> new Found(new Values.Builtin("changed", this, a -> {
                    boolean same = changed != null && values.equal(new Tuple(changed), new Tuple(a.positional()));
                    changed = a.positional();
                    return !same;
                }));
                default -> null;
            };
        }

        @Override
        public Object call(Arguments a) {
            if (recursion == null) throw new TemplateException("The loop must have the 'recursive' marker to be called recursively.");
            return recursive(recursion, a.bind("loop", 1, "iterable").get(0, null), scope, depth + 1);
        }
    }
}
