package io.github.spike4j.cli;

import io.github.spike4j.Chat;
import io.github.spike4j.ChatTemplate;
import io.github.spike4j.Generation;
import io.github.spike4j.Sampling;
import io.github.spike4j.Session;
import io.github.spike4j.SpikeException;
import io.github.spike4j.SpikeModel;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * {@code spike4j chat}. It reads lines and writes lines, without control sequences: a dumb terminal and a pipe do as well as any other.
 */
@Command(name = "chat", description = "Talk with a model.", sortOptions = false, mixinStandardHelpOptions = true)
final class ChatCommand implements Callable<Integer> {

    private static final String HELP = """
            /reset      forgets the conversation
            /save FILE  writes the conversation as JSON, for --messages of chat and render
            /help       shows this
            /exit       ends, as does the end of the input
            ctrl-C      stops the answer; between answers it ends the program
            //...       says a line that begins with /""";

    @Parameters(arity = "0..1", paramLabel = "MODEL", description = "The .s4j file. Default: the demo model, which needs a --template.")
    private Path file;

    @Option(names = "--system", paramLabel = "TEXT", description = "What the model is told about itself.")
    private String system;

    @Option(names = "--messages", paramLabel = "F.json", description = "A conversation to go on with, as /save writes it.")
    private Path messages;

    @Option(names = "--template", paramLabel = "FILE", description = "A chat template (Jinja) in place of the model's own.")
    private Path template;

    @Option(names = "--template-name", paramLabel = "NAME", description = "Which of the model's own templates. Default: the one named tool_use"
            + " where --messages has tools, else default.")
    private String templateName;

    @Mixin
    private SamplingOptions samplingOptions = new SamplingOptions(1024);

    @Mixin
    private EngineOptions engineOptions;

    @Mixin
    private Report report;

    @Spec
    private CommandSpec spec;

    /** The answer in the making, which ctrl-C stops. */
    private volatile Generation current;

    /** The {@code --json} form of an answer. */
    record Turn(String user, String text, int promptTokens, int cachedTokens, List<Integer> tokens, double tokensPerSecond, String finishReason) {}

    /** The {@code --json} form of a message that got no answer. */
    record Refusal(String user, String error) {}

    @Override
    public Integer call() throws IOException {
        var sampling = samplingOptions.sampling();
        var source = template == null ? null : Texts.read(template);
        var begun = messages == null ? null : Conversation.read(messages);
        var path = RunCommand.orDemo(file);
        try (var engine = engineOptions.builder().build(); var model = engine.open(path); var session = model.newSession()) {
            var start = start(model, source, begun);
            Interrupts.handle(this::interrupt);
            talk(session, start, sampling);
        }
        return 0;
    }

    private Chat start(SpikeModel model, String source, Conversation begun) {
        Chat chat;
        try {
            var own = source == null ? model.chatTemplate() : ChatTemplate.of(source);
            chat = model.chat(templateName == null ? own : own.named(templateName));
        } catch (SpikeException.Template e) {
            throw new Failure((template == null ? file : template) + ": " + e.getMessage());
        } catch (SpikeException.UnsupportedModel e) {
            throw new Failure(e.getMessage() + " (--template FILE)");
        }
        if (system != null) {
            chat = chat.system(system);
        }
        return begun == null ? chat : begun.after(chat);
    }

    private void talk(Session session, Chat start, Sampling sampling) throws IOException {
        boolean terminal = System.console() != null && System.console().isTerminal() && report.forPeople();
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var chat = start;
        if (terminal) {
            say("Ask something; /help shows the commands.");
        }
        while (true) {
            if (terminal) {
                report.out().print("> ");
                report.out().flush();
            }
            var line = in.readLine();
            if (line == null) {
                return;
            }
            var words = line.strip().split("\\s+", 2);
            switch (line.startsWith("//") ? "" : words[0]) {
                case "/exit", "/quit" -> {
                    return;
                }
                case "/reset" -> {
                    chat = start;
                    session.truncate(0);
                    say("The conversation is forgotten.");
                }
                case "/help" -> say(HELP);
                case "/save" -> save(chat, words.length > 1 ? words[1] : "");
                default -> {
                    if (line.startsWith("/") && !line.startsWith("//")) {
                        complain(words[0] + ": no such command; /help lists them");
                    } else if (!line.isBlank()) {
                        chat = answer(session, chat, line.startsWith("//") ? line.substring(1) : line, sampling);
                    }
                }
            }
        }
    }

    /** The conversation with the answer; as it was if there is none. */
    private Chat answer(Session session, Chat chat, String text, Sampling sampling) {
        var asked = chat.user(text);
        int kept;
        try {
            kept = session.append(asked);
        } catch (SpikeException.ContextFull e) {
            return refused(chat, text, Failure.oneLine(e) + "; /reset starts anew");
        } catch (SpikeException.Template e) {
            return refused(chat, text, Failure.oneLine(e));
        }
        int prompt = session.position();
        if (prompt == session.maxContext()) {
            return refused(chat, text, "context full: no room for an answer after " + prompt + " tokens; /reset starts anew");
        }
        long first = 0;
        long last = 0;
        var generation = session.generate(sampling);
        current = generation;
        for (var token : generation) {
            last = System.nanoTime();
            first = first == 0 ? last : first;
            if (report.forPeople()) {
                report.out().print(token.text());
                report.out().flush();
            }
        }
        current = null;
        var result = generation.result().join();
        int count = result.ids().size();
        var speed = count > 1 && last > first ? (count - 1) / ((last - first) / 1e9) : 0;
        report.print(new Turn(text, result.text(), prompt, kept, result.ids(), speed,
                result.reason().name().toLowerCase(Locale.ROOT)), switch (result.reason()) {
                    case EOS, STOP -> "";
                    case CANCELLED -> System.lineSeparator() + "(stopped)";
                    case MAX_TOKENS -> System.lineSeparator() + "(cut off after " + count + " tokens; -n N allows more)";
                    case CONTEXT_FULL -> System.lineSeparator() + "(cut off: the context of " + session.maxContext() + " tokens is full; /reset starts anew)";
                });
        return asked.assistant(result.text());
    }

    private Chat refused(Chat chat, String text, String why) {
        if (report.forPeople()) {
            complain(why);
        } else {
            report.print(new Refusal(text, why), null);
        }
        return chat;
    }

    private void save(Chat chat, String name) {
        if (name.isEmpty()) {
            complain("/save needs the name of a file");
            return;
        }
        try {
            Files.writeString(Path.of(name), Conversation.write(chat));
            say("Saved to " + name + ".");
        } catch (IOException | InvalidPathException e) {
            complain(name + ": not saved: " + Failure.oneLine(e));
        }
    }

    /** A line for people. */
    private void say(String line) {
        if (report.forPeople()) {
            report.out().println(line);
            report.out().flush();
        }
    }

    /** What went wrong without ending the talk. */
    private void complain(String what) {
        var err = spec.commandLine().getErr();
        err.println("spike4j: " + what);
        err.flush();
    }

    private void interrupt() {
        var generation = current;
        if (generation != null) {
            generation.cancel();
        } else {
            try {
                report.out().println();
                report.out().flush();
            } finally {
                System.exit(130); // as a program that ctrl-C ends
            }
        }
    }
}
