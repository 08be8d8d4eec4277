package dev.ppedge.demo.logic;

import dev.ppedge.core.Fault;

/** What can keep the app from doing its work; each has a screen of its own that says what to do. */
public enum Problem {
    /** The app was built without a bundle. */
    NO_BUNDLE,
    /** A file of the bundle is damaged, foreign or of another schema. */
    BAD_BUNDLE,
    /** The app was built without Paddle Lite's classes. */
    NO_RUNTIME,
    /** Paddle Lite's library is not there for this phone's processor. */
    NO_LIBRARY,
    /** The library is older than the opt that wrote the models. */
    OLD_RUNTIME,
    /** Paddle Lite refused a model. */
    REFUSED_MODEL,
    /** Paddle Lite failed while running. */
    NATIVE_FAILURE,
    /** The app ended inside native code the last time. */
    NATIVE_ABORT,
    /** A picture cannot be read. */
    BAD_PICTURE,
    /** A picture's file ends too early. */
    CUT_OFF_PICTURE,
    /** The phone's memory is full. */
    NO_MEMORY,
    /** The phone's storage is full, or cannot be written. */
    NO_STORAGE,
    /** An intent asked for something impossible. */
    BAD_REQUEST,
    /** The bundle holds no golden pictures. */
    NO_GOLDEN,
    /** The user stopped it. */
    STOPPED,
    /** Its screen was left while it measured times, which are others in the background. */
    LEFT,
    /** Something nobody thought of. */
    UNEXPECTED;

    /** Returns the problem that a fault of a bundle, a picture or a network's output is. */
    public static Problem of(Fault fault) {
        switch (fault) {
            case OUTPUT:
            case NOT_A_NUMBER:
            case FAILED:
                return NATIVE_FAILURE;
            case SIZE:
                return BAD_PICTURE;
            default:
                return BAD_BUNDLE;
        }
    }
}
