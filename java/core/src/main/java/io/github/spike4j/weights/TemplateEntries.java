package io.github.spike4j.weights;

import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.Map;
import java.util.TreeMap;

/**
 * Chat templates among a file's entries, or a folder's files, in the places where Hugging Face keeps them in a folder: {@code chat_template.jinja} is the one
 * named default, {@code additional_chat_templates/NAME.jinja} are the others.
 */
public final class TemplateEntries {
    /** The name of the template that is used unless another is asked for. */
    public static final String DEFAULT = "default";
    /** Where the others are. */
    public static final String FOLDER = "additional_chat_templates/";
    private static final String FILE = "chat_template.jinja";
    private static final String ENDING = ".jinja";

    private TemplateEntries() { }

    /** Reads an entry. */
    @FunctionalInterface
    public interface Reader<E extends Exception> {

        /** The bytes of an entry that is there. */
        byte[] read(String entry) throws E;
    }

    /** Whether a template of that name can be an entry. */
    public static boolean isLegal(String name) {
        return name.matches("[a-z0-9_-][a-z0-9._-]{0,99}");
    }

    /** The entry of a template. */
    public static String entry(String name) {
        return name.equals(DEFAULT) ? FILE : FOLDER + name + ENDING;
    }

    /**
     * All templates of a file by name; empty if there are none.
     *
     * @param entries names of its entries
     * @param reader  of the same file
     * @throws E what {@code reader} throws
     */
    public static <E extends Exception> Map<String, String> read(Collection<String> entries, Reader<E> reader) throws E {
        var templates = new TreeMap<String, String>();
        for (var entry : entries) {
            boolean named = entry.startsWith(FOLDER) && entry.endsWith(ENDING);
            if (named || entry.equals(FILE)) {
                templates.put(named ? entry.substring(FOLDER.length(), entry.length() - ENDING.length()) : DEFAULT,
                        new String(reader.read(entry), StandardCharsets.UTF_8));
            }
        }
        return templates;
    }
}
