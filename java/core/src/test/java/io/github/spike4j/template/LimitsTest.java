package io.github.spike4j.template;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Templates that want to hang, to fill the memory or to overflow the stack: each ends soon, with one clear line. */
class LimitsTest {
    private static final List<String> HOSTILE = List.of(
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "{% for a in range(99999) %}{{ 'x' * 1000 }}{% endfor %}",
            "{{ 'x' * 999999999 }}", "{{ 'x' * 9999999999999999999999 }}", "{{ [1] * 999999999 }}", "{{ (1, 2) * 999999999999 }}",
            "{{ 9 ** 9 ** 9 ** 9 }}", "{{ 2 ** 100000000 }}", "{{ 1e308 ** 99 }}",
            "{% set ns = namespace(i=3) %}{% for x in range(99999) %}{% set ns.i = ns.i * ns.i %}{% endfor %}",
            "{% set ns = namespace(s='xx') %}{% for x in range(99999) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
            "{% set ns = namespace(s='xx') %}{% for x in range(99999) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
            "{% set ns = namespace(l=[0]) %}{% for x in range(99999) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
            "{% set ns = namespace(l=['a']) %}{% for x in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
            "{% set ns = namespace(l=['a']) %}{% for x in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l | tojson }}",
            "{% set ns = namespace(l=['a'], m=['a']) %}{% for x in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% set ns.m = [ns.m, ns.m] %}{% endfor %}{{ ns.l == ns.m }}",
            "{% set ns = namespace(l=['a'], m=['a']) %}{% for x in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% set ns.m = [ns.m, ns.m] %}{% endfor %}{{ ns.l < ns.m }}",
            "{% set ns = namespace(l=('a',)) %}{% for x in range(60) %}{% set ns.l = (ns.l, ns.l) %}{% endfor %}{{ {ns.l: 1} }}",
            "{% set ns = namespace(l=('a',)) %}{% for x in range(60) %}{% set ns.l = (ns.l, ns.l) %}{% endfor %}{{ {}[ns.l] }}",
            "{% set ns = namespace(l=('a',)) %}{% for x in range(60) %}{% set ns.l = (ns.l, ns.l) %}{% endfor %}{{ [ns.l, ns.l] | unique | list }}",
            "{% set ns = namespace(d={}) %}{% for x in range(60) %}{% set ns.d = {'a': ns.d, 'b': ns.d} %}{% endfor %}{{ ns.d }}",
            "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}", "{% set ns = namespace() %}{% set ns.me = [ns] %}{{ ns.me }}",
            "{% set ns = namespace() %}{% set ns.me = [ns] %}{{ ns.me | tojson }}",
            "{% set ns = namespace(l=[]) %}{% for x in range(9999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
            "{% set ns = namespace(l=[]) %}{% for x in range(9999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l | tojson(indent=9999) }}",
            "{% set ns = namespace(l=()) %}{% for x in range(99999) %}{% set ns.l = (ns.l,) %}{% endfor %}{{ {ns.l: 1} }}",
            "{% set ns = namespace(l=[], m=[]) %}{% for x in range(99999) %}{% set ns.l = [ns.l] %}{% set ns.m = [ns.m] %}{% endfor %}{{ ns.l == ns.m }}",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{% macro m(x) %}{{ m(x ~ x) }}{% endmacro %}{{ m('x') }}",
            "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{% call m() %}x{% endcall %}",
            "{% macro a() %}{{ b() }}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{{ a() }}{% endmacro %}{{ a() }}",
            "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
            "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
            "{{ '%999999999d' % 1 }}", "{{ '%.999999999f' % 1 }}", "{{ '%99999999999999999999s' % 1 }}", "{{ '%*d' % (999999999, 1) }}",
            "{{ '{:999999999}'.format(1) }}", "{{ '{:.999999999f}'.format(1.5) }}", "{{ '{:999999999,}'.format(1) }}", "{{ '{:0999999,}'.format(1) }}",
            "{{ '{:{w}}'.format(1, w=999999999) }}", "{{ '{:{a}{b}}'.format('x', a='{', b='}') }}", "{{ '{[x]' * 99999 }}{{ ('{' * 99999).format(1) }}",
            "{{ 'x'.center(999999999) }}", "{{ 'x'.ljust(99999999999) }}", "{{ 'x'.zfill(999999999) }}", "{{ '\\t'.expandtabs(999999999) }}",
            "{{ 'x' | center(999999999) }}", "{{ 'a\\nb' | indent(999999999) }}", "{{ [1] | tojson(indent=999999999) }}",
            "{{ [1] | batch(999999999, 0) | list }}", "{{ [] | slice(999999999) | list }}", "{{ 'x'.replace('', 'y' * 9999999) }}",
            "{% set s = 'x' * 9999 %}{{ s.replace('x', s).replace('x', s) }}", "{% set s = 'x' * 99999 %}{{ s.join(s) }}",
            "{% set s = 'x' * 99999 %}{{ range(99999) | map('replace', '1', s) | join }}", "{{ range(999999) }}",
            "{% for a in range(99999) %}{{ range(99999) | list | length }}{% endfor %}", "{% for a in range(99999) %}{{ range(99999) | sort }}{% endfor %}",
            "{% set s = 'a' * 9999999 %}{% for a in range(99999) %}{% if 'b' in s %}{% endif %}{% endfor %}",
            "{% set s = 'a' * 9999999 %}{% for a in range(99999) %}{% if s.find('b') > 0 %}{% endif %}{% endfor %}",
            "{% set s = 'a' * 9999999 %}{% for a in range(99999) %}{% if s == s ~ '' %}{% endif %}{% endfor %}",
            "{% set s = 'a' * 9999999 %}{% for a in range(99999) %}{% if s.startswith(s) %}{% endif %}{% endfor %}",
            "{% set s = 'a' * 9999999 %}{% for a in range(99999) %}{{ s.isalpha() }}{{ s[5] }}{{ s | length }}{{ s is lower }}{% endfor %}",
            "{% set s = 'a' * 9999999 %}{% for a in range(99999) %}{% set q = s.upper() %}{% set q = s[1:] %}{% set q = s | trim %}{% endfor %}",
            "{% set s = ('a' * 99999 ~ 'b') %}{% set t = 'a' * 9999999 %}{{ s in t }}{{ t.find(s) }}{{ t.count(s) }}{{ t.split(s) | length }}",
            "{{ strftime_now('%c' * 9999999) }}", "{{ dict(range(99999)) }}", "{% set l = range(99999) | list %}{% for x in l %}{{ x in l }}{% endfor %}",
            "{% set l = range(99999) | list %}{% for x in l %}{% if l.index(99998) and l.count(1) %}{% endif %}{% endfor %}",
            "{% set d = dict(x=1) %}{% for x in range(99999) %}{% for y in range(99999) %}{% set d = d.copy() %}{% endfor %}{% endfor %}",
            "{% set l = range(99999) | list %}{% for x in l %}{% set q = l[:] %}{% set q = l[::-1] %}{% set q = l | reverse | list %}{% endfor %}",
            "{% set l = range(99999) | list %}{% for x in l %}{% set q = l | sum %}{% set q = l | max %}{% set q = l | join %}{% endfor %}",
            "{% set l = range(99999) | list %}{% for x in l %}{% set q = l | groupby('x') | length %}{% endfor %}",
            "{% set l = range(99999) | list %}{% for x in l %}{% set q = l == l[:] %}{% endfor %}",
            "{% for a in range(99999) %}{% for b in range(99999) | select('gt', 99999) %}{% endfor %}{% endfor %}",
            "{% for a in range(99999) %}{{ range(99999) | map('string') | last is defined }}{{ range(99999) | map('string') | first }}{% endfor %}",
            "{{ ('b' * 9999999).strip('a' * 9999999 ~ 'b') }}", "{{ ('b' * 9999999).rsplit('b' * 99999, 50) | length }}",
            "{{ '9' * 9999999 | int }}", "{{ ('9' * 9999999) | int }}", "{{ ('1' * 99999) | int + 1 }}", "{{ ('9' * 9999999) | float }}");

    @TestFactory
    Stream<DynamicTest> endsSoon() {
        return HOSTILE.stream().map(t -> DynamicTest.dynamicTest(t, () -> assertTimeoutPreemptively(Duration.ofSeconds(20), () -> ends(t))));
    }

    /** It renders or throws; nothing else. */
    private static void ends(String source) {
        try {
            Template.parse(source).render(Map.of(), ZonedDateTime::now);
        } catch (TemplateException e) {
            assertTrue(!e.getMessage().isEmpty() && e.getMessage().indexOf('\n') < 0, e.getMessage());
        }
    }

    @Test
    void deepTemplatesAreRefused() throws InterruptedException {
        var deep = new ArrayList<String>();
        for (var unit : List.of("(", "[", "{'a':", "-", "not ", "x if y else ", "a[", "f(", "'a'|f(", "a is b(", "1 if x else (")) deep.add("{{ " + unit.repeat(20_000));
        for (var unit : List.of("{% if a %}", "{% for a in b %}", "{% macro m() %}", "{% set x %}", "{% filter upper %}", "{% with %}", "{% call m() %}")) {
            deep.add(unit.repeat(20_000));
        }
        deep.add("{% set " + "(".repeat(20_000));
        deep.add("{{ 1" + " + 1".repeat(20_000) + " }}");
        deep.add("{{ a" + ".a".repeat(20_000) + " }}");
        deep.add("{{ a" + "|string".repeat(20_000) + " }}");
        deep.add("{{ a" + " is none".repeat(20_000) + " }}");
        deep.add("{{ a" + " and a".repeat(20_000) + " }}");
        deep.add("{{ a" + " if a".repeat(20_000) + " }}");
        deep.add("{{ 1" + "**1".repeat(20_000) + " }}");
        deep.add("{{ a" + "()".repeat(20_000) + " }}");
        deep.add("{% filter trim" + "|trim".repeat(20_000) + " %}x{% endfilter %}");
        for (var source : deep) {
            onSmallStack(() -> ends(source));
        }
    }

    @Test
    void ordinaryDepthIsAllowed() throws InterruptedException {
        var macro = "{% macro m(n) %}{% for x in [1] %}{% if n > 0 %}{{ '<' ~ (m(n - 1)) ~ '>' }}{% endif %}{% endfor %}{% endmacro %}{{ m(40) }}";
        onSmallStack(() -> assertEquals("<".repeat(40) + ">".repeat(40), Template.parse(macro).render(Map.of(), ZonedDateTime::now)));
        var sum = "{{ 1" + " + 1".repeat(300) + " }}";
        onSmallStack(() -> assertEquals("301", Template.parse(sum).render(Map.of(), ZonedDateTime::now)));
    }

    /** The default stack of a thread is twice as large at least. */
    private static void onSmallStack(Runnable test) throws InterruptedException {
        var failure = new AtomicReference<Throwable>();
        var thread = new Thread(null, test, "small stack", 512 << 10);
        thread.setUncaughtExceptionHandler((_, e) -> failure.set(e));
        thread.start();
        thread.join();
        if (failure.get() != null) throw new AssertionError(failure.get());
    }

    @Test
    void valuesAreChecked() {
        var template = Template.parse("{{ x }}");
        assertEquals("{'a': [1, 2.5, None, True]}",
                template.render(Map.of("x", Map.of("a", java.util.Arrays.asList(1, 2.5f, null, true))), ZonedDateTime::now));
        for (var bad : List.of(new Object(), Map.of(1, 2), List.of(new int[0]))) {
            org.junit.jupiter.api.Assertions.assertThrows(IllegalArgumentException.class, () -> template.render(Map.of("x", bad), ZonedDateTime::now));
        }
        var cyclic = new ArrayList<Object>();
        cyclic.add(cyclic);
        org.junit.jupiter.api.Assertions.assertThrows(IllegalArgumentException.class, () -> template.render(Map.of("x", cyclic), ZonedDateTime::now));
    }
}
