package dev.ppedge.core;

/** What kind of thing is wrong: for a screen that says it in the user's language. */
public enum Fault {
    /** A manifest of a schema that this code does not read. */
    OTHER_VERSION,
    /** A file is not there, or cannot be read. */
    MISSING,
    /** A file is not the one that the manifest names: other size, other hash, other version of opt. */
    CHANGED,
    /** A file, or a part of one, is not what it must be. */
    CONTENT,
    /** A picture, a crop or a tensor of an impossible size. */
    SIZE,
    /** A network gives something of another shape than it must. */
    OUTPUT,
    /** A network gives something that is not a number. */
    NOT_A_NUMBER,
    /** A network failed, or gave nothing. */
    FAILED
}
