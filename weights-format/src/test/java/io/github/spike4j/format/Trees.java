package io.github.spike4j.format;

import tools.jackson.databind.json.JsonMapper;

/** Manifests as Jackson's trees: the tests' own view of the JSON. */
final class Trees {
    static final JsonMapper MAPPER = JsonMapper.builder().build();

    private Trees() { }
}
