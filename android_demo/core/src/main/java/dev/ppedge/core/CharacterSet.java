package dev.ppedge.core;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** The classes of a recogniser: CTC's blank (class 0), then one character a class. */
public final class CharacterSet {
    /** More classes than any recogniser has. */
    public static final int MAX_SIZE = 1 << 17;

    private final List<String> characters;

    private CharacterSet(List<String> characters) {
        this.characters = Collections.unmodifiableList(new ArrayList<String>(characters));
    }

    /**
     * Reads a bundle's {@code charset.txt}: UTF-8, one character a line, line i is class i.
     *
     * @throws BundleException if it is not UTF-8, or a line has not exactly one character
     */
    public static CharacterSet read(byte[] utf8) throws BundleException {
        throw new UnsupportedOperationException();
    }

    /** Number of classes, the blank included. */
    public int size() {
        return characters.size() + 1;
    }

    /** Returns the character of a class, 1 to size - 1; one that Java writes as a surrogate pair has length 2. */
    public String character(int index) {
        return characters.get(index - 1);
    }
}
