package io.github.spike4j.convert.tokenizer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

import tools.jackson.databind.JsonNode;

import io.github.spike4j.convert.ConversionException;
import io.github.spike4j.convert.importer.Sources;
import io.github.spike4j.weights.TemplateEntries;

/**
 * Chat templates where Hugging Face keeps them: in files of their own, {@code chat_template.jinja} and
 * {@code additional_chat_templates/NAME.jinja}, else in {@code tokenizer_config.json}, as one text or as a list of named ones, else in the
 * {@code chat_template.json} of processors.
 */
public final class ChatTemplates {
    private ChatTemplates() { }

    /**
     * Jinja sources by name; empty if there are none.
     *
     * @param file   a file of the folder
     * @param config its {@code tokenizer_config.json}
     */
    static Map<String, String> beside(Path file, JsonNode config) {
        var entries = additional(file.resolveSibling(TemplateEntries.FOLDER));
        var single = TemplateEntries.entry(TemplateEntries.DEFAULT);
        if (Files.exists(file.resolveSibling(single))) {
            entries.add(single);
        }
        var templates = TemplateEntries.read(entries, entry -> Sources.bytes(file.resolveSibling(entry)));
        if (templates.isEmpty()) {
            templates.putAll(of(file.resolveSibling("tokenizer_config.json"), config));
        }
        var processor = file.resolveSibling("chat_template.json");
        if (templates.isEmpty() && Files.exists(processor)) {
            templates.putAll(of(processor));
        }
        return templates;
    }

    /**
     * Jinja sources by name in a {@code tokenizer_config.json}; empty if there are none. Its member {@code chat_template} is a text, or a list of
     * objects with {@code name} and {@code template}.
     *
     * @throws ConversionException if it is something else
     */
    public static Map<String, String> of(Path file) {
        return of(file, Sources.json(file));
    }

    private static Map<String, String> of(Path where, JsonNode config) {
        var chatTemplate = config.path("chat_template");
        var templates = new TreeMap<String, String>();
        if (chatTemplate.isString()) {
            templates.put(TemplateEntries.DEFAULT, chatTemplate.stringValue());
        } else if (chatTemplate.isArray()) {
            for (var named : chatTemplate) {
                if (!named.path("name").isString() || !named.path("template").isString()) {
                    throw new ConversionException(where + ": an element of chat_template is no object with a name and a template");
                }
                templates.put(named.get("name").stringValue(), named.get("template").stringValue());
            }
        } else if (!chatTemplate.isMissingNode() && !chatTemplate.isNull()) {
            throw new ConversionException(where + ": chat_template is neither a text nor a list of named ones");
        }
        return templates;
    }

    private static List<String> additional(Path folder) {
        var entries = new ArrayList<String>();
        if (!Files.isDirectory(folder)) {
            return entries;
        }
        try (var files = Files.list(folder)) {
            files.filter(Files::isRegularFile).forEach(f -> entries.add(TemplateEntries.FOLDER + f.getFileName()));
            return entries;
        } catch (IOException e) {
            throw new ConversionException(folder + ": cannot be read: " + Sources.reason(e), e);
        }
    }
}
