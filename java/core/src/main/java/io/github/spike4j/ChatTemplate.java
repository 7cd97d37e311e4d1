package io.github.spike4j;

import io.github.spike4j.template.Template;
import io.github.spike4j.template.TemplateException;
import java.time.Clock;
import java.time.ZonedDateTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A Jinja template that writes a conversation as the model was trained to read it. It is run as Hugging Face's
 * {@code apply_chat_template} runs it; the time, memory and depth that it may use are bounded. Immutable; any number of threads.
 */
public final class ChatTemplate {
    private final Template template;
    private final Map<String, Object> variables;
    private final Clock clock;

    private ChatTemplate(Template template, Map<String, Object> variables, Clock clock) {
        this.template = template;
        this.variables = variables;
        this.clock = clock;
    }

    /**
     * Parses a template.
     *
     * @throws SpikeException.Template if it is none
     */
    public static ChatTemplate of(String source) {
        try {
            return new ChatTemplate(Template.parse(source), Map.of(), Clock.systemDefaultZone());
        } catch (TemplateException e) {
            throw new SpikeException.Template(e.getMessage(), e.line());
        }
    }

    /** The same with a variable for every conversation, such as {@code bos_token}; values as in {@link Chat#with}. */
    public ChatTemplate with(String variable, Object value) {
        var more = new HashMap<>(variables);
        more.put(variable, value);
        return new ChatTemplate(template, more, clock);
    }

    /** The same with another clock for {@code strftime_now}. */
    public ChatTemplate clock(Clock clock) {
        return new ChatTemplate(template, variables, clock);
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
        try {
            return template.render(all, () -> ZonedDateTime.now(clock));
        } catch (TemplateException e) {
            throw new SpikeException.Template(e.getMessage(), e.line());
        }
    }
}
