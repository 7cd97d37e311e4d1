package io.github.spike4j.cli;

import io.github.spike4j.Chat;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.json.JsonMapper;

/**
 * A conversation as a JSON file holds it: a list of messages, or an object with {@code messages} and other variables of the template such as
 * {@code tools} and {@code add_generation_prompt}.
 */
record Conversation(List<Map<String, Object>> messages, Map<String, Object> variables) {

    private static final TypeReference<LinkedHashMap<String, Object>> OBJECT = new TypeReference<>() {};

    static Conversation read(Path file) throws IOException {
        try {
            var json = JsonMapper.shared().readTree(Texts.read(file));
            var list = json.isObject() ? json.path("messages") : json;
            if (!list.isArray() || !list.valueStream().allMatch(m -> m.isObject())) {
                throw new Failure(file + ": expected a list of messages, or an object with one named messages");
            }
            var messages = new ArrayList<Map<String, Object>>();
            list.forEach(m -> messages.add(JsonMapper.shared().convertValue(m, OBJECT)));
            Map<String, Object> variables = json.isObject() ? JsonMapper.shared().convertValue(json, OBJECT) : new LinkedHashMap<>();
            variables.remove("messages");
            return new Conversation(messages, variables);
        } catch (JacksonException e) {
            throw new Failure(file + ": is not JSON: " + e.getOriginalMessage());
        }
    }

    /** The conversation, with all its variables, after what is in {@code chat}. */
    Chat after(Chat chat) {
        for (var v : variables.entrySet()) {
            chat = chat.with(v.getKey(), v.getValue());
        }
        for (var message : messages) {
            chat = chat.add(message);
        }
        return chat;
    }

    /** What {@link #read} reads. */
    static String write(Chat chat) {
        return JsonMapper.shared().writerWithDefaultPrettyPrinter().writeValueAsString(Map.of("messages", chat.messages())) + "\n";
    }
}
