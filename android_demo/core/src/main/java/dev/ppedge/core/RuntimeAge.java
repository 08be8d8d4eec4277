package dev.ppedge.core;

/** How old Paddle Lite's runtime is, compared with the opt that wrote a model. */
public enum RuntimeAge {
    /** The same release. */
    SAME,

    /** A later one: it works, perhaps with a warning in the log. */
    NEWER,

    /** An earlier one: it may open the file and give wrong outputs without an error. To be refused. */
    OLDER,

    /** One of the two names no release number. */
    UNKNOWN
}
