package io.github.spike4j;

import io.github.spike4j.template.Template;
import io.github.spike4j.template.TemplateException;
import io.github.spike4j.weights.TemplateEntries;
import java.time.Clock;
import java.time.ZonedDateTime;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * A Jinja template that writes a conversation as the model was trained to read it. It is run as Hugging Face's
 * {@code apply_chat_template} runs it; the time, memory and depth that it may use are bounded. Immutable; any number of threads.
 *
 * <p>Some models have several, by name. Then, as in Hugging Face, a conversation with tools is written by the one named {@code tool_use} if
 * there is one, any other by the one named {@code default}.
 */
public final class ChatTemplate {
    private static final String TOOL_USE = "tool_use";

    private final Map<String, Template> templates;
    private final Map<String, Object> variables;
    private final Clock clock;

    private ChatTemplate(Map<String, Template> templates, Map<String, Object> variables, Clock clock) {
        this.templates = templates;
        this.variables = variables;
        this.clock = clock;
    }

    /**
     * Parses a template.
     *
     * @throws SpikeException.Template if it is none
     */
    public static ChatTemplate of(String source) {
        return of(Map.of(TemplateEntries.DEFAULT, source));
    }

    /**
     * Parses the templates of a model.
     *
     * @param sources by name, such as {@code default} and {@code tool_use}
     * @throws SpikeException.Template if one is none
     */
    public static ChatTemplate of(Map<String, String> sources) {
        var templates = new TreeMap<String, Template>();
        sources.forEach((name, source) -> {
            try {
                templates.put(name, Template.parse(source));
            } catch (TemplateException e) {
                throw new SpikeException.Template((sources.size() == 1 ? "" : "template " + name + ": ") + e.getMessage(), e.line());
            }
        });
        return new ChatTemplate(templates, Map.of(), Clock.systemDefaultZone());
    }

    /** Names of its templates. */
    public Set<String> names() {
        return Collections.unmodifiableSet(templates.keySet());
    }

    /**
     * The one template of that name, for every conversation.
     *
     * @throws SpikeException.Template if there is none
     */
    public ChatTemplate named(String name) {
        return new ChatTemplate(Map.of(TemplateEntries.DEFAULT, template(name)), variables, clock);
    }

    private Template template(String name) {
        if (!templates.containsKey(name)) {
            throw new SpikeException.Template("no template is named " + name + "; there are " + String.join(", ", templates.keySet()), 0);
        }
        return templates.get(name);
    }

    /** The same with a variable for every conversation, such as {@code bos_token}; values as in {@link Chat#with}. */
    public ChatTemplate with(String variable, Object value) {
        var more = new HashMap<>(variables);
        more.put(variable, value);
        return new ChatTemplate(templates, more, clock);
    }

    /** The same with another clock for {@code strftime_now}. */
    public ChatTemplate clock(Clock clock) {
        return new ChatTemplate(templates, variables, clock);
    }

    /** A conversation without messages. */
    public Chat chat() {
        return new Chat(this, List.of(), Map.of("add_generation_prompt", true));
    }

    /** As {@link #with}, unless the variable is there. */
    ChatTemplate orElse(String variable, Object value) {
        return variables.containsKey(variable) ? this : with(variable, value);
    }

    String render(Map<String, Object> more) {
        var all = new HashMap<>(variables);
        all.putAll(more);
        boolean tools = all.get("tools") != null && templates.containsKey(TOOL_USE);
        var template = template(tools ? TOOL_USE : TemplateEntries.DEFAULT);
        try {
            return template.render(all, () -> ZonedDateTime.now(clock));
        } catch (TemplateException e) {
            throw new SpikeException.Template(e.getMessage(), e.line());
        }
    }
}
