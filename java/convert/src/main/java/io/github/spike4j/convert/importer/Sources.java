package io.github.spike4j.convert.importer;

import io.github.spike4j.convert.ConversionException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

import tools.jackson.core.JacksonException;
import tools.jackson.databind.DatabindException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Small files of a checkpoint, with bounds. */
public final class Sources {
    /** Limit of JSON files and templates: the largest tokenizers have some 30 MB. */
    private static final long MAX_BYTES = 256L << 20;
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private Sources() { }

    public static byte[] bytes(Path file) {
        try {
            long size = Files.size(file);
            if (size > MAX_BYTES) {
                throw new ConversionException(file + ": " + size + " bytes; the limit is " + MAX_BYTES);
            }
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new ConversionException(file + ": cannot be read: " + reason(e), e);
        }
    }

    public static JsonNode json(Path file) {
        return json(file.toString(), bytes(file));
    }

    public static JsonNode json(String where, byte[] content) {
        try {
            var node = JSON.readTree(content);
            if (!node.isObject()) {
                throw new ConversionException(where + ": not a JSON object");
            }
            return node;
        } catch (JacksonException e) {
            throw new ConversionException(where + ": " + reason(e), e);
        }
    }

    /** One line about an exception whose message may be just a path, or long. */
    public static String reason(Exception e) {
        return switch (e) {
            case NoSuchFileException _ -> "no such file";
            case AccessDeniedException _ -> "access denied";
            case DatabindException d -> (d.getPath().isEmpty() ? "" : d.getPath().getLast().getPropertyName() + ": ")
                    + d.getOriginalMessage().replaceAll("`[a-z0-9.]*\\.([A-Za-z$]+)`", "$1").lines().findFirst().orElse("");
            // Without Jackson's "(start marker at [Source: REDACTED (...); byte offset: #UNKNOWN])".
            case JacksonException j -> "not valid JSON: "
                    + j.getOriginalMessage().replaceAll(" \\([^(]*\\[Source: [^]]*]\\)|\\[Source: [^]]*]", "").lines().findFirst().orElse("")
                    + (j.getLocation() == null || j.getLocation().getLineNr() < 1 ? ""
                            : " (line " + j.getLocation().getLineNr() + ", column " + j.getLocation().getColumnNr() + ")");
            case CharacterCodingException _ -> "not UTF-8 text";
            default -> e.getMessage() == null ? e.toString() : e.getMessage();
        };
    }
}
