package io.github.spike4j.bindings;

/**
 * The native library of this class loader, loaded once, on first use. In order, and with nothing after a way that was chosen:
 * <ol>
 * <li>{@code -Dspike4j.native.path=FILE}: that file and no other;</li>
 * <li>the library inside the jar, through a private temporary directory that is gone after the load;</li>
 * <li>the same through an anonymous file in memory, where the temporary directory forbids execution or cannot be written.</li>
 * </ol>
 * Needs {@code --enable-native-access} for this module (or {@code ALL-UNNAMED}) to load without a warning.
 */
public final class NativeLibrary {
    /** System property: path of a library to use instead of the one inside the jar. */
    public static final String PATH_PROPERTY = "spike4j.native.path";

    private NativeLibrary() {
    }

    /**
     * What the attempt to load gave.
     *
     * @param available whether every class of this package may be used
     * @param detail    if available, where the library came from; else the complete reason, fit to be shown to a user
     */
    public record Probe(boolean available, String detail) {
    }

    /** Loads the library if that was not tried before, and says how it went. Never throws for an absent or unusable library. */
    public static Probe probe() {
        return Holder.PROBE;
    }

    /**
     * Loads the library.
     *
     * @throws NativeUnavailableException if it cannot be used, with every reason
     */
    public static void require() {
        if (!Holder.PROBE.available) {
            throw new NativeUnavailableException(Holder.PROBE.detail);
        }
    }

    private static final class Holder {
        static final Probe PROBE = NativeLoader.system().load();
    }
}
