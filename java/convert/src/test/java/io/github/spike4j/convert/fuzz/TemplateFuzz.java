package io.github.spike4j.convert.fuzz;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

import io.github.spike4j.ChatTemplate;
import io.github.spike4j.SpikeException;

/** A chat template, parsed and run on a conversation with a tool. */
public final class TemplateFuzz {
    private static final Map<String, Object> TOOL = Map.of("type", "function", "function", Map.of("name", "f", "parameters",
            Map.of("properties", Map.of("x", Map.of("type", List.of("integer", "null"))))));

    private TemplateFuzz() { }

    public static void fuzzerTestOneInput(byte[] data) {
        try {
            ChatTemplate.of(new String(data, StandardCharsets.UTF_8)).with("bos_token", "<s>").chat().system("S").user(" Grüße 😀 ")
                    .assistant("<think>\nx</think>\n\ny").tools(List.of(TOOL)).text();
        } catch (SpikeException.Template e) {
            // refused
        }
    }

    public static List<byte[]> seeds() {
        return List.of("""
                {{- bos_token }}{% set ns = namespace(i=0, last=messages[-1]) -%}
                {% for m in messages if m.role != 'system' %}{%- if loop.first %}{{ m['content'] | trim }}{% elif m.content is string %}
                {{ '</think>' in m.content and m.content.split('</think>')[-1].lstrip('\\n') }}{% else %}{% break %}{% endif %}
                {% set ns.i = ns.i + 1 %}{% else %}none{% endfor %}{{ raise_exception('x') if ns.i > 9 }}""", """
                {% macro type(s, n=2) -%}{{ caller(n) if caller else '' }}{% if s is mapping %}{% for k, v in s | dictsort %}{{ k }}: {{ type(v, n + 2) }}{% endfor %}
                {%- else %}{{ s | tojson(indent=n) }}{% endif %}{%- endmacro %}{% call(x) type(tools[0]) %}{{ x }}{% endcall %}
                {{ tools | map(attribute='function.name') | join(', ') | upper ~ '%5.2f' % 1.5 ~ '{:>{w}}'.format('x', w=4) }}""", """
                {# c #}{% raw %}{{ x }}{% endraw %}{% filter indent(2) %}a\nb{% endfilter %}{% with a = [1, 2][::-1], b = (3,) %}
                {{ a + b | list }} {{ range(9) | select('odd') | list | sum // 2 ** 3 % 5 }}{% endwith %}{% set x %}{{ -1.5e3 }}{% endset %}
                {{ messages | groupby('role') | length }}{{ strftime_now('%d %b %Y') | length }}{{ x | int is divisibleby 3 }}""")
                .stream().map(s -> s.getBytes(StandardCharsets.UTF_8)).toList();
    }
}
