package io.github.spike4j.bindings;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NativeLoaderTest {
    private static final String NO_EXEC = "failed to map segment from shared object";

    @TempDir
    private Path directory;

    @ParameterizedTest
    @CsvSource({"Linux,aarch64", "Windows 11,amd64", "Mac OS X,aarch64"})
    void otherPlatformIsNamed(String os, String arch) {
        refused(new NativeLoader(os, arch, null, directory, () -> null, path -> { }), "Linux on x86-64", os, arch);
    }

    @Test
    void explicitPathHasNoFallback() throws IOException {
        refused(explicit("missing.so"), NativeLibrary.PATH_PROPERTY, "missing.so", "no such file");
        refused(explicit(write("text.so", "not a library".getBytes())), "not a shared object", "13 bytes");
        refused(explicit(write("long.so", new byte[4096])), "not a shared object", "ELF");
        refused(new NativeLoader("Linux", "amd64", Repository.library().toString(), directory, this::image, path -> {
            throw new UnsatisfiedLinkError(NO_EXEC);
        }), NO_EXEC);
    }

    @ParameterizedTest
    @ValueSource(doubles = {0.02, 0.5, 0.98})
    void truncatedLibraryIsAMessageAndNoCrash(double share) throws IOException {
        var whole = Files.readAllBytes(Repository.library());
        var part = Arrays.copyOf(whole, (int) (whole.length * share));
        refused(explicit(write("cut.so", part)), "truncated");
        refused(new NativeLoader("Linux", "amd64", null, directory, () -> new ByteArrayInputStream(part), System::load), "truncated");
    }

    @Test
    void libraryOfAnotherArchitectureIsNamed() throws IOException {
        var image = Files.readAllBytes(Repository.library());
        image[18] = (byte) 0xb7; // EM_AARCH64
        refused(explicit(write("arm.so", image)), "not an x86-64 shared object");
    }

    @Test
    void jarWithoutLibrary() {
        refused(new NativeLoader("Linux", "amd64", null, directory, () -> null, path -> { }), NativeLoader.RESOURCE, "not in the jar");
        refused(new NativeLoader("Linux", "amd64", null, directory, () -> {
            throw new IOException("zip END header not found");
        }, path -> { }), NativeLoader.RESOURCE, "zip END header not found");
    }

    @Test
    void directoryThatForbidsExecutionFallsBackToMemory() throws IOException {
        var tried = new ArrayList<String>();
        var probe = new NativeLoader("Linux", "amd64", null, directory, this::image, path -> {
            tried.add(path);
            if (path.startsWith(directory.toString())) {
                throw new UnsatisfiedLinkError(path + ": " + NO_EXEC);
            }
            System.load(path);
        }).load();
        assertTrue(probe.available(), probe.detail());
        assertEquals(2, tried.size());
        assertTrue(tried.get(1).startsWith("/proc/self/fd/"), tried.get(1));
        assertEmpty(directory);
    }

    /** The same without pretending, where this machine has a noexec mount that can be written. */
    @Test
    void realDirectoryThatForbidsExecution() throws Exception {
        var mount = Files.readAllLines(Path.of("/proc/mounts")).stream().map(line -> line.split(" "))
                .filter(f -> List.of(f[3].split(",")).contains("noexec") && f[2].equals("tmpfs")).map(f -> Path.of(f[1]))
                .filter(Files::isWritable).findFirst();
        Assumptions.assumeTrue(mount.isPresent(), "no writable noexec tmpfs here");
        try (var isolated = new Isolated()) {
            var probe = isolated.probe(Map.of("java.io.tmpdir", mount.get().toString()));
            assertTrue(probe.available(), probe.detail());
            assertTrue(probe.detail().contains("memory"), probe.detail());
        }
    }

    @Test
    void missingTemporaryDirectoryFallsBackToMemory() throws Exception {
        try (var first = new Isolated(); var second = new Isolated()) {
            for (var isolated : List.of(first, second)) {
                var probe = isolated.probe(Map.of("java.io.tmpdir", directory.resolve("absent").toString()));
                assertTrue(probe.available(), probe.detail());
                assertTrue(probe.detail().contains("memory"), probe.detail());
                isolated.callKernels();
            }
        }
    }

    @Test
    void everyReasonIsListed() {
        refused(new NativeLoader("Linux", "amd64", null, directory, this::image, path -> {
            throw new UnsatisfiedLinkError(path.startsWith("/proc") ? "reason two" : "reason one");
        }), directory.toString(), "reason one", "copy in memory", "reason two", NativeLibrary.PATH_PROPERTY);
    }

    @Test
    void secondClassLoaderLoadsAgainAndNothingIsLeftBehind() throws Exception {
        try (var first = new Isolated(); var second = new Isolated()) {
            assertNotSame(first.type("NativeLibrary"), second.type("NativeLibrary"));
            for (var isolated : List.of(first, second)) {
                var probe = isolated.probe(Map.of("java.io.tmpdir", directory.toString()));
                assertTrue(probe.available(), probe.detail());
                isolated.callKernels();
            }
            assertEmpty(directory);
        }
    }

    @Test
    void otherAbiIsRefused() throws Exception {
        var library = stub("int s4j_abi_version(void) { return 12345; }");
        try (var isolated = new Isolated()) {
            refused(isolated.probe(Map.of(NativeLibrary.PATH_PROPERTY, library.toString())), "ABI version is 12345", library.toString());
        }
    }

    @Test
    void foreignLibraryIsRefused() throws Exception {
        var library = stub("int answer(void) { return 42; }");
        try (var isolated = new Isolated()) {
            refused(isolated.probe(Map.of(NativeLibrary.PATH_PROPERTY, library.toString())), "not libspike4j", library.toString());
        }
    }

    @Test
    void deniedNativeAccessNamesTheOption() throws Exception {
        var java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        var child = Repository.run(java, "--illegal-native-access=deny", "-cp", System.getProperty("java.class.path"), Probe.class.getName());
        assertEquals(0, child.exitCode(), child.output());
        assertTrue(child.output().contains("false") && child.output().contains("--enable-native-access=ALL-UNNAMED"), child.output());
    }

    /** What a child JVM runs. */
    static final class Probe {
        private Probe() {
        }

        public static void main(String[] args) {
            System.out.println(NativeLibrary.probe());
            assertThrows(NativeUnavailableException.class, NativeLibrary::require);
        }
    }

    private java.io.InputStream image() throws IOException {
        return Files.newInputStream(Repository.library());
    }

    private NativeLoader explicit(String name) {
        return new NativeLoader("Linux", "amd64", directory.resolve(name).toString(), directory, this::image, System::load);
    }

    private String write(String name, byte[] content) throws IOException {
        Files.write(directory.resolve(name), content);
        return name;
    }

    private Path stub(String c) throws IOException {
        var source = Files.writeString(directory.resolve("stub.c"), c);
        var library = directory.resolve("libstub.so");
        var cc = Repository.run("cc", "-shared", "-fPIC", "-o", library.toString(), source.toString());
        assertEquals(0, cc.exitCode(), cc.output());
        return library;
    }

    private static void refused(NativeLoader loader, String... parts) {
        refused(loader.load(), parts);
    }

    private static void refused(NativeLibrary.Probe probe, String... parts) {
        assertFalse(probe.available(), probe.detail());
        for (var part : parts) {
            assertTrue(probe.detail().contains(part), () -> "expected '" + part + "' in: " + probe.detail());
        }
    }

    private static void assertEmpty(Path directory) throws IOException {
        try (var files = Files.list(directory)) {
            assertEquals(List.of(), files.toList());
        }
    }

    /** The bindings once more, in a class loader of their own. */
    private static final class Isolated implements AutoCloseable {
        private final URLClassLoader loader = new URLClassLoader(
                Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator)).map(Isolated::url).toArray(URL[]::new),
                ClassLoader.getPlatformClassLoader());

        Class<?> type(String name) throws ClassNotFoundException {
            return loader.loadClass("io.github.spike4j.bindings." + name);
        }

        NativeLibrary.Probe probe(Map<String, String> properties) throws ReflectiveOperationException {
            var before = new java.util.HashMap<String, String>();
            properties.keySet().forEach(key -> before.put(key, System.getProperty(key)));
            try {
                properties.forEach(System::setProperty);
                var probe = type("NativeLibrary").getMethod("probe").invoke(null);
                return new NativeLibrary.Probe((boolean) probe.getClass().getMethod("available").invoke(probe),
                        (String) probe.getClass().getMethod("detail").invoke(probe));
            } finally {
                before.forEach((key, value) -> {
                    if (value == null) {
                        System.clearProperty(key);
                    } else {
                        System.setProperty(key, value);
                    }
                });
            }
        }

        void callKernels() throws ReflectiveOperationException {
            var scalar = type("Tier").getField("SCALAR").get(null);
            var table = type("KernelTable").getMethod("of", type("Tier")).invoke(null, scalar);
            assertEquals("SCALAR", type("KernelTable").getMethod("tier").invoke(table).toString());
        }

        @Override
        public void close() throws IOException {
            loader.close();
        }

        private static URL url(String path) {
            try {
                return Path.of(path).toUri().toURL();
            } catch (MalformedURLException e) {
                throw new IllegalArgumentException(e);
            }
        }
    }
}
