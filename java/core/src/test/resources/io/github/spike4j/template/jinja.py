"""Writes jinja.json: snippets of our own with what Jinja2 makes of them, for JinjaTest.

    python3 jinja.py            (jinja2 3.1.6; json.dumps etc. of Python 3.11)

The environment is the one Hugging Face's apply_chat_template uses. A case is [template, result] or [template, null, error]: an error's
text is compared where it names the template's own fault (undefined values, raise_exception), else only that there is one.
"""
import json
import os
import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(jinja2.ext.Extension):
    """Hugging Face's {% generation %}: a body of its own."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    @jinja2.pass_eval_context
    def _body(self, context, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
env.filters["tojson"] = tojson
env.globals["raise_exception"] = raise_exception

VARIABLES = {
    "n": 7, "neg": -7, "f": 2.5, "t": True, "no": False, "nil": None, "s": "Hello, World", "e": "", "u": "Grüße 你好 😀!",
    "xs": [3, 1, 2], "words": ["pear", "Apple", "fig", "apple"], "d": {"b": 1, "a": 2, "C": [1, {"x": None}]},
    "users": [{"name": "Ann", "age": 30, "tags": ["x"]}, {"name": "bob", "age": 25, "tags": []}, {"name": "Cy", "age": 30}],
    "lines": "one\ntwo\r\n\nthree\n", "big": 123456789012345678901234567890, "html": "<a href='x'>&\"</a>",
    "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": " U "}, {"role": "assistant", "content": "A"}],
    "schema": {"type": "object", "properties": {"p": {"type": "string", "enum": ["é", "\"q\""]}, "k": {"type": ["integer", "null"]}}, "required": ["p"], "x": 1.0},
}


def parts(line):
    """A line's expressions: cut at commas outside brackets and quotes."""
    found, start, depth, quote, i = [], 0, 0, None, 0
    while i < len(line):
        c = line[i]
        if quote:
            i += c == "\\"
            quote = None if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c == "," and depth == 0:
            found.append(line[start:i].strip())
            start = i + 1
        depth += (c in "([{") - (c in ")]}") if not quote else 0
        i += 1
    return found + [line[start:].strip()]


EXPRESSIONS = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "jinja-expressions.txt"), encoding="utf-8").read().split("\n")
TEMPLATES = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "jinja-templates.txt"), encoding="utf-8").read().split("\n=====\n")


def case(template):
    try:
        return [template, env.from_string(template).render(**VARIABLES)]
    except jinja2.exceptions.UndefinedError as e:
        return [template, None, str(e)]
    except jinja2.exceptions.TemplateSyntaxError:
        return [template, None]
    except jinja2.exceptions.TemplateError as e:
        return [template, None, str(e)]
    except Exception as e:
        return [template, None]


cases = [case("{{ " + x + " }}") for line in EXPRESSIONS if line and not line.startswith("# ") for x in parts(line)] + [case(t) for t in TEMPLATES]
target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "jinja.json")
with open(target, "w", encoding="utf-8") as file:
    lines = ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases)
    file.write('{"jinja2": "%s",\n"variables": %s,\n"cases": [\n%s\n]}\n' % (jinja2.__version__, json.dumps(VARIABLES, ensure_ascii=False), lines))
print(len(cases), "cases,", sum(c[1] is None for c in cases), "errors")
