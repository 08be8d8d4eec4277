package dev.ppedge.demo.logic;

/** A {@link Problem} with what is known about it. */
public final class ProblemException extends Exception {
    private static final long serialVersionUID = 1L;

    /** Which. */
    public final Problem problem;

    /**
     * @param problem which
     * @param detail a file, a number, a sentence from below; may be empty
     */
    public ProblemException(Problem problem, String detail) {
        this(problem, detail, null);
    }

    /**
     * @param problem which
     * @param detail a file, a number, a sentence from below; may be empty
     * @param cause what was thrown below; may be null
     */
    public ProblemException(Problem problem, String detail, Throwable cause) {
        super(detail, cause);
        this.problem = problem;
    }
}
