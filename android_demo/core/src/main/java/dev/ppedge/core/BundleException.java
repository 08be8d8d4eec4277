package dev.ppedge.core;

/**
 * Everything that a bundle, a picture or a network's output can be that this package cannot work with.
 *
 * <p>{@link #getMessage()} is a sentence in English that says what is wrong and where, {@link #hint()} one that says what
 * to do: for logs and reports. {@link #fault()} and {@link #where()} are for a screen.
 */
public final class BundleException extends Exception {
    private static final long serialVersionUID = 1L;

    private final Fault fault;
    private final String where;
    private final String hint;

    /**
     * @param fault the kind
     * @param where a file, keys, a task ({@code det}), a size: nothing that would have to be translated; may be empty
     * @param message what is wrong, and where
     * @param hint what to do about it; may be empty
     */
    public BundleException(Fault fault, String where, String message, String hint) {
        this(fault, where, message, hint, null);
    }

    /**
     * @param fault the kind
     * @param where a file, keys, a task ({@code det}), a size: nothing that would have to be translated; may be empty
     * @param message what is wrong, and where
     * @param hint what to do about it; may be empty
     * @param cause what was thrown below; may be null
     */
    public BundleException(Fault fault, String where, String message, String hint, Throwable cause) {
        super(message, cause);
        this.fault = fault;
        this.where = where;
        this.hint = hint;
    }

    /** The kind. */
    public Fault fault() {
        return fault;
    }

    /** A file, keys, a task, a size; may be empty. */
    public String where() {
        return where;
    }

    /** What to do about it, one sentence; may be empty. */
    public String hint() {
        return hint;
    }
}
