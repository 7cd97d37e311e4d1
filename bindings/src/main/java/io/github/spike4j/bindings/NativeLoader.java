package io.github.spike4j.bindings;

import io.github.spike4j.bindings.ffi.Spike4jH;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * One attempt to load libspike4j. Everything that it takes from its surroundings is a component, so that a test can take it away.
 *
 * @param os                 {@code os.name} of the JVM
 * @param arch               {@code os.arch} of the JVM
 * @param explicitPath       the user's library, after which nothing else is tried; or null
 * @param temporaryDirectory where the private directory is made
 * @param packaged           opens the library inside the jar; the stream is null if there is none
 * @param link               hands an absolute path to the dynamic linker, as {@link System#load} does
 */
record NativeLoader(String os, String arch, String explicitPath, Path temporaryDirectory, Packaged packaged, Consumer<String> link) {
    /** Name of the library inside the jar. {@code META-INF} is no package name, so modules do not encapsulate it. */
    static final String RESOURCE = "META-INF/native/linux-x86_64/libspike4j.so";

    /** Opens the packaged library. */
    @FunctionalInterface
    interface Packaged {
        InputStream open() throws IOException;
    }

    /** The loader for this JVM and class loader. */
    static NativeLoader system() {
        return new NativeLoader(System.getProperty("os.name"), System.getProperty("os.arch"),
                System.getProperty(NativeLibrary.PATH_PROPERTY), Path.of(System.getProperty("java.io.tmpdir")),
                () -> NativeLoader.class.getResourceAsStream("/" + RESOURCE),
                path -> System.load(path));
    }

    /** Loads the library into this class's loader. Never throws for a missing, damaged or foreign library. */
    NativeLibrary.Probe load() {
        if (!os.equals("Linux") || !arch.equals("amd64")) {
            return unavailable("it exists for Linux on x86-64 only, and this JVM runs on " + os + " on " + arch);
        }
        try {
            return explicitPath != null ? loadExplicit(Path.of(explicitPath)) : loadPackaged();
        } catch (IllegalCallerException e) {
            var module = NativeLoader.class.getModule();
            return unavailable("native access is denied to it; start java with --enable-native-access="
                    + (module.isNamed() ? module.getName() : "ALL-UNNAMED"));
        }
    }

    private NativeLibrary.Probe loadExplicit(Path file) {
        var way = "-D" + NativeLibrary.PATH_PROPERTY + "=" + file;
        if (!Files.isRegularFile(file)) {
            return unavailable(way + ": no such file");
        }
        try {
            var defect = ElfImage.defectOf(file);
            if (defect != null) {
                return unavailable(way + ": " + defect);
            }
            link.accept(file.toAbsolutePath().toString());
        } catch (IOException | UnsatisfiedLinkError e) {
            return unavailable(way + ": " + reason(e));
        }
        return checked(way);
    }

    private NativeLibrary.Probe loadPackaged() {
        byte[] image;
        try (var in = packaged.open()) {
            if (in == null) {
                return unavailable("resource " + RESOURCE + ": not in the jar; give a library with -D" + NativeLibrary.PATH_PROPERTY + "=FILE");
            }
            image = in.readAllBytes();
        } catch (IOException e) {
            return unavailable("resource " + RESOURCE + ": " + reason(e));
        }
        var defect = ElfImage.defectOf(image);
        if (defect != null) {
            return unavailable("resource " + RESOURCE + ": " + defect);
        }
        var failures = new ArrayList<String>();
        if (linkFromDirectory(image, failures)) {
            return checked("resource " + RESOURCE + " through " + temporaryDirectory);
        }
        if (linkFromMemory(image, failures)) {
            return checked("resource " + RESOURCE + " through memory");
        }
        failures.add("give a library with -D" + NativeLibrary.PATH_PROPERTY + "=FILE");
        return unavailable(String.join("; ", failures));
    }

    /**
     * Links a copy in a fresh private directory and removes it at once: the mapping stays, nothing is left behind or shared, and
     * a second class loader, which the JVM refuses the same path, gets a path of its own.
     */
    private boolean linkFromDirectory(byte[] image, List<String> failures) {
        Path directory = null;
        Path file = null;
        try {
            directory = Files.createTempDirectory(temporaryDirectory, "spike4j-",
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            file = directory.resolve("libspike4j.so");
            Files.write(file, image, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
            link.accept(file.toAbsolutePath().toString());
            return true;
        } catch (IOException | UnsupportedOperationException | UnsatisfiedLinkError e) {
            failures.add("copy in " + temporaryDirectory + ": " + reason(e));
            return false;
        } finally {
            try {
                if (file != null) {
                    Files.deleteIfExists(file);
                }
                if (directory != null) {
                    Files.deleteIfExists(directory);
                }
            } catch (IOException e) {
                System.getLogger("io.github.spike4j").log(System.Logger.Level.DEBUG, "left behind: " + directory, e);
            }
        }
    }

    private boolean linkFromMemory(byte[] image, List<String> failures) {
        try {
            link.accept(MemoryFile.create(image).toString());
            return true;
        } catch (IOException | UnsatisfiedLinkError e) {
            failures.add("copy in memory: " + reason(e));
            return false;
        }
    }

    /** The library is linked; whether it is ours and of the ABI that the generated bindings were made for is asked of itself. */
    private static NativeLibrary.Probe checked(String way) {
        var symbol = SymbolLookup.loaderLookup().find("s4j_abi_version");
        if (symbol.isEmpty()) {
            return unavailable(way + ": it is not libspike4j: it has no s4j_abi_version");
        }
        int actual;
        try {
            actual = (int) Linker.nativeLinker().downcallHandle(symbol.get(), FunctionDescriptor.of(ValueLayout.JAVA_INT)).invokeExact();
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
        int expected = Spike4jH.S4J_ABI_VERSION();
        if (actual != expected) {
            return unavailable(way + ": its ABI version is " + actual + ", but these bindings need " + expected
                    + "; use the library and the jar of one release");
        }
        return new NativeLibrary.Probe(true, way);
    }

    private static NativeLibrary.Probe unavailable(String reason) {
        return new NativeLibrary.Probe(false, "native library libspike4j is not available: " + reason);
    }

    /** I/O exceptions often carry only a file name; their class says what happened. */
    private static String reason(Throwable e) {
        return e instanceof IOException ? e.getClass().getSimpleName() + ": " + e.getMessage() : e.getMessage();
    }
}
