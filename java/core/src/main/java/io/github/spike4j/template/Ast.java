package io.github.spike4j.template;

import java.util.List;

/** The syntax tree. Every node knows its line. */
final class Ast {
    private Ast() {}

    sealed interface Expr {
        int line();
    }

    record Const(Object value, int line) implements Expr {}

    record Name(String name, int line) implements Expr {}

    /** {@code namespace.attribute} as the target of an assignment. */
    record NamespaceRef(String name, String attribute, int line) implements Expr {}

    record TupleOf(List<Expr> items, int line) implements Expr {}

    record ListOf(List<Expr> items, int line) implements Expr {}

    record DictOf(List<Expr> keys, List<Expr> values, int line) implements Expr {}

    record Attribute(Expr of, String name, int line) implements Expr {}

    record Item(Expr of, Expr key, int line) implements Expr {}

    /** Bounds may be null. */
    record Slice(Expr of, Expr start, Expr stop, Expr step, int line) implements Expr {}

    record Call(Expr callee, Arguments arguments, int line) implements Expr {}

    /** {@code of} is null in filter blocks: the block's text. */
    record Filter(Expr of, String name, Arguments arguments, int line) implements Expr {}

    record Test(Expr of, String name, Arguments arguments, int line) implements Expr {}

    record Not(Expr of, int line) implements Expr {}

    record Sign(boolean negative, Expr of, int line) implements Expr {}

    record And(Expr left, Expr right, int line) implements Expr {}

    record Or(Expr left, Expr right, int line) implements Expr {}

    record Binary(String operator, Expr left, Expr right, int line) implements Expr {}

    record Concat(List<Expr> parts, int line) implements Expr {}

    /** {@code a < b in c}: operators between first and rest. */
    record Compare(Expr first, List<String> operators, List<Expr> rest, int line) implements Expr {}

    /** {@code otherwise} may be null. */
    record Conditional(Expr test, Expr then, Expr otherwise, int line) implements Expr {}

    /** {@code *rest} and {@code **named} may be null. */
    record Arguments(List<Expr> positional, List<String> names, List<Expr> values, Expr rest, Expr named) {
        static final Arguments NONE = new Arguments(List.of(), List.of(), List.of(), null, null);
    }

    sealed interface Statement {
        int line();
    }

    record Text(String text, int line) implements Statement {}

    record Print(Expr value, int line) implements Statement {}

    /** {@code test} may be null. */
    record For(Expr target, Expr over, Expr test, boolean recursive, List<Statement> body, List<Statement> otherwise, int line)
            implements Statement {}

    /** One test more than an {@code else}: the last body has none. */
    record If(List<Expr> tests, List<List<Statement>> bodies, List<Statement> otherwise, int line) implements Statement {}

    record Assign(Expr target, Expr value, int line) implements Statement {}

    /** {@code filter} may be null. */
    record AssignBlock(Expr target, Filter filter, List<Statement> body, int line) implements Statement {}

    record With(List<Expr> targets, List<Expr> values, List<Statement> body, int line) implements Statement {}

    /** A body with variables of its own: {@code generation}, {@code block}, {@code autoescape}. */
    record Scoped(List<Statement> body, int line) implements Statement {}

    record MacroOf(Signature signature, List<Statement> body, int line) implements Statement {}

    record CallBlock(Signature signature, Call call, List<Statement> body, int line) implements Statement {}

    record FilterBlock(Filter filter, List<Statement> body, int line) implements Statement {}

    record Break(int line) implements Statement {}

    record Continue(int line) implements Statement {}

    /**
     * Parameters of a macro or call block.
     *
     * @param name     null for a call block
     * @param defaults of the last parameters
     * @param caller   whether the body reads {@code caller}; so {@code kwargs} and {@code varargs}
     */
    record Signature(String name, List<String> parameters, List<Expr> defaults, boolean caller, boolean kwargs, boolean varargs) {}
}
