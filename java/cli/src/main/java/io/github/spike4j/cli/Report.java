package io.github.spike4j.cli;

import java.io.PrintWriter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;
import tools.jackson.databind.json.JsonMapper;

/** Where a command's result goes: text for people, or with {@code --json} one object (a record, so camelCase) on one line. */
final class Report {

    private static final JsonMapper JSON = JsonMapper.builder().build();

    @Option(names = "--json", description = "Print one JSON object instead of text.")
    private boolean json;

    @Spec(Target.MIXEE)
    private CommandSpec command;

    /** Whether people read along, so that text may be streamed before the result is complete. */
    boolean forPeople() {
        return !json;
    }

    PrintWriter out() {
        return command.commandLine().getOut();
    }

    /** Prints {@code result}: as JSON, or as the text that {@code text} makes of it. */
    void print(Object result, String text) {
        out().println(json ? JSON.writeValueAsString(result) : text);
        out().flush();
    }
}
