package io.github.spike4j.convert.importer;

import io.github.spike4j.convert.ConversionException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.CharacterCodingException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.databind.DatabindException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Small files of a checkpoint, with bounds. */
public final class Sources {
    /** Limit of small files: the largest tokenizers have some 30 MB. */
    private static final long MAX_BYTES = 256L << 20;
    /** Limit of JSON that becomes a tree, which can take 40 times its size: the largest indices of shards have some 8 MB. */
    private static final long MAX_TREE = 16L << 20;
    private static final String POINTER = "version https://git-lfs.github.com/spec/v1";
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private Sources() { }

    public static byte[] bytes(Path file) {
        return bytes(file, MAX_BYTES);
    }

    private static byte[] bytes(Path file, long limit) {
        try {
            long size = Files.size(regular(file));
            if (size > limit) {
                throw new ConversionException(file + ": " + size + " bytes; the limit is " + limit);
            }
            var content = Files.readAllBytes(file);
            refusePointer(file, new String(content, 0, Math.min(content.length, POINTER.length()), StandardCharsets.ISO_8859_1));
            return content;
        } catch (IOException e) {
            throw new ConversionException(file + ": cannot be read: " + reason(e), e);
        }
    }

    /** Who clones a repository without Git LFS has small texts in place of the large files. @param head the first bytes, each as a character */
    public static void refusePointer(Path file, String head) {
        if (head.startsWith(POINTER)) {
            throw new ConversionException(file + ": only the pointer of Git LFS to the file; fetch the file itself (git lfs pull)");
        }
    }

    public static JsonNode json(Path file) {
        return json(file.toString(), bytes(file, MAX_TREE));
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

    /** Reads large JSON as a stream. */
    static JsonParser parser(byte[] content) {
        return JSON.createParser(content);
    }

    /** A whole file, mapped as long as {@code arena} lives. */
    static MemorySegment map(Path file, Arena arena) {
        try (var channel = FileChannel.open(regular(file), StandardOpenOption.READ)) {
            var content = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            var head = content.asSlice(0, Math.min(content.byteSize(), POINTER.length())).toArray(ValueLayout.JAVA_BYTE);
            refusePointer(file, new String(head, StandardCharsets.ISO_8859_1));
            return content;
        } catch (IOException e) {
            throw new ConversionException(file + ": cannot be read: " + reason(e), e);
        }
    }

    /** The file, unless it is none that has a size: to open a named pipe takes until somebody writes to it. */
    public static Path regular(Path file) {
        if (Files.exists(file) && !Files.isRegularFile(file)) {
            throw new ConversionException(file + ": is not a regular file");
        }
        return file;
    }

    /** A name from a file, fit for a message: without control characters, cut if long. */
    public static String printable(String name) {
        var line = name.codePoints().map(c -> Character.isISOControl(c) || c == 0x2028 || c == 0x2029 ? '?' : c)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append).toString();
        return line.length() <= 200 ? line : line.substring(0, 200) + "...";
    }

    /** A field of a settings file. @param otherwise if it is absent; null: it must be there */
    static int integer(String where, String field, JsonNode n, Integer otherwise) {
        if ((n.isMissingNode() || n.isNull()) && otherwise != null) {
            return otherwise;
        }
        if (!n.isIntegralNumber() || !n.canConvertToInt()) {
            throw notA("an integer", where, field, n);
        }
        return n.intValue();
    }

    /** As {@link #integer}, a finite number. */
    static double number(String where, String field, JsonNode n, Double otherwise) {
        if ((n.isMissingNode() || n.isNull()) && otherwise != null) {
            return otherwise;
        }
        if (!n.isNumber() || !Double.isFinite(n.doubleValue())) {
            throw notA("a number", where, field, n);
        }
        return n.doubleValue();
    }

    private static ConversionException notA(String what, String where, String field, JsonNode n) {
        return new ConversionException(where + ": " + field + (n.isMissingNode() ? " is missing" : " is " + printable(n.toString()) + ", not " + what));
    }

    /** One line about an exception whose message may be just a path, or long. */
    public static String reason(Exception e) {
        return switch (e) {
            case NoSuchFileException _ -> "no such file";
            case AccessDeniedException _ -> "permission denied";
            case FileAlreadyExistsException f -> f.getFile() + " exists already";
            case FileSystemException f when f.getReason() != null -> f.getReason();
            case DatabindException d -> (d.getPath().isEmpty() ? "" : d.getPath().getLast().getPropertyName() + ": ")
                    + d.getOriginalMessage().replaceAll("`[a-z0-9.]*\\.([A-Za-z$]+)`", "$1").lines().findFirst().orElse("");
            // Without Jackson's hints for programmers and "(start marker at [Source: REDACTED (...); byte offset: #UNKNOWN])".
            case JacksonException j -> "not valid JSON: "
                    + j.getOriginalMessage().replaceAll(" \\([^(]*\\[Source: [^]]*]\\)|\\[Source: [^]]*]|: enable `[^`]*` to allow|, from `[^`]*`", "").lines().findFirst().orElse("")
                    + (j.getLocation() == null || j.getLocation().getLineNr() < 1 ? ""
                            : " (line " + j.getLocation().getLineNr() + ", column " + j.getLocation().getColumnNr() + ")");
            case CharacterCodingException _ -> "not UTF-8 text";
            default -> e.getMessage() == null ? e.toString() : e.getMessage();
        };
    }
}
