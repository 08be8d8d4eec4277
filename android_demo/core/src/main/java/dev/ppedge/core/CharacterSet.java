package dev.ppedge.core;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.CodingErrorAction;
import java.util.ArrayList;
import java.util.List;

/** The classes of a recogniser: CTC's blank (class 0), then for each class what it reads as. */
public final class CharacterSet {
    /** More classes than any recogniser has. */
    public static final int MAX_SIZE = 1 << 17;

    private static final String HINT = "It is damaged, or not of this bundle; copy the bundle again.";

    private final List<String> characters;

    private CharacterSet(List<String> characters) {
        this.characters = characters;
    }

    /**
     * Reads a bundle's {@code charset.txt}: UTF-8, line i is what class i reads as, mostly one character.
     *
     * @param file its name, for the error
     * @throws BundleException if it is not UTF-8, or has no line or too many
     */
    public static CharacterSet read(byte[] utf8, String file) throws BundleException {
        String text = decode(utf8, file, HINT);
        List<String> characters = new ArrayList<String>();
        int begin = 0;
        while (begin < text.length()) {
            int end = text.indexOf('\n', begin);
            end = end < 0 ? text.length() : end;
            characters.add(text.substring(begin, end));
            begin = end + 1;
        }
        if (characters.isEmpty() || characters.size() >= MAX_SIZE) {
            throw new BundleException(
                    Fault.CONTENT, file,
                    file + " has " + characters.size() + " characters.", HINT);
        }
        return new CharacterSet(characters);
    }

    /** Decodes UTF-8, of which nothing is replaced silently. */
    static String decode(byte[] utf8, String what, String hint) throws BundleException {
        try {
            return Charset.forName("UTF-8")
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(ByteBuffer.wrap(utf8))
                    .toString();
        } catch (CharacterCodingException error) {
            throw new BundleException(
                    Fault.CONTENT, what,
                    what + " is not UTF-8.", hint, error);
        }
    }

    /** Number of classes, the blank included. */
    public int size() {
        return characters.size() + 1;
    }

    /** Returns what a class, 1 to size - 1, reads as: mostly one character, but it may be several, or none. */
    public String character(int index) {
        return characters.get(index - 1);
    }
}
