package io.github.spike4j;

import io.github.spike4j.template.Template;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * A conversation in the making: {@code model.chat().system("Be brief.").user("Why is the sky blue?")}. Immutable: every method returns a new
 * one, so that a conversation may be continued in several ways.
 *
 * <p>A session reads special tokens that messages, tools or variables spell as plain text: nobody can end a turn or speak in another role
 * from inside a message. The ids of a conversation that spells none are those of its {@link #text}, with special tokens parsed and none
 * added, as in Hugging Face.
 *
 * <p>Values of messages, tools and variables are those of JSON: String, Boolean, numbers, null, and Lists and Maps of such.
 */
public final class Chat {
    private final ChatTemplate template;
    private final List<Map<String, Object>> messages;
    private final Map<String, Object> variables;

    Chat(ChatTemplate template, List<Map<String, Object>> messages, Map<String, Object> variables) {
        this.template = template;
        this.messages = messages;
        this.variables = variables;
    }

    /** What the model is told about itself; many templates want it first, some have none. */
    public Chat system(String content) {
        return add("system", content);
    }

    /** What the user says. */
    public Chat user(String content) {
        return add("user", content);
    }

    /** What the model answered. */
    public Chat assistant(String content) {
        return add("assistant", content);
    }

    /** What a tool gave back. */
    public Chat tool(String content) {
        return add("tool", content);
    }

    /** A message of any role. */
    public Chat add(String role, String content) {
        var message = new LinkedHashMap<String, Object>();
        message.put("role", role);
        message.put("content", content);
        return add(message);
    }

    /** A message with all that the template knows, such as {@code tool_calls}. */
    public Chat add(Map<String, ?> message) {
        var more = new ArrayList<>(messages);
        more.add(Collections.unmodifiableMap(new LinkedHashMap<>(message)));
        return new Chat(template, Collections.unmodifiableList(more), variables);
    }

    /** Tools that the model may call, each described as a JSON schema of a function. */
    public Chat tools(List<? extends Map<String, ?>> tools) {
        return with("tools", List.copyOf(tools));
    }

    /** A variable that the template reads, such as {@code enable_thinking}. */
    public Chat with(String variable, Object value) {
        var more = new HashMap<>(variables);
        more.put(variable, value);
        return new Chat(template, messages, more);
    }

    /** Whether the text ends where the model's answer begins; so it does unless told otherwise. */
    public Chat generationPrompt(boolean add) {
        return with("add_generation_prompt", add);
    }

    /** The messages, unmodifiable. */
    public List<Map<String, Object>> messages() {
        return messages;
    }

    /**
     * The text that the model reads.
     *
     * @throws SpikeException.Template what the template raised, such as a refused order of roles, or the limit that it reached
     * @throws IllegalArgumentException if a value is none of JSON
     */
    public String text() {
        return text(UnaryOperator.identity());
    }

    /** The text with every text in messages and variables changed beforehand. */
    String text(UnaryOperator<String> change) {
        var all = new HashMap<String, Object>();
        variables.forEach((name, value) -> all.put(name, changed(value, change, 0)));
        all.put("messages", changed(messages, change, 0));
        return template.render(all);
    }

    private static Object changed(Object value, UnaryOperator<String> change, int depth) {
        if (depth > Template.MAX_NESTING) {
            throw new IllegalArgumentException("values nest deeper than " + Template.MAX_NESTING);
        }
        return switch (value) {
            case String s -> change.apply(s);
            case List<?> list -> list.stream().map(item -> changed(item, change, depth + 1)).toList();
            case Map<?, ?> map -> {
                var copy = new LinkedHashMap<Object, Object>();
                map.forEach((name, item) -> copy.put(name instanceof String s ? change.apply(s) : name, changed(item, change, depth + 1)));
                yield copy;
            }
            case null, default -> value;
        };
    }
}
