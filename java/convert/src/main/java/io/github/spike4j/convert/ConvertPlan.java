package io.github.spike4j.convert;

import java.util.List;

import io.github.spike4j.format.Architecture;
import io.github.spike4j.format.TokenizerInfo;

/**
 * What a conversion would make.
 *
 * @param architecture  null if the source cannot be read
 * @param parameters    weights of the source, tied ones counted once
 * @param fileBytes     size of the {@code .s4j}, exact but for the digits of some numbers in its manifest
 * @param diskBytes     space that the conversion needs in the folder of the {@code .s4j}: its parts, then the file
 * @param memoryBytes   about the most memory that it needs, without the mapped files of the source
 * @param tokenizer     special ids; null if the source cannot be read
 * @param chatTemplate  whether the source has one
 * @param license       that goes into the file, or null
 * @param warnings      as the conversion would tell its listener
 * @param problems      why it would fail, a line each; empty: it would not
 */
public record ConvertPlan(Architecture architecture, long parameters, long fileBytes, long diskBytes, long memoryBytes,
        TokenizerInfo tokenizer, boolean chatTemplate, String license, List<String> warnings, List<String> problems) { }
