package io.github.spike4j.template;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import io.github.spike4j.tokenizer.SharedData;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.json.JsonMapper;

/** Templates of real models, rendered as Hugging Face renders them. */
class SharedTemplatesTest {
    @TestFactory
    Stream<DynamicTest> asHuggingFaceRendersThem() throws Exception {
        var folder = SharedData.path("templates");
        var json = JsonMapper.shared().readTree(folder.resolve("expected.json").toFile());
        var cases = JsonMapper.shared().convertValue(json.get("cases"), new TypeReference<Map<String, Map<String, Object>>>() {});
        var expected = JsonMapper.shared().convertValue(json.get("expected"), new TypeReference<Map<String, Map<String, Map<String, String>>>>() {});
        assertEquals(11, expected.size());
        return expected.entrySet().stream().flatMap(t -> t.getValue().entrySet().stream()
                .map(c -> DynamicTest.dynamicTest(t.getKey() + " " + c.getKey(),
                        () -> check(Files.readString(folder.resolve(t.getKey())), cases.get(c.getKey()), c.getValue()))));
    }

    private static void check(String source, Map<String, Object> conversation, Map<String, String> expected) {
        var variables = new HashMap<>(conversation);
        variables.put("bos_token", "<s>");
        variables.put("eos_token", "</s>");
        var template = Template.parse(source);
        Template.Clock clock = () -> ZonedDateTime.of(2024, 7, 26, 12, 0, 0, 0, ZoneOffset.UTC);
        if (expected.containsKey("text")) {
            assertEquals(expected.get("text"), template.render(variables, clock));
        } else {
            var error = assertThrows(TemplateException.class, () -> template.render(variables, clock));
            assertEquals(expected.get("error"), error.getMessage());
            assertTrue(error.line() > 0);
        }
    }
}
