package dev.ppedge.demo.logic;

import java.util.Map;

/** What an intent brings with it. Whoever sends one may put anything in, also what this app cannot read. */
public final class Extras {
    /** Where they come from. */
    public interface Source {
        /** Whether there is an extra of this name. */
        boolean has(String name);

        /** Returns its value. */
        Object get(String name);
    }

    private Extras() {}

    /**
     * Reads the extras of some names; others are not looked at.
     *
     * <p>Android makes objects of what was sent at the first look: before Android 13 of all extras at once. An object of a
     * class that this app does not have, or that is nested too deep, ends in any of the errors that are caught here.
     *
     * @param source of an intent
     * @param names to look for, in this order
     * @param into where they go, by name; what was read before an error stays in it
     * @throws ProblemException BAD_REQUEST if one of them cannot be read
     */
    public static void read(Source source, Iterable<String> names, Map<String, Object> into) throws ProblemException {
        for (String name : names) {
            try {
                if (source.has(name)) {
                    into.put(name, source.get(name));
                }
            } catch (RuntimeException | LinkageError | StackOverflowError | OutOfMemoryError error) {
                throw new ProblemException(Problem.BAD_REQUEST, name + " cannot be read: " + error, error);
            }
        }
    }
}
