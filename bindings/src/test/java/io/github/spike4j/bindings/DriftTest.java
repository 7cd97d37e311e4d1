package io.github.spike4j.bindings;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.spike4j.bindings.ffi.Spike4jH;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The committed bindings against the header and the library, without jextract: a C compiler is told what the bindings believe
 * and rejects what the header does not say. Not seen: prototypes that are equal in C and differ in meaning.
 */
class DriftTest {
    private static final Pattern PROTOTYPE = Pattern.compile(
            "Function descriptor for:\\s*\\* \\{@snippet lang=c :\\s*\\* (.+?)\\s*\\* \\}", Pattern.DOTALL);
    private static final Pattern ENUM = Pattern.compile("\\* enum \\w+\\.(\\w+) = (-?\\d+)");
    private static final Pattern MACRO = Pattern.compile("\\* #define (\\w+) (-?\\d+)\\s");

    @TempDir
    private Path directory;

    @Test
    void headerSaysWhatTheBindingsBelieve() throws Exception {
        var compiled = compile(Repository.read(Repository.HEADER));
        assertEquals(0, compiled.exitCode(), compiled.output());
    }

    /** The test above can fail: each kind of change to the header makes it fail. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "S4J_E_NONFINITE = -2 | S4J_E_NONFINITE = -7",
        "#define S4J_PAGE 64 | #define S4J_PAGE 32",
        "const float \\*x, int64_t x_stride | const float *x, int32_t x_stride",
        "float kappa; | double kappa;",
        "int8_t \\*code; | uint8_t code;",
        "int32_t bits;([^}]*?)int32_t layout; | int32_t layout;$1int32_t bits;",
        "(?s)S4J_API int32_t s4j_argmax.*?; | ;",
    })
    void changedHeaderIsDrift(String from, String to) throws Exception {
        var header = Repository.read(Repository.HEADER);
        var changed = Pattern.compile(from.strip()).matcher(header).replaceFirst(to.strip());
        assertNotEquals(header, changed, "nothing to change");
        assertNotEquals(0, compile(changed).exitCode(), "not noticed: " + from);
    }

    @Test
    void libraryExportsWhatIsBound() {
        var nm = Repository.run("nm", "-D", "--defined-only", Repository.library().toString());
        assertEquals(0, nm.exitCode(), nm.output());
        var exported = nm.output().lines().map(line -> line.substring(line.lastIndexOf(' ') + 1)).sorted().toList();
        assertEquals(Repository.generated("findOrThrow\\(\"(\\w+)\"\\)"), exported);
    }

    @Test
    void everyAddressResolves() throws Exception {
        NativeLibrary.require();
        var addresses = Arrays.stream(Spike4jH.class.getMethods())
                .filter(m -> m.getName().endsWith("$address") && Modifier.isStatic(m.getModifiers())).toList();
        assertFalse(addresses.isEmpty());
        for (var method : addresses) {
            assertNotEquals(0, ((MemorySegment) method.invoke(null)).address(), method.getName());
        }
    }

    private Repository.Result compile(String header) throws Exception {
        Files.writeString(directory.resolve("spike4j.h"), header);
        var beliefs = Files.writeString(directory.resolve("beliefs.c"), beliefs());
        return Repository.run("cc", "-std=c11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", beliefs.toString());
    }

    private static String beliefs() throws ReflectiveOperationException {
        var c = new StringBuilder("#include \"spike4j.h\"\n#include <stddef.h>\n");
        int functions = 0;
        for (var file : Repository.generatedSources()) {
            var source = Repository.read(file);
            for (var m : results(PROTOTYPE, source)) {
                var prototype = m.get(0).replaceAll("\\s*\\n\\s*\\* ?", " ");
                // Used before it is declared here, so that the header must declare it.
                c.append("_Static_assert(sizeof &%s > 0, \"\");%n".formatted(prototype.replaceAll("\\(.*|.*?(\\w+)(?=\\()", "$1")));
                c.append(prototype).append(";\n");
                functions++;
            }
            for (var pattern : List.of(ENUM, MACRO)) {
                for (var m : results(pattern, source)) {
                    c.append("_Static_assert(%s == %s, \"value of %1$s\");%n".formatted(m.get(0), m.get(1)));
                }
            }
            if (source.contains("GroupLayout layout()")) {
                var name = file.getFileName().toString().replace(".java", "");
                structBeliefs(c, name);
            }
        }
        assertTrue(functions > 0, "no prototypes found: did jextract change its output?");
        return c.toString();
    }

    private static void structBeliefs(StringBuilder c, String name) throws ReflectiveOperationException {
        var layout = (GroupLayout) Class.forName(Spike4jH.class.getPackageName() + "." + name).getMethod("layout").invoke(null);
        c.append("_Static_assert(sizeof(%1$s) == %2$d && _Alignof(%1$s) == %3$d, \"size of %1$s\");%n"
                .formatted(name, layout.byteSize(), layout.byteAlignment()));
        for (var member : layout.memberLayouts()) {
            member.name().ifPresent(field -> c.append(
                    "_Static_assert(offsetof(%1$s, %2$s) == %3$d && sizeof(((%1$s *) 0)->%2$s) == %4$d, \"field %1$s.%2$s\");%n"
                            .formatted(name, field, layout.byteOffset(PathElement.groupElement(field)), member.byteSize())));
        }
    }

    private static List<List<String>> results(Pattern pattern, String text) {
        return pattern.matcher(text).results()
                .map(r -> r.groupCount() == 1 ? List.of(r.group(1)) : List.of(r.group(1), r.group(2))).toList();
    }
}
