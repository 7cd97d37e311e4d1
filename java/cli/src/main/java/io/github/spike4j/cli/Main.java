package io.github.spike4j.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/**
 * The {@code spike4j} command.
 *
 * <p>Exit codes: 0 done; 1 the work failed; 2 the command line is wrong. An error is one line on standard error;
 * {@code --debug} adds the stack trace.
 */
@Command(
        name = "spike4j",
        description = "Runs LLaMA-family language models as spiking LLMs.",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        subcommands = {
            ConvertCommand.class, RunCommand.class, PerplexityCommand.class, CompareCommand.class, InspectCommand.class,
            VerifyCommand.class, InfoCommand.class, TokenizeCommand.class, RenderCommand.class, ChatCommand.class, BenchCommand.class
        },
        sortOptions = false)
public final class Main implements Runnable {

    @Option(names = "--debug", scope = ScopeType.INHERIT, description = "Print the stack trace of an error.")
    private boolean debug;

    @Spec
    private CommandSpec spec;

    private Main() {}

    /**
     * Runs one command and ends the JVM with its exit code.
     *
     * @param args the command line
     */
    public static void main(String... args) {
        System.exit(execute(commandLine().setOut(StandardOutput.writer()), args));
    }

    /**
     * Runs one command to its exit code. Errors of the JVM, which picocli lets pass, are reported as exceptions are; output that could not be
     * written is an error.
     */
    static int execute(CommandLine line, String... args) {
        try {
            var code = line.execute(args);
            line.getOut().flush();
            return code;
        } catch (Throwable e) {
            return line.<Main>getCommand().report(line, e, CommandLine.ExitCode.SOFTWARE);
        }
    }

    /** A fresh command line, for {@link #main} and for tests that run it in-process. */
    static CommandLine commandLine() {
        var main = new Main();
        var line = new CommandLine(main);
        line.getSubcommands().values().forEach(command -> command.getCommandSpec().versionProvider(new Version()));
        return line
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setParameterExceptionHandler((e, _) -> main.report(e.getCommandLine(), e, CommandLine.ExitCode.USAGE))
                .setExecutionExceptionHandler((e, command, _) -> main.report(command, e, CommandLine.ExitCode.SOFTWARE));
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "no command given; see spike4j --help");
    }

    private int report(CommandLine line, Throwable error, int code) {
        if (error instanceof StandardOutput.Lost lost && lost.isReaderGone()) {
            return CommandLine.ExitCode.OK;
        }
        var out = line.getErr();
        out.println("spike4j: " + Failure.oneLine(error));
        if (debug) {
            error.printStackTrace(out);
        }
        out.flush();
        return code;
    }

    /** Version as in the jar's manifest. */
    static final class Version implements CommandLine.IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {"spike4j " + text()};
        }

        static String text() {
            var version = Main.class.getPackage().getImplementationVersion();
            return version == null ? "(unpackaged)" : version;
        }
    }
}
