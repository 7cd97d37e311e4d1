package io.github.spike4j.template;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.json.JsonMapper;

/** More than a thousand snippets against what Jinja2 itself made of them; {@code jinja.py} beside {@code jinja.json} says how. */
class JinjaTest {
    @Test
    void asJinja2() throws Exception {
        Map<String, Object> all;
        try (var in = JinjaTest.class.getResourceAsStream("jinja.json")) {
            all = JsonMapper.shared().readValue(in, new TypeReference<>() {});
        }
        var variables = JsonMapper.shared().convertValue(all.get("variables"), new TypeReference<Map<String, Object>>() {});
        var cases = JsonMapper.shared().convertValue(all.get("cases"), new TypeReference<List<List<String>>>() {});
        assertTrue(cases.size() > 1000);
        assertAll(cases.stream().map(c -> () -> check(c, variables)));
    }

    private static void check(List<String> c, Map<String, Object> variables) {
        var source = c.getFirst();
        if (c.get(1) != null) {
            assertEquals(c.get(1), Template.parse(source).render(variables, java.time.ZonedDateTime::now), source);
            return;
        }
        var error = assertThrows(TemplateException.class, () -> Template.parse(source).render(variables, java.time.ZonedDateTime::now), source);
        assertTrue(error.line() > 0, source);
        if (c.size() > 2) assertEquals(c.get(2), error.getMessage(), source);
    }
}
