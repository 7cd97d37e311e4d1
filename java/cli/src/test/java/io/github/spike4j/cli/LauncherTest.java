package io.github.spike4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The launcher script, on a copy of the layout that it expects: {@code target/} beside it with one jar and {@code lib/}, made
 * of this build's classes, because the module's own jar does not exist before the tests.
 */
class LauncherTest {

    @TempDir
    Path dir;

    private Path install(String subdirectory) throws IOException, InterruptedException {
        var cli = Files.createDirectories(dir.resolve(subdirectory).resolve("java/cli"));
        var script = cli.resolve("spike4j");
        Files.copy(Cli.LAUNCHER, script, StandardCopyOption.COPY_ATTRIBUTES);
        var lib = Files.createDirectories(cli.resolve("target/lib"));
        // An empty jar whose manifest names the class path of this very test.
        var manifest = dir.resolve("manifest");
        var path = new StringBuilder();
        for (var entry : System.getProperty("java.class.path").split(":")) {
            path.append(' ').append(Path.of(entry).toUri());
        }
        Files.writeString(manifest, wrapped("Class-Path:" + path));
        var jar = Path.of(System.getProperty("java.home"), "bin/jar").toString();
        var made = Cli.process(new ProcessBuilder(jar, "--create",
                "--file=" + lib.resolveSibling("spike4j-cli-1.jar"), "--manifest=" + manifest));
        assertEquals(0, made.code(), made.toString());
        return script;
    }

    /** A manifest line, folded at 70 bytes. */
    private static String wrapped(String line) {
        return line.replaceAll("(.{70})(?!$)", "$1\n ") + "\n";
    }

    private static ProcessBuilder start(Path script, String... args) {
        var builder = new ProcessBuilder();
        builder.command().add(script.toString());
        builder.command().addAll(List.of(args));
        return builder;
    }

    @Test
    void runsFromAnywhereThroughLinksAndSpaces() throws IOException, InterruptedException {
        var script = install("with space");
        var link = Files.createSymbolicLink(dir.resolve("s4"), Files.createSymbolicLink(dir.resolve("s3"), script));
        var run = Cli.process(start(link, "--version").directory(Path.of("/").toFile()));
        assertEquals(0, run.code(), run.toString());
        assertTrue(run.out().startsWith("spike4j "), run.toString());
        assertEquals("", run.err(), "the JVM's notice about incubating modules is filtered");
    }

    /** JAVA_TOOL_OPTIONS makes the JVM's first line another one, which stays. */
    @Test
    void dropsTheNoticeOnLaterLines() throws IOException, InterruptedException {
        var builder = start(install("c"), "--version");
        builder.environment().put("JAVA_TOOL_OPTIONS", "-Dspike4j.test=1");
        assertEquals("Picked up JAVA_TOOL_OPTIONS: -Dspike4j.test=1\n", Cli.process(builder).err());
    }

    @Test
    void passesExitCodeAndErrors() throws IOException, InterruptedException {
        Cli.process(start(install("a"), "--nope")).fails(2, "--nope");
    }

    /** A full disk is an error, a reader that is gone is none; neither goes on working. */
    @Test
    void tellsWhenItsOutputIsLost() throws IOException, InterruptedException {
        var script = install("e");
        var model = Cli.HOME.resolve("demo/novelwiki-29m.s4j").toString();
        var full = new ProcessBuilder("sh", "-c", "exec \"$0\" inspect \"$1\" >/dev/full", script.toString(), model);
        Cli.process(full).fails(1, "standard output: ");
        var gone = new ProcessBuilder("bash", "-c", "\"$0\" run \"$1\" --prompt The -n 1000 | head -c 5; echo \" ${PIPESTATUS[0]}\"", script.toString(), model);
        var run = Cli.process(gone);
        assertEquals("", run.err());
        assertTrue(run.out().matches("(?s)The..? 0\n"), run.out());
    }

    /** The bytes of an é come from the shell: this JVM may not be able to write them either. */
    @Test
    void readsUtf8InAnyLocale() throws IOException, InterruptedException {
        var builder = new ProcessBuilder("sh", "-c", "exec \"$0\" \"dance$(printf '\\303\\251')\"", install("d").toString());
        builder.environment().keySet().removeIf(name -> name.startsWith("LC_") || name.equals("LANG"));
        Cli.process(builder).fails(2, "danceé");
    }

    @Test
    void usesJavaHomeFirstAndFindsAJdkWithoutIt() throws IOException, InterruptedException {
        var script = install("b");
        var builder = start(script, "--version");
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        builder.environment().put("PATH", "/usr/bin:/bin");
        assertEquals(0, Cli.process(builder).code());
        var wrong = start(script, "--version");
        wrong.environment().put("JAVA_HOME", "/nonexistent");
        wrong.environment().put("PATH", System.getProperty("java.home") + "/bin:/usr/bin:/bin");
        assertEquals(0, Cli.process(wrong).code());
    }

    @Test
    void saysWhichCommandBuildsIt() throws IOException, InterruptedException {
        var cli = Files.createDirectories(dir.resolve("fresh/java/cli"));
        var script = cli.resolve("spike4j");
        Files.copy(Cli.LAUNCHER, script, StandardCopyOption.COPY_ATTRIBUTES);
        var builder = start(script, "--version");
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        Cli.process(builder).fails(1, "mvn -q -DskipTests package");
    }
}
