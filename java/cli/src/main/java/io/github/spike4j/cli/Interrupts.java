package io.github.spike4j.cli;

import java.lang.reflect.Proxy;

/**
 * Ctrl-C. Java has no public way to it; {@code sun.misc.Signal}, which every JDK has, is reached by reflection because the compiler warns of
 * the class itself.
 */
final class Interrupts {

    private Interrupts() {}

    /** Runs an action, on another thread, at each ctrl-C from now on. Where that is impossible ctrl-C goes on ending the program. */
    static void handle(Runnable action) {
        try {
            var signal = Class.forName("sun.misc.Signal");
            var handler = Class.forName("sun.misc.SignalHandler");
            var proxy = Proxy.newProxyInstance(Interrupts.class.getClassLoader(), new Class<?>[] {handler}, (self, method, arguments) ->
                    switch (method.getName()) {
                        case "handle" -> {
                            action.run();
                            yield null;
                        }
                        case "equals" -> self == arguments[0];
                        case "hashCode" -> System.identityHashCode(self);
                        default -> "ctrl-C";
                    });
            signal.getMethod("handle", signal, handler).invoke(null, signal.getConstructor(String.class).newInstance("INT"), proxy);
        } catch (ReflectiveOperationException e) {
            // no such class, or a JVM that leaves its signals to others (-Xrs)
        }
    }
}
