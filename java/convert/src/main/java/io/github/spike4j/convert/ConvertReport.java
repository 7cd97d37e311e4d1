package io.github.spike4j.convert;

import java.nio.file.Path;
import java.util.List;

/**
 * What came out.
 *
 * @param file       the {@code .s4j}
 * @param fileBytes  its size
 * @param recipe     name of the recipe
 * @param parameters weights of the source, tied ones counted once
 * @param layers     blocks
 * @param warnings   as told to the listener
 * @param seconds    wall time
 * @param resumed    blocks that an earlier, unfinished run had written
 */
public record ConvertReport(Path file, long fileBytes, String recipe, long parameters, int layers, List<String> warnings,
        double seconds, int resumed) { }
