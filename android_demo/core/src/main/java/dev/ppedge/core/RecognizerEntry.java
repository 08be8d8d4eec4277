package dev.ppedge.core;

/** A recogniser of a bundle with all that belongs to it: the manifest's {@code models.rec}, or one of {@code recognizers}. */
public final class RecognizerEntry extends ModelEntry {
    /** What a user chooses it by; empty for the one recogniser of a bundle of schema 1. */
    public final String name;

    /** Its pre-processing. */
    public final LinePreprocess preprocess;

    /** Its number of classes, the blank included. */
    public final int classes;

    /** Its character set's file. */
    public final FileEntry charset;

    RecognizerEntry(String name, ModelEntry model, LinePreprocess preprocess, int classes, FileEntry charset) {
        super(model, model.precision, model.optVersion, model.chain);
        this.name = name;
        this.preprocess = preprocess;
        this.classes = classes;
        this.charset = charset;
    }

    /**
     * Reads its character set.
     *
     * @param utf8 the bytes of {@link #charset}
     * @throws BundleException if it is damaged, or has not the recogniser's number of classes
     */
    public CharacterSet characters(byte[] utf8) throws BundleException {
        CharacterSet characters = CharacterSet.read(utf8, charset.path);
        if (characters.size() != classes) {
            throw new BundleException(
                    Fault.CONTENT, charset.path,
                    charset.path + " gives " + characters.size() + " classes with the blank, the manifest says " + classes
                            + ".",
                    "Copy the bundle again, whole.");
        }
        return characters;
    }
}
