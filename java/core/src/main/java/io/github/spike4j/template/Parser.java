package io.github.spike4j.template;

import io.github.spike4j.template.Ast.Arguments;
import io.github.spike4j.template.Ast.Expr;
import io.github.spike4j.template.Ast.Signature;
import io.github.spike4j.template.Ast.Statement;
import io.github.spike4j.template.Lexer.Kind;
import io.github.spike4j.template.Lexer.Token;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Recursive descent after Jinja2's own parser. */
final class Parser {
    /** Nested brackets, operators and blocks. */
    private static final int MAX_NESTING = 100;
    private static final Set<String> LOADERS = Set.of("extends", "include", "import", "from");
    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");

    private final List<Token> tokens;
    private int at;
    private int nesting;
    /** Names that each open macro reads, innermost first. */
    private final Deque<Set<String>> macros = new ArrayDeque<>();
    private int loops;

    private Parser(List<Token> tokens) {
        this.tokens = tokens;
    }

    static List<Statement> parse(String template) {
        var parser = new Parser(Lexer.tokens(template));
        return parser.statements();
    }

    private Token current() {
        return tokens.get(at);
    }

    private Token look() {
        return tokens.get(Math.min(at + 1, tokens.size() - 1));
    }

    private Token next() {
        var token = current();
        if (token.kind() != Kind.END) at++;
        return token;
    }

    private boolean atName(String name) {
        return current().is(Kind.NAME, name);
    }

    private boolean atOperator(String operator) {
        return current().is(Kind.OPERATOR, operator);
    }

    private boolean skipName(String name) {
        return atName(name) && next() != null;
    }

    private boolean skipOperator(String operator) {
        return atOperator(operator) && next() != null;
    }

    private TemplateException fail(String message) {
        return new TemplateException(message, current().line());
    }

    private Token expect(Kind kind, String text) {
        var token = current();
        if (token.kind() != kind || text != null && !token.text().equals(text)) {
            var expected = text != null ? text : new Token(kind, kind == Kind.NAME ? "name" : "", null, 0).describe();
            throw fail(token.kind() == Kind.END ? "unexpected end of template, expected '" + expected + "'."
                    : "expected token '" + expected + "', got " + Text.quote(token.describe()));
        }
        return next();
    }

    private void enter() {
        if (++nesting > MAX_NESTING) throw fail("the template nests deeper than " + MAX_NESTING + " levels");
    }

    /** Statements up to a tag of one of the names, which stays; without names up to the end. */
    private List<Statement> statements(String... ends) {
        enter();
        var list = new ArrayList<Statement>();
        while (current().kind() != Kind.END) {
            var token = next();
            switch (token.kind()) {
                case DATA -> list.add(new Ast.Text(token.text(), token.line()));
                case VARIABLE_BEGIN -> {
                    list.add(new Ast.Print(tuple(true), token.line()));
                    expect(Kind.VARIABLE_END, null);
                }
                default -> {
                    if (current().kind() == Kind.NAME && List.of(ends).contains(current().text())) {
                        nesting--;
                        return list;
                    }
                    statement(list, ends);
                    expect(Kind.BLOCK_END, null);
                }
            }
        }
        if (ends.length > 0) {
            throw fail("Unexpected end of template. Jinja was looking for the following tags: '" + String.join("' or '", ends) + "'.");
        }
        nesting--;
        return list;
    }

    /** The body of a block: past its tag's end, up to one of the names. */
    private List<Statement> body(String... ends) {
        skipOperator(":");
        expect(Kind.BLOCK_END, null);
        return statements(ends);
    }

    /** As {@link #body}, past the end's name. */
    private List<Statement> wholeBody(String end) {
        var body = body(end);
        next();
        return body;
    }

    private void statement(List<Statement> list, String... ends) {
        var token = current();
        if (token.kind() != Kind.NAME) throw fail("tag name expected");
        int line = token.line();
        next();
        switch (token.text()) {
            case "for" -> list.add(loop(line));
            case "if" -> list.add(condition(line));
            case "set" -> list.add(assignment(line));
            case "macro" -> {
                var name = expect(Kind.NAME, null).text();
                var parameters = new ArrayList<String>();
                var defaults = new ArrayList<Expr>();
                macros.push(new HashSet<>());
                signature(parameters, defaults);
                list.add(macro(name, parameters, defaults, (signature, body) -> new Ast.MacroOf(signature, body, line), "endmacro"));
            }
            case "call" -> list.add(callBlock(line));
            case "filter" -> {
                var filter = filters(null, true);
                list.add(new Ast.FilterBlock((Ast.Filter) filter, wholeBody("endfilter"), line));
            }
            case "with" -> list.add(with(line));
            case "print" -> {
                do list.add(new Ast.Print(expression(), line)); while (skipOperator(","));
            }
            case "break", "continue" -> {
                if (loops == 0) throw new TemplateException("'" + token.text() + "' outside loop", line);
                list.add(token.text().equals("break") ? new Ast.Break(line) : new Ast.Continue(line));
            }
            case "generation" -> list.add(new Ast.Scoped(outsideLoops("endgeneration"), line));
            case "autoescape" -> {
                expression();
                list.add(new Ast.Scoped(wholeBody("endautoescape"), line));
            }
            case "block" -> {
                var name = expect(Kind.NAME, null).text();
                skipName("scoped");
                skipName("required");
                list.add(new Ast.Scoped(outsideLoops("endblock"), line));
                skipName(name);
            }
            default -> {
                if (LOADERS.contains(token.text())) {
                    throw new TemplateException("no loader for this environment specified: '" + token.text() + "' is not possible here", line);
                }
                var expected = ends.length == 0 ? "" : " Jinja was looking for the following tags: '" + String.join("' or '", ends) + "'.";
                throw new TemplateException("Encountered unknown tag " + Text.quote(token.text()) + "." + expected, line);
            }
        }
    }

    /** A body that no {@code break} leaves. */
    private List<Statement> outsideLoops(String end) {
        int outer = loops;
        loops = 0;
        var body = wholeBody(end);
        loops = outer;
        return body;
    }

    private Statement loop(int line) {
        loops++;
        var target = target(false, "in");
        expect(Kind.NAME, "in");
        var over = tuple(false, "recursive");
        var test = skipName("if") ? expression() : null;
        boolean recursive = skipName("recursive");
        var body = body("endfor", "else");
        loops--;
        List<Statement> otherwise = next().text().equals("else") ? wholeBody("endfor") : List.of();
        return new Ast.For(target, over, test, recursive, body, otherwise, line);
    }

    private Statement condition(int line) {
        var tests = new ArrayList<Expr>();
        var bodies = new ArrayList<List<Statement>>();
        do {
            tests.add(tuple(false));
            bodies.add(body("elif", "else", "endif"));
        } while (skipName("elif"));
        List<Statement> otherwise = next().text().equals("else") ? wholeBody("endif") : List.of();
        return new Ast.If(tests, bodies, otherwise, line);
    }

    private Statement assignment(int line) {
        var target = target(true);
        if (skipOperator("=")) return new Ast.Assign(target, tuple(true), line);
        var filter = atOperator("|") ? (Ast.Filter) filters(null, false) : null;
        return new Ast.AssignBlock(target, filter, wholeBody("endset"), line);
    }

    private Statement with(int line) {
        var targets = new ArrayList<Expr>();
        var values = new ArrayList<Expr>();
        while (current().kind() != Kind.BLOCK_END) {
            if (!targets.isEmpty()) expect(Kind.OPERATOR, ",");
            targets.add(target(false));
            expect(Kind.OPERATOR, "=");
            values.add(expression());
        }
        return new Ast.With(targets, values, wholeBody("endwith"), line);
    }

    private interface MacroMaker {
        Statement make(Signature signature, List<Statement> body);
    }

    private void signature(List<String> parameters, List<Expr> defaults) {
        expect(Kind.OPERATOR, "(");
        while (!atOperator(")")) {
            if (!parameters.isEmpty()) expect(Kind.OPERATOR, ",");
            parameters.add(expect(Kind.NAME, null).text());
            if (skipOperator("=")) defaults.add(expression());
            else if (!defaults.isEmpty()) throw fail("non-default argument follows default argument");
        }
        next();
    }

    private Statement macro(String name, List<String> parameters, List<Expr> defaults, MacroMaker maker, String end) {
        var body = outsideLoops(end);
        var reads = macros.pop();
        if (!macros.isEmpty()) macros.peek().addAll(reads);
        int caller = parameters.indexOf("caller");
        if (reads.contains("caller") && caller >= 0 && caller < parameters.size() - defaults.size()) {
            throw fail("When defining macros or call blocks the special \"caller\" argument must be omitted or be given a default.");
        }
        return maker.make(new Signature(name, parameters, defaults, reads.contains("caller"), reads.contains("kwargs") && !parameters.contains("kwargs"),
                reads.contains("varargs") && !parameters.contains("varargs")), body);
    }

    private Statement callBlock(int line) {
        var parameters = new ArrayList<String>();
        var defaults = new ArrayList<Expr>();
        if (atOperator("(")) signature(parameters, defaults);
        if (!(expression() instanceof Ast.Call call)) throw new TemplateException("expected call", line);
        macros.push(new HashSet<>());
        return macro(null, parameters, defaults, (signature, body) -> new Ast.CallBlock(signature, call, body, line), "endcall");
    }

    /** What can be assigned to: names, tuples of them, attributes of namespaces if allowed. */
    private Expr target(boolean namespaces, String... ends) {
        var first = targetPart(namespaces);
        if (!atOperator(",")) return first;
        var items = new ArrayList<Expr>(List.of(first));
        while (skipOperator(",")) {
            if (atTupleEnd(ends)) break;
            items.add(targetPart(namespaces));
        }
        return new Ast.TupleOf(items, first.line());
    }

    private Expr targetPart(boolean namespaces) {
        var token = current();
        if (skipOperator("(")) {
            enter();
            var inner = target(namespaces);
            nesting--;
            expect(Kind.OPERATOR, ")");
            return inner;
        }
        if (token.kind() != Kind.NAME) throw fail("can't assign to " + Text.quote(token.kind() == Kind.STRING || token.value() != null ? "const" : token.describe()));
        next();
        if (Set.of("true", "false", "none", "True", "False", "None").contains(token.text())) throw fail("can't assign to 'const'");
        if (loops > 0 && token.text().equals("loop")) throw fail("Can't assign to special loop variable in for-loop target");
        if (namespaces && skipOperator(".")) return new Ast.NamespaceRef(token.text(), expect(Kind.NAME, null).text(), token.line());
        return new Ast.Name(token.text(), token.line());
    }

    private boolean atTupleEnd(String... ends) {
        var kind = current().kind();
        return kind == Kind.VARIABLE_END || kind == Kind.BLOCK_END || atOperator(")") || kind == Kind.NAME && List.of(ends).contains(current().text());
    }

    /** One expression, or several with commas: a tuple. */
    private Expr tuple(boolean conditional, String... ends) {
        return tuple(conditional, false, ends);
    }

    private Expr tuple(boolean conditional, boolean parentheses, String... ends) {
        int line = current().line();
        var items = new ArrayList<Expr>();
        boolean comma = false;
        while (true) {
            if (!items.isEmpty()) expect(Kind.OPERATOR, ",");
            if (atTupleEnd(ends)) break;
            items.add(conditional ? expression() : or());
            if (!atOperator(",")) break;
            comma = true;
        }
        if (!comma) {
            if (!items.isEmpty()) return items.getFirst();
            if (!parentheses) throw fail("Expected an expression, got " + Text.quote(current().describe()));
        }
        return new Ast.TupleOf(items, line);
    }

    private Expr expression() {
        enter();
        int line = current().line();
        var e = or();
        while (skipName("if")) {
            var test = or();
            var otherwise = skipName("else") ? expression() : null;
            e = new Ast.Conditional(test, e, otherwise, line);
        }
        nesting--;
        return e;
    }

    private Expr or() {
        int line = current().line();
        var left = and();
        while (skipName("or")) left = new Ast.Or(left, and(), line);
        return left;
    }

    private Expr and() {
        int line = current().line();
        var left = not();
        while (skipName("and")) left = new Ast.And(left, not(), line);
        return left;
    }

    private Expr not() {
        int line = current().line();
        if (!skipName("not")) return comparison();
        enter();
        var e = new Ast.Not(not(), line);
        nesting--;
        return e;
    }

    private Expr comparison() {
        int line = current().line();
        var first = sum();
        var operators = new ArrayList<String>();
        var rest = new ArrayList<Expr>();
        while (true) {
            if (current().kind() == Kind.OPERATOR && COMPARISONS.contains(current().text())) {
                operators.add(next().text());
            } else if (skipName("in")) {
                operators.add("in");
            } else if (atName("not") && look().is(Kind.NAME, "in")) {
                next();
                next();
                operators.add("not in");
            } else {
                return operators.isEmpty() ? first : new Ast.Compare(first, operators, rest, line);
            }
            rest.add(sum());
        }
    }

    private Expr sum() {
        int line = current().line();
        var left = concat();
        while (atOperator("+") || atOperator("-")) left = new Ast.Binary(next().text(), left, concat(), line);
        return left;
    }

    private Expr concat() {
        int line = current().line();
        var first = product();
        if (!atOperator("~")) return first;
        var parts = new ArrayList<Expr>(List.of(first));
        while (skipOperator("~")) parts.add(product());
        return new Ast.Concat(parts, line);
    }

    private Expr product() {
        int line = current().line();
        var left = power();
        while (atOperator("*") || atOperator("/") || atOperator("//") || atOperator("%")) left = new Ast.Binary(next().text(), left, power(), line);
        return left;
    }

    private Expr power() {
        int line = current().line();
        var left = unary(true);
        while (skipOperator("**")) left = new Ast.Binary("**", left, unary(true), line);
        return left;
    }

    private Expr unary(boolean withFilters) {
        enter();
        int line = current().line();
        Expr e;
        if (atOperator("-") || atOperator("+")) {
            boolean negative = next().text().equals("-");
            e = new Ast.Sign(negative, unary(false), line);
        } else {
            e = primary();
        }
        e = postfix(e);
        if (withFilters) e = filtersAndTests(e);
        nesting--;
        return e;
    }

    private Expr primary() {
        var token = current();
        int line = token.line();
        switch (token.kind()) {
            case NAME -> {
                next();
                return switch (token.text()) {
                    case "true", "True" -> new Ast.Const(true, line);
                    case "false", "False" -> new Ast.Const(false, line);
                    case "none", "None" -> new Ast.Const(null, line);
                    default -> {
                        if (!macros.isEmpty()) macros.peek().add(token.text());
                        yield new Ast.Name(token.text(), line);
                    }
                };
            }
            case STRING -> {
                next();
                if (current().kind() != Kind.STRING) return new Ast.Const(token.text(), line);
                var text = new StringBuilder(token.text());
                while (current().kind() == Kind.STRING) text.append(next().text());
                return new Ast.Const(text.toString(), line);
            }
            case INTEGER, FLOAT -> {
                next();
                return new Ast.Const(token.value(), line);
            }
            case OPERATOR -> {
                switch (token.text()) {
                    case "(" -> {
                        next();
                        var e = tuple(true, true);
                        expect(Kind.OPERATOR, ")");
                        return e;
                    }
                    case "[" -> {
                        next();
                        var items = new ArrayList<Expr>();
                        while (!atOperator("]")) {
                            items.add(expression());
                            if (!atOperator("]")) expect(Kind.OPERATOR, ",");
                        }
                        next();
                        return new Ast.ListOf(items, line);
                    }
                    case "{" -> {
                        return dict(line);
                    }
                    default -> { }
                }
            }
            default -> { }
        }
        throw fail("unexpected " + Text.quote(token.describe()));
    }

    private Expr dict(int line) {
        next();
        var keys = new ArrayList<Expr>();
        var values = new ArrayList<Expr>();
        while (!atOperator("}")) {
            keys.add(expression());
            expect(Kind.OPERATOR, ":");
            values.add(expression());
            if (!atOperator("}")) expect(Kind.OPERATOR, ",");
        }
        next();
        return new Ast.DictOf(keys, values, line);
    }

    private Expr postfix(Expr e) {
        while (true) {
            if (atOperator(".") || atOperator("[")) e = subscript(e);
            else if (atOperator("(")) e = call(e);
            else return e;
        }
    }

    private Expr filtersAndTests(Expr e) {
        while (true) {
            if (atOperator("|")) e = filters(e, false);
            else if (atName("is")) e = test(e);
            else if (atOperator("(")) e = call(e);
            else return e;
        }
    }

    private Expr call(Expr callee) {
        int line = current().line();
        return new Ast.Call(callee, arguments(), line);
    }

    private Expr subscript(Expr of) {
        var token = next();
        int line = token.line();
        if (token.text().equals(".")) {
            var name = next();
            if (name.kind() == Kind.NAME) return new Ast.Attribute(of, name.text(), line);
            if (name.kind() != Kind.INTEGER) throw new TemplateException("expected name or number", name.line());
            return new Ast.Item(of, new Ast.Const(name.value(), line), line);
        }
        var items = new ArrayList<Expr>();
        while (!atOperator("]")) {
            if (!items.isEmpty()) expect(Kind.OPERATOR, ",");
            items.add(subscribed(of, line));
        }
        next();
        if (items.size() == 1) return items.getFirst() instanceof Ast.Slice slice && slice.of() == of ? slice : new Ast.Item(of, items.getFirst(), line);
        if (items.stream().anyMatch(i -> i instanceof Ast.Slice slice && slice.of() == of)) throw fail("a slice among other subscripts is not supported");
        return new Ast.Item(of, new Ast.TupleOf(items, line), line);
    }

    private Expr subscribed(Expr of, int line) {
        Expr start = null;
        if (!atOperator(":")) {
            start = expression();
            if (!atOperator(":")) return start;
        }
        next();
        var stop = atOperator(":") || atOperator("]") || atOperator(",") ? null : expression();
        var step = skipOperator(":") && !atOperator("]") && !atOperator(",") ? expression() : null;
        return new Ast.Slice(of, start, stop, step, line);
    }

    private Arguments arguments() {
        int line = expect(Kind.OPERATOR, "(").line();
        var positional = new ArrayList<Expr>();
        var names = new ArrayList<String>();
        var values = new ArrayList<Expr>();
        Expr rest = null;
        Expr named = null;
        while (!atOperator(")")) {
            boolean bad;
            if (skipOperator("*")) {
                bad = rest != null || named != null;
                rest = expression();
            } else if (skipOperator("**")) {
                bad = named != null;
                named = expression();
            } else if (current().kind() == Kind.NAME && look().is(Kind.OPERATOR, "=")) {
                bad = named != null;
                names.add(next().text());
                next();
                values.add(expression());
            } else {
                bad = rest != null || named != null || !names.isEmpty();
                positional.add(expression());
            }
            if (bad) throw new TemplateException("invalid syntax for function call expression", line);
            if (!atOperator(")")) expect(Kind.OPERATOR, ",");
        }
        next();
        return new Arguments(positional, names, values, rest, named);
    }

    /** One filter or several; the first without its bar if {@code inline}. */
    private Expr filters(Expr of, boolean inline) {
        while (inline || skipOperator("|")) {
            inline = false;
            var token = expect(Kind.NAME, null);
            of = new Ast.Filter(of, dotted(token), atOperator("(") ? arguments() : Arguments.NONE, token.line());
        }
        return of;
    }

    private String dotted(Token first) {
        var name = first.text();
        while (skipOperator(".")) name += "." + expect(Kind.NAME, null).text();
        return name;
    }

    private Expr test(Expr of) {
        int line = next().line();
        boolean negated = skipName("not");
        var name = dotted(expect(Kind.NAME, null));
        var arguments = Arguments.NONE;
        var token = current();
        if (atOperator("(")) {
            arguments = arguments();
        } else if (token.kind() == Kind.STRING || token.kind() == Kind.INTEGER || token.kind() == Kind.FLOAT || atOperator("[") || atOperator("{")
                || token.kind() == Kind.NAME && !Set.of("else", "or", "and").contains(token.text())) {
            if (atName("is")) throw fail("You cannot chain multiple tests with is");
            arguments = new Arguments(List.of(postfix(primary())), List.of(), List.of(), null, null);
        }
        Expr test = new Ast.Test(of, name, arguments, line);
        return negated ? new Ast.Not(test, line) : test;
    }
}
