package io.github.spike4j.format;

/** Classes before they are used: in a fresh JVM loading them is what takes the time, and a thread may have nothing else to do. */
public final class Classes {
    private Classes() { }

    /** Initializes classes and all that are declared in them. Nothing depends on it: one that fails does so again for who uses it. */
    public static void initialize(Class<?>... roots) {
        for (Class<?> root : roots) {
            try {
                Class.forName(root.getName(), true, root.getClassLoader());
                initialize(root.getDeclaredClasses());
            } catch (ClassNotFoundException | Error e) {
                // see above
            }
        }
    }
}
