package dev.ppedge.core;

/**
 * Everything that a bundle, a picture or a network's output can be that this package cannot work with.
 *
 * <p>{@link #getMessage()} is a sentence that says what is wrong and where; {@link #hint()} says what to do.
 */
public final class BundleException extends Exception {
    private static final long serialVersionUID = 1L;

    private final String hint;

    /**
     * @param message what is wrong, and where (file, key)
     * @param hint what to do about it; may be empty
     */
    public BundleException(String message, String hint) {
        this(message, hint, null);
    }

    /**
     * @param message what is wrong, and where (file, key)
     * @param hint what to do about it; may be empty
     * @param cause what was thrown below; may be null
     */
    public BundleException(String message, String hint, Throwable cause) {
        super(message, cause);
        this.hint = hint;
    }

    /** What to do about it, one sentence; may be empty. */
    public String hint() {
        return hint;
    }
}
