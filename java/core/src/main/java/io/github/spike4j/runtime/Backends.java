package io.github.spike4j.runtime;

import io.github.spike4j.bindings.LargeMemory;
import io.github.spike4j.bindings.NativeLibrary;
import io.github.spike4j.bindings.Tier;
import io.github.spike4j.kernels.Kernels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** The backends by name; one place that knows which exist and which can run here. */
public final class Backends {
    /** Environment variable that lowers the native tier. */
    public static final String TIER_VARIABLE = "SPIKE4J_TIER";

    private Backends() {}

    /**
     * Kernels, and why these.
     *
     * @param reason a sentence for users
     */
    public record Choice(Kernels kernels, String reason) {}

    /** The backends that {@link #choose} knows. */
    public static final List<String> NAMES = List.of("auto", "native", "vector", "java");

    /**
     * Chooses kernels.
     *
     * @param backend one of {@link #NAMES}, or a native tier's name
     * @param tier    native tier to use, for the backends auto and native; null: the best. {@value #TIER_VARIABLE} can only lower what the
     *                machine has
     * @throws IllegalArgumentException for an unknown name, and for a tier of another backend
     * @throws UnsupportedOperationException for what cannot run here, with the reason
     */
    public static Choice choose(String backend, String tier) {
        return choose(backend, tier, System.getenv(TIER_VARIABLE));
    }

    static Choice choose(String backend, String tier, String variable) {
        if (tier != null && !backend.equals("auto") && !backend.equals("native")) {
            throw new IllegalArgumentException("tier " + tier + ": is for the backends auto and native, not for " + backend);
        }
        return switch (backend) {
            case "java" -> new Choice(new JavaKernels(), "scalar Java, as asked for");
            case "vector" -> vector("the Vector API, as asked for");
            case "native" -> {
                var probe = NativeLibrary.probe();
                if (!probe.available()) {
                    throw new UnsupportedOperationException("backend native: " + probe.detail());
                }
                yield nativeTier(tier, variable);
            }
            case "auto" -> {
                var probe = NativeLibrary.probe();
                if (probe.available()) {
                    yield nativeTier(tier, variable);
                }
                if (tier != null) {
                    throw new UnsupportedOperationException("tier " + tier + ": " + probe.detail());
                }
                yield vectorMissing() == null ? vector("the Vector API: " + probe.detail())
                        : new Choice(new JavaKernels(), "scalar Java: " + probe.detail() + "; " + vectorMissing());
            }
            default -> {
                if (Arrays.stream(Tier.values()).noneMatch(t -> t.id().equals(backend))) {
                    throw new IllegalArgumentException("unknown backend \"" + backend + "\"; there are " + String.join(", ", NAMES) + " and "
                            + tiers());
                }
                yield choose("native", backend, variable);
            }
        };
    }

    /** See {@link Kernels#of(String)}. */
    public static Kernels kernels(String name) {
        return choose(name, null).kernels();
    }

    /** Memory for weights that are not mapped; see {@link LargeMemory#allocate}. */
    public static MemorySegment largeMemory(long bytes, Arena arena) {
        return LargeMemory.allocate(bytes, arena);
    }

    private static Choice nativeTier(String asked, String variable) {
        var best = Tier.best();
        var tier = best;
        var why = "the best tier here";
        if (variable != null && !variable.isEmpty()) {
            var limit = tier(variable, TIER_VARIABLE);
            if (limit.ordinal() < tier.ordinal()) {
                tier = limit;
                why = "limited by " + TIER_VARIABLE;
            }
        }
        if (asked != null) {
            var wanted = tier(asked, "tier");
            if (wanted.ordinal() > tier.ordinal()) {
                throw new UnsupportedOperationException("tier " + wanted.id() + " is not available: "
                        + (tier == best ? "the library, the processor and the operating system support " + best.id() + " at most"
                                : TIER_VARIABLE + " allows " + tier.id() + " at most"));
            }
            tier = wanted;
            why = "as asked for";
        }
        return new Choice(new NativeKernels(tier), "native tier " + tier.id() + ", " + why + " (" + NativeLibrary.probe().detail() + ")");
    }

    private static Tier tier(String name, String option) {
        return Arrays.stream(Tier.values()).filter(t -> t.id().equals(name.toLowerCase(Locale.ROOT))).findFirst()
                .orElseThrow(() -> new IllegalArgumentException(option + ": unknown tier \"" + name + "\"; there are " + tiers()));
    }

    private static String tiers() {
        return Arrays.stream(Tier.values()).map(Tier::id).collect(Collectors.joining(", "));
    }

    private static Choice vector(String reason) {
        var missing = vectorMissing();
        if (missing != null) {
            throw new UnsupportedOperationException("backend vector: " + missing);
        }
        try {
            // By name: the class must not be linked where its module is absent.
            return new Choice((Kernels) Class.forName("io.github.spike4j.runtime.VectorKernels").getDeclaredConstructor().newInstance(), reason);
        } catch (ReflectiveOperationException e) {
            throw new UnsupportedOperationException("backend vector: " + e, e);
        }
    }

    private static String vectorMissing() {
        return ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent() ? null
                : "the module jdk.incubator.vector is not resolved; start java with --add-modules jdk.incubator.vector";
    }
}
