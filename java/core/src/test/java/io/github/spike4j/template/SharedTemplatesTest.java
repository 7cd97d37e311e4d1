package io.github.spike4j.template;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.json.JsonMapper;

/** Templates of real models, rendered as Hugging Face renders them. */
class SharedTemplatesTest {
    private static final Path FOLDER = Path.of(System.getProperty("spike4j.shared.dir", "../../../shared")).resolve("templates");

    private record Expected(Map<String, Map<String, Object>> cases, Map<String, Map<String, Map<String, String>>> expected) {}

    @TestFactory
    Stream<DynamicTest> asHuggingFaceRendersThem() throws Exception {
        if (!Files.isDirectory(FOLDER)) {
            if ("required".equals(System.getProperty("spike4j.shared"))) fail(FOLDER + " is required, but not there");
            Assumptions.abort(FOLDER + " is not there: test data outside the repository");
        }
        var expected = JsonMapper.builder().disable(tools.jackson.databind.DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).build()
                .readValue(FOLDER.resolve("expected.json").toFile(), Expected.class);
        assertEquals(11, expected.expected.size());
        return expected.expected.entrySet().stream().flatMap(t -> t.getValue().entrySet().stream()
                .map(c -> DynamicTest.dynamicTest(t.getKey() + " " + c.getKey(),
                        () -> check(Files.readString(FOLDER.resolve(t.getKey())), expected.cases.get(c.getKey()), c.getValue()))));
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
